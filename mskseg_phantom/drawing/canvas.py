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
_ADMIXTURE: dict[int, int] = {
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
        np.copyto(self.tissue[index], np.uint8(tissue), where=where)
        np.copyto(self.label[index], np.uint8(label), where=where)
        np.copyto(self.admixture[index], np.float32(admixture), where=where)


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
    n_u, n_v = ni * SUB_IN_PLANE, nj * SUB_IN_PLANE
    fine = PlaneGrid(centred_axis(n_u, extent_mm[0]), centred_axis(n_v, extent_mm[1]))
    heights = centred_axis(nk * SUB_ACROSS, extent_mm[2]).reshape(nk, SUB_ACROSS)
    fractions = np.zeros((len(Tissue), nk, ni, nj), dtype=np.float32)
    labels = np.zeros((nk, ni, nj), dtype=np.uint8)
    for k, slab in enumerate(heights):
        content = [body.plane(fine, float(z)) for z in slab]
        admixture = _blocks([plane.admixture for plane in content])
        for tissue, share in _shares(_blocks([p.tissue for p in content]), admixture).items():
            fractions[tissue, k] = share.sum(axis=0) / len(content)
        labels[k] = _majority(_blocks([plane.label for plane in content]))
    return VoxelContent(np.moveaxis(fractions, 1, 3), np.moveaxis(labels, 0, 2))


def _blocks(planes: list[NDArray[Any]]) -> NDArray[Any]:
    """Arrange the points of planes by their place in a voxel, (n_places, n_planes, ni, nj)."""
    n, n_u, n_v = len(planes), *planes[0].shape
    cells = np.stack(planes).reshape(
        n, n_u // SUB_IN_PLANE, SUB_IN_PLANE, n_v // SUB_IN_PLANE, SUB_IN_PLANE
    )
    return cells.transpose(2, 4, 0, 1, 3).reshape(-1, n, *cells.shape[1::2])


def _shares(points: NDArray[np.uint8], admixture: FloatArray) -> dict[int, FloatArray]:
    """Share of each tissue that is there in the voxels of planes, (n_planes, ni, nj)."""
    shares: dict[int, FloatArray] = {}
    for tissue in (t for t in range(len(Tissue)) if (points == t).any()):
        here = points == tissue
        if other := _ADMIXTURE.get(tissue):
            mixed = np.where(here, admixture, np.float32(0))
            shares[other] = shares.get(other, 0) + mixed.mean(axis=0)
            share = (here - mixed).mean(axis=0)
        else:
            share = here.sum(axis=0, dtype=np.uint8) / np.float32(len(here))
        shares[tissue] = shares.get(tissue, 0) + share
    return shares


def _majority(votes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Label that most points of each voxel have, of equally many the smallest."""
    winner, most = (np.zeros(votes.shape[2:], dtype=np.uint8) for _ in range(2))
    for label in range(int(votes.max()) + 1):
        count = (votes == label).sum(axis=(0, 1), dtype=np.uint8)
        np.copyto(winner, np.uint8(label), where=count > most)
        np.maximum(most, count, out=most)
    return winner
