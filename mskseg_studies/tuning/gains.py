"""What tuning gains, subject by subject against the model as it was; what longer runs found."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from mskseg.errors import InputError
from mskseg.evaluation.averaging import IN_THE_MEAN, nested_mean, subject_means
from mskseg_studies.bootstrap import interval_of_mean
from mskseg_studies.committed import committed_results

ZERO_SHOT = "zero-shot"
_TUNED_ON = ["training_subset", "chosen_by", "role"]
_SCAN = ["evaluated_on", "anatomy", "sequence", "part"]
_SUBJECT = [*_SCAN, "subject"]
NONE = "no table of a longer run is committed here; `make results` makes them"


def dice_by_subject(scores: pd.DataFrame) -> pd.DataFrame:
    """Average the Dice of each subject over slices, then over tissues.

    Takes rows of `TuningBench.score`, and gives `training_subset, chosen_by, role, evaluated_on,
    anatomy, sequence, part, subject, dice`.
    """
    scored = scores[scores["status"].isin(IN_THE_MEAN)]
    means = subject_means(scored, by=[*_TUNED_ON, "dataset", *_SCAN[1:]])
    return means.reset_index().rename(columns={"dataset": "evaluated_on"})


def cross_table(scores: pd.DataFrame, *, seed: int = 0) -> pd.DataFrame:
    """Set each tuned model beside the model as it was, on everything that both were scored on.

    Takes rows of `TuningBench.score`; those of the untuned model have the training subset
    "zero-shot". `seed` is of the bootstrap. InputError if there is no zero-shot row, or a subject
    was scored by the tuned model only.

    Gives a row for each subset, data set, sequence and part: `chosen_by` of the subset, `role` of
    what was scored (see `people.role_of`), `anatomy`, `dice_zero_shot`, `dice_tuned`,
    `gain`, `gain_low`, `gain_high`, `relative_gain`, `n_subjects`. The interval is that of
    `bootstrap.interval_of_mean` at 95 per cent, not corrected for the number of cells.
    """
    means = dice_by_subject(scores)
    before = means[means["training_subset"] == ZERO_SHOT].set_index(_SUBJECT)["dice"]
    if before.empty:
        raise InputError(
            "expected rows of the training subset 'zero-shot', got none; score the untuned model"
        )
    cells = [*_TUNED_ON, *_SCAN]
    rows = []
    for key, cell in means[means["training_subset"] != ZERO_SHOT].groupby(cells, sort=False):
        after = cell.set_index(_SUBJECT)["dice"]
        if absent := int((~after.index.isin(before.index)).sum()):
            raise InputError(
                f"expected the same scans scored zero-shot and tuned, got {absent} scored by a "
                "tuned model only; score both on the same cases"
            )
        zero_shot = before.reindex(after.index)
        gains = after - zero_shot
        low, high = interval_of_mean(gains, seed=seed)
        numbers = {
            "dice_zero_shot": zero_shot.mean(),
            "dice_tuned": after.mean(),
            "gain": gains.mean(),
            "gain_low": low,
            "gain_high": high,
            "relative_gain": gains.mean() / zero_shot.mean(),
            "n_subjects": len(gains),
        }
        rows.append(dict(zip(cells, key, strict=True)) | numbers)
    return pd.DataFrame(rows)


def enough_people(by_person: pd.DataFrame, *, margin: float) -> int:
    """Find the fewest people to tune on after whom no gain of the margin or more is left.

    Takes a table with `n_subjects` (tuned on) and `dice`; the gain that is left is that of the
    largest number of people over this one, in the means of all rows.
    """
    means = by_person.groupby("n_subjects")["dice"].mean().sort_index()
    return int(means.index[means.iloc[-1] - means < margin][0])


def tissue_changes(
    scores: pd.DataFrame, training_subset: str, *, part: str = "test"
) -> pd.DataFrame:
    """Set each tissue's mean Dice after tuning beside that before, those that lost most on top.

    Takes a table of `TuningBench.score`, and the training subset of the tuned model. Gives by data
    set, sequence and tissue: `filled_box`, `zero_shot`, `tuned`, `change` (means over the slices of
    a subject, then over the subjects), `n_pairs` of slice and tissue. InputError if nothing was
    scored of that part by both.
    """
    scored = scores[scores["status"].isin(IN_THE_MEAN) & (scores["part"] == part)]
    keys = ["dataset", "sequence", "tissue"]
    before = scored[scored["training_subset"] == ZERO_SHOT]
    after = scored[scored["training_subset"] == training_subset]
    if before.empty or after.empty:
        raise InputError(
            f"expected scores of {part} both zero-shot and tuned on {training_subset}, got none; "
            "score both"
        )
    untuned = nested_mean(before, by=keys, values=["filled_box_dice", "dice"]).set_index(keys)
    tuned = nested_mean(after, by=keys).set_index(keys)
    named = {"filled_box_dice": "filled_box", "dice": "zero_shot", "n_objects": "n_pairs"}
    before_and_after = untuned.rename(columns=named).loc[tuned.index].assign(tuned=tuned["dice"])
    table = before_and_after[["filled_box", "zero_shot", "tuned", "n_pairs"]]
    return table.assign(change=table["tuned"] - table["zero_shot"]).sort_values("change")


def size_curve(by_size: pd.DataFrame, cross: pd.DataFrame) -> pd.DataFrame:
    """Average the Dice over people, by role and number of people tuned on, with 0 in front.

    Takes people's Dice with `role`, `n_subjects` (tuned on) and `seed`, and the rows of the cross
    table of the same subset, for the model without tuning. Gives `role`, `n_subjects`, `mean`,
    `std` (between seeds), `n_trainings`, `n_people`.
    """
    keys = ["role", "n_subjects"]
    of_seeds = by_size.groupby([*keys, "seed"])["dice"].mean().groupby(level=keys)
    curve = of_seeds.agg(["mean", "std"]).assign(
        n_trainings=of_seeds.size(), n_people=by_size.groupby(keys)["subject"].nunique()
    )
    untuned = cross[cross["role"].isin(by_size["role"])].groupby("role")
    start = pd.DataFrame(
        {"mean": untuned["dice_zero_shot"].mean(), "n_people": untuned["n_subjects"].max()}
    )
    zero = start.assign(n_subjects=0, n_trainings=0).reset_index()
    both = pd.concat([zero, curve.reset_index()])
    return both.sort_values(keys, ascending=[False, True], ignore_index=True)  # same site first


def committed_curve(folder: str | Path) -> pd.DataFrame:
    """Read the `size_curve` of each committed run, after `model` and its data; maybe of none."""
    sizes = committed_results(folder, "04_training_size*.csv")
    cross = committed_results(folder, "04_cross_table*.csv").rows
    curves = []
    for file, rows in sizes.rows.groupby("file"):
        of_run = str(file).replace("training_size", "cross_table")
        curve = size_curve(rows, cross[cross["file"] == of_run])
        name = sizes.facts[str(file)]["segmenter"]["name"]
        curve.insert(0, "model", f"{name} on {rows['dataset'].iloc[0]}")
        curves.append(curve)
    return pd.concat(curves, ignore_index=True) if curves else pd.DataFrame()


def longer_run(
    folder: str | Path, name: Literal["cross_table", "jitter"], *, provenance: Mapping[str, Any]
) -> str:
    """Lay out a committed table of this chapter, under whose weights it is of.

    `provenance` is that of the run at hand: where the table is of other weights, that is said too.
    Text that says so if none is committed.
    """
    longer = committed_results(folder, f"04_{name}*.csv")
    if not longer:
        return NONE
    rows = longer.rows.drop(columns=["weights", "lost"], errors="ignore")
    if name == "cross_table":
        of = ["file", "training_subset", "role", "mode", "n_train"]
        rows = rows.groupby(of, sort=False)["gain"].mean().unstack("role").reset_index()
    said = filter(None, (longer.origin, longer.why_apart(provenance)))
    return "\n".join([*said, rows.round(3).to_string(index=False)])
