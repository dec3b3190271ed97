"""The target lies where the decoder's logits lie: nothing moves by half a pixel."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mskseg.finetuning.losses import cell_shares, targets_in_frame
from mskseg.models.preprocessing import MedSamPreprocessing, SamPreprocessing

SIZES = [(60, 90), (90, 60), (64, 64), (300, 200), (31, 47)]
KINDS = [SamPreprocessing(128), MedSamPreprocessing(128)]


def disc(shape, centre=(0.4, 0.55), radius=0.2) -> torch.Tensor:
    y, x = np.mgrid[: shape[0], : shape[1]] + 0.5
    far = ((y / shape[0] - centre[0]) ** 2 + (x / shape[1] - centre[1]) ** 2) ** 0.5
    return torch.from_numpy(far < radius)[None]


def framed(mask, kind, size=(32, 32)):
    targets, inside = targets_in_frame(mask, preprocessing=kind, size=size)
    return targets[0], inside


def test_a_cell_of_the_same_size_as_a_pixel_keeps_the_mask():
    mask = disc((32, 32))
    for kind in (SamPreprocessing(32), MedSamPreprocessing(32)):
        target, inside = framed(mask, kind)
        assert torch.equal(target, mask[0].float())
        assert (inside == 1).all()


def test_cells_half_the_size_repeat_and_twice_the_size_average():
    shares, inside = cell_shares(4, 2, frame=4, taken=4)
    np.testing.assert_allclose(shares, [[1, 0], [1, 0], [0, 1], [0, 1]])
    shares, _ = cell_shares(1, 2, frame=4, taken=4)
    np.testing.assert_allclose(shares, [[0.5, 0.5]])
    assert inside.tolist() == [1, 1, 1, 1]


def test_padding_is_told_from_the_slice_and_a_cell_across_the_edge_is_both():
    """The slice takes 3 of 8 pixels; cells of 2 px: one full, one half, two in the padding."""
    shares, inside = cell_shares(4, 3, frame=8, taken=3)
    np.testing.assert_allclose(inside, [1, 0.5, 0, 0])
    np.testing.assert_allclose(shares.sum(1), [1, 1, 0, 0], atol=1e-6)
    np.testing.assert_allclose(shares[1], [0, 0, 1])


@pytest.mark.parametrize("kind", KINDS, ids=lambda k: k.name)
@pytest.mark.parametrize("shape", SIZES)
def test_area_and_centre_of_a_mask_are_kept(kind, shape):
    """In continuous coordinates; half a pixel of the slice, or of a cell, would show."""
    mask = disc(shape)
    target, inside = framed(mask, kind)
    weight = (target * inside).double().numpy()
    taken = kind.input_size(shape)
    cell_px = np.array([128 / 32 * shape[0] / taken[0], 128 / 32 * shape[1] / taken[1]])
    assert weight.sum() * cell_px.prod() == pytest.approx(float(mask.sum()), rel=1e-5)
    rows, columns = np.mgrid[:32, :32]
    centre = [(weight * (axis + 0.5)).sum() / weight.sum() for axis in (rows, columns)]
    expected = np.argwhere(mask[0].numpy()).mean(0) + 0.5
    # A cell's share is taken to lie in its middle, which is right on average only.
    away = np.abs(np.array(centre) * cell_px - expected)
    assert (away < 0.05 * np.minimum(cell_px, 1)).all()


@pytest.mark.parametrize("shape", [(60, 90), (64, 64), (31, 47)])
def test_mirroring_the_mask_mirrors_the_target_where_the_slice_fills_the_frame(shape):
    mask, kind = disc(shape), MedSamPreprocessing(128)
    target, _ = framed(mask, kind)
    for axes in ((0,), (1,), (0, 1)):
        mirrored, _ = framed(mask[0].flip(axes)[None], kind)
        torch.testing.assert_close(mirrored, target.flip(axes), atol=1e-5, rtol=0)


@pytest.mark.parametrize("kind", KINDS, ids=lambda k: k.name)
@pytest.mark.parametrize("shape", SIZES)
def test_the_models_own_way_back_gives_the_mask_again(kind, shape, small):
    """A decoder that hits the target has the mask: the frame is the one that `predict` leaves."""
    mask = disc(shape)
    target, _ = framed(mask, kind)
    logits = torch.logit(target.clamp(0.02, 0.98))[None, None]
    found, _ = kind.upsample(logits, shape, small.model)
    found = found[0, 0]
    overlap = 2 * (found & mask[0]).sum() / (found.sum() + mask[0].sum())
    assert overlap > 0.94
    moved = np.argwhere(found.numpy()).mean(0) - np.argwhere(mask[0].numpy()).mean(0)
    assert np.abs(moved).max() < 0.15 * max(1.0, max(shape) / 32)
