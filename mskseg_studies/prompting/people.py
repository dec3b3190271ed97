"""Real people apart from drawings, and what models made of one slice of a person."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mskseg.case import Case, CaseSet, CaseSlice
from mskseg.datasets import list_at_hand
from mskseg.datasets.loading import fullest_slice, load_cases, load_some
from mskseg.datasets.manifest import load_manifest
from mskseg.display import draw_boxes, draw_label_map, frame_around, montage, tissue_colours
from mskseg.evaluation import KeptPredictions, PromptedSlice, SlicePredictor, dice, prompt_slice
from mskseg.models import Segmenter
from mskseg.prompts import OracleBox, fill_boxes
from mskseg.prompts.plans import SlicePlan
from mskseg.splits import Part

if TYPE_CHECKING:
    import pandas as pd

_PARTS: tuple[Part, ...] = ("test", "inference")


def load_people_and_drawings(
    names: Sequence[str], *, n_people: int, n_drawn: int, n_sequences: int | None = 1
) -> tuple[list[CaseSet], list[CaseSet]]:
    """Load those whose scores may be reported: sets of real scans, and sets of phantoms.

    Parameters
    ----------
    names : sequence of str
        Data sets of the manifest; a phantom is one whose reference is synthetic.
    n_people : int
        The first of each real data set. Where the manifest lays down a split these are of the test
        part, and in a set of its own as many of the inference part, the other site; there only
        people who are here count.
    n_drawn : int
        The first of each phantom's test part.
    n_sequences : int or None
        As in `mskseg.load_some`.

    Returns
    -------
    (list of CaseSet, list of CaseSet)
        Each in the order of the names.

    Raises
    ------
    InputError
        As `mskseg.load_some`.
    """
    entries = load_manifest().datasets
    people: list[CaseSet] = []
    drawn: list[CaseSet] = []
    for name in names:
        entry = entries.get(name)
        if entry and entry.reference and entry.reference.provenance == "synthetic":
            drawn.append(load_some(name, n_subjects=n_drawn, n_sequences=n_sequences))
            continue
        parts = [list_at_hand(name, part=part) for part in _PARTS if entry and entry.split]
        here = [load_cases(name, subjects=subjects[:n_people]) for subjects in parts if subjects]
        people += here or [load_some(name, n_subjects=n_people, n_sequences=n_sequences)]
    return people, drawn


def by_site(table: pd.DataFrame) -> pd.DataFrame:
    """Name the site with the data set where a table has several of one, so that none are pooled.

    Takes a table of `score_cases`; "spine" becomes "spine, A" and "spine, B" in its column
    `dataset`.
    """
    several = table.groupby("dataset")["site"].transform("nunique") > 1
    named = table["dataset"].mask(several, table["dataset"] + ", " + table["site"].astype(str))
    return table.assign(dataset=named)


def answers_beside(
    prompted: PromptedSlice, answers: Mapping[str, Mapping[int, NDArray[np.bool_]]], *, title: str
) -> NDArray[Any]:
    """Show the boxes of a slice with the reference, then what each model made of them.

    Parameters
    ----------
    prompted : PromptedSlice
        From `mskseg.evaluation.prompt_slice`, of a plan that gives boxes.
    answers : mapping of str to mapping of int to (H, W) bool
        By model, then by label.
    title : str
        Of the figure.

    Returns
    -------
    (1 + n,) array of Axes
        All zoomed to the boxes; above each the mean Dice over labels, in the first that of the
        boxes filled. In the others the reference is dashed.
    """
    given = {label: each.boxes_xyxy for label, each in prompted.prompts.items()}
    boxes_of = {label: np.empty((0, 4)) if b is None else b for label, b in given.items()}
    boxes = np.concatenate(list(boxes_of.values()))
    case_slice = prompted.case_slice
    colours = tissue_colours({*prompted.labels, *prompted.case.tissues})
    shape = case_slice.image.shape
    filled = {label: fill_boxes(of_label, shape) for label, of_label in boxes_of.items()}
    titles = [f"reference\nfilled boxes: {_mean_dice(prompted, filled):.2f}"]
    titles += [f"{name}\n{_mean_dice(prompted, masks):.2f}" for name, masks in answers.items()]
    panels = montage([case_slice] * len(titles), titles=titles, columns=len(titles), title=title)
    x0, y0, x1, y1 = frame_around(boxes, shape=shape, margin=0.05)
    aspect = (x1 - x0) * case_slice.spacing_mm[1] / ((y1 - y0) * case_slice.spacing_mm[0])
    height = min(4.4, 3.6 / aspect)  # inches of a panel
    width = max(2.1, height * aspect)
    panels[0].figure.set_size_inches(width * len(titles), height + 0.9)
    for ax, masks in zip(panels, [prompted.references, *answers.values()], strict=True):
        draw_label_map(ax, masks, colours=colours, fill=0.35)
        ax.set(xlim=(x0, x1), ylim=(y1, y0))
    for ax in panels[1:]:
        dashed = dict.fromkeys(colours, "white")
        draw_label_map(ax, prompted.references, colours=dashed, linestyle="dashed")
    draw_boxes(panels[0], boxes)
    return panels


def draw_answers(
    case: Case,
    segmenters: Mapping[str, Segmenter],
    *,
    plan: SlicePlan | None = None,
    case_slice: CaseSlice | None = None,
    title: str = "",
) -> NDArray[Any]:
    """Ask models on one slice, such as LiteMedSAM as it is and tuned, and show their answers.

    Parameters
    ----------
    case : Case
        With a reference.
    segmenters : mapping of str to Segmenter
        By the name above the panel; a tuned one is loaded from its checkpoint.
    plan : SlicePlan, optional
        By default tight oracle boxes.
    case_slice : CaseSlice, optional
        By default the one that shows most.

    Returns
    -------
    (1 + n,) array of Axes
        As of `answers_beside`.
    """
    prompted = prompt_slice(case, case_slice or fullest_slice(case), plan or OracleBox())
    answers = {
        name: {k: each.prediction for k, each in SlicePredictor(model).predict(prompted).items()}
        for name, model in segmenters.items()
    }
    return answers_beside(prompted, answers, title=title or f"{case.name}, oracle boxes")


def fullest_answers(
    table: pd.DataFrame, kept: KeptPredictions, cases: Iterable[Case], plan: SlicePlan
) -> Iterator[tuple[PromptedSlice, dict[str, dict[int, NDArray[np.bool_]]]]]:
    """Find in each data set, and site, the scored slice with most labels, and the answers to it.

    Parameters
    ----------
    table : pandas.DataFrame
        From `score_cases`, numbered from 0.
    kept : KeptPredictions
        Of the same rows.
    cases : iterable of Case
        Those of the table.
    plan : SlicePlan
        Whose answers are wanted.

    Yields
    ------
    (PromptedSlice, dict of str to dict of int to (H, W) bool)
        For `answers_beside`: nothing is predicted again. The names say who is a miniature.
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


def _mean_dice(prompted: PromptedSlice, masks: Mapping[int, NDArray[np.bool_]]) -> float:
    """Average over the labels that got a prompt: the others are not scored anywhere."""
    scored = [label for label, prompt in prompted.prompts.items() if len(prompt)]
    return float(np.mean([dice(prompted.references[k], masks[k]) for k in scored]))
