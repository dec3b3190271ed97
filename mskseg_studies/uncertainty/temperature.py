"""Temperature scaling: one number, fitted on validation, that makes probabilities more honest.

Guo 2017 (arXiv:1706.04599). The logits of every pixel are divided by one T. It changes no argmax of
a single model, so no Dice; it cannot repair a model that is too sure in one place and too modest in
another. For an ensemble each member is tempered and T is fitted to the mean.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import minimize_scalar

from mskseg.case import Case
from mskseg.errors import InputError
from mskseg_studies.calibration import FLOOR, as_classes
from mskseg_studies.uncertainty.probability_maps import MapSource

_DRAWN_PIXELS = 3000  # of each slice
_BOUNDS = (np.log(0.05), np.log(20.0))  # of log T


def fit_temperature(members: ArrayLike, reference: ArrayLike) -> float:
    """Find the temperature with the least NLL of probabilities (M, C, N), of true classes (N,)."""
    maps, true = np.asarray(members, dtype=np.float64), np.asarray(reference)
    if maps.ndim != 3 or true.ndim != 1 or maps.shape[2] != len(true) or not len(true):
        raise InputError(
            "expected probabilities (members, classes, pixels) and the class of each pixel, got "
            f"the shapes {maps.shape} and {true.shape}; sample the validation set first"
        )
    logs = np.log(np.maximum(maps, 1e-30))

    def nll(log_t: float) -> float:
        scaled = logs / np.exp(log_t)
        scaled -= scaled.max(axis=1, keepdims=True)
        raised = np.exp(scaled)
        mean = (raised / raised.sum(axis=1, keepdims=True)).mean(axis=0)
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
