"""Biomarkers from slices are those of the volume, and stand beside what matters."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from mskseg.case import Case
from mskseg.datasets.fetching import fetch
from mskseg.datasets.loading import load_cases
from mskseg.datasets.manifest import load_manifest
from mskseg.evaluation.scoring import score_cases
from mskseg.prompts.plans import OracleBox
from mskseg.volume import LabelMap, Volume
from mskseg_studies.errors.biomarkers import (
    BIOMARKERS,
    biomarker_table,
    height_mm,
    measure_slice,
    t2_maps,
)
from mskseg_studies.errors.error_measures import ErrorMeasures

AFFINE = np.diag([1.0, 0.5, 4.0, 1.0])


def knee(sequence: str = "pdw", values: np.ndarray | None = None) -> Case:
    """A strip of cartilage that widens from slice to slice; the image is a map if asked for."""
    labels = np.zeros((40, 60, 5), dtype=np.int16)
    for k in range(1, 4):
        labels[5:35, 20 : 24 + 2 * k, k] = 1
    reference = LabelMap(labels, AFFINE)
    image = Volume(labels * 100.0 + 1 if values is None else values, AFFINE)
    return Case(
        subject="a",
        image=image,
        reference=reference,
        tissues={1: "femoral cartilage"},
        kinds={1: "cartilage"},
        anatomy="knee",
        sequence=sequence,
        dataset="d",
    )


def t2_case() -> Case:
    tenths = np.full((40, 60, 5), 300, dtype=np.int16)
    tenths[:, :, 3] = 500
    tenths[0, 0, 0] = 0
    return knee("t2_map", tenths)


@pytest.fixture
def table(filling) -> pd.DataFrame:
    measures = ErrorMeasures(maps=t2_maps([t2_case()]))
    return score_cases(filling, knee(), prompts=OracleBox(), further=measures, progress=False)


def test_slices_add_up_to_what_is_measured_in_the_volume(table):
    got = biomarker_table(table, slice_distance_mm={"d": 4.0}).set_index("biomarker")
    widths = np.array([6, 8, 10])  # pixels of half a millimetre, on three slices
    thickness = np.average(widths * 0.5, weights=widths)
    assert got.loc["cartilage thickness", "reference"] == pytest.approx(thickness, rel=0.1)
    t2 = t2_maps([t2_case()])["T2", "d", "a"].array[knee().reference.mask(1)].mean()
    assert got.loc["cartilage T2", "reference"] == pytest.approx(t2)


def test_a_box_that_is_filled_leaves_a_rectangle_as_it_is(table):
    got = biomarker_table(table, slice_distance_mm={"d": 4.0})
    assert got["difference"].abs().max() == pytest.approx(0, abs=1e-9)


def test_a_volume_counts_the_distance_of_slices_and_is_compared_in_per_cent(table):
    muscle = table.assign(
        anatomy="thigh",
        tissue="gracilis",
        group="muscle",
        predicted_area_mm2=lambda t: 1.1 * t.area_mm2,
    )
    got = biomarker_table(muscle, slice_distance_mm={"d": 8.0}).set_index("biomarker")
    row = got.loc["muscle volume"]
    assert row["reference"] == pytest.approx(table["area_mm2"].sum() * 8 / 1000)
    assert (row["unit"], row["difference"]) == ("%", pytest.approx(10))


@pytest.mark.parametrize(
    ("dataset", "tissue", "names"),
    [
        ("phantom_knee", "patellar cartilage", {"cartilage thickness", "cartilage T2"}),
        ("phantom_hip", "acetabular cartilage", {"cartilage thickness"}),
        ("phantom_spine", "disc L1/2", {"disc height"}),
        ("phantom_thigh", "biceps femoris long head", {"muscle volume", "muscle fat fraction"}),
        ("phantom_thigh", "femur marrow", set()),
        ("phantom_thigh", "subcutaneous fat", set()),
        ("phantom_knee", "femur", set()),
        ("qmritools_thigh", "rectus femoris left", {"muscle volume", "muscle fat fraction"}),
        ("qmritools_thigh", "ilium left", set()),
    ],
)
def test_each_tissue_has_its_biomarkers(dataset, tissue, names):
    entry = load_manifest().datasets[dataset]
    kinds = {entry.labels[label]: kind for label, kind in entry.label_kinds.items()}
    found = {m.name for m in BIOMARKERS if m.applies(entry.anatomy, kinds[tissue])}
    assert found == names


@pytest.mark.real
def test_the_ilium_of_a_real_thigh_is_bone_and_has_no_muscle_volume(
    filling, real_data, tmp_path, monkeypatch
):
    monkeypatch.setenv("MSKSEG_CACHE", str(tmp_path))
    fetch("qmritools_thigh", from_dir=real_data)
    (case,) = load_cases("qmritools_thigh", progress=False)
    assert case.tissue(101) == "ilium left"
    assert case.kind(101) == "bone"
    last = case.reference.stack(case.plane) == 101
    step = int(np.flatnonzero(last.any(axis=(1, 2)))[0])  # so that a slice shows the ilium
    found = score_cases(
        filling, case, prompts=OracleBox(), slice_step=step, further=ErrorMeasures(), progress=False
    )
    assert "ilium left" in set(found["tissue"])
    read = biomarker_table(found, slice_distance_mm={case.dataset: 6.0})
    assert set(read["biomarker"]) == {"muscle volume"}  # there is no map of fat
    assert not {"ilium left", "femur left", "femur right"} & set(read["tissue"])
    assert "gracilis left" in set(read["tissue"])


def test_every_smallest_change_has_a_source_or_says_that_it_has_none():
    for marker in BIOMARKERS:
        assert "doi:10." in marker.source or "commonly quoted" in marker.source


def test_nothing_has_no_thickness_but_a_volume_of_zero():
    nothing = np.zeros((5, 5), dtype=bool)
    assert np.isnan(measure_slice("thickness", nothing, spacing_mm=(1.0, 1.0)))
    assert measure_slice("volume", nothing, spacing_mm=(1.0, 1.0)) == 0
    assert np.isnan(measure_slice("T2", ~nothing, spacing_mm=(1.0, 1.0)))


def test_a_structure_that_was_only_invented_has_no_biomarker(table):
    invented = table.assign(
        anatomy="thigh", tissue="gracilis", group="muscle", area_mm2=0.0, predicted_area_mm2=20.0
    )
    assert biomarker_table(invented, slice_distance_mm={"d": 4.0}).empty


def drawn(kind: str, angle: float, spacing_mm: tuple[float, float]) -> np.ndarray:
    """A flat body of half length 17 and half height 5 mm, off the grid by a part of a pixel."""
    y, x = ((np.arange(-n, n + 1) + 0.3) * mm for mm in spacing_mm for n in [int(22 / mm)])
    c, s = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    along, across = x * c + y[:, None] * s, y[:, None] * c - x * s
    if kind == "ellipse":
        return (along / 17) ** 2 + (across / 5) ** 2 < 1
    return (np.abs(along) < 17) & (np.abs(across) < 5)


@pytest.mark.parametrize("spacing_mm", [(0.5, 0.5), (0.5, 1.0), (1.0, 1.0)])
@pytest.mark.parametrize("angle", [0, 20, 45, 90])
@pytest.mark.parametrize(("kind", "height"), [("rectangle", 10), ("ellipse", math.pi * 5 / 2)])
def test_height_is_area_over_length_however_the_body_lies(kind, height, angle, spacing_mm):
    got = height_mm(drawn(kind, angle, spacing_mm), spacing_mm=spacing_mm)
    assert got == pytest.approx(height, rel=0.06)


def test_a_stray_pixel_does_not_make_a_disc_longer_and_lower():
    disc = drawn("ellipse", 20, (1.0, 1.0))
    alone = height_mm(disc, spacing_mm=(1.0, 1.0))
    disc[0, 0] = True
    assert height_mm(disc, spacing_mm=(1.0, 1.0)) == alone


def test_one_pixel_has_no_height():
    assert math.isnan(height_mm(np.eye(1, dtype=bool), spacing_mm=(1.0, 1.0)))


def test_height_is_in_millimetres():
    bar = np.zeros((40, 100), dtype=bool)
    bar[10:20, 10:90] = True
    assert height_mm(bar, spacing_mm=(0.5, 1.0)) == pytest.approx(5)
