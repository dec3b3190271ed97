"""Charts of an analysis of errors. Every function returns Axes and shows nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from numpy.typing import NDArray

from mskseg.display.style import PALETTE
from mskseg.errors import InputError
from mskseg_studies.errors.biomarkers import agreement

_MARKERS = ("o", "s", "^", "D")
_LINES = ("solid", "dashed", "dotted", "dashdot")  # apart in black and white too
_LOGARITHMIC = ("area_mm2", "thickness_mm")
_EFFECT_UNITS = {
    "area_mm2": " (mm²)",
    "thickness_mm": " (mm)",
    "contrast_size": "\n(standard deviations)",
    "reference fat fraction": " (%)",
}


def effect_panels(
    joined: pd.DataFrame,
    effects: Mapping[str, str],
    *,
    score: str = "dice",
    n_bins: int = 7,
    title: str = "",
) -> NDArray[Any]:
    """Draw a score against what may explain it, a panel each.

    Parameters
    ----------
    joined : pandas.DataFrame
        From `mskseg_studies.errors.explain.with_properties`.
    effects : mapping of str to str
        Columns and what they are called; those that the table lacks are left out.
    score : str
    n_bins : int
        Groups of equally many slices, of which the median and the middle half are drawn, for each
        segmenter. Dots are single slices.
    title : str
        States the finding.

    Returns
    -------
    (n,) array of Axes

    Raises
    ------
    InputError
        If none of the columns is there.
    """
    shown = {column: name for column, name in effects.items() if column in joined}
    if not shown:
        raise InputError(f"the table has none of {', '.join(effects)}; join the properties first")
    columns = min(3, len(shown))
    rows = -(-len(shown) // columns)
    figure, grid = plt.subplots(
        rows, columns, figsize=(3.7 * columns, 2.9 * rows + 0.7), squeeze=False, sharey=True,
        layout="constrained",
    )  # fmt: skip
    for ax in grid.flat[len(shown) :]:
        ax.set_axis_off()
    for ax, (column, name) in zip(grid.flat, shown.items(), strict=False):
        for number, (model, group) in enumerate(joined.groupby("segmenter", sort=False)):
            pairs = group[[column, score]].astype(float).dropna()
            _draw_effect(ax, pairs.to_numpy(), number=number, name=str(model), n_bins=n_bins)
        ax.set_xscale("log" if column in _LOGARITHMIC else "linear")
        ax.set(xlabel=name + _EFFECT_UNITS.get(column, ""), ylim=(0, 1.02))
        _plain(ax)
    for ax in grid[:, 0]:
        ax.set_ylabel("Dice" if score == "dice" else score)
    handles, names = grid[0, 0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=4, frameon=False, fontsize=9)
    figure.suptitle(title, fontsize=11)
    panels: NDArray[Any] = grid.ravel()[: len(shown)]
    return panels


def _draw_effect(ax: Axes, pairs: NDArray[Any], *, number: int, name: str, n_bins: int) -> None:
    if not len(pairs):
        return
    colour = PALETTE[number % len(PALETTE)]
    x, y = pairs.T
    ax.scatter(x, y, s=5, color=colour, alpha=0.12, linewidths=0, rasterized=True)
    edges = np.unique(np.quantile(x, np.linspace(0, 1, n_bins + 1)))
    place = np.clip(np.searchsorted(edges, x, side="right") - 1, 0, max(len(edges) - 2, 0))
    groups = [pairs[place == k] for k in np.unique(place)]
    middle = np.array([np.median(group, axis=0) for group in groups])
    low, high = np.array([np.quantile(group[:, 1], (0.25, 0.75)) for group in groups]).T
    ax.fill_between(middle[:, 0], low, high, color=colour, alpha=0.15, linewidth=0)
    style: dict[str, Any] = {"marker": _MARKERS[number % 4], "linestyle": _LINES[number % 4]}
    ax.plot(*middle.T, color=colour, markersize=4, label=name, **style)


def change_chart(changes: pd.DataFrame, *, title: str = "", ax: Axes | None = None) -> Axes:
    """Draw how a score changes, a row for each change and segmenter.

    Parameters
    ----------
    changes : pandas.DataFrame
        From `mskseg_studies.errors.explain.paired_change`, several of them concatenated.
    title : str
        States the finding.
    ax : Axes, optional
        Default: of a new figure.

    Returns
    -------
    Axes
        Dots are means, bars run from the lowest to the highest subject.

    Raises
    ------
    InputError
        If there is no change.
    """
    if changes.empty:
        raise InputError("no change came, expected one row or more of `paired_change`")
    if ax is None:
        size = (7.0, 1.2 + 0.36 * len(changes))
        ax = plt.subplots(figsize=size, layout="constrained")[1]
    models = list(dict.fromkeys(changes["segmenter"]))
    names = [f"{a} to {b}" for a, b in zip(changes["from"], changes["to"], strict=True)]
    rows = changes.assign(name=names)
    for at, row in enumerate(rows.itertuples()):
        number = models.index(row.segmenter)
        ax.plot((row.lowest, row.highest), (at, at), color=PALETTE[number], linewidth=2)
        ax.plot(row.change, at, _MARKERS[number % 4], color=PALETTE[number], markersize=7)
    ax.axvline(0, color="0.4", linewidth=0.8)
    labels = [
        f"{n}\n{m}, n={k}"
        for n, m, k in zip(rows["name"], rows["segmenter"], rows["n_subjects"], strict=True)
    ]
    ax.set_yticks(range(len(rows)), labels, fontsize=8)
    ax.set(xlabel="change of Dice on the same slices", ylim=(len(rows) - 0.5, -0.5))
    ax.set_title(title, loc="left", fontsize=11)
    _plain(ax)
    return ax


def agreement_panels(markers: pd.DataFrame, *, title: str = "") -> NDArray[Any]:
    """Draw the difference of two measurements against their mean, after Bland and Altman.

    Parameters
    ----------
    markers : pandas.DataFrame
        From `mskseg_studies.errors.markers.biomarker_table`, of one plan.
    title : str
        States the finding.

    Returns
    -------
    (n,) array of Axes
        A panel for each biomarker: dots are structures, lines the bias of each segmenter with its
        limits of agreement (thin), the grey band what is smaller than the smallest change that
        matters.

    Raises
    ------
    InputError
        If there is no measurement.
    """
    if markers.empty:
        raise InputError("no biomarker came, expected one row or more of `biomarker_table`")
    kinds = list(dict.fromkeys(markers["biomarker"]))
    columns = min(3, len(kinds))
    rows = -(-len(kinds) // columns)
    figure, grid = plt.subplots(
        rows, columns, figsize=(3.9 * columns, 3.1 * rows + 0.7), squeeze=False,
        layout="constrained",
    )  # fmt: skip
    for ax in grid.flat[len(kinds) :]:
        ax.set_axis_off()
    for ax, kind in zip(grid.flat, kinds, strict=False):
        _draw_agreement(ax, markers[markers["biomarker"] == kind])
    handles, names = grid[0, 0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=4, frameon=False, fontsize=9)
    figure.suptitle(title, fontsize=11)
    panels: NDArray[Any] = grid.ravel()[: len(kinds)]
    return panels


_UNITS = {"volume": "ml", "T2": "ms", "fat": "points"}


def _draw_agreement(ax: Axes, rows: pd.DataFrame) -> None:
    first = rows.iloc[0]
    reach, unit = first["smallest_change"], first["unit"]
    ax.axhspan(-reach, reach, color="0.87", zorder=0, label="smaller than what matters")
    for number, (model, group) in enumerate(rows.groupby("segmenter", sort=False)):
        colour, known = PALETTE[number % len(PALETTE)], group.dropna(subset=["difference"])
        middle = (known["reference"] + known["prediction"]) / 2
        ax.scatter(
            middle, known["difference"], s=20, color=colour, alpha=0.6, linewidths=0,
            marker=_MARKERS[number % 4], label=str(model),
        )  # fmt: skip
        if known.empty:
            continue
        found = agreement(np.zeros(len(group)), group["difference"])
        ax.axhline(found.bias, color=colour, linestyle=_LINES[number % 4], linewidth=1.8)
        for limit in (found.low, found.high):
            ax.axhline(limit, color=colour, linestyle=_LINES[number % 4], linewidth=0.7)
    measured = next((u for word, u in _UNITS.items() if word in first["biomarker"]), "mm")
    ax.set(xlabel=f"mean of the two ({measured})", ylabel=f"prediction less reference ({unit})")
    ax.set_title(first["biomarker"], fontsize=10)
    _plain(ax)


_CUT = 1.5  # a sheet that leaks is ten times too large, and would press all else together
_FORMS = {
    "area_error": "area error (part of the reference)",
    "solidity_gain": "solidity gained (concavity lost)",
    "roughness_gain": "roughness gained",
}


def form_panels(table: pd.DataFrame, *, group: str = "group", title: str = "") -> NDArray[Any]:
    """Draw signed area error, lost concavity and jaggedness for each kind of tissue.

    Parameters
    ----------
    table : pandas.DataFrame
        From `score_cases` with `mskseg_studies.errors.measures.Measures`, of one plan.
    group : str
        Column with the kind of tissue.
    title : str
        States the finding.

    Returns
    -------
    (3,) array of Axes
        Dots are medians over slices, bars the middle half. The area's axis is cut at `_CUT`;
        medians beyond are written at its edge.
    """
    kinds = list(dict.fromkeys(table[group]))
    models = list(dict.fromkeys(table["segmenter"]))
    figure, axes = plt.subplots(
        1, 3, figsize=(10.5, 1.5 + 0.34 * len(kinds)), sharey=True, layout="constrained"
    )
    offsets = np.linspace(-0.25, 0.25, len(models)) if len(models) > 1 else [0.0]
    for ax, (column, label) in zip(axes, _FORMS.items(), strict=True):
        for number, (model, offset) in enumerate(zip(models, offsets, strict=True)):
            of_model = table[table["segmenter"] == model].groupby(group, sort=False)[column]
            low, middle, high = (of_model.quantile(q).reindex(kinds) for q in (0.25, 0.5, 0.75))
            at, colour = np.arange(len(kinds)) + offset, PALETTE[number % len(PALETTE)]
            ax.hlines(at, low, high, color=colour, linewidth=2)
            ax.plot(middle, at, _MARKERS[number % 4], color=colour, markersize=6, label=model)
            for value, place in zip(middle, at, strict=True):
                if column == "area_error" and value > _CUT:
                    ax.text(_CUT, place, f"{value:.1f} ", ha="right", va="bottom", fontsize=8)
        ax.axvline(0, color="0.4", linewidth=0.8)
        ax.set_xlabel(label)
        _plain(ax)
    axes[0].set_yticks(range(len(kinds)), kinds)
    axes[0].set_ylim(len(kinds) - 0.5, -0.5)
    axes[0].set_xlim(right=min(_CUT, axes[0].get_xlim()[1]))
    handles, names = axes[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=4, frameon=False, fontsize=9)
    figure.suptitle(title, fontsize=11)
    panels: NDArray[Any] = axes
    return panels


def _plain(ax: Axes) -> None:
    ax.grid(color="0.92", linewidth=0.6)
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)
