from __future__ import annotations

import numpy as np
import pytest

from mskseg.case import Case
from mskseg.errors import InputError
from mskseg.volume import LabelMap, Volume
from mskseg_studies.exploration import describe_datasets
from mskseg_studies.tissues import tissue_means, tissue_properties


def make_case(subject: str, width: int) -> Case:
    """Three slices that show a strip of label 1, the middle one a square of label 7 too."""
    labels = np.zeros((3, 60, 400), dtype=np.int16)
    labels[:, 20 : 20 + width, 10:390] = 1
    labels[1, 45:55, 100:110] = 7
    grid = Volume(np.zeros((400, 60, 3)), np.diag([1.0, 1.0, 5.0, 1.0]))
    reference = LabelMap(grid.from_stack(labels, "axial").array, grid.affine)
    image = np.where(reference.array > 0, 60.0, 1.0)
    return Case(
        subject=subject,
        image=Volume(image, grid.affine),
        reference=reference,
        tissues={1: "strip", 7: "square"},
        dataset="phantom_knee",
        anatomy="knee",
        sequence="drawn",
    )


def test_data_sets_are_described_by_what_was_measured():
    cases = [make_case("a", 4)]
    row = describe_datasets([cases], tissue_means(tissue_properties(cases))).iloc[0]
    assert row["tissues"] == 2
    assert row["shapes"] == "1 thin, 1 compact"
    assert row["area_mm2"] == "100 to 1520"
    assert "t2_map" in row["maps"]
    assert "pdw_fs_8x" in row["accelerated"]


def test_a_data_set_that_was_not_measured_is_named():
    empty = tissue_means(tissue_properties([make_case("a", 4)])).assign(dataset="another")
    with pytest.raises(InputError, match="expected tissues of phantom_knee, got none"):
        describe_datasets([[make_case("a", 4)]], empty)
