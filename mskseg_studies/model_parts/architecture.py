"""SAM's three parts as a drawing, with the sizes of the model at hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch

from mskseg.display.style import PALETTE

if TYPE_CHECKING:
    from mskseg_studies.model_parts.parts import ModelShapes

_PART, _DATA = PALETTE[0], "0.35"
_HEIGHT = 0.9


def draw_architecture(
    shapes: ModelShapes, *, parameters: dict[str, int], title: str = "", ax: Axes | None = None
) -> Axes:
    """Draw how image and prompts become masks, as in Kirillov 2023, figure 4.

    Parameters
    ----------
    shapes : ModelShapes
        From `mskseg_studies.model_parts.parts.shapes_of`.
    parameters : dict of str to int
        Of the image encoder, prompt encoder and mask decoder.
    title : str
        States the finding.
    ax : Axes, optional
        Default: of a new figure.

    Returns
    -------
    Axes
        Boxes in colour are the parts that learn; in grey what goes in and comes out.
    """
    if ax is None:
        ax = plt.subplots(figsize=(10.5, 4.0), layout="constrained")[1]
    ax.set(xlim=(0, 12.6), ylim=(0, 4.6))
    ax.set_axis_off()
    channels, rows, columns = shapes.embedding
    grid, low_res = f"{channels} x {rows} x {columns}", f"{shapes.low_res[0]} x {shapes.low_res[1]}"
    _data(ax, 0.9, 3.5, f"slice\nin a frame of\n{shapes.image[0]} x {shapes.image[1]}")
    _data(ax, 0.9, 1.9, "points, boxes")
    _data(ax, 0.9, 0.6, f"earlier mask\n{low_res}")
    _part(ax, 3.6, 3.5, "image encoder", parameters)
    _part(ax, 3.6, 1.25, "prompt encoder", parameters, height=2.2)
    _data(ax, 6.4, 3.5, f"image embedding\n{grid}")
    _data(ax, 6.4, 1.9, f"tokens\nof {channels} numbers")
    _data(ax, 6.4, 0.6, f"dense part\n{grid}")
    _part(ax, 9.1, 2.05, "mask decoder", parameters, height=2.2)
    _data(ax, 11.6, 2.9, f"masks\n{low_res}")
    _data(ax, 11.6, 1.2, "predicted\nIoU")
    for start, end in _ARROWS:
        ax.annotate("", xy=end, xytext=start, arrowprops={"arrowstyle": "-|>", "color": "0.2"})
    ax.text(3.6, 4.25, "once for each slice", ha="center", fontsize=10, style="italic")
    ax.text(9.1, 3.45, "once for each prompt", ha="center", fontsize=10, style="italic")
    ax.set_title(title, loc="left", fontsize=11)
    return ax


_ARROWS = (
    ((1.75, 3.5), (2.6, 3.5)),
    ((1.75, 1.9), (2.6, 1.9)),
    ((1.75, 0.6), (2.6, 0.6)),
    ((4.6, 3.5), (5.4, 3.5)),
    ((4.6, 1.9), (5.4, 1.9)),
    ((4.6, 0.6), (5.4, 0.6)),
    ((7.4, 3.3), (8.1, 2.7)),
    ((7.4, 1.9), (8.1, 2.05)),
    ((7.4, 0.8), (8.1, 1.4)),
    ((10.1, 2.3), (10.85, 2.75)),
    ((10.1, 1.8), (10.85, 1.35)),
)


def _part(
    ax: Axes, x: float, y: float, name: str, parameters: dict[str, int], *, height: float = _HEIGHT
) -> None:
    words = f"{name}\n{_in_words(parameters[name])}\nparameters"
    _box(ax, x, y, words, width=2.0, height=height, facecolor=_PART, color="white")


def _data(ax: Axes, x: float, y: float, words: str) -> None:
    _box(ax, x, y, words, width=1.9, height=_HEIGHT, facecolor="none", color=_DATA, linewidth=0)


def _box(
    ax: Axes, x: float, y: float, words: str, *, width: float, height: float, **style: Any
) -> None:
    colour = style.pop("color")
    corner = (x - width / 2, y - height / 2)
    ax.add_patch(FancyBboxPatch(corner, width, height, boxstyle="round,pad=0", **style))
    ax.text(x, y, words, ha="center", va="center", color=colour, fontsize=10.5)


def _in_words(count: int) -> str:
    return f"{count / 1e6:.1f} million" if count >= 1e5 else f"{count / 1e3:.0f} thousand"
