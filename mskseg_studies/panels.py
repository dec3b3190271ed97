"""Figures that rooms share: panels with one legend, and masks of one slice side by side."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, ScalarFormatter
from numpy.typing import ArrayLike, NDArray

from mskseg.case import CaseSlice
from mskseg.display import (
    draw_boxes,
    draw_label_map,
    draw_points,
    frame_around,
    montage,
    tissue_colours,
)
from mskseg.display.overlays import tissue_entries
from mskseg.display.style import PREDICTION
from mskseg.evaluation import PromptedSlice, dice
from mskseg.evaluation.prediction import PromptableSegmenter
from mskseg.prompts import Prompt, fill_boxes
from mskseg_studies.charts import picture_slider

REFERENCE = "#56B4E9"  # white would be lost between box and bright tissue


def new_panels(
    n: int, *, columns: int, size: tuple[float, float], sharey: bool = False
) -> tuple[Figure, NDArray[Any]]:
    """Open a figure with n panels of `size` inches; places that are left over stay empty."""
    n_columns = min(columns, n)
    n_rows = math.ceil(n / n_columns)
    look: dict[str, Any] = {"figsize": (size[0] * n_columns, size[1] * n_rows + 0.6)}
    look |= {"squeeze": False, "sharey": sharey, "layout": "constrained"}
    figure, grid = plt.subplots(n_rows, n_columns, **look)
    for ax in grid.flat[n:]:
        ax.set_axis_off()
    panels: NDArray[Any] = grid.ravel()[:n]
    return figure, panels


def add_legend(figure: Figure, ax: Axes, title: str, *, columns: int = 4) -> None:
    """Give a figure of panels its title, and below it the legend of one of them."""
    handles, names = ax.get_legend_handles_labels()
    figure.legend(
        handles, names, loc="outside lower center", ncols=columns, frameon=False, fontsize=9
    )
    figure.suptitle(title, fontsize=11)


def log_scale(ax: Axes) -> None:
    """Make the x axis logarithmic, with plain numbers at 1, 2 and 5: 20 rather than 2 x 10^1."""
    ax.set_xscale("log")
    ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.xaxis.set_major_formatter(ScalarFormatter())
    ax.xaxis.set_minor_formatter(NullFormatter())  # they would overlap


def masks_beside(
    case_slice: CaseSlice,
    masks: ArrayLike,
    *,
    titles: Sequence[str],
    point: ArrayLike | None = None,
    title: str = "",
) -> NDArray[Any]:
    """Show masks (N, H, W) of one slice side by side, with a click inside; gives the N Axes."""
    stack = np.asarray(masks, dtype=bool)
    panels = montage([case_slice] * len(stack), titles=titles, columns=len(stack), title=title)
    for ax, mask in zip(panels, stack, strict=True):
        draw_label_map(ax, mask, colours={1: PREDICTION}, fill=0.3)
        if point is not None:
            draw_points(ax, point, point_labels=[1])
    return panels


def box_slider(
    name: str,
    boxes_at: Mapping[float, NDArray[np.float64]],
    segmenter: PromptableSegmenter,
    at: CaseSlice,
    reference: NDArray[np.bool_],
) -> Any:
    """Make a slider over boxes around one object, (n, 4) for each value, asked one by one.

    The title has the Dice of the model and of the filled box, the lowest and the highest of the n.
    The mask of the first box is drawn; the reference (H, W) of the object is dashed.
    """
    embedding, shape = segmenter.embed(at.image), reference.shape
    x0, y0, x1, y1 = frame_around(np.concatenate([*boxes_at.values()]), shape=shape)

    def page_at(value: float) -> Axes:
        boxes = boxes_at[value]
        answers = segmenter.predict(embedding, Prompt(boxes)).masks[:, 0]
        scores = [sorted(dice(reference, mask) for mask in answers)]
        scores.append(sorted(dice(reference, fill_boxes(box, shape)) for box in boxes))
        told = [" to ".join(dict.fromkeys(f"{s:.2f}" for s in (o[0], o[-1]))) for o in scores]
        heading = f"Dice of the model {told[0]}\nof the filled box {told[1]}"
        ax = montage([at], titles=[heading])[0]
        draw_label_map(ax, reference, colours={1: REFERENCE}, linestyle="dashed")
        draw_label_map(ax, answers[0], colours={1: PREDICTION})
        ax.set(xlim=(x0, x1), ylim=(y1, y0))
        return draw_boxes(ax, boxes)

    return picture_slider(name, list(boxes_at), page_at)


def boxes_and_predictions(
    prompted: PromptedSlice,
    predictions: Mapping[str, Mapping[int, NDArray[np.bool_]]],
    *,
    title: str,
) -> NDArray[Any]:
    """Show the boxes of a slice with the reference, then what each model made of them.

    The slice is one of `mskseg.evaluation.prompt_slice`, of a plan that gives boxes; predictions
    are masks by model, then by label; one that is not there is empty. Gives (1 + n,) Axes, zoomed
    to the boxes; above each the mean Dice over labels, in the first that of the boxes filled. In
    the others the reference is dashed. Below is the name of each tissue in its colour.
    """
    given = {label: each.boxes_xyxy for label, each in prompted.prompts.items()}
    boxes_of = {label: np.empty((0, 4)) if b is None else b for label, b in given.items()}
    boxes = np.concatenate(list(boxes_of.values()))
    case_slice = prompted.case_slice
    colours = tissue_colours({*prompted.labels, *prompted.case.tissues})
    shape = case_slice.image.shape
    filled = {label: fill_boxes(of_label, shape) for label, of_label in boxes_of.items()}
    titles = [f"reference\nfilled boxes: {_mean_dice(prompted, filled):.2f}"]
    titles += [f"{name}\n{_mean_dice(prompted, masks):.2f}" for name, masks in predictions.items()]
    panels = montage([case_slice] * len(titles), titles=titles, columns=len(titles), title=title)
    x0, y0, x1, y1 = frame_around(boxes, shape=shape, margin=0.05)
    aspect = (x1 - x0) * case_slice.spacing_mm[1] / ((y1 - y0) * case_slice.spacing_mm[0])
    height = min(4.4, 3.6 / aspect)  # inches of a panel
    width = max(2.1, height * aspect)
    panels[0].figure.set_size_inches(
        width * len(titles), height + 0.9 + 0.2 * math.ceil(len(given) / 6)
    )
    for ax, masks in zip(panels, [prompted.references, *predictions.values()], strict=True):
        draw_label_map(ax, masks, colours=colours, fill=0.35)
        ax.set(xlim=(x0, x1), ylim=(y1, y0))
    for ax in panels[1:]:
        dashed = dict.fromkeys(colours, "white")
        draw_label_map(ax, prompted.references, colours=dashed, linestyle="dashed")
    draw_boxes(panels[0], boxes)
    tissues = tissue_entries(prompted.labels, prompted.case.tissues, colours)
    panels[0].figure.legend(
        handles=tissues, loc="outside lower center", ncols=6, frameon=False, fontsize=8
    )
    return panels


def _mean_dice(prompted: PromptedSlice, masks: Mapping[int, NDArray[np.bool_]]) -> float:
    """Average over the labels that got a prompt: the others are not scored anywhere."""
    scored = [label for label, prompt in prompted.prompts.items() if len(prompt)]
    nothing = np.zeros(prompted.case_slice.image.shape[:2], bool)
    return float(np.mean([dice(prompted.references[k], masks.get(k, nothing)) for k in scored]))
