"""How a measure can lie: a region that asks the reference, and a model that is honest by making.

Discs whose centre is known and whose radius is not: it follows a logistic distribution, so the
chance that a pixel lies inside is known exactly, and a model that says that chance is calibrated.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mskseg_studies.calibration import Calibration, candidate_region, temper

ASKS_REFERENCE, ASKS_MAP = "reference or prediction", "candidates"
_SIZE = 32  # pixels, each side


def calibrated_maps(
    n_maps: int, *, coherent: bool = True, seed: int = 0
) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
    """Draw maps (2, n H, W) and what came true (n H, W), one disc below the other."""
    # A coherent edge is one radius for each disc, dealt evenly over their distribution so that few
    # discs show little of chance; otherwise each pixel is drawn by itself.
    rng = np.random.default_rng(seed)
    y, x = np.indices((_SIZE, _SIZE)) + 0.5
    centre = rng.uniform(0.4 * _SIZE, 0.6 * _SIZE, (2, n_maps, 1, 1))
    mean, width = (rng.uniform(low, high, (n_maps, 1, 1)) for low, high in ((5, 9), (0.5, 1.5)))
    beyond = (np.hypot(y - centre[0], x - centre[1]) - mean) / width
    tissue = (1 / (1 + np.exp(beyond))).reshape(-1, _SIZE)
    dealt = ((rng.permutation(n_maps) + 0.5) / n_maps)[:, None, None]
    drawn = np.broadcast_to(dealt, beyond.shape) if coherent else rng.random(beyond.shape)
    true = (drawn.reshape(-1, _SIZE) < tissue).astype(np.intp)
    return np.stack([1 - tissue, tissue]).astype(np.float32), true


def compare_regions(
    temperatures: Sequence[float], *, n_maps: int = 200, coherent: bool = True, seed: int = 0
) -> pd.DataFrame:
    """Measure one calibrated model, made softer and sharper, by two regions.

    A temperature of 1 is the model as it is; with few discs (`n_maps`), chance alone gives the best
    model an ECE above zero. If `coherent`, one radius is drawn for each disc, otherwise every pixel
    by itself. A row for each `temperature`, `region` and bin, with `n`, `confidence`, `hits` and,
    the same in all rows of a temperature and region, `ece`. The region `ASKS_REFERENCE` holds what
    the reference or the prediction calls tissue, `ASKS_MAP` is `candidate_region`.
    """
    maps, true = calibrated_maps(n_maps, coherent=coherent, seed=seed)
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
