"""Whole volumes: empty slices are asked by neighbour boxes and counted."""

from __future__ import annotations

import numpy as np
import pytest
from support.small_sams import build_small_sam
from support.tuning_cases import draw_case

from mskseg.case import Case
from mskseg.models.preprocessing import SamPreprocessing
from mskseg.models.segmenter import Segmenter
from mskseg.prompts import NeighbourBox, OracleBox
from mskseg.volume import LabelMap
from mskseg_studies.tuning.bench import TuningBench
from mskseg_studies.tuning.gains import whole_volumes


@pytest.fixture
def volume() -> Case:
    """Six slices; the first and the last two hold nothing."""
    case = draw_case("p", seed=0, n_slices=6, dataset="legs")
    labels = np.asarray(case.reference.array).copy()
    labels[..., [0, 4, 5]] = 0
    return Case(
        subject="p",
        image=case.image,
        reference=LabelMap(labels, case.reference.affine),
        tissues=case.tissues,
        dataset="legs",
    )


class PaintsBoxes(Segmenter):
    """Fills each box, so that it never stops at the end of a structure."""

    def predict(self, embedding, prompt):
        answer = super().predict(embedding, prompt)
        for masks, (x0, y0, x1, y1) in zip(answer.masks, prompt.boxes_xyxy, strict=True):
            masks[:] = False
            masks[:, int(y0) : int(np.ceil(y1)), int(x0) : int(np.ceil(x1))] = True
        return answer


def test_a_model_that_draws_beyond_the_end_is_counted_on_every_empty_slice(volume, tmp_path):
    model = build_small_sam(0).requires_grad_(False)
    segmenter = PaintsBoxes(model, SamPreprocessing(128), name="paints")
    bench = TuningBench(tmp_path, n_validation=1)
    rows = [
        bench.score(segmenter, {"inference": [volume]}, prompts=plan)
        for plan in (OracleBox(), NeighbourBox())
    ]
    told = {
        row["box_source"]: row
        for table in rows
        for row in whole_volumes(table, [volume]).to_dict("records")
    }
    oracle, neighbour = told.pop("oracle"), next(iter(told.values()))
    assert (oracle["n_slices"], oracle["n_empty"]) == (6, 3)
    assert np.isnan(oracle["n_false"]), "boxes of the reference ask nothing there"
    assert neighbour["n_false"] == 3
    assert neighbour["volume_dice"] < oracle["volume_dice"]
    assert oracle["evaluated_on"] == "legs"


def test_a_step_counts_the_slices_that_were_scored(volume, tmp_path):
    model = build_small_sam(0).requires_grad_(False)
    segmenter = PaintsBoxes(model, SamPreprocessing(128), name="paints")
    bench = TuningBench(tmp_path, n_validation=1, slice_steps={"inference": 2})
    rows = bench.score(segmenter, {"inference": [volume]}, prompts=NeighbourBox())
    (told,) = whole_volumes(rows, [volume], slice_step=2).to_dict("records")
    assert (told["n_slices"], told["n_empty"], told["n_false"]) == (3, 2, 2)
