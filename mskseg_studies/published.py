"""Numbers that the studies report, and whether ours beside them move alike."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib import resources

import numpy as np
import pandas as pd

from mskseg.errors import InputError

NOT_TESTABLE = "not testable here"
PUBLISHED_FRAME_PX = 1024
"""Side of the frame of the published models; a study's pixels are fractions of it."""

_MODELS = {"ViT-B": "sam_vit_b", "ViT-L": "sam_vit_l", "ViT-H": "sam_vit_h"}
_NEAR = 0.15  # of a size: 64 px, a whole number of cells, may stand for 56


def reported(study: str) -> pd.DataFrame:
    """Read the numbers of a study.

    Parameters
    ----------
    study : {"casali_2025", "hu_2023", "ma_2024"}

    Returns
    -------
    pandas.DataFrame
        For "hu_2023": `sweep`, `setting`, `fixed` (what was held), `dice`, `where`. All are single
        illustrated cases, chosen by the authors. For "ma_2024": `quantity`, `value`, `where`. For
        "casali_2025": `severity`, `metric`, `sam_tuned`, `compared_with`, `where`; means of groups
        whose sizes the abstract does not state.

    Raises
    ------
    InputError
        If there is no table of that study.
    """
    folder = resources.files("mskseg_studies") / "published_tables"
    known = sorted(path.name.removesuffix(".csv") for path in folder.iterdir())
    if study not in known:
        raise InputError(f"expected one of {', '.join(known)}, got {study!r}")
    with (folder / f"{study}.csv").open() as file:
        return pd.read_csv(file, dtype={"setting": str})


def beside_casali(by_grade: pd.DataFrame) -> pd.DataFrame:
    """Lay our Dice and ECE by grade over those of Casali 2025.

    Parameters
    ----------
    by_grade : pandas.DataFrame
        Index `severity` and `model`; columns `dice` and `ece_foreground`.

    Returns
    -------
    pandas.DataFrame
        Rows: our models, then the two of the abstract; columns: metric and grade. The abstract does
        not define its ECE, nor name the model that SAM's is compared with.
    """
    ours = by_grade[["dice", "ece_foreground"]].rename(columns={"ece_foreground": "ece"})
    study = reported("casali_2025").set_index(["metric", "severity"])
    rows = ["sam_tuned", "compared_with"]
    theirs = study[rows].T.rename(index={row: f"Casali 2025: {row}" for row in rows})
    both = pd.concat([ours.unstack("severity"), theirs])
    return both.sort_index(axis=1)


def points_measured(means: pd.DataFrame) -> pd.DataFrame:
    """Put the means of a sweep of clicks into the form of `beside_study`.

    Parameters
    ----------
    means : pandas.DataFrame
        `nested_mean` of `click_curves` by `strategy` and `n_points`, with `best_dice`: the study
        takes a superior mask too. Only the correcting reader counts.
    """
    ours = means[means["strategy"] == "corrective"]
    return pd.DataFrame(
        {
            "sweep": "points",
            "reading": "corrective clicks, best of three",
            "setting": ours["n_points"].astype(str),
            "measured_at": [f"{n} click" + "s" * (n > 1) for n in ours["n_points"]],
            "ours": ours["best_dice"],
        }
    )


def resolution_measured(
    means: pd.DataFrame, *, frame_px: int, settings: Iterable[str]
) -> pd.DataFrame:
    """Put the means of a sweep of resolution into the form of `beside_study`.

    Parameters
    ----------
    means : pandas.DataFrame
        `nested_mean` of `score_resolutions` by `reading` and `size_px`.
    frame_px : int
        Side of the frame that the model was trained with. A study's 512 px, half of the published
        frame, is compared with half of this one, or with the nearest size within 15 %.
    settings : iterable of str
        The study's, in pixels.
    """
    rows = []
    for reading, ours in means.groupby("reading", sort=False):
        for setting in settings:
            wanted = int(setting) / PUBLISHED_FRAME_PX * frame_px
            distance = (ours["size_px"] - wanted).abs()
            if distance.min() <= _NEAR * wanted:
                found = ours.loc[distance.idxmin()]
                at = f"{found['size_px']:.0f} px"
                rows.append(("resolution", reading, setting, at, found["dice"]))
    return pd.DataFrame(rows, columns=["sweep", "reading", "setting", "measured_at", "ours"])


def models_measured(dice_of: Mapping[str, float]) -> pd.DataFrame:
    """Put the Dice of several models, by their name in the manifest, into that form.

    Models that the study does not name, such as the miniatures, are left out.
    """
    rows = [
        ("model", "", setting, name, dice_of[name])
        for setting, name in _MODELS.items()
        if name in dice_of
    ]
    return pd.DataFrame(rows, columns=["sweep", "reading", "setting", "measured_at", "ours"])


def beside_study(
    study: pd.DataFrame, measured: Iterable[pd.DataFrame], *, level: float = 0.01
) -> pd.DataFrame:
    """Lay our numbers beside a study's and say for each step whether both move alike.

    Single cases of another organ can be compared by direction only: from one setting to the next,
    does Dice rise or fall?

    Parameters
    ----------
    study : pandas.DataFrame
        ``reported("hu_2023")``.
    measured : iterable of pandas.DataFrame
        With `sweep`, `reading` (several may answer one sweep), `setting`, `measured_at` and `ours`.
    level : float
        A change of Dice below this counts as none.

    Returns
    -------
    pandas.DataFrame
        `sweep`, `reading`, `setting`, `fixed` (in the study), `study`, `measured_at`, `ours`, and
        for each step from the setting above `study_step` and `our_step` ("rises", "falls",
        "level") and `agrees`: "yes", "no", or `NOT_TESTABLE` where there is nothing of ours. The
        first setting has no step: all three are "".
    """
    ours = pd.concat(list(measured), ignore_index=True)
    parts = []
    for sweep, rows in study.groupby("sweep", sort=False):
        of_sweep = ours[ours["sweep"] == sweep]
        for reading in of_sweep["reading"].unique() if len(of_sweep) else [""]:
            mine = of_sweep[of_sweep["reading"] == reading]
            mine = mine.drop(columns=["sweep", "reading"])
            laid = rows.merge(mine, on="setting", how="left").assign(reading=reading)
            parts.append(_with_steps(laid.rename(columns={"dice": "study"}), level=level))
    columns = ["sweep", "reading", "setting", "fixed", "study", "measured_at", "ours"]
    table = pd.concat(parts, ignore_index=True)
    table["measured_at"] = table["measured_at"].fillna(NOT_TESTABLE)
    return table[[*columns, "study_step", "our_step", "agrees"]]


def _with_steps(laid: pd.DataFrame, *, level: float) -> pd.DataFrame:
    for column, name in (("study", "study_step"), ("ours", "our_step")):
        laid[name] = [_step(change, level) for change in laid[column].astype(float).diff()]
    alike = np.where(laid["study_step"] == laid["our_step"], "yes", "no")
    agrees = np.where(laid["our_step"] == "", NOT_TESTABLE, alike)
    agrees[0] = ""  # no step leads to the first setting
    return laid.assign(agrees=agrees, ours=laid["ours"].astype(float))


def _step(change: float, level: float) -> str:
    if np.isnan(change):
        return ""
    return "level" if abs(change) < level else "rises" if change > 0 else "falls"
