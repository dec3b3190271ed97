"""Colours of tissues that stay apart for colour-blind readers, on dark and on bright tissue."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

RGB = tuple[float, float, float]

# Okabe and Ito's set without black, which is lost on a grey image; neighbours in the list are far
# apart, since neighbouring labels are often neighbours in the image.
_BASE = ("#E69F00", "#56B4E9", "#F0E442", "#CC79A7", "#009E73", "#D55E00", "#0072B2")
_TINTS = (0.0, 0.5, -0.4, 0.75, -0.65)  # towards white, towards black

REFERENCE = "#FFFFFF"
PREDICTION = "#E69F00"
FILLED_BOX = "#666666"
PLANS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")


def tissue_colours(labels: Iterable[int]) -> dict[int, RGB]:
    """Give each label a colour.

    Parameters
    ----------
    labels : iterable of int
        All labels of the data set, not only those of a slice: then a tissue keeps its colour from
        figure to figure.

    Returns
    -------
    dict of int to (3,) float
        Red, green, blue from 0 to 1. Seven hues, then lighter and darker ones of the same; from the
        36th label on colours repeat.
    """
    ordered = sorted(set(labels))
    return {label: _colour(position) for position, label in enumerate(ordered)}


def _colour(position: int) -> RGB:
    tint = _TINTS[position // len(_BASE) % len(_TINTS)]
    base = _BASE[position % len(_BASE)].lstrip("#")
    rgb = np.array([int(base[i : i + 2], 16) for i in (0, 2, 4)]) / 255
    red, green, blue = rgb + (1 - rgb) * tint if tint > 0 else rgb * (1 + tint)
    return float(red), float(green), float(blue)
