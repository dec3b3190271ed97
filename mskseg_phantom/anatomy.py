"""Anatomy: from a subject to the share of every tissue in every voxel, and the exact labels.

A *body* answers one question: what lies at these points of this plane? `rasterise` asks it at
several points per voxel; the shares of the tissues make the signal (partial volume), the majority
of the labels makes the reference.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from mskseg.errors import InputError
from mskseg_phantom.shapes import FloatArray, PlaneGrid
from mskseg_phantom.signal import Tissue

SUB_IN_PLANE, SUB_ACROSS = 2, 2  # points per voxel along each in-plane axis, and across the slice

# What is mixed finely into a tissue: fatty streaks into muscle, fibres into fat and annulus,
# trabeculae into fatty marrow, fatty marrow into red marrow, fluid between fibres of a ligament.
_ADMIXTURE = {
    Tissue.MUSCLE: Tissue.FAT,
    Tissue.FAT: Tissue.FIBROUS,
    Tissue.MARROW: Tissue.FIBROUS,
    Tissue.CANCELLOUS: Tissue.MARROW,
    Tissue.DISC_NUCLEUS: Tissue.DISC_ANNULUS,
    Tissue.DISC_ANNULUS: Tissue.FIBROUS,
    Tissue.LIGAMENT: Tissue.SYNOVIAL,
    Tissue.BOWEL: Tissue.FAT,
}


@dataclass(frozen=True, eq=False)
class PlaneContent:
    """Say what lies at the points of one plane.

    Attributes
    ----------
    tissue : (n_u, n_v) uint8
        A `Tissue` each.
    label : (n_u, n_v) uint8
        Label of the reference, 0 for what has none.
    admixture : (n_u, n_v) float32
        Share of what is mixed into the tissue (fat into muscle, fibres into fat, ...), 0 to 1;
        without meaning where nothing is.
    """

    tissue: NDArray[np.uint8]
    label: NDArray[np.uint8]
    admixture: FloatArray


class Body(Protocol):
    """An anatomy of one subject, defined at every point of a stack with axes u, v and z."""

    @property
    def extent_mm(self) -> tuple[float, float, float]:
        """Size of the stack along u, v and z."""

    def affine(self, shape: tuple[int, int, int]) -> NDArray[np.float64]:
        """Map voxels (u, v, z) of a grid over `extent_mm` to RAS mm, (4, 4)."""

    @property
    def tissues(self) -> Mapping[int, str]:
        """Tissue name of each label of the reference."""

    def plane(self, grid: PlaneGrid, z_mm: float) -> PlaneContent:
        """Say what lies at the points of `grid` at height `z_mm`."""


@dataclass(frozen=True, eq=False)
class VoxelContent:
    """Tissue shares and labels on a voxel grid.

    Attributes
    ----------
    fractions : (n_tissues, ni, nj, nk) float32
        Share of each `Tissue`; they sum to 1 in every voxel.
    labels : (ni, nj, nk) uint8
        The label that fills most of the voxel; of equal shares the smallest label.
    """

    fractions: FloatArray
    labels: NDArray[np.uint8]


def check_shape(shape: Sequence[int]) -> tuple[int, int, int]:
    """Return the shape as three integers, or raise InputError if no phantom can have it."""
    expected = "expected (ni, nj, nk) with 32 to 1024 voxels in plane and 2 to 256 slices"
    if len(shape) != 3 or any(int(n) != n for n in shape):
        raise InputError(f"impossible phantom shape {tuple(shape)}; {expected}")
    ni, nj, nk = (int(n) for n in shape)
    if not (32 <= ni <= 1024 and 32 <= nj <= 1024 and 2 <= nk <= 256):
        raise InputError(f"impossible phantom shape {(ni, nj, nk)}; {expected}")
    return ni, nj, nk


def centred_axis(n: int, extent_mm: float) -> FloatArray:
    """Centres of `n` equal cells that fill [-extent / 2, extent / 2], (n,) float32."""
    return (((np.arange(n) + 0.5) / n - 0.5) * extent_mm).astype(np.float32)


def rasterise(
    body: Body, *, shape: tuple[int, int, int], extent_mm: tuple[float, float, float]
) -> VoxelContent:
    """Fill a voxel grid, centred on the body's origin, that covers `extent_mm`."""
    ni, nj, nk = shape
    fine = PlaneGrid(
        centred_axis(ni * SUB_IN_PLANE, extent_mm[0]), centred_axis(nj * SUB_IN_PLANE, extent_mm[1])
    )
    heights = centred_axis(nk * SUB_ACROSS, extent_mm[2]).reshape(nk, SUB_ACROSS)
    fractions = np.zeros((len(Tissue), nk, ni, nj), dtype=np.float32)
    labels = np.zeros((nk, ni, nj), dtype=np.uint8)
    for k, slab in enumerate(heights):
        content = [body.plane(fine, float(z)) for z in slab]
        fractions[:, k] = sum(_tissue_shares(plane) for plane in content) / len(content)
        labels[k] = _majority([plane.label for plane in content])
    return VoxelContent(np.moveaxis(fractions, 1, 3), np.moveaxis(labels, 0, 2))


def _tissue_shares(plane: PlaneContent) -> FloatArray:
    n_u, n_v = plane.tissue.shape
    shares = np.zeros((len(Tissue), n_u // SUB_IN_PLANE, n_v // SUB_IN_PLANE), dtype=np.float32)
    for tissue in Tissue:
        here = plane.tissue == tissue
        if not here.any():
            continue
        if tissue in _ADMIXTURE:
            mixed = np.where(here, plane.admixture, np.float32(0))
            shares[_ADMIXTURE[tissue]] += _block_mean(mixed)
            shares[tissue] += _block_mean(here.astype(np.float32) - mixed)
        else:
            shares[tissue] += _block_mean(here.astype(np.float32))
    return shares


_Scalar = TypeVar("_Scalar", bound=np.generic)


def _blocks(points: NDArray[_Scalar]) -> list[NDArray[_Scalar]]:
    steps = range(SUB_IN_PLANE)
    return [points[a::SUB_IN_PLANE, b::SUB_IN_PLANE] for a in steps for b in steps]


def _block_mean(points: FloatArray) -> FloatArray:
    mean: FloatArray = np.mean(_blocks(points), axis=0, dtype=np.float32)
    return mean


def _majority(planes: list[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    votes = np.stack([block for plane in planes for block in _blocks(plane)])
    winner, most = (np.zeros(votes.shape[1:], dtype=np.uint8) for _ in range(2))
    for label in np.unique(votes):
        count = (votes == label).sum(axis=0, dtype=np.uint8)
        ahead = count > most
        winner[ahead], most[ahead] = label, count[ahead]
    return winner
