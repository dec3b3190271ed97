"""Numbers that the studies report, and ours beside them."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources

import numpy as np
import pandas as pd

from mskseg.errors import InputError


def reported(study: str) -> pd.DataFrame:
    """Read the numbers of "casali_2025", "hu_2023" or "ma_2024".

    For "hu_2023": `sweep`, `setting`, `fixed` (what was held), `dice`, `where`. All are single
    illustrated cases, chosen by the authors. For "ma_2024": `quantity`, `value`, `where`. For
    "casali_2025": `severity`, `metric`, `sam_tuned`, `compared_with`, `where`; means of groups
    whose sizes the abstract does not state.
    """
    folder = resources.files("mskseg_studies") / "published_tables"
    known = sorted(path.name.removesuffix(".csv") for path in folder.iterdir())
    if study not in known:
        raise InputError(f"expected one of {', '.join(known)}, got {study!r}")
    with (folder / f"{study}.csv").open() as file:
        return pd.read_csv(file, dtype={"setting": str})


def beside_casali(by_grade: pd.DataFrame) -> pd.DataFrame:
    """Lay our Dice and ECE by grade over those of Casali 2025.

    Takes `dice` and `ece_candidate`, indexed by `severity` and `model`. Rows: our models, then the
    two of the abstract; columns: metric and grade. The abstract does not define its ECE, nor name
    the model that SAM's is compared with.
    """
    ours = by_grade[["dice", "ece_candidate"]].rename(columns={"ece_candidate": "ece"})
    study = reported("casali_2025").set_index(["metric", "severity"])
    rows = ["sam_tuned", "compared_with"]
    theirs = study[rows].T.rename(index={row: f"Casali 2025: {row}" for row in rows})
    both = pd.concat([ours.unstack("severity"), theirs])
    return both.sort_index(axis=1)


NOT_TESTABLE = "not testable here"
PUBLISHED_FRAME_PX = 1024
"""Side of the frame of the published models; the study's pixels are fractions of it."""

_MODELS = {"ViT-B": "sam_vit_b", "ViT-L": "sam_vit_l", "ViT-H": "sam_vit_h"}
_NEAR = 0.15  # of a size: 64 px, a whole number of cells, may stand for 56
_LEVEL = 0.01  # a change of Dice below this counts as none
_Row = tuple[str, str, str, str, float]


def beside_hu(
    *,
    clicks: pd.DataFrame,
    resolutions: pd.DataFrame,
    models: Mapping[str, float],
    frame_px: int,
) -> pd.DataFrame:
    """Lay our numbers beside the study's and say for each step whether both move alike.

    Single cases of another organ can be compared by direction only: from one setting to the next,
    does Dice rise or fall?

    Parameters
    ----------
    clicks : pandas.DataFrame
        `nested_mean` of `click_curves` by `strategy` and `n_points`, with `best_dice`: the study
        takes a superior mask too. It does not say where its points were put: each strategy is a
        reading of its own.
    resolutions : pandas.DataFrame
        `nested_mean` of `score_resolutions` by `reading` and `size_px`.
    models : mapping of str to float
        Dice by name in the manifest. Those that the study does not name, such as the miniatures,
        are left out.
    frame_px : int
        Side of the frame that the model was trained with. The study's 512 px, half of the published
        frame, is compared with half of this one, or with the nearest size within 15 %.

    Returns
    -------
    pandas.DataFrame
        `sweep`, `reading` (several may answer one sweep), `setting`, `fixed` (in the study),
        `study`, `measured_at`, `ours`, and for each step from the setting above `study_step` and
        `our_step` ("rises", "falls", "level") and `agrees`: "yes", "no", or `NOT_TESTABLE` where
        there is nothing of ours. The first setting has no step: all three are "".
    """
    study = reported("hu_2023")
    sizes_px = study.loc[study["sweep"] == "resolution", "setting"].astype(int)
    rows = _of_resolutions(resolutions, sizes_px, frame_px=frame_px)
    for row in clicks[clicks["strategy"].isin(_PLACEMENTS)].itertuples():
        measured_at = f"{row.n_points} point{'s' * (row.n_points > 1)}"
        reading = _PLACEMENTS[row.strategy]
        rows.append(("points", reading, str(row.n_points), measured_at, row.best_dice))
    rows += [
        ("model", "", at, name, models[name]) for at, name in _MODELS.items() if name in models
    ]
    measured = pd.DataFrame(rows, columns=["sweep", "reading", "setting", "measured_at", "ours"])
    parts = []
    for sweep, reported_rows in study.groupby("sweep", sort=False):
        of_sweep = measured[measured["sweep"] == sweep].drop(columns="sweep")
        for reading in of_sweep["reading"].unique() if len(of_sweep) else [""]:
            ours = of_sweep[of_sweep["reading"] == reading].drop(columns="reading")
            both = reported_rows.merge(ours, on="setting", how="left").assign(reading=reading)
            parts.append(_with_steps(both.rename(columns={"dice": "study"})))
    columns = ["sweep", "reading", "setting", "fixed", "study", "measured_at", "ours"]
    table = pd.concat(parts, ignore_index=True)
    table["measured_at"] = table["measured_at"].fillna(NOT_TESTABLE)
    return table[[*columns, "study_step", "our_step", "agrees"]]


_PLACEMENTS = {
    "random": "points at random, best of three",
    "corrective": "corrective clicks, best of three",
}


def _of_resolutions(
    means: pd.DataFrame, settings_px: pd.Series[int], *, frame_px: int
) -> list[_Row]:
    rows = []
    for reading, sizes in means.groupby("reading", sort=False):
        for setting_px in settings_px:
            wanted_px = setting_px / PUBLISHED_FRAME_PX * frame_px
            distance = (sizes["size_px"] - wanted_px).abs()
            if distance.min() <= _NEAR * wanted_px:
                nearest = sizes.loc[distance.idxmin()]
                measured_at = f"{nearest['size_px']:.0f} px"
                rows.append(
                    ("resolution", str(reading), str(setting_px), measured_at, nearest["dice"])
                )
    return rows


def _with_steps(both: pd.DataFrame) -> pd.DataFrame:
    for column, name in (("study", "study_step"), ("ours", "our_step")):
        change = both[column].astype(float).diff()
        cases = [change.isna(), change.abs() < _LEVEL, change > 0]
        both[name] = np.select(cases, ["", "level", "rises"], "falls")
    alike = np.where(both["study_step"] == both["our_step"], "yes", "no")
    agrees = np.where(both["our_step"] == "", NOT_TESTABLE, alike)
    agrees[0] = ""  # no step leads to the first setting
    return both.assign(agrees=agrees, ours=both["ours"].astype(float))
