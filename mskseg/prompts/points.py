"""Points from masks: the centre, random ones, and the click that corrects a prediction."""

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from mskseg.errors import InputError
from mskseg.prompts.checks import Floats, Mask, checked_slice_mask


def central_point(mask: npt.ArrayLike, *, spacing_mm: tuple[float, float] = (1.0, 1.0)) -> Floats:
    """Centre (x, y) of the pixel that lies deepest inside a mask (H, W), else InputError.

    Of equally deep pixels the one nearest to the centre of mass, then the first by rows. Beyond the
    slice counts as outside; of `spacing_mm` only the ratio matters.
    """
    rows, columns, _ = _deepest(checked_slice_mask(mask, empty_is_fine=False), spacing_mm)
    return np.array([columns + 0.5, rows + 0.5])


def random_points(mask: npt.ArrayLike, n: int, *, rng: np.random.Generator) -> Floats:
    """Centres (n, 2) of n random pixels of a mask, drawn again only if it has fewer; InputError."""
    if n < 1:
        raise InputError(f"expected one point or more, got n = {n}")
    pixels = np.argwhere(checked_slice_mask(mask, empty_is_fine=False))
    chosen = rng.choice(len(pixels), size=n, replace=n > len(pixels))
    return np.asarray(pixels[chosen, ::-1] + 0.5, dtype=np.float64)


def error_point(
    reference: npt.ArrayLike,
    prediction: npt.ArrayLike,
    *,
    rng: np.random.Generator | None = None,
    spacing_mm: tuple[float, float] = (1.0, 1.0),
) -> tuple[Floats, int]:
    """Simulate the click with which a reader corrects a prediction (H, W).

    With `rng` it is any pixel of the error region, as SAM was trained; without, the pixel deepest
    inside what was missed or what was added. Returns the point (x, y) and its label: 1 if the
    reference holds it, 0 if not. InputError if there is no error to correct.
    """
    truth = checked_slice_mask(reference, what="the reference")
    guess = checked_slice_mask(prediction, what="the prediction")
    if truth.shape != guess.shape:
        raise InputError(f"reference {truth.shape} and prediction {guess.shape} differ in shape")
    if np.array_equal(truth, guess):
        raise InputError("the prediction equals the reference, there is no error to click on")
    if rng is not None:
        x, y = random_points(truth ^ guess, 1, rng=rng)[0]
        return np.array([x, y]), int(truth[int(y), int(x)])
    regions = {1: truth & ~guess, 0: guess & ~truth}
    deepest = {k: _deepest(region, spacing_mm) for k, region in regions.items() if region.any()}
    label = max(deepest, key=lambda k: deepest[k][2])
    row, column, _ = deepest[label]
    return np.array([column + 0.5, row + 0.5]), label


def _deepest(mask: Mask, spacing_mm: tuple[float, float]) -> tuple[int, int, float]:
    """Row, column and depth of the pixel farthest from the outside."""
    padded = np.pad(mask, 1)  # so that beyond the slice counts as outside
    depth = ndimage.distance_transform_edt(padded, sampling=spacing_mm)[1:-1, 1:-1]
    candidates = np.argwhere(depth >= depth.max() * (1 - 1e-9))
    centre = np.argwhere(mask).mean(axis=0)
    offsets = ((candidates - centre) * np.array(spacing_mm)) ** 2
    row, column = candidates[offsets.sum(axis=1).argmin()]
    return int(row), int(column), float(depth.max())
