"""Agreement of two measurements, after Bland and Altman (1986), beside the change that matters."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from numpy.typing import NDArray

from mskseg.display.style import check_columns, finish_chart, series_style
from mskseg_studies.errors.biomarkers import BIOMARKERS
from mskseg_studies.panels import add_legend, new_panels

_KEYS = ["biomarker", "segmenter", "unit", "smallest_change"]
_SHOWN = ["bias", "low", "high", "unit", "smallest_change", "within", "n", "n_missing", "source"]
_MEASURED_IN = {"volume": "ml", "T2": "ms", "fat": "points"}


def biomarker_agreement(biomarkers: pd.DataFrame) -> pd.DataFrame:
    """Set bias and limits of agreement beside the smallest change that matters.

    Of `biomarker_table`. A row for each biomarker and segmenter: `bias` (mean difference), `low`
    and `high` (bias -+ 1.96 standard deviations; NaN with one pair), `unit`, `smallest_change`,
    `within` (whether both limits are), `n`, `n_missing` and `source` (of that change). A structure
    that was not found counts in `n_missing`; a biomarker that a segmenter found nowhere is left
    out.
    """
    differences = biomarkers.groupby(_KEYS, sort=False)["difference"]
    found = differences.agg(bias="mean", sd="std", n="count", size="size").reset_index()
    found = found[found["n"] > 0]
    reach, change = 1.96 * found["sd"].astype(float), found["smallest_change"]
    limits = found.assign(low=found["bias"] - reach, high=found["bias"] + reach)
    return limits.assign(
        within=(limits["low"] > -change) & (limits["high"] < change),
        n_missing=found["size"] - found["n"],
        source=found["biomarker"].map({each.name: each.source for each in BIOMARKERS}),
    )[["biomarker", "segmenter", *_SHOWN]].reset_index(drop=True)


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


def _draw_agreement(ax: Axes, rows: pd.DataFrame) -> None:
    name, reach, unit = rows.iloc[0][["biomarker", "smallest_change", "unit"]]
    ax.axhspan(-reach, reach, color="0.87", zorder=0, label="smaller than what matters")
    for number, (model, group) in enumerate(rows.groupby("segmenter", sort=False)):
        style, known = series_style(number), group.dropna(subset=["difference"])
        dashes = style.pop("linestyle")
        mean = (known["reference"] + known["prediction"]) / 2
        look = {"s": 20, "alpha": 0.6, "linewidths": 0, **style}
        ax.scatter(mean, known["difference"], label=str(model), **look)
        for limits in biomarker_agreement(group).itertuples():
            for height, width in ((limits.bias, 1.8), (limits.low, 0.7), (limits.high, 0.7)):
                ax.axhline(height, linewidth=width, color=style["color"], linestyle=dashes)
    measured = next((u for word, u in _MEASURED_IN.items() if word in name), "mm")
    ax.set(xlabel=f"mean of the two ({measured})", ylabel=f"prediction less reference ({unit})")
    finish_chart(ax, legend=None)
    ax.set_title(name, fontsize=10)
