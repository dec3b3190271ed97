"""Several images of one slice: the best phase, and what the average or the maximum makes of them.

Hu 2023 asks SAM about each phase of a contrast study, with points, and aggregates the answers by
average or maximum. Here the phases are sequences or echoes of one scan, on one grid.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from mskseg.case import Case
from mskseg.errors import InputError
from mskseg.evaluation import PromptedSlice, dice, subject_means
from mskseg.models import Segmenter
from mskseg.prompts import OracleBox
from mskseg.prompts.plans import OraclePlan
from mskseg.volume import check_same_grid
from mskseg_studies.prompting.scans import asked_slices, described, over_people


def score_phases(
    segmenter: Segmenter,
    cases: Iterable[Case],
    *,
    plans: Sequence[OraclePlan] = (OracleBox(),),
    n_slices: int | None = None,
) -> pd.DataFrame:
    """Score each phase of each person, and the average and maximum of their probabilities.

    The phases of a person are cases of one subject with references, two or more on one grid, told
    apart by their sequence (else InputError). Each of the `plans` gives the same prompts for every
    phase. Of a person's labelled slices `n_slices` are taken, evenly spread, one alone from the
    middle; all by default.

    Gives a row for each slice, plan, tissue and phase: `model`, `miniature`, `dataset`, `subject`,
    `prompt`, `box_source` (as in `score_cases`), `tissue`, `group` (the kind of tissue), `slice`,
    `phase` (a sequence, "average" or "maximum"), `dice`, and `agreement`, the mean overlap (Dice)
    of a phase's mask with those of the other phases, which needs no reference; NaN for average and
    maximum, and where no other mask could be compared.
    """
    of_people: dict[tuple[str, str], list[Case]] = {}
    for case in cases:
        of_people.setdefault((case.dataset, case.subject), []).append(case)
    for phases in of_people.values() or [[]]:
        _check_phases(phases)
    asked = {"model": segmenter.name, "miniature": segmenter.miniature}
    rows = [
        asked | {"prompt": plan.kind, "box_source": plan.box_source} | row
        for phases in of_people.values()
        for of_plans in asked_slices(phases[0], plans, n_slices)
        for plan, prompted in zip(plans, of_plans, strict=True)
        for row in _slice_rows(segmenter, prompted, phases)
    ]
    return pd.DataFrame(rows)


def _slice_rows(
    segmenter: Segmenter, prompted: PromptedSlice, phases: Sequence[Case]
) -> Iterator[dict[str, Any]]:
    if not len(prompted.prompt):
        return
    # The segmenter keeps embeddings: an image is encoded once, whatever the number of plans.
    answers = {
        phase.sequence: segmenter.predict(
            segmenter.embed(phase.slice(prompted.case_slice.index).image), prompted.prompt
        ).probabilities[:, 0]
        for phase in phases
    }
    for label in prompted.labels:
        if not len(prompted.prompts[label]):
            continue
        # A tissue is the union of its pieces, so its probability is their maximum.
        pieces = prompted.rows(label)
        maps = {name: answer[pieces].max(axis=0) for name, answer in answers.items()}
        masks = {name: probability > 0.5 for name, probability in maps.items()}
        agreement = {
            name: pd.Series([dice(mask, masks[other]) for other in masks if other != name]).mean()
            for name, mask in masks.items()
        }
        stack = np.stack(list(maps.values()))
        combined = {"average": stack.mean(axis=0), "maximum": stack.max(axis=0)}
        for name, probability in (maps | combined).items():
            yield described(prompted, label) | {
                "phase": name,
                "dice": dice(prompted.references[label], probability > 0.5),
                "agreement": agreement.get(name, float("nan")),
            }


def phase_gains(scores: pd.DataFrame) -> pd.DataFrame:
    """Compare the ways to combine images within each person, a data set by itself.

    Of `score_phases`. A row for each model, plan, data set and comparison: `model`, `miniature`,
    `prompt`, `dataset`, `comparison`, the mean `change` of Dice with its 95 % interval over people
    `low` to `high` (NaN with one), and `n_subjects`. Compared are "maximum less average", "average
    less a single image" (the mean over single images) and "average less a person's best", the
    single image that is best for this person, which takes a reference to know.
    """
    keys = ["model", "miniature", "prompt"]
    of_people = subject_means(scores, by=[*keys, "phase"])["dice"].unstack("phase")
    average, singles = of_people["average"], of_people.drop(columns=["average", "maximum"])
    gains = {
        "maximum less average": of_people["maximum"] - average,
        "average less a single image": average - singles.mean(axis=1),
        "average less a person's best": average - singles.max(axis=1),
    }
    keys.append("dataset")
    rows = [
        dict(zip(keys, key, strict=True)) | {"comparison": comparison, **over_people(of_set)}
        for comparison, differences in gains.items()
        for key, of_set in differences.groupby(level=keys, sort=False)
    ]
    return pd.DataFrame(rows)


def _check_phases(phases: Sequence[Case]) -> None:
    if len(phases) < 2:
        raise InputError(f"expected two phases of one person or more, got {len(phases)}")
    names = [case.sequence for case in phases]
    if len(set(names)) < len(names):
        raise InputError(f"phases are told apart by their sequence, got {', '.join(names)}")
    first = phases[0]
    for other in phases[1:]:
        check_same_grid(first.image, other.image, what=(first.sequence, other.sequence))
