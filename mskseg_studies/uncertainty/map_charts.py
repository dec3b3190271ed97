"""Maps over a slice: how uncertain a model is, and where it is wrong.

All maps are in viridis, whose brightness rises evenly and which colour-blind readers see as others
do. Maps that are compared share a scale; one that is much smaller has its own, with its own bar.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray

from mskseg.display.slices import OUTLINE, draw_label_map, frame_around, show_slice
from mskseg.display.style import PREDICTION, REFERENCE
from mskseg_studies.calibration import candidate_region
from mskseg_studies.panels import new_panels
from mskseg_studies.uncertainty.probability_maps import SliceMaps, entropy_parts
from mskseg_studies.uncertainty.selective_prediction import ErrorRanking

_WRONG_COLOUR, _DOUBTFUL_COLOUR = "#D55E00", "#F0E442"
_NEARLY_CERTAIN = 0.015  # of a scale; below, the slice is seen


def uncertainty_maps(maps: SliceMaps, *, moved: SliceMaps | None = None) -> NDArray[Any]:
    """Show the entropy of an ensemble on a slice, split, beside where it is wrong.

    First the slice with the wrong pixels in orange, then the maps with the outlines of the
    reference in white, all around the boxes given; of one member only its entropy. With `moved`,
    maps under boxes drawn a little differently, one more panel for what those change. Disagreement
    and moved boxes have a scale each. The title says how often, on this slice, a wrong candidate
    pixel is the more uncertain one.
    """
    at, parts = maps.case_slice, entropy_parts(maps.members)
    shown = {"all uncertainty": parts.predictive}
    if len(maps.members) > 1:
        shown |= {"each member's own": parts.aleatoric, "members disagree": parts.epistemic}
    if moved is not None:
        shown["moved boxes change it"] = entropy_parts(moved.members).epistemic
    label_map, predicted = np.asarray(at.label_map), maps.predicted_labels()
    where = candidate_region(maps.members.mean(axis=0))
    rank = ErrorRanking.of(parts.predictive[where], (predicted != label_map)[where]).auroc
    figure, axes = _panels(maps, ["wrong pixels", *shown])
    _fill_pixels(axes[0], predicted != label_map, colour=PREDICTION)
    for k, (ax, entropy) in enumerate(zip(axes[1:], shown.values(), strict=True)):
        highest = float((parts.predictive if k < 2 else entropy).max())
        uncertain = np.ma.masked_where(~(entropy > _NEARLY_CERTAIN * highest), entropy)
        colours = _draw_map(ax, uncertain, highest=highest)
        figure.colorbar(colours, ax=ax, location="bottom", shrink=0.8, label="entropy (nats)")
        _draw_outlines(ax, label_map)
    figure.suptitle(
        "On this slice a wrong pixel is more uncertain than a right one in "
        f"{100 * rank:.0f} % of pairs",
        fontsize=11,
    )
    return axes


def reading_page(maps: SliceMaps, *, tissues: Mapping[int, str], sure: float = 0.9) -> NDArray[Any]:
    """Show a reader what to check, in one figure and without a formula.

    Three panels around the boxes given: the image; the proposed outlines with what the model is
    less than `sure` of (yellow); and, since this is a study, what really was wrong (orange). Beside
    them the outlines named, the least certain first. The title says how many of the errors are
    marked, and how many would be by chance: the marked part of the candidate pixels.
    """
    certainty, predicted = maps.members.mean(axis=0).max(axis=0), maps.predicted_labels()
    label_map = np.asarray(maps.case_slice.label_map)
    figure, axes = _panels(maps, ["image", "proposal, and what to check", "what was wrong"])
    _fill_pixels(axes[1], certainty < sure, colour=_DOUBTFUL_COLOUR)
    _draw_outlines(axes[1], predicted)
    _fill_pixels(axes[2], predicted != label_map, colour=_WRONG_COLOUR)
    _draw_outlines(axes[2], label_map)
    means = {
        k: float(certainty[predicted == k].mean())
        for k in np.unique(predicted[predicted > 0]).tolist()
    }
    figure.legend(
        handles=[
            Line2D([], [], color=REFERENCE, path_effects=OUTLINE, label="outline"),
            Patch(facecolor=_DOUBTFUL_COLOUR, label=f"less than {100 * sure:.0f} % sure"),
            Patch(facecolor=_WRONG_COLOUR, label="wrong"),
            Patch(alpha=0, label=""),
            Patch(alpha=0, label="mean certainty:"),
            *(
                Patch(alpha=0, label=f"{100 * means[k]:.0f} %  {tissues.get(k, f'label {k}')}")
                for k in sorted(means, key=lambda k: (means[k], k))
            ),
        ],
        loc="outside right center",
        frameon=False,
        fontsize=8,
    )
    figure.suptitle(_marked_errors(maps, certainty < sure, predicted != label_map), fontsize=11)
    return axes


def _marked_errors(maps: SliceMaps, marked: NDArray[np.bool_], wrong: NDArray[np.bool_]) -> str:
    """Say how many errors lie where the page tells the reader to look, and how many by chance."""
    candidates = candidate_region(maps.members.mean(axis=0))
    if not wrong.any() or not candidates.any():
        return "Nothing was wrong" if not wrong.any() else "All errors were made with certainty"
    part, area = (marked & wrong).sum() / wrong.sum(), marked.sum() / candidates.sum()
    return f"{100 * part:.0f} % of the errors are marked; by chance it would be {100 * area:.0f} %"


def _panels(maps: SliceMaps, titles: Sequence[str]) -> tuple[Any, NDArray[Any]]:
    """Show the slice in a row of panels, around its boxes, or all of it without one."""
    at, (height, width) = maps.case_slice, maps.case_slice.image.shape
    boxes = [*maps.boxes.values()] or [np.array([[0, 0, width, height]], dtype=np.float64)]
    zoom = frame_around(np.concatenate(boxes), shape=(height, width), margin=0.05)
    wide, high = zoom[2:] - zoom[:2]
    tall = high * at.spacing_mm[0] / (wide * at.spacing_mm[1])
    figure, axes = new_panels(len(titles), columns=len(titles), size=(3.6, 3.3 * tall))
    for k, (ax, title) in enumerate(zip(axes, titles, strict=True)):
        plane = None if k else at.plane
        show_slice(
            at.image, spacing_mm=at.spacing_mm, plane=plane, zoom_xyxy=zoom, title=title, ax=ax
        )
    return figure, axes


def _draw_map(ax: Axes, values: NDArray[Any], *, highest: float, cmap: Any = "viridis") -> Any:
    """Lay values (H, W) over the slice that is shown, where they are not masked."""
    height, width = values.shape
    return ax.imshow(
        values,
        cmap=cmap,
        vmin=0,
        vmax=highest,
        interpolation="nearest",
        extent=(0, width, height, 0),
        aspect=ax.get_aspect(),
    )


def _draw_outlines(ax: Axes, label_map: NDArray[Any]) -> None:
    """Draw the outlines of all labels thinly, in one colour."""
    same = dict.fromkeys(np.unique(label_map[label_map > 0]).tolist(), REFERENCE)
    draw_label_map(ax, label_map, colours=same)
    for lines in ax.collections:
        lines.set_linewidth(0.7)


def _fill_pixels(ax: Axes, mask: NDArray[np.bool_], *, colour: str) -> None:
    """Colour the pixels of a mask, each as a square."""
    filled = np.ma.masked_where(~mask, np.ones(mask.shape))
    _draw_map(ax, filled, highest=1, cmap=ListedColormap([colour])).set_alpha(0.85)
