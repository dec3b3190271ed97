"""The claims ledger to look at: how many held, how far from its margin, and texts in full.

Facts, which were counted and not found, are in no chart.
"""

from __future__ import annotations

import textwrap

import pandas as pd
from matplotlib.axes import Axes
from pandas.io.formats.style import Styler

from mskseg.display.style import PALETTE, chart_axes, finish_chart
from mskseg.errors import InputError

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
_WRAP = 52  # letters in a line of a statement
_MARKERS = {"holds here": "o", "does not hold here": "X", "inconclusive": "D"}


def verdict_bars(ledger: pd.DataFrame, *, title: str = "") -> Axes:
    """Draw a bar for each study of a `ledger_table`, divided by verdict; facts are left out.

    Raises InputError if the ledger has no row.
    """
    ledger = ledger[ledger["verdict"].isin(_STYLES)]
    if ledger.empty:
        raise InputError("the ledger has no row; pass `ledger_table` of judged claims")
    counts = ledger.groupby(["study", "verdict"], sort=False).size().unstack(fill_value=0)
    ax = chart_axes(None, (7.6, 1.6 + 0.42 * len(counts)))
    left = counts.iloc[:, 0] * 0
    for name in (name for name in _STYLES if name in counts):
        colour, hatch = _STYLES[name]
        bars = ax.barh(
            counts.index.str.replace("_", " ").str.capitalize(),
            counts[name],
            left=left,
            label=name,
            height=0.7,
            color=colour,
            hatch=hatch,
            edgecolor="0.3",
            linewidth=0.6,
        )
        texts = ax.bar_label(bars, [str(n or "") for n in counts[name]], label_type="center")
        for text in (text for text in texts if text.get_text() and colour[1:2] != "F"):
            text.set_bbox({"facecolor": "white", "edgecolor": "none", "pad": 1.5})
        left = left + counts[name]
    ax.invert_yaxis()
    ax.set(xlabel="claims")
    return finish_chart(ax, title, grid=None, legend="below", legend_columns=3)


def interval_chart(ledger: pd.DataFrame, *, title: str = "") -> Axes:
    """Draw each number of a `ledger_table` with its interval, in units of its claim's margin.

    Numbers of different kinds share an axis that way: 0 is no difference, 1 the smallest difference
    that counts, and right is the way the claim says. Counts and numbers without interval are left
    out; a line of text says so if nothing remains.
    """
    shown = ledger[ledger["verdict"].isin(_MARKERS)].dropna(subset=["low", "high", "margin"])
    shown = shown[shown["margin"] > 0]
    shown = shown.assign(label=shown["statement"].map(lambda text: textwrap.fill(text, _WRAP)))
    lines = shown["label"].str.count("\n").sum() + len(shown)
    ax = chart_axes(None, (9.2, 1.7 + 0.16 * len(shown) + 0.17 * lines))
    ax.set_xscale("symlog", linthresh=2)
    ax.set_xticks(_TICKS, [f"{tick:g}" for tick in _TICKS])
    ax.axvline(0, color="0.3", linewidth=1)
    for margin in (-1, 1):
        ax.axvline(margin, color="0.5", linewidth=1, linestyle=(0, (4, 3)))
    ax.set_xlabel("number in units of its margin; right is the claim's way")
    if shown.empty:
        ax.set(xlim=(-2, 2), yticks=[])
        nothing = "no claim of this run has an interval yet"
        ax.text(0.5, 0.5, nothing, ha="center", va="center", transform=ax.transAxes)
        return finish_chart(ax, title, grid=None, legend=None)
    signs = 1 - 2 * shown["direction"].isin(["below", "at_most"])
    scaled = shown[["value", "low", "high"]].mul(signs / shown["margin"], axis=0).clip(-40, 40)
    widest = 1.2 * max(2.0, float(scaled.abs().max(axis=None)))
    ax.set_xlim(-widest, widest)
    for verdict, rows in scaled.groupby(shown["verdict"], sort=False):
        ends = rows[["low", "high"]]
        ax.errorbar(
            rows["value"],
            shown.loc[rows.index, "label"],
            xerr=[rows["value"] - ends.min(axis=1), ends.max(axis=1) - rows["value"]],
            linestyle="",
            capsize=3,
            marker=_MARKERS[str(verdict)],
            color=_STYLES[str(verdict)][0],
            ecolor="0.4",
            markeredgecolor="0.2",
            label=str(verdict),
        )
    ax.invert_yaxis()
    return finish_chart(ax, title, grid=None, legend="below", legend_columns=3)


def text_table(table: pd.DataFrame) -> Styler:
    """Show a table of texts in full, where a plain table cuts them, and flush left."""
    safe = table.style.format(escape="html").format_index(escape="html")
    safe = safe.format_index(escape="html", axis="columns")
    return safe.set_table_styles([{"selector": "td", "props": "text-align: left"}])
