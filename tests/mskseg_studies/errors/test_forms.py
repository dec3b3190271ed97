"""Forms of error on shapes whose form is known."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from mskseg.case import Case
from mskseg.prompts import fill_boxes
from mskseg.volume import LabelMap, Volume
from mskseg_studies.errors.forms import roughness, score_forms, solidity

MM = (1.0, 1.0)


def disc(radius: float, n: int = 100, wave: float = 0.0, lobes: int = 24) -> np.ndarray:
    y, x = np.mgrid[:n, :n] - (n - 1) / 2
    return np.hypot(x, y) < radius * (1 + wave * np.cos(lobes * np.arctan2(y, x)))


def test_a_disc_is_solid_and_a_cross_is_not():
    cross = np.zeros((90, 90), dtype=bool)
    cross[30:60], cross[:, 30:60] = True, True
    assert solidity(disc(30)) > 0.97
    assert solidity(cross) == pytest.approx(5 / 7, abs=0.02)  # hull: 9 squares less 4 halves


def test_only_the_largest_piece_counts():
    two = disc(30)
    two[0, 0] = True
    assert solidity(two) == solidity(disc(30))
    assert roughness(two, spacing_mm=MM) == roughness(disc(30), spacing_mm=MM)


def test_a_jagged_disc_is_rougher_than_a_smooth_one():
    smooth, jagged = disc(30), disc(30, wave=0.08)
    assert roughness(smooth, spacing_mm=MM) == pytest.approx(1, abs=0.05)
    assert roughness(jagged, spacing_mm=MM) > 1.15


def test_roughness_is_of_the_world_not_of_the_pixels():
    jagged = disc(30, wave=0.08)
    stretched = jagged.repeat(2, axis=0)
    assert roughness(stretched, spacing_mm=(0.5, 1.0)) == pytest.approx(
        roughness(jagged, spacing_mm=MM), rel=0.06
    )


def test_nothing_has_no_form():
    nothing = np.zeros((10, 10), dtype=bool)
    assert np.isnan(solidity(nothing))
    assert np.isnan(roughness(nothing, spacing_mm=MM))


class Filling:
    """Answers a box with its filling: too large, and all its concavity lost."""

    name, miniature = "filling", True

    def embed(self, image):
        return image

    def predict(self, embedding, prompt):
        masks = np.stack([fill_boxes(box, embedding.shape) for box in prompt.boxes_xyxy])
        return SimpleNamespace(masks=masks[:, None], predicted_iou=np.ones((len(masks), 1)))


def test_a_filled_box_is_too_large_and_loses_the_concavity_of_a_crescent():
    crescent = disc(30) & ~np.roll(disc(30), 20, axis=1)
    grid = Volume(np.zeros((100, 100, 2)), np.diag([1.0, 1.0, 5.0, 1.0]))
    stack = np.stack([crescent, np.zeros_like(crescent)]).astype(np.int16)
    reference = LabelMap(grid.from_stack(stack, "axial").array, grid.affine)
    image = Volume(reference.array * 100.0 + 1, grid.affine)
    case = Case(subject="a", image=image, reference=reference, tissues={1: "crescent"})
    table = score_forms(Filling(), [case])
    assert len(table) == 1
    row = table.iloc[0]
    assert row["area_error"] > 0.5
    assert row["solidity_gain"] == pytest.approx(1 - solidity(crescent), abs=0.02)
    assert row["tissue"] == "crescent"


def test_a_sheet_that_the_blur_wipes_out_has_no_roughness():
    sheet = np.zeros((60, 100), dtype=bool)
    sheet[30:34, 10:90] = True
    assert np.isnan(roughness(sheet, spacing_mm=(0.5, 0.5)))
    assert roughness(sheet, spacing_mm=(5.0, 5.0)) == pytest.approx(1, abs=0.05)
