"""Whether uncertainty finds the errors, and what is gained by acting on it.

* `ErrorRanking`, streamed over slices in a histogram of fixed size: the AUROC, the chance that a
  wrong pixel is more uncertain than a right one (0.5 is no help);
* `entropy_and_dice`: is the person with more uncertainty the one with the lower Dice?
* `referral_curve`: a reader corrects the least certain cases; what does the mean Dice become?
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.stats import spearmanr

from mskseg.evaluation.averaging import subject_means
from mskseg_studies.calibration import Sums

Floats = NDArray[np.float64]

_ALL_ORDERS = 7  # subjects whose orders (5040) are all looked at
# Certain pixels differ by orders of magnitude, so bins are as wide as the logarithm says, each 1.03
# times the one before; the exact AUROC differs in the third decimal.
_EDGES = np.concatenate([[0.0], np.geomspace(1e-7, 6.0, 600)])


def referral_curve(
    dice: ArrayLike,
    uncertainty: ArrayLike,
    *,
    fractions: Sequence[float] = (0.0, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0),
) -> pd.DataFrame:
    """Let a reader correct a part of the cases (N,): their Dice becomes 1, of the reference."""
    scores, unsure = np.ravel(dice).astype(float), np.ravel(uncertainty).astype(float)
    has_dice = np.isfinite(scores)
    predicted = has_dice & ~np.isnan(unsure)
    rows = [_referred(scores[predicted], unsure[predicted], fraction) for fraction in fractions]
    return pd.DataFrame(rows).assign(
        n=int(predicted.sum()),
        n_without_dice=int((~has_dice).sum()),
        n_not_predicted=int((has_dice & ~predicted).sum()),
    )


def _referred(dice: Floats, uncertainty: Floats, fraction: float) -> dict[str, float]:
    """Give a row of `referral_curve`; a corrected outline has a Dice of 1."""
    k = round(fraction * dice.size)
    row: dict[str, float] = {"referred": fraction, "n_referred": k}
    if not dice.size:
        return row | dict.fromkeys(("dice", "best", "random"), math.nan)
    for name, order in {"dice": -uncertainty, "best": dice}.items():
        after = dice.copy()
        after[np.argsort(order, kind="stable")[:k]] = 1
        row[name] = float(after.mean())
    return row | {"random": float(dice.mean() + k / dice.size * (1 - dice.mean()))}


def referral_curves(outlines: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Let a reader correct the least certain outlines of each arm of one model.

    Of `UncertaintyTables.outlines`. Those without a Dice (both masks empty) are left out, and so
    are those of which nothing was predicted and so nothing could be uncertain: only the reference
    knows that something is missing there. A row for each fraction that the reader corrects:
    `referred`, `n_referred`, and the mean Dice if they are chosen by uncertainty (`dice`), by the
    true Dice, which nobody knows (`best`), or at random (`random`, its expectation), all over the
    same `n` outlines; `n_without_dice` and `n_not_predicted` were left out. NaN if nothing was
    predicted at all.
    """
    return {
        str(name): referral_curve(group["dice"], group["uncertainty"])
        for name, group in outlines.groupby("arm", sort=False)
    }


def entropy_and_dice(cases: pd.DataFrame) -> pd.DataFrame:
    """Correlate subjects' uncertainty with their Dice, by rank: below 0 where it finds errors.

    Of `UncertaintyTables.cases` without the scaled rows. Gives `model`, `arm`, `spearman`
    (Spearman's rho of `entropy` and `dice`; NaN with fewer than three subjects), `by_chance` (how
    often a rho as far from 0 comes if the two have nothing to do with each other: counted over all
    orders, with more than seven subjects from Student's t) and `n_subjects`.
    """
    keys = ["model", "arm"]
    people = subject_means(cases[~cases["scaled"]], by=keys, values=["entropy", "dice"], within=())
    rows = []
    for key, group in people.groupby(level=keys, sort=False):
        enough = len(group) > 2 and group.nunique().min() > 1
        rho, chance = _spearman(group["entropy"], group["dice"]) if enough else (math.nan,) * 2
        rows.append((*key, rho, chance, len(group)))
    return pd.DataFrame(rows, columns=[*keys, "spearman", "by_chance", "n_subjects"])


@dataclass(frozen=True, eq=False)
class ErrorRanking(Sums):
    """Uncertainty of right and of wrong pixels, in a histogram."""

    right: NDArray[np.int64]  # (B,) pixels in each bin of `_EDGES`
    wrong: NDArray[np.int64]

    @classmethod
    def of(cls, uncertainty: ArrayLike, wrong: ArrayLike) -> Self:
        """Sort the pixels into bins: an uncertainty (N,) and an error (N,) of each, no NaN."""
        score, error = np.ravel(uncertainty).astype(float), np.ravel(wrong).astype(float)
        at = np.clip(np.searchsorted(_EDGES, score, side="right") - 1, 0, len(_EDGES) - 1)
        return cls(*(np.bincount(at[k], minlength=len(_EDGES)) for k in (error == 0, error > 0)))

    @property
    def auroc(self) -> float:
        """Area under the ROC curve, pixels of one bin tied; NaN if all are right or all wrong."""
        n_wrong, n_right = int(self.wrong.sum()), int(self.right.sum())
        if not n_wrong or not n_right:
            return math.nan
        below = np.cumsum(self.right) - self.right
        return float((self.wrong * (below + self.right / 2)).sum() / (n_wrong * n_right))


def _spearman(first: pd.Series, second: pd.Series) -> tuple[float, float]:
    """Spearman's rho and its two-sided chance; of few subjects Student's t is too optimistic."""
    rho, chance = map(float, spearmanr(first, second))
    if len(first) <= _ALL_ORDERS:
        a, b = first.rank().to_numpy(), second.rank().to_numpy()
        a, b = (a - a.mean()) / a.std(), (b - b.mean()) / b.std()
        orders = np.array(list(permutations(a)))
        chance = float((np.abs(orders @ b / len(b)) >= abs(rho) - 1e-9).mean())
    return rho, chance
