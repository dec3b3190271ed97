"""Realism: a thigh cut out of a scan, drawn or real, and figures that measure both alike.

The three figures are taken slice by slice in the plane of the scan, and the median is given. They
need a magnitude image, its spacing, and masks of muscle and femur, so they ask nothing of a scan
that a real one cannot answer; the background, which scanners often mask, is left out.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from mskseg.case import Case, CaseSlice, TissueKind
from mskseg.errors import InputError
from mskseg.intensities import to_8_bit, window_of

MaskArray = NDArray[np.bool_]
RealArray = NDArray[np.floating | np.integer]

_FIELD_MM = 190.0  # side of the square that `Limb.middle_slice` shows: a thigh and a little air
_RAYS, _RAY_STEP_MM = 72, 0.25
_CORTEX_WITHIN_MM, _RISE_WITHIN_MM = 22.0, 9.0
_SQUARE_MM = 128.0
_BAND_PER_MM = (0.03, 0.25)  # below: the limb's outline; above: next to nothing but noise
_MUSCLE_MARGIN_MM = 3.0


@dataclass(frozen=True)
class Realism:
    """The figures of one scan."""

    snr: float  # median signal of muscle over the noise found in muscle
    edge_width_mm: float  # 20 % to 80 % rise from cortical bone to what surrounds it
    spectrum_slope: float  # exponent of the radial power spectrum, negative


def muscle_snr(image: RealArray, muscle: MaskArray, spacing_mm: float) -> float:
    """Median signal over noise inside the muscles of one slice, NaN where none is left.

    Noise is the median absolute diagonal difference of 2 x 2 pixels (x00 - x01 - x10 + x11) / 2,
    over 0.6745, at least 3 mm inside the mask: blind to shading and to straight edges, it counts
    noise together with texture as fine as a pixel.
    """
    inside = ndimage.distance_transform_edt(muscle) > _MUSCLE_MARGIN_MM / spacing_mm
    whole = inside[:-1, :-1] & inside[:-1, 1:] & inside[1:, :-1] & inside[1:, 1:]
    if not whole.any():
        return float("nan")
    x = np.asarray(image, dtype=np.float64)
    diagonal = (x[:-1, :-1] - x[:-1, 1:] - x[1:, :-1] + x[1:, 1:]) / 2
    noise = np.median(np.abs(diagonal[whole])) / 0.6745
    return float(np.median(x[inside]) / noise) if noise > 0 else float("inf")


def edge_width_mm(image: RealArray, femur: MaskArray, spacing_mm: float) -> float:
    """Width of the outer edge of the femur's cortex in one slice, median over rays.

    On each of 72 rays from the middle of the femur, the darkest point is the cortex and the
    brightest within 9 mm outside it its surroundings; the width is the way from 20 % to 80 % of
    the rise. Thin dark lines (opposed phase) make some rays long or short, hence the median.
    """
    centre = np.argwhere(femur).mean(axis=0)
    radius_mm = np.arange(0, _CORTEX_WITHIN_MM + _RISE_WITHIN_MM, _RAY_STEP_MM)
    angle = np.linspace(0, 2 * np.pi, _RAYS, endpoint=False)[:, None]
    ray = np.stack([np.cos(angle) * radius_mm, np.sin(angle) * radius_mm]) / spacing_mm
    profiles = ndimage.map_coordinates(
        np.asarray(image, dtype=np.float64), ray + centre[:, None, None], order=1, mode="nearest"
    )
    return float(np.median([_rise_mm(profile) for profile in profiles]))


def _rise_mm(profile: NDArray[np.float64]) -> float:
    dark = int(np.argmin(profile[: int(_CORTEX_WITHIN_MM / _RAY_STEP_MM)]))
    outside = profile[dark : dark + int(_RISE_WITHIN_MM / _RAY_STEP_MM)]
    rise = (outside - outside[0]) / max(float(outside.max() - outside[0]), 1e-9)
    high = int(np.argmax(rise >= 0.8))
    low = int(np.flatnonzero(rise[: high + 1] <= 0.2)[-1])
    start = low + (0.2 - rise[low]) / max(float(rise[low + 1] - rise[low]), 1e-9)
    end = high - (rise[high] - 0.8) / max(float(rise[high] - rise[high - 1]), 1e-9)
    return float(end - start) * _RAY_STEP_MM


def radial_spectrum(
    image: RealArray, limb: MaskArray, spacing_mm: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Frequencies in 1/mm and power on rings, of 128 mm in a limb's middle under a Hann window."""
    n = round(_SQUARE_MM / spacing_mm)
    middle = np.rint(np.argwhere(limb).mean(axis=0)).astype(int)
    start = np.clip(middle - n // 2, 0, np.maximum(np.array(image.shape) - n, 0))
    square = np.asarray(image, dtype=np.float64)[start[0] : start[0] + n, start[1] : start[1] + n]
    window = np.outer(np.hanning(square.shape[0]), np.hanning(square.shape[1]))
    power = np.abs(np.fft.fft2((square - square.mean()) * window)) ** 2
    rows, columns = (np.fft.fftfreq(size, spacing_mm) for size in square.shape)
    frequency = np.hypot(rows[:, None], columns)
    ring = np.rint(frequency * n * spacing_mm).astype(int)
    count = np.bincount(ring.ravel())
    mean_power = np.bincount(ring.ravel(), power.ravel()) / count
    return np.bincount(ring.ravel(), frequency.ravel()) / count, mean_power


def spectrum_slope(image: RealArray, limb: MaskArray, spacing_mm: float) -> float:
    """Slope of log power over log frequency between 0.03 and 0.25 per mm, in one slice."""
    frequency, power = radial_spectrum(image, limb, spacing_mm)
    band = (frequency > _BAND_PER_MM[0]) & (frequency < _BAND_PER_MM[1])
    return float(np.polyfit(np.log(frequency[band]), np.log(power[band]), 1)[0])


@dataclass(frozen=True, eq=False)
class Limb:
    """One thigh, slice by slice."""

    stack: RealArray  # (K, H, W), magnitude in the plane of the scan
    muscle: MaskArray  # (K, H, W), all muscles of this side
    femur: MaskArray  # (K, H, W), cortex and marrow together
    spacing_mm: tuple[float, float]  # of rows and columns

    @property
    def _used(self) -> NDArray[np.intp]:
        """Slices that hold both muscle and femur."""
        used = np.flatnonzero(self.muscle.any(axis=(1, 2)) & self.femur.any(axis=(1, 2)))
        if not used.size:
            raise InputError("expected a slice with muscle and femur, got none; check the masks")
        return used

    @property
    def realism(self) -> Realism:
        """Three figures, medians over slices; InputError without square pixels or a slice."""
        step = float(self.spacing_mm[0])
        if abs(step / self.spacing_mm[1] - 1) > 0.01:
            raise InputError(f"expected square pixels, got {self.spacing_mm} mm")
        rows = [
            (
                muscle_snr(self.stack[k], self.muscle[k], step),
                edge_width_mm(self.stack[k], self.femur[k], step),
                spectrum_slope(self.stack[k], self.muscle[k] | self.femur[k], step),
            )
            for k in self._used
        ]
        snr, width, slope = np.nanmedian(np.array(rows), axis=0)
        return Realism(float(snr), float(width), float(slope))

    def middle_slice(self) -> CaseSlice:
        """Cut 190 mm out of the middle slice; the labels are 1 in muscle and 2 in the femur."""
        k = int(self._used[len(self._used) // 2])
        middle = np.argwhere(self.muscle[k] | self.femur[k]).mean(axis=0)
        size = np.rint(_FIELD_MM / np.array(self.spacing_mm)).astype(int)
        most = np.maximum(np.array(self.stack.shape[1:]) - size, 0)
        start = np.clip(np.rint(middle - size / 2).astype(int), 0, most)
        part = tuple(map(slice, start, start + size))
        labels = self.muscle[k].astype(np.uint8) + 2 * self.femur[k].astype(np.uint8)
        image = to_8_bit(self.stack[k], window_of(self.stack))
        return CaseSlice(image[part], labels[part], self.spacing_mm, "axial", k)

    def spectrum(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Frequencies in 1/mm and power, relative to all of it, the median over slices."""
        limb = self.muscle | self.femur
        rings = [radial_spectrum(self.stack[k], limb[k], self.spacing_mm[0]) for k in self._used]
        powers = np.array([power / power.sum() for _, power in rings])
        return rings[0][0], np.median(powers, axis=0)


def limb_of(case: Case) -> Limb:
    """Cut the left thigh out of a case by the kinds and names of its tissues.

    Names of tissues without a side are taken too. Raises InputError if the case has no reference,
    or no tissue of the left side is muscle or femur.
    """
    names = {label: name for label, name in case.tissues.items() if "right" not in name.split()}
    bone = [k for k, name in names.items() if case.kind(k) == "bone" and "femur" in name.split()]
    muscle = [k for k in names if case.kind(k) == "muscle"]
    masks = [_stack_of(case, chosen) for chosen in (muscle, bone)]
    if not all(mask.any() for mask in masks):
        raise InputError(
            f"expected muscle and femur of the left side, got none in {case.name}; pass a thigh"
        )
    spacing = case.image.slice_spacing_mm(case.plane)
    return Limb(case.image.stack(case.plane), masks[0], masks[1], spacing)


def texture_of(case: Case, *, kind: TissueKind) -> dict[str, float]:
    """Signal over noise and slope of the spectrum of one kind of tissue, in a case of any anatomy.

    As of `Limb.realism`, which a thigh was tuned by; medians over the slices that show the tissue
    widely enough, NaN where none does. InputError as `limb_of`.
    """
    step = float(case.image.slice_spacing_mm(case.plane)[0])
    masks = _stack_of(case, [k for k in case.tissues if case.kind(k) == kind])
    shown = [k for k in range(len(masks)) if masks[k].any()]
    if not shown:
        raise InputError(f"expected {kind} in {case.name}, got none; take another kind")
    stack = case.image.stack(case.plane)
    snr = [muscle_snr(stack[k], masks[k], step) for k in shown]
    slope = [spectrum_slope(stack[k], masks[k], step) for k in shown]
    return {"snr": float(np.nanmedian(snr)), "spectrum_slope": float(np.median(slope))}


def _stack_of(case: Case, labels: Sequence[int]) -> MaskArray:
    """Where the reference has some labels, slice by slice; InputError without a reference."""
    if case.reference is None:
        raise InputError(f"expected a case with a reference, got none in {case.name}")
    return np.isin(case.reference.stack(case.plane), labels)
