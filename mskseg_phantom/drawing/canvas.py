"""Canvas: what a body draws a plane on, and voxels made of many planes.

A *body* answers one question: what lies at these points of this plane? `rasterise` asks it at
several points per voxel; the shares of the tissues make the signal (partial volume), the majority
of the labels makes the reference.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mskseg.errors import InputError
from mskseg_phantom.drawing.fields import PlaneGrid
from mskseg_phantom.drawing.solids import Index
from mskseg_phantom.tissue import FloatArray, Tissue

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


Side = Literal["left", "right"]
WHOLE: Index = (slice(None), slice(None))


@dataclass(frozen=True, eq=False)
class Canvas:
    """What lies at the points of one plane, as far as it is drawn; each array is (n_u, n_v)."""

    tissue: NDArray[np.uint8]  # a `Tissue` each
    label: NDArray[np.uint8]  # of the reference, 0 for what has none
    # Share of what is mixed into the tissue (fat into muscle, fibres into fat, ...), 0 to 1;
    # without meaning where nothing is.
    admixture: FloatArray

    @classmethod
    def empty(cls, shape: tuple[int, int]) -> Canvas:
        """Make a plane of air."""
        tissue, label = np.zeros((2, *shape), np.uint8)
        return cls(tissue, label, np.zeros(shape, np.float32))

    def paint(
        self,
        where: NDArray[np.bool_],
        tissue: int,
        *,
        label: int | NDArray[np.uint8] = 0,
        admixture: FloatArray | float = 0.0,
        index: Index = WHOLE,
    ) -> None:
        """Put a tissue where `where` is true, over what was there; arrays as large as `index`."""
        self.tissue[index][where] = tissue
        self.label[index][where] = np.broadcast_to(label, where.shape)[where]
        self.admixture[index][where] = np.broadcast_to(admixture, where.shape)[where]


class Body(ABC):
    """The anatomy of one subject, defined at every point of a stack with axes u, v and z."""

    extent_mm: tuple[float, float, float]  # size of the stack along u, v and z
    axes: tuple[int, int, int]  # of the world (0 right, 1 front, 2 head) that u, v and z run along
    centre_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)  # middle of the stack in the world

    def affine(self, shape: tuple[int, int, int]) -> NDArray[np.float64]:
        """Map voxels (u, v, z) of a grid over the stack to RAS mm, (4, 4)."""
        spacing = np.array(self.extent_mm) / shape
        affine = np.zeros((4, 4))
        affine[self.axes, (0, 1, 2)] = spacing
        affine[self.axes, 3] = -(np.array(shape) - 1) / 2 * spacing
        affine[:3, 3] += self.centre_mm
        affine[3, 3] = 1
        return affine

    @abstractmethod
    def plane(self, grid: PlaneGrid, z_mm: float) -> Canvas:
        """Draw what lies at the points of `grid`, `z_mm` from the middle of the stack."""


@dataclass(frozen=True, eq=False)
class VoxelContent:
    """Tissue shares and labels on a voxel grid."""

    fractions: FloatArray  # (n_tissues, ni, nj, nk), share of each `Tissue`; they sum to 1
    labels: NDArray[np.uint8]  # (ni, nj, nk), of the largest share; of equal ones the smallest


def check_shape(shape: Sequence[int]) -> tuple[int, int, int]:
    """Return the shape as three integers, or raise InputError if no phantom can have it."""
    limits = ((32, 1024), (32, 1024), (2, 256))
    if len(shape) != 3 or not all(
        int(n) == n and low <= n <= high for n, (low, high) in zip(shape, limits, strict=True)
    ):
        raise InputError(
            f"impossible phantom shape {tuple(shape)}; expected (ni, nj, nk) with 32 to 1024 "
            "voxels in plane and 2 to 256 slices"
        )
    return int(shape[0]), int(shape[1]), int(shape[2])


def centred_axis(n: int, extent_mm: float) -> FloatArray:
    """Centres of `n` equal cells that fill [-extent / 2, extent / 2], (n,) float32."""
    return (((np.arange(n) + 0.5) / n - 0.5) * extent_mm).astype(np.float32)


def rasterise(body: Body, *, shape: tuple[int, int, int]) -> VoxelContent:
    """Draw a body on a voxel grid that covers it, at several points per voxel."""
    (ni, nj, nk), extent_mm = shape, body.extent_mm
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


def _tissue_shares(plane: Canvas) -> FloatArray:
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


def _blocks(points: NDArray[Any]) -> list[NDArray[Any]]:
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
