"""How Dice grows with points: placed at random and given at once, or clicked to correct a mask.

Hu 2023 compares 1, 5, 10 and 20 points and does not say where they were put, nor that anybody
corrected a mask: `random` stands for it. `corrective` is the reader of Kirillov 2023: the first
click goes to the middle of the object, each further one to where the error is deepest, missed or
added, and with each click the model gets all clicks so far and its own last mask.
"""

import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import PositiveFloat, PositiveInt
from tqdm.auto import tqdm

from mskseg.case import Case
from mskseg.errors import InputError
from mskseg.evaluation import PromptedSlice, dice
from mskseg.models import ImageEmbedding, Prediction, Segmenter
from mskseg.prompts import OracleBox, Prompt, central_point, error_point, random_points
from mskseg.settings import settings
from mskseg_studies.prompting.scans import asked_slices, described
from mskseg_studies.tissues import outline_mm

Mask = NDArray[np.bool_]

HU_POINTS = (1, 5, 10, 20)
"""The numbers of points that Hu 2023 compares."""

_NO_CHOICE = {"rated_dice": np.nan, "best_dice": np.nan}


def click_curves(
    segmenter: Segmenter,
    cases: Iterable[Case],
    *,
    n_points: Iterable[int] = HU_POINTS,
    n_slices: int | None = None,
    seed: int = 0,
    progress: bool = True,
) -> pd.DataFrame:
    """Score every tissue of every slice under some numbers of clicks or points, and its box.

    The cases have references. An object is a tissue on a slice; one without a piece of the minimum
    area (`mskseg.prompts.MIN_AREA_MM2`) is left out, since nobody would draw its box. `n_points` is
    how many points, placed at random inside the object (`seed`), to give at once (a smaller number
    is the beginning of a larger one), and after how many clicks of the reader who corrects to ask
    for three masks too; what this reader keeps is scored after every click up to the largest. Give
    none to a model that takes boxes alone. Of a person's labelled slices `n_slices` are taken,
    evenly spread; all by default.

    Gives a row for each object, strategy and number of points: `case`, `dataset`, `subject`,
    `anatomy`, `sequence`, `tissue`, `label`, `group` (the kind of tissue), `slice`, `outline_mm`
    (length of the reference's outline), `n_boxes` (its pieces), `strategy` ("corrective" or
    "random"), `n_points`, and Dice of three answers to the same points: `dice` of the mask that is
    kept (after one point the highest rated of three, after more the single one, as SAM was
    trained), `rated_dice` of three masks' highest rated one (the first, if the model rates none),
    `best_dice` of three masks' best, which needs the reference to be known. The last two are NaN
    where three masks were not asked for: after a click between those of `n_points`, and in the row
    of the strategy "box" with 0 points, the union of the answers to the tight boxes. InputError if
    there is nothing to click on.
    """
    counts = sorted(set(n_points))
    if min(counts, default=1) < 1:
        raise InputError(f"expected numbers of 1 or more as n_points, got {counts}")
    rows: list[dict[str, Any]] = []
    for case in tqdm(list(cases), "clicks", unit="case", disable=not progress):
        for (prompted,) in asked_slices(case, [OracleBox()], n_slices):
            rows += _slice_rows(segmenter, prompted, counts, seed)
    if not rows:
        raise InputError("there is no tissue to click on; check the cases")
    return pd.DataFrame(rows)


def _slice_rows(
    segmenter: Segmenter, prompted: PromptedSlice, counts: Sequence[int], seed: int
) -> Iterator[dict[str, Any]]:
    labels = [label for label in prompted.labels if len(prompted.prompts[label])]
    if not labels:
        return
    references = [prompted.references[label] for label in labels]
    case, case_slice = prompted.case, prompted.case_slice
    about = {"case": case.name, "anatomy": case.anatomy, "sequence": case.sequence}
    objects = [
        described(prompted, label)
        | about
        | {
            "label": label,
            "outline_mm": outline_mm(reference, spacing_mm=case_slice.spacing_mm),
            "n_boxes": len(prompted.prompts[label]),
        }
        for label, reference in zip(labels, references, strict=True)
    ]
    embedding = segmenter.embed(prompted.case_slice.image)
    boxed = segmenter.predict(embedding, prompted.prompt).masks[:, 0]
    for label, reference, row in zip(labels, references, objects, strict=True):
        score = dice(reference, boxed[prompted.rows(label)].any(axis=0))
        yield row | {"strategy": "box", "n_points": 0, "dice": score} | _NO_CHOICE
    # Of the slice alone: the same points whatever else is scored.
    drawn = [seed, zlib.crc32(case.name.encode()), case_slice.index]
    rngs, at_hand = [np.random.default_rng(drawn) for _ in range(2)], (segmenter, embedding)
    answers = {
        "corrective": _clicked(*at_hand, references, counts, rngs[0], case_slice.spacing_mm),
        "random": _given_at_once(*at_hand, references, counts, rngs[1]),
    }
    for strategy, scored in answers.items():
        for n_points, scores in scored:
            for row, score_of_masks in zip(objects, scores, strict=True):
                yield row | {"strategy": strategy, "n_points": n_points} | score_of_masks


def _given_at_once(
    segmenter: Segmenter,
    embedding: ImageEmbedding,
    references: Sequence[Mask],
    counts: Sequence[int],
    rng: np.random.Generator,
) -> Iterator[tuple[int, list[dict[str, float]]]]:
    """Give all objects of a slice their random points, whatever a mask looks like."""
    if not counts:
        return
    drawn = np.array([random_points(reference, counts[-1], rng=rng) for reference in references])
    for count in counts:
        inside = np.ones((len(drawn), count), dtype=np.int64)
        prompt = Prompt(point_coords=drawn[:, :count], point_labels=inside)
        three = segmenter.predict(embedding, prompt, multimask=True)
        kept = three if count == 1 else segmenter.predict(embedding, prompt)
        yield count, _scores(references, _kept(kept)[0], three)


def _clicked(
    segmenter: Segmenter,
    embedding: ImageEmbedding,
    references: Sequence[Mask],
    counts: Sequence[int],
    rng: np.random.Generator,
    spacing_mm: tuple[float, float],
) -> Iterator[tuple[int, list[dict[str, float]]]]:
    """Click on all objects of a slice together: one call of the decoder for each click."""
    coords = np.empty((len(references), 0, 2))
    labels = np.empty((len(references), 0), dtype=np.int64)
    masks: list[Mask | None] = [None] * len(references)
    logits = None
    for clicks in range(1, max(counts, default=0) + 1):
        added = [
            next_click(reference, mask, rng, spacing_mm)
            for reference, mask in zip(references, masks, strict=True)
        ]
        coords = np.concatenate([coords, [[point] for point, _ in added]], axis=1)
        labels = np.concatenate([labels, [[label] for _, label in added]], axis=1)
        prompt = Prompt(point_coords=coords, point_labels=labels, mask_logits=logits)
        answer = segmenter.predict(embedding, prompt, multimask=clicks == 1)
        three = answer if clicks == 1 else None
        if clicks in counts and clicks > 1:
            three = segmenter.predict(embedding, prompt, multimask=True)
        kept, logits = _kept(answer)
        masks = [*kept]
        yield clicks, _scores(references, kept, three)


def next_click(
    reference: Mask,
    mask: Mask | None,
    rng: np.random.Generator,
    spacing_mm: tuple[float, float],
) -> tuple[NDArray[np.float64], int]:
    """Choose the point (x, y) and label of a reader who looks at `mask`."""
    if mask is None:
        return central_point(reference, spacing_mm=spacing_mm), 1
    if np.array_equal(mask, reference):  # nothing to correct: confirm it
        return random_points(reference, 1, rng=rng)[0], 1
    return error_point(reference, mask, spacing_mm=spacing_mm)


def _kept(prediction: Prediction) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
    """Masks (N, H, W) and logits (N, h, w) that the model rates highest."""
    objects, chosen = np.arange(len(prediction.masks)), _highest_rated(prediction)
    return prediction.masks[objects, chosen], prediction.low_res_logits[objects, chosen]


def _highest_rated(prediction: Prediction) -> NDArray[np.intp]:
    rated: NDArray[np.intp] = np.nan_to_num(prediction.predicted_iou, nan=-np.inf).argmax(axis=1)
    return rated


def _scores(
    references: Sequence[Mask], kept: NDArray[np.bool_], three: Prediction | None
) -> list[dict[str, float]]:
    pairs = zip(references, kept, strict=True)
    scores = [{"dice": dice(reference, mask)} | _NO_CHOICE for reference, mask in pairs]
    if three is not None:
        answers = zip(scores, references, three.masks, _highest_rated(three), strict=True)
        for score, reference, masks, rated in answers:
            of_masks = [dice(reference, mask) for mask in masks]
            score |= {"rated_dice": of_masks[rated], "best_dice": max(of_masks)}
    return scores


_OBJECT = ["case", "dataset", "subject", "tissue", "label", "slice", "outline_mm", "n_boxes"]


@settings
class Costs:
    """Seconds of a reader's hand; all assumed, since the studies at hand state none."""

    click_s: PositiveFloat = 1.5  # to look, aim and click: one glance and one aimed movement
    box_s: PositiveFloat = 3.0  # to drag a box: two aimed movements
    draw_mm_per_s: PositiveFloat = 8.0  # of an outline drawn by hand, enlarged on a screen
    patience_clicks: PositiveInt = (
        10  # after these the reader gives up and draws; most gain comes before
    )


def clicks_to_reach(curves: pd.DataFrame, *, dice: float) -> pd.DataFrame:
    """Count for each object of `click_curves` the corrective clicks that it takes to reach a Dice.

    A row for each object: `case`, `dataset`, `subject`, `tissue`, `label` (several may have one
    name), `slice`, `outline_mm`, `n_boxes`, `clicks` (the first number that reaches it, NaN if none
    does), `clicks_tried` and `box_suffices`, whether the boxes alone reach it. Raises InputError if
    the goal is not a Dice, or the table has no corrective clicks.
    """
    if not 0 < dice <= 1:
        raise InputError(f"expected a Dice above 0 and at most 1 as the goal, got {dice}")
    corrective = curves[curves["strategy"] == "corrective"]
    if corrective.empty:
        raise InputError("the curves hold no corrective clicks; score that strategy")
    reached = corrective[corrective["dice"] >= dice].groupby(_OBJECT, sort=False)["n_points"].min()
    boxed = curves[curves["strategy"] == "box"].set_index(_OBJECT)["dice"] >= dice
    tried = corrective.groupby(_OBJECT, sort=False)["n_points"].max()
    columns = {
        "clicks": reached.reindex(tried.index).astype(float),
        "clicks_tried": tried,
        "box_suffices": boxed.reindex(tried.index, fill_value=False),
    }
    return pd.DataFrame(columns).reset_index()


def time_saved(
    reached: pd.DataFrame, *, costs: Costs, by: Sequence[str] = ("dataset", "tissue")
) -> pd.DataFrame:
    """Compare clicking, and boxing, with drawing.

    A reader decides for one way and does not know whether it will succeed: an object that is not
    reached by `costs.patience_clicks` clicks, or by its boxes, is drawn after them and costs both.

    Of `clicks_to_reach`. A row for each of `by`: `n_objects`; `by_clicks` and `by_box`, the share
    of objects that are reached, `clicks` (median where reached); the mean `clicking_s`, `boxing_s`
    and `drawing_s`; and `saved_by_clicks` and `saved_by_box`, parts of the drawing time, below 0
    where it costs.
    """
    drawing = reached["outline_mm"] / costs.draw_mm_per_s
    tried = reached["clicks_tried"].clip(upper=costs.patience_clicks)
    clicks = reached["clicks"].where(reached["clicks"] <= costs.patience_clicks)
    boxing = reached["n_boxes"] * costs.box_s
    timed = reached.assign(
        by_clicks=clicks.notna(),
        by_box=reached["box_suffices"],
        clicks=clicks,
        clicking_s=(clicks * costs.click_s).fillna(tried * costs.click_s + drawing),
        boxing_s=boxing.where(reached["box_suffices"], boxing + drawing),
        drawing_s=drawing,
    )
    grouped = timed.groupby(list(by), sort=False)
    table = grouped[["by_clicks", "by_box", "clicking_s", "boxing_s", "drawing_s"]].mean()
    table.insert(0, "n_objects", grouped.size())
    table.insert(3, "clicks", grouped["clicks"].median())
    table["saved_by_clicks"] = 1 - table["clicking_s"] / table["drawing_s"]
    table["saved_by_box"] = 1 - table["boxing_s"] / table["drawing_s"]
    return table.reset_index()
