"""Agreement of two measurements, after Bland and Altman (1986), beside the change that matters."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from numpy.typing import ArrayLike, NDArray

from mskseg.display.style import check_columns, finish_chart, series_style
from mskseg.errors import InputError
from mskseg_studies.errors.biomarkers import BIOMARKERS
from mskseg_studies.errors.panels import add_legend, new_panels


def limits_of_agreement(differences: ArrayLike) -> dict[str, float]:
    """Bias and limits of agreement of two measurements, from their differences (NaN: one missing).

    Gives `bias` (mean difference), `low` and `high` (bias -+ 1.96 standard deviations; NaN with one
    pair), `n` pairs with a difference, and `n_missing` without; InputError if there is none.
    """
    values = np.asarray(differences, dtype=np.float64)
    known = values[np.isfinite(values)]
    if not known.size:
        raise InputError(f"expected a difference or more, got {values.size} missing values")
    bias = float(known.mean())
    reach = 1.96 * float(known.std(ddof=1)) if known.size > 1 else float("nan")
    return {
        "bias": bias,
        "low": bias - reach,
        "high": bias + reach,
        "n": known.size,
        "n_missing": values.size - known.size,
    }


def biomarker_agreement(biomarkers: pd.DataFrame) -> pd.DataFrame:
    """Set bias and limits of agreement beside the smallest change that matters.

    Parameters
    ----------
    biomarkers : pandas.DataFrame
        From `biomarker_table`.

    Returns
    -------
    pandas.DataFrame
        A row for each biomarker and segmenter: `bias`, `low`, `high`, `unit`, `smallest_change`,
        `within` (whether both limits are), `n`, `n_missing` and `source` (of that change). Empty if
        there is no pair. A structure that was not found counts in `n_missing`; a biomarker that a
        segmenter found nowhere is left out.
    """
    sources = {biomarker.name: biomarker.source for biomarker in BIOMARKERS}
    keys = ["biomarker", "segmenter", "unit", "smallest_change"]
    rows = []
    for key, structures in biomarkers.groupby(keys, sort=False):
        if structures["difference"].notna().any():
            named = dict(zip(keys, key, strict=True))
            limits = limits_of_agreement(structures["difference"])
            change = named["smallest_change"]
            within = limits["low"] > -change and limits["high"] < change
            source = sources[named["biomarker"]]
            rows.append(named | limits | {"within": within, "source": source})
    shown = ["bias", "low", "high", "unit", "smallest_change", "within", "n", "n_missing", "source"]
    return pd.DataFrame(rows, columns=["biomarker", "segmenter", *shown])


def bland_altman_panels(biomarkers: pd.DataFrame, *, title: str = "") -> NDArray[Any]:
    """Draw the difference of two measurements against their mean, after Bland and Altman.

    A panel for each biomarker of `biomarker_table`: dots are structures, lines the bias of each
    segmenter with its limits of agreement (thin), the grey band what is smaller than the smallest
    change that matters.
    """
    check_columns(biomarkers, ["biomarker", "segmenter", "reference", "prediction", "difference"])
    names = list(dict.fromkeys(biomarkers["biomarker"]))
    figure, panels = new_panels(len(names), columns=3, size=(3.9, 3.1))
    for ax, name in zip(panels, names, strict=True):
        _draw_agreement(ax, biomarkers[biomarkers["biomarker"] == name])
    add_legend(figure, panels[0], title)
    return panels


_MEASURED_IN = {"volume": "ml", "T2": "ms", "fat": "points"}


def _draw_agreement(ax: Axes, rows: pd.DataFrame) -> None:
    name, reach, unit = rows.iloc[0][["biomarker", "smallest_change", "unit"]]
    ax.axhspan(-reach, reach, color="0.87", zorder=0, label="smaller than what matters")
    for number, (model, group) in enumerate(rows.groupby("segmenter", sort=False)):
        style, known = series_style(number), group.dropna(subset=["difference"])
        line = {"color": style["color"], "linestyle": style["linestyle"]}
        ax.scatter(
            (known["reference"] + known["prediction"]) / 2,
            known["difference"],
            s=20,
            alpha=0.6,
            linewidths=0,
            color=style["color"],
            marker=style["marker"],
            label=str(model),
        )
        if len(known):
            limits = limits_of_agreement(known["difference"])
            ax.axhline(limits["bias"], linewidth=1.8, **line)
            ax.axhline(limits["low"], linewidth=0.7, **line)
            ax.axhline(limits["high"], linewidth=0.7, **line)
    measured = next((u for word, u in _MEASURED_IN.items() if word in name), "mm")
    ax.set(xlabel=f"mean of the two ({measured})", ylabel=f"prediction less reference ({unit})")
    finish_chart(ax, legend=None)
    ax.set_title(name, fontsize=10)
