"""What is kept of the slices of a case: sums of fixed size, whatever the number of slices."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mskseg.prompts import fill_boxes
from mskseg_studies.calibration import (
    FLOOR,
    Calibration,
    Sums,
    as_classes,
    candidate_region,
    temper,
)
from mskseg_studies.uncertainty.probability_maps import SliceMaps, entropy_parts
from mskseg_studies.uncertainty.selective_prediction import ErrorRanking

REGIONS = ("slice", "candidate")


@dataclass(frozen=True, eq=False)
class CaseSums(Sums):
    """Sums over slices."""

    slice: Calibration  # of all pixels
    candidate: Calibration
    ranking: ErrorRanking  # of the candidates' entropy
    overlap: NDArray[np.int64]  # (3, K) pixels of each tissue: right, reference's, prediction's
    uncertainty: NDArray[np.float64]  # (3,) parts of the entropy, over the candidates
    n_clipped: int  # true class at the floor before scaling, which lifts the floor
    n_outside: int  # of the reference, no candidates
    n_unprompted: int  # outside every box of their own tissue
    n_slices: int

    def scores(self) -> dict[str, float]:
        """Columns of `UncertaintyTables.cases` that come from pixels."""
        whole, candidates = self.slice, self.candidate
        both, reference, predicted = self.overlap
        size = reference + predicted
        dice = np.divide(2 * both, size, out=np.full(len(both), math.nan), where=size > 0)
        n = candidates.n
        entropy, aleatoric, epistemic = self.uncertainty / n if n else np.full(3, math.nan)
        return {
            "dice": float(np.nanmean(dice)) if np.isfinite(dice).any() else math.nan,
            "ece_top_label": whole.ece,
            "ece_candidate": candidates.ece,
            "nll": whole.nll,
            "nll_candidate": candidates.nll,
            "brier": whole.brier,
            "brier_candidate": candidates.brier,
            "auroc": self.ranking.auroc,
            "entropy": entropy,
            "aleatoric": aleatoric,
            "epistemic": epistemic,
            "reference_outside": self.n_outside / reference.sum() if reference.any() else math.nan,
            "n_clipped": self.n_clipped,
            "n_unprompted": self.n_unprompted,
            "n_slices": self.n_slices,
            "n_pixels": whole.n,
            "n_candidate": n,
        }

    def bins(self) -> pd.DataFrame:
        """Rows of `UncertaintyTables.bins`."""
        parts = {region: pd.DataFrame(vars(getattr(self, region).bins)) for region in REGIONS}
        return pd.concat(parts, names=["region", "bin"]).reset_index()


def sum_slice(maps: SliceMaps, temperature: float = 1.0, *, member: int | None = None) -> CaseSums:
    """Measure one slice, of one `member` if it is given; a temperature of 1 changes nothing."""
    # The candidates are those of all members before scaling: what is compared has the same pixels.
    candidates = candidate_region(maps.members.mean(axis=0))
    chosen = maps.members if member is None else maps.members[[member]]
    members = temper(chosen, temperature)
    mean = members.mean(axis=0)
    true = as_classes(np.asarray(maps.case_slice.label_map), maps.labels)
    predicted = mean.argmax(axis=0)
    # Only there is it looked at, and the logarithms of a whole slice would cost most of the time.
    parts = entropy_parts(members[:, :, candidates][:, :, None, :])
    k = len(maps.labels) + 1
    counted = (predicted[predicted == true], true, predicted)
    of_true = np.take_along_axis(chosen.mean(axis=0), true[None], axis=0)
    return CaseSums(
        slice=Calibration.of(mean, true),
        candidate=Calibration.of(mean, true, where=candidates),
        ranking=ErrorRanking.of(parts.predictive, (predicted != true)[candidates]),
        overlap=np.stack([np.bincount(np.ravel(found), minlength=k)[1:] for found in counted]),
        uncertainty=np.array([np.sum(pixels, dtype=np.float64) for pixels in parts]),
        n_clipped=int((of_true <= FLOOR).sum()),
        n_outside=int(((true > 0) & ~candidates).sum()),
        n_unprompted=_count_unprompted(maps, true),
        n_slices=1,
    )


def _count_unprompted(maps: SliceMaps, true: NDArray[np.intp]) -> int:
    """Pixels of the reference outside every box of their own tissue; 0 where none are given."""
    if not maps.prompted:
        return 0
    boxes = [maps.boxes.get(label, np.empty((0, 4))) for label in maps.labels]
    return sum(
        int(((true == number) & ~fill_boxes(of_tissue, true.shape)).sum())
        for number, of_tissue in enumerate(boxes, start=1)
    )
