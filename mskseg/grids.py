"""Planes, affines and orientations: validation, and the changes from one to another."""

from __future__ import annotations

from itertools import permutations, product
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from mskseg.errors import InputError

Plane = Literal["axial", "coronal", "sagittal"]
Array = npt.NDArray[Any]

# Where slice number, row and column grow to: the whole display convention is this table.
STACK_ORIENTATION: dict[str, str] = {"axial": "SPL", "coronal": "AIL", "sagittal": "RIP"}

GRID_TOLERANCE_MM = 1e-3  # above the float32 rounding of a NIfTI header, below anything visible
_OPPOSITE = dict(zip("RLAPSI", "LRPAIS", strict=True))


def check_plane(plane: str) -> Plane:
    """Return the plane, or raise InputError if it is not axial, coronal or sagittal."""
    for known in get_args(Plane):
        if plane == known:
            return known  # type: ignore[no-any-return]
    raise InputError(f"unknown plane {plane!r}; choose axial, coronal or sagittal")


def farthest_corner_mm(shape: tuple[int, ...], first: Array, second: Array) -> float:
    """Largest distance between the places that two affines give to a corner voxel, in mm."""
    corners = np.array(list(product(*((0, n - 1) for n in shape), (1,))), dtype=float)
    return float(np.linalg.norm(corners @ (first - second).T, axis=1).max())


def checked_affine(affine: npt.ArrayLike) -> Array:
    """Return a read-only float64 copy, or raise InputError if it is no invertible affine."""
    checked = np.array(affine, dtype=np.float64)
    if checked.shape != (4, 4) or not np.isfinite(checked).all():
        raise InputError(
            f"an affine is a (4, 4) matrix of finite numbers, got shape {checked.shape} "
            f"with {int((~np.isfinite(checked)).sum())} not finite"
        )
    if not np.array_equal(checked[3], (0, 0, 0, 1)) or np.linalg.matrix_rank(checked[:3, :3]) < 3:
        raise InputError(
            "an affine needs three independent axes and the last row 0, 0, 0, 1, got "
            f"{checked.tolist()}"
        )
    checked.flags.writeable = False
    return checked


def checked_orientation(orientation: str) -> str:
    """Return three capital letters such as "RAS", or raise InputError."""
    letters = orientation.upper()
    axes = {frozenset((letter, _OPPOSITE.get(letter, letter))) for letter in letters}
    if len(letters) != 3 or len(axes) != 3 or not set(letters) <= set(_OPPOSITE):
        raise InputError(
            f"unknown orientation {orientation!r}; give three letters, one of R/L, A/P and S/I each"
        )
    return letters


def whole_numbers(array: Array) -> Array:
    """Return a floating-point array as the smallest integer type, or raise InputError."""
    broken = int(np.count_nonzero(~(np.isfinite(array) & (np.floor(array) == array))))
    if broken:
        raise InputError(
            f"a label map holds whole numbers, but {broken} of {array.size} voxels have a fraction "
            "or are not finite; give the label map, not an image or a probability map"
        )
    smallest = np.result_type(
        np.min_scalar_type(int(array.min())), np.min_scalar_type(int(array.max()))
    )
    return array.astype(smallest)


def orientation_of(affine: Array) -> str:
    """Where i, j, k grow to, as three of RLAPSI; oblique axes by the closest one."""
    left, _, right = np.linalg.svd(affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0))
    cosines = left @ right  # the nearest orthogonal axes, so that a sheared grid has three too
    closeness = {
        p: sum(abs(cosines[p[axis], axis]) for axis in range(3)) for p in permutations(range(3))
    }
    # At 45 degrees two assignments tie: rounding must not decide, or image and labels may differ.
    axes = next(p for p, close in closeness.items() if close > max(closeness.values()) - 1e-3)
    return "".join("RASLPI"[axes[a] + 3 * (cosines[axes[a], a] < 0)] for a in range(3))


def axis_changes(current: str, wanted: str) -> list[tuple[int, bool]]:
    """For each wanted axis: which current axis it is, and whether it is flipped."""
    source = [
        next(a for a in range(3) if current[a] in (letter, _OPPOSITE[letter])) for letter in wanted
    ]
    return [(a, current[a] != letter) for a, letter in zip(source, wanted, strict=True)]


def changed_affine(affine: Array, shape: tuple[int, ...], changes: list[tuple[int, bool]]) -> Array:
    """Return the affine of an array whose axes were permuted and flipped by `axis_changes`."""
    new_to_old = np.zeros((4, 4))
    new_to_old[3, 3] = 1
    for new, (old, flipped) in enumerate(changes):
        new_to_old[old, new] = -1 if flipped else 1
        new_to_old[old, 3] = shape[old] - 1 if flipped else 0
    return np.asarray(affine @ new_to_old)
