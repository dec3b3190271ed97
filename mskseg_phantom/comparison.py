"""A limb cut out of a thigh scan, drawn or real, so that both can be measured alike."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mskseg.case import Case, CaseSlice
from mskseg.errors import InputError
from mskseg.intensities import to_8_bit, window_of
from mskseg_phantom.realism import MaskArray, RealArray, Realism, measure, radial_spectrum

FIELD_MM = 190.0
"""Side of the square that `Limb.middle_slice` shows: a thigh and a little air."""

_BONE = ("femur", "marrow", "cortex")
_NO_MUSCLE = (*_BONE, "fat", "ilium", "septa", "vessel")


@dataclass(frozen=True, eq=False)
class Limb:
    """One thigh, slice by slice.

    Attributes
    ----------
    stack : (K, H, W) real
        Magnitude, in the plane of the scan.
    muscle, femur : (K, H, W) bool
        All muscles of this side; its femur, cortex and marrow together.
    spacing_mm : (row, column)
    """

    stack: RealArray
    muscle: MaskArray
    femur: MaskArray
    spacing_mm: tuple[float, float]

    @property
    def realism(self) -> Realism:
        """Noise, edges and spectrum as three figures, see `mskseg_phantom.realism`."""
        return measure(self.stack, muscle=self.muscle, femur=self.femur, spacing_mm=self.spacing_mm)

    @property
    def relative_muscle(self) -> NDArray[np.float64]:
        """Signal of the muscle voxels over their median, (N,): scanners have no unit of their own.

        Raises InputError if the median is 0.
        """
        values = self.stack[self.muscle].astype(np.float64)
        middle = float(np.median(values))
        if middle == 0:
            raise InputError("the median of muscle is 0, expected signal; check the mask")
        return values / middle

    def middle_slice(self, *, field_mm: float = FIELD_MM) -> CaseSlice:
        """Cut a square around the limb out of its middle slice, windowed over all its slices.

        The label map is 1 in muscle and 2 in the femur. Nearer the edge of the image than half of
        `field_mm` the square is moved inwards.
        """
        used = np.flatnonzero(self.femur.any(axis=(1, 2)))
        k = int(used[len(used) // 2])
        middle = np.argwhere(self.muscle[k] | self.femur[k]).mean(axis=0)
        shape = self.stack.shape[1:]
        part = tuple(
            _around(centre, round(field_mm / mm), length)
            for centre, mm, length in zip(middle, self.spacing_mm, shape, strict=True)
        )
        labels = self.muscle[k].astype(np.uint8) + 2 * self.femur[k].astype(np.uint8)
        image = to_8_bit(self.stack[k], window_of(self.stack))
        return CaseSlice(image[part], labels[part], self.spacing_mm, "axial", k)

    def spectrum(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Frequencies in 1/mm and power, relative to all of it, the median over slices."""
        used = np.flatnonzero(self.femur.any(axis=(1, 2)) & self.muscle.any(axis=(1, 2)))
        limb = self.muscle | self.femur
        rings = [radial_spectrum(self.stack[k], limb[k], self.spacing_mm[0]) for k in used]
        powers = np.array([power / power.sum() for _, power in rings])
        return rings[0][0], np.median(powers, axis=0)


def limb_of(case: Case, *, side: str = "left") -> Limb:
    """Cut one thigh out of a case by the names of its tissues.

    Parameters
    ----------
    case : Case
        Whose tissues are named: the femur by that word, everything that is neither bone nor fat
        being muscle.
    side : {"left", "right"}
        Where the names say a side; names without one are taken either way.

    Raises
    ------
    InputError
        If the case has no reference, or no tissue of that side is muscle or femur.
    """
    if case.reference is None:
        raise InputError(f"{case.name} has no reference; a limb is cut out by its tissues")
    other = {"left": "right", "right": "left"}[side]
    names = {label: name for label, name in case.tissues.items() if other not in name.split()}
    bone = [k for k, name in names.items() if any(word in name.split() for word in _BONE)]
    muscle = [
        k for k, name in names.items() if not any(word in name.split() for word in _NO_MUSCLE)
    ]
    labels = case.reference.stack(case.plane)
    masks = [np.isin(labels, chosen) for chosen in (muscle, bone)]
    if not all(mask.any() for mask in masks):
        raise InputError(f"{case.name} shows no muscle and femur of the {side} side; give a thigh")
    spacing = case.image.slice_spacing_mm(case.plane)
    return Limb(case.image.stack(case.plane), masks[0], masks[1], spacing)


def _around(centre: float, size: int, length: int) -> slice:
    start = min(max(round(centre - size / 2), 0), max(length - size, 0))
    return slice(start, start + size)
