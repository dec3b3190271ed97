"""Charts of notebook 02: SAM's three parts, an embedding, and the masks of a whole slice."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch
from numpy.typing import ArrayLike, NDArray

from mskseg.case import CaseSlice
from mskseg.display.overlays import montage
from mskseg.display.slices import draw_label_map, draw_points
from mskseg.display.style import tissue_colours
from mskseg.models.embeddings import ImageEmbedding
from mskseg.models.segmenter import Segmenter
from mskseg_studies.charts import PALETTE, chart_axes, check_columns, finish_chart, series_style
from mskseg_studies.model_parts.clicking import Corrections
from mskseg_studies.model_parts.parts import (
    embedding_colours,
    embedding_likeness,
    parameters_by_part,
    slice_px_per_cell,
)

_ARROWS = (
    *(((x, y), (to, y)) for x, to in ((1.75, 2.6), (4.6, 5.4)) for y in (3.5, 1.9, 0.6)),
    ((7.4, 3.3), (8.1, 2.7)),
    ((7.4, 1.9), (8.1, 2.05)),
    ((7.4, 0.8), (8.1, 1.4)),
    ((10.1, 2.3), (10.85, 2.75)),
    ((10.1, 1.8), (10.85, 1.35)),
)


def draw_architecture(segmenter: Segmenter, *, title: str = "") -> Axes:
    """Draw how image and prompts become masks, as in Kirillov 2023, figure 4.

    Boxes in colour are the parts that learn; in grey what goes in and comes out.
    """
    encoder = segmenter.model.prompt_encoder
    side = segmenter.model.image_encoder.img_size
    rows, columns = encoder.image_embedding_size
    low_res = " x ".join(map(str, encoder.mask_input_size))
    grid = f"{encoder.embed_dim} x {rows} x {columns}"
    counts = parameters_by_part(segmenter.model)
    ax = chart_axes(None, (10.5, 4.0))
    ax.set(xlim=(0, 12.6), ylim=(0, 4.6))
    ax.set_axis_off()
    for x, y, text in (
        (0.9, 3.5, f"slice\nin a frame of\n{side} x {side}"),
        (0.9, 1.9, "points, boxes"),
        (0.9, 0.6, f"earlier mask\n{low_res}"),
        (6.4, 3.5, f"image embedding\n{grid}"),
        (6.4, 1.9, f"tokens\nof {encoder.embed_dim} numbers"),
        (6.4, 0.6, f"dense part\n{grid}"),
        (11.6, 2.9, f"masks\n{low_res}"),
        (11.6, 1.2, "predicted\nIoU"),
    ):
        ax.text(x, y, text, ha="center", va="center", color="0.35", fontsize=10.5)
    for x, y, height, part in (
        (3.6, 3.5, 0.9, "image encoder"),
        (3.6, 1.25, 2.2, "prompt encoder"),
        (9.1, 2.05, 2.2, "mask decoder"),
    ):
        corner = (x - 1.0, y - height / 2)
        ax.add_patch(FancyBboxPatch(corner, 2.0, height, boxstyle="round,pad=0", fc=PALETTE[0]))
        n = counts[part]
        count = f"{n / 1e6:.1f} million" if n >= 1e5 else f"{n / 1e3:.0f} thousand"
        text = f"{part}\n{count}\nparameters"
        ax.text(x, y, text, ha="center", va="center", color="white", fontsize=10.5)
    for start, end in _ARROWS:
        ax.annotate("", xy=end, xytext=start, arrowprops={"arrowstyle": "-|>", "color": "0.2"})
    ax.text(3.6, 4.25, "once for each slice", ha="center", fontsize=10, style="italic")
    ax.text(9.1, 3.45, "once for each prompt", ha="center", fontsize=10, style="italic")
    ax.set_title(title, loc="left", fontsize=11)
    return ax


def embedding_beside(
    case_slice: CaseSlice,
    embedding: ImageEmbedding,
    *,
    segmenter: Segmenter,
    point: ArrayLike,
    title: str = "",
) -> NDArray[Any]:
    """Show a slice, its embedding in false colours, and the likeness of its cells to one of them.

    The segmenter is the one that made the embedding; the cells are compared with the one under
    `point` (x, y, in pixels of the slice; InputError outside it). Gives the three Axes.
    """
    headings = ["slice", "embedding in false colours", "likeness to the point's cell"]
    panels = montage([case_slice] * 3, titles=headings, columns=3, title=title)
    height, width = case_slice.image.shape
    across, down = slice_px_per_cell(embedding, segmenter)
    x, y = np.asarray(point, dtype=float)
    for panel, cells in (
        (panels[1], embedding_colours(embedding, segmenter=segmenter)),
        (panels[2], embedding_likeness(embedding, (x, y), segmenter=segmenter)),
    ):
        extent = (0, cells.shape[1] * across, cells.shape[0] * down, 0)
        panel.imshow(cells, extent=extent, cmap="cividis")
        panel.set(xlim=(0, width), ylim=(height, 0))
    draw_points(panels[2], point, point_labels=[1])
    return panels


def estimate_chart(table: pd.DataFrame, *, title: str = "") -> Axes:
    """Show a model's own estimate of each mask against what the mask turned out to be.

    Takes a table of `score_cases`. True IoU on x, predicted on y; on the line the model is right
    about itself.
    """
    check_columns(table, ["prompt", "predicted_iou", "iou"])
    ax = chart_axes(None, (5.2, 4.6))
    ax.plot((0, 1), (0, 1), color="0.4", linewidth=1)
    for number, (name, rows) in enumerate(table.groupby("prompt")):
        style = series_style(number, line=False)
        look = {"s": 16, "alpha": 0.6, "ec": "none", **style}
        ax.scatter(rows["iou"], rows["predicted_iou"], label=name, **look)
    ax.set(xlabel="IoU with the reference", ylabel="IoU that the model predicted", xlim=(0, 1))
    ax.set_aspect("equal")
    return finish_chart(ax, title, grid=None)


def draw_masks(ax: Axes, masks: ArrayLike) -> Axes:
    """Draw masks (N, H, W) on a slice, each in a colour of its own, large ones first."""
    stack = np.asarray(masks, dtype=bool)
    colours = tuple(tissue_colours(range(21)).values())
    for number, index in enumerate(np.argsort(-stack.sum(axis=(1, 2)))):
        draw_label_map(ax, stack[index], colours={1: colours[number % 21]}, fill=0.35)
    return ax


def film_strip(
    case_slice: CaseSlice, corrections: Corrections, target: ArrayLike, *, title: str = ""
) -> NDArray[Any]:
    """Show the mask after each click, a frame each, with the clicks so far by their numbers.

    A number on blue says inside, on orange outside; the dashed line is the `target` (H, W).
    """
    headings = [f"{k + 1}: Dice {score:.2f}" for k, score in enumerate(corrections.dice)]
    frames = [case_slice] * len(headings)
    axes = montage(frames, titles=headings, columns=min(5, len(frames)), title=title)
    for n, (ax, mask) in enumerate(zip(axes, corrections.masks, strict=True), start=1):
        draw_label_map(ax, mask, colours={1: PALETTE[2]}, fill=0.35)
        draw_label_map(ax, np.asarray(target), colours={1: "white"}, linestyle="dashed")
        clicks = zip(corrections.points[:n], corrections.labels[:n], strict=True)
        for number, ((x, y), inside) in enumerate(clicks, start=1):
            look = {"boxstyle": "circle", "pad": 0.15, "fc": PALETTE[0 if inside else 1], "ec": "w"}
            place = {"ha": "center", "va": "center", "color": "white", "fontsize": 7}
            ax.text(x, y, str(number), bbox=look, **place)
    return axes


def mask_panels(shown: Mapping[str, tuple[CaseSlice, ArrayLike]]) -> NDArray[Any]:
    """Show slices side by side, each with its masks (N, H, W), their number in its heading."""
    counts = {name: len(np.asarray(masks)) for name, (_, masks) in shown.items()}
    titles = [f"{name}: {n} mask{'' if n == 1 else 's'}" for name, n in counts.items()]
    panels = montage([case_slice for case_slice, _ in shown.values()], titles=titles)
    for ax, (_, masks) in zip(panels, shown.values(), strict=True):
        draw_masks(ax, masks)
    return panels
