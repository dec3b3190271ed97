"""Charts of the claims ledger: how many held, and how far each number is from its margin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from mskseg.display.style import PALETTE
from mskseg.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

# Colour and hatch say the same twice, for print and for colour-blind readers.
_STYLES = {
    "holds here": (PALETTE[0], ""),
    "does not hold here": (PALETTE[1], "//"),
    "inconclusive": ("#BBBBBB", ""),
    "not testable here": ("#EDEDED", ".."),
    "its notebook was not run": ("#FFFFFF", ""),
    "its cell vanished": (PALETTE[3], "xx"),
}
_TICKS = (-30, -10, -3, -1, 0, 1, 3, 10, 30)  # margins
_MARKERS = {"holds here": "o", "does not hold here": "X", "inconclusive": "D"}


def verdict_bars(ledger: pd.DataFrame, *, title: str = "", ax: Axes | None = None) -> Axes:
    """Draw a bar for each study, divided by verdict.

    Parameters
    ----------
    ledger : pandas.DataFrame
        From `mskseg_studies.claims.ledger.ledger_table`.
    title : str
        States the finding.
    ax : Axes, optional
        Default: of a new figure.

    Returns
    -------
    Axes

    Raises
    ------
    InputError
        If the ledger has no row.
    """
    if ledger.empty:
        raise InputError("the ledger has no row; give `ledger_table` of judged claims")
    counts = ledger.groupby(["study", "verdict"], sort=False).size().unstack(fill_value=0)
    if ax is None:
        ax = plt.subplots(figsize=(7.6, 1.6 + 0.42 * len(counts)), layout="constrained")[1]
    left = counts.iloc[:, 0] * 0
    for name in (name for name in _STYLES if name in counts):
        colour, hatch = _STYLES[name]
        style: dict[str, Any] = {
            "color": colour,
            "hatch": hatch,
            "edgecolor": "0.3",
            "linewidth": 0.6,
        }
        bars = ax.barh(counts.index, counts[name], left=left, label=name, height=0.7, **style)
        texts = ax.bar_label(bars, [str(n or "") for n in counts[name]], label_type="center")
        for text in (text for text in texts if hatch and text.get_text()):
            text.set_bbox({"facecolor": "white", "edgecolor": "none", "pad": 1.5})
        left = left + counts[name]
    ax.invert_yaxis()
    ax.set(xlabel="claims")
    ax.set_title(title, loc="left", fontsize=11)
    ax.spines[["top", "right"]].set_visible(False)
    ax.figure.legend(frameon=False, fontsize=9, loc="outside lower center", ncols=3)
    return ax


def interval_chart(ledger: pd.DataFrame, *, title: str = "", ax: Axes | None = None) -> Axes:
    """Draw each number with its interval, in units of its claim's margin.

    Numbers of different kinds share an axis that way: 0 is no difference, 1 the smallest difference
    that counts, and right is the way the claim says. Counts and numbers without interval are left
    out; a line of text says so if nothing remains.

    Parameters
    ----------
    ledger : pandas.DataFrame
        From `mskseg_studies.claims.ledger.ledger_table`.
    title : str
        States the finding.
    ax : Axes, optional
        Default: of a new figure.

    Returns
    -------
    Axes
    """
    shown = ledger[ledger["verdict"].isin(_MARKERS)].dropna(subset=["low", "high", "margin"])
    shown = shown[shown["margin"] > 0]
    if ax is None:
        ax = plt.subplots(figsize=(7.6, 1.7 + 0.32 * len(shown)), layout="constrained")[1]
    ax.set_xscale("symlog", linthresh=2)
    ax.set_xticks(_TICKS, [f"{tick:g}" for tick in _TICKS])
    _draw_intervals(ax, shown)
    if shown.empty:
        ax.set_xlim(-2, 2)
        place: dict[str, Any] = {"ha": "center", "va": "center", "transform": ax.transAxes}
        ax.text(0.5, 0.5, "no claim of this run has an interval yet", **place)
        ax.set_yticks([])
    else:
        ax.invert_yaxis()
        ax.figure.legend(frameon=False, fontsize=9, loc="outside lower center", ncols=3)
    ax.axvline(0, color="0.3", linewidth=1)
    for margin in (-1, 1):
        ax.axvline(margin, color="0.5", linewidth=1, linestyle=(0, (4, 3)))
    ax.set_xlabel("number in units of its margin; right is the claim's way")
    ax.set_title(title, loc="left", fontsize=11)
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def _draw_intervals(ax: Axes, shown: pd.DataFrame) -> None:
    if shown.empty:
        return
    signs = 1 - 2 * shown["direction"].isin(["below", "at_most"])
    scaled = shown[["value", "low", "high"]].mul(signs / shown["margin"], axis=0).clip(-40, 40)
    widest = 1.2 * max(2.0, float(scaled.abs().max(axis=None)))
    ax.set_xlim(-widest, widest)
    for verdict, rows in scaled.groupby(shown["verdict"], sort=False):
        ends = rows[["low", "high"]]
        reach = [rows["value"] - ends.min(axis=1), ends.max(axis=1) - rows["value"]]
        colour = _STYLES[str(verdict)][0]
        ax.errorbar(
            rows["value"],
            shown.loc[rows.index, "claim"],
            xerr=reach,
            linestyle="",
            capsize=3,
            marker=_MARKERS[str(verdict)],
            color=colour,
            ecolor="0.4",
            markeredgecolor="0.2",
            label=str(verdict),
        )
