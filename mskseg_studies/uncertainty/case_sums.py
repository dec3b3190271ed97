"""What is kept of the slices of a case: sums of fixed size, whatever the number of slices."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mskseg.evaluation.calibration import Calibration, candidate_region
from mskseg.evaluation.multiclass import FLOOR, as_classes, temper
from mskseg.prompts import fill_boxes
from mskseg_studies.uncertainty.entropy import entropy_parts
from mskseg_studies.uncertainty.probability_maps import SliceMaps
from mskseg_studies.uncertainty.selective_prediction import ErrorRanking

REGIONS = ("slice", "candidate")
COVERAGES = tuple(np.linspace(0.05, 1.0, 20).round(2).tolist())


@dataclass(frozen=True, eq=False)
class CaseSums:
    """Sums over slices; add two to join what they saw.

    `regions` has a `Calibration` for each of `REGIONS`, `ranking` is of the candidates' entropy.
    `overlap` (3, K) int64 counts the pixels of each tissue: right ones, of the reference, of the
    prediction. `uncertainty` (3,) float64 is predictive, aleatoric and epistemic entropy, summed
    over the candidates. `n_clipped` pixels have their true class at the floor before
    scaling, which lifts the floor; `n_outside` of the reference are no candidates, `n_unprompted`
    lie outside every box of their own tissue.
    """

    regions: Mapping[str, Calibration]
    ranking: ErrorRanking
    overlap: NDArray[np.int64]
    uncertainty: NDArray[np.float64]
    n_clipped: int
    n_outside: int
    n_unprompted: int
    n_slices: int

    def __add__(self, other: CaseSums) -> CaseSums:
        """Join two sums."""
        return CaseSums(
            {name: self.regions[name] + other.regions[name] for name in REGIONS},
            self.ranking + other.ranking,
            self.overlap + other.overlap,
            self.uncertainty + other.uncertainty,
            self.n_clipped + other.n_clipped,
            self.n_outside + other.n_outside,
            self.n_unprompted + other.n_unprompted,
            self.n_slices + other.n_slices,
        )

    def scores(self) -> dict[str, float]:
        """Columns of `UncertaintyTables.cases` that come from pixels."""
        whole, candidates = (self.regions[name] for name in REGIONS)
        both, reference, predicted = self.overlap
        size = reference + predicted
        dice = np.divide(2 * both, size, out=np.full(len(both), math.nan), where=size > 0)
        n = candidates.n
        uncertainty = self.uncertainty / n if n else np.full(3, math.nan)
        entropy, aleatoric, epistemic = uncertainty
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

    def bin_rows(self) -> list[dict[str, Any]]:
        """Rows of `UncertaintyTables.bins`."""
        return [
            {"region": name, "bin": number, "n": n, "confidence": confidence, "hits": hits}
            for name, region in self.regions.items()
            for number, (n, confidence, hits) in enumerate(
                zip(region.bins.n, region.bins.confidence, region.bins.hits, strict=True)
            )
        ]

    def curve_rows(self) -> list[dict[str, Any]]:
        """Rows of `UncertaintyTables.curves`."""
        risks = self.ranking.risk_at(COVERAGES)
        return [
            {"coverage": coverage, "risk": float(risk)}
            for coverage, risk in zip(COVERAGES, risks, strict=True)
        ]


def sum_slice(maps: SliceMaps, temperature: float = 1.0, *, member: int | None = None) -> CaseSums:
    """Measure one slice; a temperature of 1 leaves the probabilities as they are.

    Of one `member` of an ensemble if it is given. The candidates are always those of all members
    before scaling, so that what is compared is measured on the same pixels.
    """
    candidates = candidate_region(maps.members.mean(axis=0))
    chosen = maps.members if member is None else maps.members[[member]]
    members = temper(chosen, temperature)
    mean = members.mean(axis=0)
    true = as_classes(np.asarray(maps.case_slice.label_map), maps.labels)
    predicted = mean.argmax(axis=0)
    # Only there is it looked at, and the logarithms of a whole slice would cost most of the time.
    looked_at = members[:, :, candidates][:, :, None, :]
    parts = entropy_parts(looked_at)
    uncertainty = (parts.predictive, parts.aleatoric, parts.epistemic)
    k = len(maps.labels) + 1
    of_true = np.take_along_axis(chosen.mean(axis=0), true[None], axis=0)
    return CaseSums(
        regions={
            name: Calibration.of(mean, true, where=where)
            for name, where in zip(REGIONS, (None, candidates), strict=True)
        },
        ranking=ErrorRanking.of(parts.predictive, (predicted != true)[candidates]),
        overlap=np.stack(
            [
                np.bincount(np.ravel(classes), minlength=k)[1:]
                for classes in (predicted[predicted == true], true, predicted)
            ]
        ),
        uncertainty=np.array([np.sum(pixels, dtype=np.float64) for pixels in uncertainty]),
        n_clipped=int((of_true <= FLOOR).sum()),
        n_outside=int(((true > 0) & ~candidates).sum()),
        n_unprompted=_count_unprompted(maps, true),
        n_slices=1,
    )


def _count_unprompted(maps: SliceMaps, true: NDArray[np.intp]) -> int:
    """Pixels of the reference outside every box of their own tissue; 0 where none are given."""
    if not maps.prompted:
        return 0
    missed = 0
    for number, label in enumerate(maps.labels):
        of_tissue = true == number + 1
        boxes = maps.boxes.get(label, np.empty((0, 4)))
        missed += int((of_tissue & ~fill_boxes(boxes, of_tissue.shape)).sum())
    return missed
