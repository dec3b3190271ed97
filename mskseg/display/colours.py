"""Colours of tissues that stay apart for colour-blind readers, on dark and on bright tissue."""

from __future__ import annotations

from collections.abc import Iterable

from matplotlib.colors import to_rgb

RGB = tuple[float, float, float]

# Okabe and Ito's set without black, which is lost on a grey image. After them, one by one, the
# colour farthest from all before it (CIEDE2000, the smallest of three views: normal, without red
# cones, without green cones), none so dark that it is lost on muscle.
_COLOURS = (
    *("#E69F00", "#56B4E9", "#F0E442", "#CC79A7", "#009E73", "#D55E00", "#0072B2"),
    *("#B1143B", "#B1FFEB", "#FFB19D", "#764E76", "#8976FF", "#FF4E62", "#6214FF", "#C4FF9D"),
    *("#EBC4EB", "#C4009D", "#B12700", "#76894E", "#3B8989", "#76C4C4", "#3BD862", "#C48989"),
    *("#00FFC4", "#9D6276", "#899DC4", "#FF9DC4", "#9D4ED8", "#9D76B1", "#149D27", "#B10062"),
    *("#76B176", "#FF89FF", "#14764E", "#9D6227", "#D83B89"),
)

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
        Red, green, blue from 0 to 1. There are 36; from the 37th label on colours repeat.
    """
    ordered = sorted(set(labels))
    return {label: to_rgb(_COLOURS[k % len(_COLOURS)]) for k, label in enumerate(ordered)}
