"""A simulated reader who corrects a mask, click after click, in the two ways of Kirillov 2023."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mskseg.evaluation import dice
from mskseg.models.embeddings import ImageEmbedding
from mskseg.models.segmenter import Segmenter
from mskseg.prompts import central_point, error_point, random_points


@dataclass(frozen=True, eq=False)
class Corrections:
    """Clicks and what came of them."""

    points: NDArray[np.float64]  # (N, 2) x, y of each click
    labels: NDArray[np.int64]  # (N,) 1 inside, 0 outside
    dice: NDArray[np.float64]  # (N,) after each click
    masks: NDArray[np.bool_]  # (N, H, W) after each click


def correct_with_clicks(
    segmenter: Segmenter,
    embedding: ImageEmbedding,
    target: NDArray[np.bool_],
    *,
    n_corrections: int,
    rng: np.random.Generator | None = None,
) -> Corrections:
    """Click on an object, then on the error, again and again; with each click go all before it.

    The model, one that learned points, gets its own last mask too. The target (H, W) is what the
    reader wants; after the first click come `n_corrections`, fewer if the mask is right before.
    With `rng` every click is drawn, each pixel of the object and then of the error with the same
    chance, as SAM was trained. Without, clicks go to where object and error are deepest, as it was
    evaluated.
    """
    first = central_point(target) if rng is None else random_points(target, 1, rng=rng)[0]
    points, labels, scores, masks, logits = [first], [1], [], [], None
    while True:
        answer = segmenter.predict(
            embedding, point_coords=points, point_labels=labels, mask_logits=logits
        )
        logits, mask = answer.low_res_logits[:, 0], answer.masks[0, 0]
        scores.append(dice(target, mask))
        masks.append(mask)
        if len(points) > n_corrections or np.array_equal(mask, target):
            return Corrections(*(np.array(each) for each in (points, labels, scores, masks)))
        point, label = error_point(target, mask, rng=rng)
        points, labels = [*points, point], [*labels, label]


def simulated_readers(
    segmenter: Segmenter,
    embedding: ImageEmbedding,
    target: NDArray[np.bool_],
    *,
    n_corrections: int,
    n_drawn: int,
    seed: int = 0,
) -> dict[str, Corrections]:
    """Let a careful reader and several who click at random correct the same mask.

    Arguments as in `correct_with_clicks`. Gives "deepest", then "drawn 1" to "drawn n", the random
    ones with seeds of their own from `seed` on.
    """
    rngs = {f"drawn {k + 1}": np.random.default_rng(seed + k) for k in range(n_drawn)}
    return {
        name: correct_with_clicks(
            segmenter, embedding, target, n_corrections=n_corrections, rng=rng
        )
        for name, rng in {"deepest": None, **rngs}.items()
    }


def dice_by_click(readers: Mapping[str, Corrections]) -> pd.DataFrame:
    """Lay Dice after each click beside each other: "deepest", "drawn, mean", "drawn, lowest".

    Takes what `simulated_readers` gives; a reader who needed no more clicks keeps the last Dice.
    """
    scores = pd.DataFrame({name: pd.Series(each.dice) for name, each in readers.items()}).ffill()
    drawn = scores.drop(columns="deepest")
    beside = {"drawn, mean": drawn.mean(axis=1), "drawn, lowest": drawn.min(axis=1)}
    table = pd.DataFrame({"deepest": scores["deepest"], **beside})
    return table.set_axis(table.index + 1).rename_axis("clicks")
