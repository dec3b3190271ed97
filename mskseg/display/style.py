"""One look for all figures: colours of tissues, axes, and PNG files with provenance."""

import json
import os
from collections.abc import Iterable, Mapping
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from mskseg.errors import InputError
from mskseg.files import written_atomically
from mskseg.provenance import PNG_KEY

RGB = tuple[float, float, float]

# Okabe and Ito's set without black, which is lost on a grey image. After them, one by one, the
# colour farthest from all before it (CIEDE2000, the smallest of three views: normal, without red
# cones, without green cones), none so dark that it is lost on muscle.
_TISSUES = (
    *("#E69F00", "#56B4E9", "#F0E442", "#CC79A7", "#009E73", "#D55E00", "#0072B2"),
    *("#B1143B", "#B1FFEB", "#FFB19D", "#764E76", "#8976FF", "#FF4E62", "#6214FF", "#C4FF9D"),
    *("#EBC4EB", "#C4009D", "#B12700", "#76894E", "#3B8989", "#76C4C4", "#3BD862", "#C48989"),
    *("#00FFC4", "#9D6276", "#899DC4", "#FF9DC4", "#9D4ED8", "#9D76B1", "#149D27", "#B10062"),
    *("#76B176", "#FF89FF", "#14764E", "#9D6227", "#D83B89"),
)

REFERENCE = "#FFFFFF"
PREDICTION = "#E69F00"


def tissue_colours(labels: Iterable[int]) -> dict[int, RGB]:
    """Give each label a colour that stays apart from the others for colour-blind readers too.

    Pass all labels of the data set: then a tissue keeps its colour from figure to figure.
    """
    ordered = sorted(set(labels))
    return {label: to_rgb(_TISSUES[k % len(_TISSUES)]) for k, label in enumerate(ordered)}


def chart_axes(ax: Axes | None, size: tuple[float, float] = (6.0, 3.8)) -> Axes:
    """Give `ax`, or the axes of a new figure of `size` inches (width, height)."""
    return plt.subplots(figsize=size, layout="constrained")[1] if ax is None else ax


def save_figure(
    figure: Figure | Axes, path: str | os.PathLike[str], *, provenance: Mapping[str, Any]
) -> None:
    """Write a figure, of Axes the whole one, as PNG with its provenance, completely or not at all.

    InputError if the path does not end in ``.png``, OutputError if the file cannot be written.
    """
    if not os.fspath(path).lower().endswith(".png"):
        raise InputError(f"expected a path that ends in .png, which holds metadata, got {path}")
    whole = figure if isinstance(figure, Figure) else figure.get_figure(root=True)
    if whole is None:
        raise InputError("these axes are not part of a figure any more; draw them again")
    with written_atomically(path) as target:
        whole.savefig(
            target,
            dpi=150,
            format="png",
            bbox_inches="tight",  # keeps a legend beside the axes inside the file
            metadata={PNG_KEY: json.dumps(dict(provenance))},  # ASCII, which every reader takes
        )
