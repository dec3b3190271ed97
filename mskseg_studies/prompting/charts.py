"""Charts of this study, and what models made of one slice."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from numpy.typing import NDArray

from mskseg.case import Case
from mskseg.display import draw_boxes, draw_label_map, frame_around, montage
from mskseg.evaluation import KeptPredictions, PromptedSlice, dice, prompt_slice
from mskseg.evaluation.prediction import LabelPrediction, PromptableSegmenter
from mskseg.prompts import Prompt, fill_boxes
from mskseg.prompts.plans import SlicePlan
from mskseg_studies.charts import PALETTE, chart_axes, check_columns, finish_chart
from mskseg_studies.people import by_site

_SECONDS = {
    "drawing_s": ("drawing", "0.35", "s"),
    "clicking_s": ("clicks", PALETTE[0], "o"),
    "boxing_s": ("boxes", PALETTE[1], "D"),
}


def phase_bars(means: pd.DataFrame, *, name: str) -> Axes:
    """Draw the mean `dice` of each `phase` as a horizontal bar with its number, the best on top.

    The title gives the `name`, the average and the best single image.
    """
    check_columns(means, ["phase", "dice"])
    by_phase = means.set_index("phase")["dice"]
    best = by_phase.drop(["average", "maximum"]).max()
    title = f"{name}: average {by_phase['average']:.3f}, best single image {best:.3f}"
    ordered = means.sort_values("dice")
    ax = chart_axes(None, (6.4, 1.0 + 0.34 * len(ordered)))
    bars = ax.barh(ordered["phase"], ordered["dice"], color=PALETTE[0], height=0.7)
    ax.bar_label(bars, fmt="%.3f", padding=3, fontsize=9)
    ax.set(xlabel="Dice", xlim=(0, 1.12), xticks=np.linspace(0, 1, 6))
    return finish_chart(ax, title, grid=None, legend=None)


def seconds_chart(table: pd.DataFrame, *, title: str = "") -> Axes:
    """Show the seconds of `time_saved` for an object of each tissue, the most costly on top."""
    check_columns(table, ["tissue", *_SECONDS])
    ordered = table.sort_values("drawing_s")
    ax = chart_axes(None, (6.8, 1.3 + 0.28 * len(ordered)))
    for column, (name, colour, marker) in _SECONDS.items():
        ax.scatter(ordered[column], ordered["tissue"], label=name, color=colour, marker=marker)
    ax.set(xlabel="seconds for an object, mean", xlim=(0, None))
    return finish_chart(ax, title, legend="right")


def fullest_answers(
    table: pd.DataFrame, kept: KeptPredictions, cases: Iterable[Case], plan: SlicePlan
) -> Iterator[tuple[PromptedSlice, dict[str, dict[int, NDArray[np.bool_]]]]]:
    """Find in each data set, and site, the scored slice with most labels, and the answers to it.

    Of a table of `score_cases`, numbered from 0, and what was kept of the same rows: nothing is
    predicted again. Yields what `boxes_and_predictions` shows; the names say who is a miniature.
    """
    by_name = {(case.dataset, case.subject, case.sequence): case for case in cases}
    scan = ["dataset", "subject", "sequence"]
    of_plan = table[table["box_source"] == plan.box_source]
    n_labels = of_plan.groupby([*scan, "slice"])["label"].transform("nunique")
    for fullest in n_labels.groupby(by_site(of_plan)["dataset"], sort=False).idxmax():
        here = (of_plan[[*scan, "slice"]] == of_plan.loc[fullest, [*scan, "slice"]]).all(axis=1)
        answers: dict[str, dict[int, NDArray[np.bool_]]] = {}
        for row in of_plan[here].itertuples():
            name = f"{row.segmenter} ({'miniature' if row.miniature else 'published'})"
            answers.setdefault(name, {})[row.label] = kept[row.Index].prediction
        case = by_name[tuple(of_plan.loc[fullest, scan])]
        yield prompt_slice(case, kept[fullest].case_slice, plan), answers


def close_ups(answers: Sequence[LabelPrediction], titles: Sequence[str]) -> NDArray[Any]:
    """Draw each answer near its box, with box, reference and prediction in three colours."""
    meaning = "Reference blue and dashed, prediction orange, box white"
    axes = montage([answer.case_slice for answer in answers], titles=titles, title=meaning)
    for ax, answer in zip(axes, answers, strict=True):
        draw_boxes(ax, answer.boxes_xyxy)
        draw_label_map(ax, answer.reference, colours={1: "#56B4E9"}, linestyle="dashed")
        draw_label_map(ax, answer.prediction, colours={1: "#E69F00"})
        x0, y0, x1, y1 = frame_around(answer.boxes_xyxy, shape=answer.reference.shape)
        ax.set(xlim=(x0, x1), ylim=(y1, y0))
    return axes


def compare_boxes(
    segmenter: PromptableSegmenter,
    image: NDArray[Any],
    reference: NDArray[np.bool_],
    boxes: Mapping[str, NDArray[np.float64] | None],
) -> pd.DataFrame:
    """Dice of the model and of the filled box, a row for whose box it is; without a box no row.

    Each value of `boxes` is the (n, 4) boxes of one object.
    """
    embedding = segmenter.embed(image)
    scores = {
        whose: {
            "Dice of the model": dice(
                reference, segmenter.predict(embedding, Prompt(drawn)).masks[:, 0].any(axis=0)
            ),
            "Dice of the filled box": dice(reference, fill_boxes(drawn, reference.shape)),
        }
        for whose, drawn in boxes.items()
        if drawn is not None
    }
    return pd.DataFrame.from_dict(scores, orient="index").rename_axis("box")
