"""What is measured of every prediction while its masks are at hand."""

from __future__ import annotations

import numpy as np
import pytest

from mskseg.case import Case
from mskseg.evaluation.scoring import COLUMNS, score_cases
from mskseg.prompts.plans import NeighbourBox, OracleBox
from mskseg.volume import LabelMap, Volume
from mskseg_studies.errors import error_measures as module
from mskseg_studies.errors.error_measures import ErrorMeasures


@pytest.fixture
def case() -> Case:
    labels = np.zeros((40, 60, 4), dtype=np.int16)
    labels[5:35, 20:26, :2] = 1
    labels[0, 0, 2] = 1  # too small for a box
    affine = np.diag([1.0, 1.0, 4.0, 1.0])
    reference = LabelMap(labels, affine)
    values = labels * 100.0 + 1
    values[-1, -1] = 2  # every slice has a signal, so that a box is carried beyond the end
    image = Volume(values, affine)
    tissues = {1: "femoral cartilage"}
    return Case(
        subject="a",
        image=image,
        reference=reference,
        tissues=tissues,
        kinds={1: "cartilage"},
        anatomy="knee",
    )


def test_a_perfect_mask_has_no_error_of_form(filling, case):
    table = score_cases(filling, case, prompts=OracleBox(), further=ErrorMeasures(), progress=False)
    scored = table[table["status"] == "scored"]
    assert scored["surface_dice"].tolist() == [1, 1]
    for column in ("area_error", "solidity_gain"):
        assert scored[column].tolist() == [0, 0]
    assert scored["predicted thickness"].tolist() == scored["reference thickness"].tolist()


def test_what_is_not_scored_has_no_surface_dice(filling, case):
    table = score_cases(filling, case, prompts=OracleBox(), further=ErrorMeasures(), progress=False)
    small = table[table["status"] == "too_small"]
    assert len(small) == 1
    assert small["surface_dice"].isna().all()


def test_a_prediction_beyond_the_end_has_a_biomarker_and_no_form(filling, case):
    table = score_cases(
        filling, case, prompts=NeighbourBox(), further=ErrorMeasures(), progress=False
    )
    beyond = table[table["status"] == "beyond_end"]
    assert len(beyond)
    assert beyond["predicted thickness"].notna().all()
    assert beyond["area_error"].isna().all()


def test_nothing_found_is_lost_entirely(finds_nothing, case):
    table = score_cases(
        finds_nothing, case, prompts=OracleBox(), further=ErrorMeasures(), progress=False
    )
    scored = table[table["status"] == "scored"]
    assert scored["surface_dice"].tolist() == [0, 0]
    assert scored["area_error"].tolist() == [-1, -1]
    assert scored["predicted thickness"].isna().all()


def test_the_reference_is_measured_once_for_all_models(filling, finds_nothing, case, monkeypatch):
    measured = []
    real = module.measure_slice

    def counted(quantity, mask, **options):
        measured.append(quantity)
        return real(quantity, mask, **options)

    monkeypatch.setattr(module, "measure_slice", counted)
    measures = ErrorMeasures()
    score_cases(filling, case, prompts=OracleBox(), further=measures, progress=False)
    first = len(measured)
    score_cases(finds_nothing, case, prompts=OracleBox(), further=measures, progress=False)
    assert len(measured) - first == first / 2


def test_further_columns_come_after_the_tables_own(filling, case):
    table = score_cases(
        filling, case, prompts=OracleBox(), further=lambda c, e: {"px": e.reference.sum()},
        progress=False,
    )  # fmt: skip
    assert list(table.columns) == [*COLUMNS, "px"]
    assert table["px"].tolist() == [180, 180, 1]


def test_the_border_is_measured_of_the_reference_and_named(filling, finds_nothing, case):
    measures = ErrorMeasures()
    found = [
        score_cases(model, case, prompts=NeighbourBox(), further=measures, progress=False)
        for model in (filling, finds_nothing)
    ]
    shown = [table[table["area_mm2"] > 30] for table in found]
    assert shown[0]["border"].tolist() == ["clear", "clear"]
    assert shown[0]["edge_contrast"].tolist() == shown[1]["edge_contrast"].tolist()
    beyond = found[0][found[0]["status"] == "beyond_end"]
    assert set(beyond["border"]) == {""}
