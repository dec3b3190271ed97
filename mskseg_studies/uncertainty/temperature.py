"""Temperature scaling: one number, fitted on validation, that makes probabilities more honest.

Guo 2017 (arXiv:1706.04599). The logits of every pixel are divided by one T. It changes no argmax of
a single model, so no Dice; it cannot repair a model that is too sure in one place and too modest in
another. For an ensemble each member is tempered and T is fitted to the mean.

And how a measure can lie that looks at a region: one that asks the reference, and a model that is
honest by making. Discs whose centre is known and whose radius is not: it follows a logistic
distribution, so the chance that a pixel lies inside is known exactly, and a model that says that
chance is calibrated.
"""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize_scalar
from scipy.special import softmax

from mskseg.case import Case
from mskseg.errors import InputError
from mskseg_studies.calibration import FLOOR, Calibration, as_classes, candidate_region, temper
from mskseg_studies.uncertainty.probability_maps import MapSource

_DRAWN_PIXELS = 3000  # of each slice
_BOUNDS = (np.log(0.05), np.log(20.0))  # of log T
ASKS_REFERENCE, ASKS_MAP = "reference or prediction", "candidates"
_SIZE = 32  # pixels of a map of discs, each side


def fit_temperature(members: ArrayLike, reference: ArrayLike) -> float:
    """Find the temperature with the least NLL of probabilities (M, C, N), of true classes (N,)."""
    maps, true = np.asarray(members, dtype=np.float64), np.asarray(reference)
    logs = np.log(np.maximum(maps, 1e-30))

    def nll(log_t: float) -> float:
        mean = softmax(logs / np.exp(log_t), axis=1).mean(axis=0)
        of_true = np.maximum(np.take_along_axis(mean, true[None], axis=0), FLOOR)
        return float(-np.log(of_true).mean())

    return float(np.exp(minimize_scalar(nll, bounds=_BOUNDS, method="bounded").x))


def temperatures_of(
    sources: Iterable[MapSource],
    cases: Iterable[Case],
    *,
    slice_step: int = 1,
    seed: int = 0,
) -> dict[tuple[str, str], float]:
    """Fit the temperature of several sources, by (model, arm), as `measure_uncertainty` takes it.

    Cases are of the validation part: never those whose scores are reported. Pixels are drawn at
    random from each slice, so that memory stays small and the NLL is that of the whole slice; the
    draw is the same for every source. Above 1 a model was too sure, below 1 too modest; at 0.05 or
    20 the fit ran into its bounds.
    """
    validation = list(cases)
    if not validation:
        raise InputError("expected one validation case or more to fit a temperature on, got none")
    temperatures = {}
    for source in sources:
        rng = np.random.default_rng(seed)
        members, classes = [], []
        for case in validation:
            for maps in source.slices(case, step=slice_step):
                true = as_classes(np.asarray(maps.case_slice.label_map), maps.labels).ravel()
                drawn = rng.choice(true.size, size=min(_DRAWN_PIXELS, true.size), replace=False)
                members.append(maps.members.reshape(*maps.members.shape[:2], -1)[:, :, drawn])
                classes.append(true[drawn])
        fitted = fit_temperature(np.concatenate(members, axis=2), np.concatenate(classes))
        temperatures[source.model, source.arm] = fitted
    return temperatures


def calibrated_maps(n_maps: int, *, seed: int = 0) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
    """Draw maps (2, n H, W) and what came true (n H, W), one disc below the other."""
    # Radii are dealt evenly over their distribution, so that few discs show little of chance.
    rng = np.random.default_rng(seed)
    y, x = np.indices((_SIZE, _SIZE)) + 0.5
    centre = rng.uniform(0.4 * _SIZE, 0.6 * _SIZE, (2, n_maps, 1, 1))
    mean, width = (rng.uniform(low, high, (n_maps, 1, 1)) for low, high in ((5, 9), (0.5, 1.5)))
    beyond = (np.hypot(y - centre[0], x - centre[1]) - mean) / width
    tissue = (1 / (1 + np.exp(beyond))).reshape(-1, _SIZE)
    dealt = ((rng.permutation(n_maps) + 0.5) / n_maps)[:, None, None]
    true = (np.broadcast_to(dealt, beyond.shape).reshape(-1, _SIZE) < tissue).astype(np.intp)
    return np.stack([1 - tissue, tissue]).astype(np.float32), true


def compare_regions(
    temperatures: Sequence[float], *, n_maps: int = 200, seed: int = 0
) -> pd.DataFrame:
    """Measure one calibrated model, made softer and sharper, by two regions.

    A temperature of 1 is the model as it is; with few discs (`n_maps`), chance alone gives the best
    model an ECE above zero. A row for each `temperature`, `region` and bin, with `n`, `confidence`,
    `hits` and, the same in all rows of a temperature and region, `ece`. The region `ASKS_REFERENCE`
    holds what the reference or the prediction calls tissue, `ASKS_MAP` is `candidate_region`.
    """
    maps, true = calibrated_maps(n_maps, seed=seed)
    regions = {ASKS_REFERENCE: (maps.argmax(axis=0) > 0) | (true > 0)}
    regions[ASKS_MAP] = candidate_region(maps)  # neither changes with the temperature
    tables = []
    for temperature in temperatures:
        tempered = temper(maps, temperature)
        for region, where in regions.items():
            found = Calibration.of(tempered, true, where=where)
            table = pd.DataFrame(vars(found.bins)).rename_axis("bin").reset_index()
            tables.append(table.assign(temperature=temperature, region=region, ece=found.ece))
    return pd.concat(tables, ignore_index=True)
