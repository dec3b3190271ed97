from __future__ import annotations

import numpy as np
import pytest

from mskseg.errors import InputError
from mskseg_phantom.drawing import PlaneGrid
from mskseg_phantom.drawing.canvas import Canvas, check_shape, rasterise
from mskseg_phantom.tissue import Tissue

EXTENT = (32.0, 32.0, 8.0)


class Slab:
    """Muscle (label 1) left of an edge in u, fat (label 2) right of it, with streaks of fat."""

    extent_mm = EXTENT

    def __init__(self, edge_mm: float, streaks: float = 0.0) -> None:
        self.edge_mm, self.streaks = edge_mm, streaks

    def plane(self, grid: PlaneGrid, z_mm: float) -> Canvas:
        left = grid.points_mm[0] + 0 * z_mm < self.edge_mm
        return Canvas(
            np.where(left, Tissue.MUSCLE, Tissue.FAT).astype(np.uint8),
            np.where(left, 1, 2).astype(np.uint8),
            np.where(left, self.streaks, 0).astype(np.float32),
        )


class Layers(Slab):
    """Muscle below an edge in z, fat above."""

    def plane(self, grid: PlaneGrid, z_mm: float) -> Canvas:
        kind = (Tissue.MUSCLE, 1) if z_mm < self.edge_mm else (Tissue.FAT, 2)
        full = [np.full(grid.shape, value, dtype=np.uint8) for value in kind]
        return Canvas(full[0], full[1], np.zeros(grid.shape, dtype=np.float32))


def test_a_voxel_cut_in_half_holds_half_of_each_tissue() -> None:
    content = rasterise(Slab(0.5), shape=(32, 32, 2))  # voxel 16 is [0, 1]
    fractions = content.fractions[:, 16, 5, 1]
    assert fractions[Tissue.MUSCLE] == fractions[Tissue.FAT] == 0.5
    np.testing.assert_allclose(content.fractions.sum(axis=0), 1, atol=1e-6)


def test_the_label_is_the_majority_and_of_equal_shares_the_smallest() -> None:
    cut = rasterise(Slab(0.5), shape=(32, 32, 2)).labels
    assert (cut[:17] == 1).all()
    assert (cut[17:] == 2).all()


def test_a_thick_slice_mixes_what_lies_above_and_below() -> None:
    content = rasterise(Layers(0.0), shape=(32, 32, 3))
    np.testing.assert_allclose(content.fractions[Tissue.FAT, 0, 0], [0, 0.5, 1])


def test_streaks_of_fat_stay_under_the_label_of_their_muscle() -> None:
    content = rasterise(Slab(0.0, streaks=0.25), shape=(32, 32, 2))
    assert content.fractions[Tissue.FAT, 3, 3, 0] == pytest.approx(0.25)
    assert content.fractions[Tissue.MUSCLE, 3, 3, 0] == pytest.approx(0.75)
    assert (content.labels[:16] == 1).all()


@pytest.mark.parametrize(
    ("tissue", "mixed"),
    [
        ("MARROW", "FIBROUS"),
        ("CANCELLOUS", "MARROW"),
        ("DISC_NUCLEUS", "DISC_ANNULUS"),
        ("LIGAMENT", "SYNOVIAL"),
    ],
)
def test_each_tissue_has_an_admixture_of_its_own(tissue, mixed) -> None:
    class Mixed(Slab):
        def plane(self, grid: PlaneGrid, z_mm: float) -> Canvas:
            full = np.full(grid.shape, Tissue[tissue], dtype=np.uint8)
            return Canvas(full, full, np.full(grid.shape, 0.25, dtype=np.float32))

    fractions = rasterise(Mixed(0.0), shape=(32, 32, 2)).fractions
    np.testing.assert_allclose(fractions[Tissue[mixed]], 0.25)
    np.testing.assert_allclose(fractions[Tissue[tissue]], 0.75)


@pytest.mark.parametrize(
    "shape", [(256, 256), (256, 256, 1), (16, 256, 24), (256, -1, 24), (64.5, 64, 8), (9999, 64, 8)]
)
def test_an_impossible_shape_says_what_is_possible(shape) -> None:
    with pytest.raises(InputError, match=r"impossible phantom shape .*32 to 1024") as raised:
        check_shape(shape)
    assert "\n" not in str(raised.value)
