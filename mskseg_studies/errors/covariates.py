"""What goes with a low Dice: size, width, contrast, place in the structure, fit of the box.

Rank correlations, not causes: thin tissues are also faint and also small. `paired_change` compares
the very same slices with one thing changed. At the end the worst slices, the likeliest reason for
each, and how they look.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from numpy.typing import NDArray
from scipy import stats

from mskseg.case import Case, CaseSet
from mskseg.display.canvas import PromptExplorer
from mskseg.display.slices import draw_boxes, draw_label_map, frame_around, show_slice
from mskseg.display.style import PREDICTION
from mskseg.errors import InputError
from mskseg.evaluation.averaging import IN_THE_MEAN, nested_mean, subject_means
from mskseg.evaluation.scoring import SCAN, KeptPredictions
from mskseg.models.segmenter import Segmenter
from mskseg_studies.charts import (
    chart_axes,
    check_columns,
    finish_chart,
    picture_slider,
    series_style,
)
from mskseg_studies.errors.error_measures import WEAK_BELOW
from mskseg_studies.panels import REFERENCE, add_legend, log_scale, new_panels
from mskseg_studies.people import PHANTOMS, load_companions

_STRUCTURE = [*SCAN, "tissue", "label"]
_PAIR = [*_STRUCTURE, "slice"]
_CHANGE = ("change", "lowest", "highest", "n_subjects", "n_pairs")
COVARIATES = {
    "area_mm2": "area",
    "thickness_mm": "thickness",
    "edge_contrast": "contrast of the border",
    "from_end": "slices to the structure's end",
    "filled_box_dice": "Dice of the filled box",
    "reference fat fraction": "fat fraction in the muscle",
}
"""Columns of `with_covariates` and what they are called in tables and figures; the last is there
only where a map of fat was measured."""


def with_covariates(scores: pd.DataFrame, properties: pd.DataFrame) -> pd.DataFrame:
    """Set what a tissue looks like beside how it was scored.

    Of the table of `score_people` with `ErrorMeasures` only pairs that count in a mean are kept,
    under their index. The properties are those of `tissue_properties`, of the
    same cases, with `slice_step` 1, so that a structure's ends are known; InputError if a scored
    pair has none. Adds `thickness_mm`, `shape` and `from_end`: how many of the structure's measured
    slices lie between this one and its first or last.
    """
    scored = scores[scores["status"].isin(IN_THE_MEAN) & (scores["area_mm2"] > 0)]
    order = properties["slice"].groupby([properties[k] for k in _STRUCTURE]).rank(method="dense")
    last = order.groupby([properties[k] for k in _STRUCTURE]).transform("max")
    wanted = properties[[*_PAIR, "thickness_mm", "shape"]]
    wanted = wanted.assign(from_end=np.minimum(order - 1, last - order))
    joined = scored.merge(wanted, on=_PAIR, how="left", validate="many_to_one")
    joined.index = scored.index  # the rows are those of `scored`, in their order
    if joined["thickness_mm"].isna().any():
        lost = joined[joined["thickness_mm"].isna()].iloc[0]
        raise InputError(
            f"{lost['tissue']} on slice {lost['slice']} of {lost['subject']} was scored but not "
            "measured; pass properties of the same cases with the same slice_step"
        )
    return joined


def rank_correlations(joined: pd.DataFrame) -> pd.DataFrame:
    """Correlate Dice with each of `COVARIATES`, by rank.

    Of `with_covariates`. A row for each `data`, segmenter, `box_source` and covariate: these,
    `effect`, `spearman`, `within_tissues` (the same of the deviations from each tissue's own mean:
    what is left once tissues are not compared with each other) and `n_pairs`, strongest first
    within a group. No p value: slices of one person are not independent.
    """
    keys = ["data", "segmenter", "box_source"]
    rows = []
    for key, group in joined.groupby(keys, sort=False):
        for column, name in COVARIATES.items():
            if column in group:
                known = group.dropna(subset=[column, "dice"])
                pairs = known[[column, "dice"]].astype(float)
                means = pairs.groupby([known["dataset"], known["tissue"]]).transform("mean")
                rhos = _spearman(pairs), _spearman(pairs - means)
                rows.append((*key, name, *rhos, len(known)))
    table = pd.DataFrame(rows, columns=[*keys, "effect", "spearman", "within_tissues", "n_pairs"])
    table["weakness"] = -table["spearman"].abs().fillna(0)
    ordered = table.sort_values([*keys, "weakness"], kind="stable", ignore_index=True)
    return ordered.drop(columns="weakness")


def _spearman(pairs: pd.DataFrame) -> float:
    # Deviations that differ by rounding alone do not vary.
    varies = len(pairs) > 2 and bool((pairs.round(9).nunique() > 1).all())
    return float(stats.spearmanr(*pairs.to_numpy().T).statistic) if varies else float("nan")


def load_undersampled(sets: Iterable[CaseSet]) -> list[Case]:
    """Load the 8x undersampled scans of the people of some data sets, where there are any.

    What is undersampled is the sequence of a set's first case; the names end in ``_8x``.
    """
    return [
        companion
        for cases in sets
        for companion in load_companions(cases, [f"{cases[0].sequence}_8x"])
    ]


def paired_change(table: pd.DataFrame, *, column: str, first: str, second: str) -> pd.DataFrame:
    """Measure how Dice changes on the same slices and tissues when one thing is changed.

    Of a table of `score_people`; what is changed is a column, such as ``sequence`` from ``pdw_fs``
    to ``pdw_fs_8x``. A row for each `data` and segmenter, in the table's order: these, `from`,
    `to`, `change` (mean over slices of a tissue, over tissues, over subjects), `lowest` and
    `highest` (of the subjects), `n_subjects` and `n_pairs`. Empty if there is no pair.
    """
    groups = ["data", "segmenter"]
    pair = [*groups, *(key for key in _PAIR if key != column)]
    scored = table[table["status"].isin(IN_THE_MEAN)]
    before, after = (scored[scored[column] == k].set_index(pair)["dice"] for k in (first, second))
    changes = (after - before).dropna().rename("change").reset_index()
    if changes.empty:
        return pd.DataFrame(columns=[*groups, "from", "to", *_CHANGE])
    of_people = subject_means(changes, by=groups, values=["change"])["change"]
    between = of_people.groupby(level=groups).agg(lowest="min", highest="max")
    means = nested_mean(changes, by=groups, values=["change"]).set_index(groups)
    means = means.join(between).rename(columns={"n_objects": "n_pairs"}).reset_index()
    order = scored[groups].drop_duplicates().merge(means, on=groups)
    return order.assign(**{"from": first, "to": second})[[*groups, "from", "to", *_CHANGE]]


_N_BINS = 7
_LOGARITHMIC = ("area_mm2", "thickness_mm")
_COVARIATE_UNITS = {
    "area_mm2": " (mm²)",
    "thickness_mm": " (mm)",
    "edge_contrast": "\n(standard deviations)",
    "reference fat fraction": " (%)",
}


def covariate_panels(joined: pd.DataFrame, *, title: str = "") -> NDArray[Any]:
    """Draw Dice against each of `COVARIATES` that the table has values of, a panel each.

    Dots are slices, lines the medians of groups of equally many slices of a segmenter (five or more
    each, at most `_N_BINS` groups) and bands their middle half.
    """
    known = joined.dropna(axis="columns", how="all")
    shown = {column: name for column, name in COVARIATES.items() if column in known}
    figure, panels = new_panels(len(shown), columns=3, size=(3.7, 2.9), sharey=True)
    for ax, (column, name) in zip(panels, shown.items(), strict=True):
        for number, (model, group) in enumerate(joined.groupby("segmenter", sort=False)):
            pairs = group[[column, "dice"]].astype(float).dropna().to_numpy()
            if len(pairs):
                _draw_covariate(ax, pairs, number=number, name=str(model))
        if column in _LOGARITHMIC:
            log_scale(ax)
        ax.set(xlabel=name + _COVARIATE_UNITS.get(column, ""), ylim=(0, 1.02))
        ax.set_ylabel("Dice" if ax.get_subplotspec().is_first_col() else "")
        finish_chart(ax, legend=None)
    add_legend(figure, panels[0], title)
    return panels


def _draw_covariate(ax: Axes, pairs: NDArray[Any], *, number: int, name: str) -> None:
    style, (x, y) = series_style(number), pairs.T
    alpha = float(np.clip(40 / len(x), 0.12, 0.8))  # a few dots are to be seen, too
    ax.scatter(x, y, s=9, color=style["color"], alpha=alpha, linewidths=0, rasterized=True)
    n_bins = int(np.clip(len(x) // 5, 1, _N_BINS))
    edges = np.unique(np.quantile(x, np.linspace(0, 1, n_bins + 1)))
    place = np.clip(np.searchsorted(edges, x, side="right") - 1, 0, max(len(edges) - 2, 0))
    groups = [pairs[place == k] for k in np.unique(place)]
    middle = np.array([np.median(group, axis=0) for group in groups])
    low, high = np.array([np.quantile(group[:, 1], (0.25, 0.75)) for group in groups]).T
    ax.fill_between(middle[:, 0], low, high, color=style["color"], alpha=0.15, linewidth=0)
    ax.plot(*middle.T, markersize=4, label=name, **style)


def change_chart(changes: pd.DataFrame, *, title: str = "") -> Axes:
    """Draw the rows of `paired_change`: dots are means, bars run over the range of subjects."""
    check_columns(changes, ["data", "segmenter", "from", "to", "change", "lowest", "highest"])
    ax = chart_axes(None, (7.0, 1.2 + 0.36 * len(changes)))
    models = list(dict.fromkeys(changes["segmenter"]))
    labels = []
    for at, row in enumerate(changes.to_dict("records")):
        style = series_style(models.index(row["segmenter"]), line=False)
        ax.plot((row["lowest"], row["highest"]), (at, at), color=style["color"], linewidth=2)
        ax.plot(row["change"], at, markersize=7, **style)
        who = f"{row['data']}, {row['segmenter']}"
        labels.append(f"{row['from']} to {row['to']}\n{who}, n={row['n_subjects']}")
    ax.axvline(0, color="0.4", linewidth=0.8)
    ax.set_yticks(range(len(labels)), labels, fontsize=8)
    ax.set(xlabel="change of Dice on the same slices", ylim=(len(labels) - 0.5, -0.5))
    return finish_chart(ax, title, legend=None)


THIN_MM, WIDE, NARROW = 3.0, 1.5, 0.5


def worst_slices(joined: pd.DataFrame, *, n: int = 10) -> pd.DataFrame:
    """Find the slices with the lowest Dice, one of each structure of real people, then of phantoms.

    Of `with_covariates`, of one plan, `n` of each at most. Real people are shown by the first
    segmenter that was asked about them, and so are phantoms. Gives rows, the worst of real people
    first, with `reason`: what happened to the area, and the first rule that fits the tissue:
    "leaked: thin".
    """
    chosen = []
    for _, rows in joined.groupby(joined["data"] == PHANTOMS, sort=True):
        of_first = rows[rows["segmenter"] == rows["segmenter"].iloc[0]]
        ordered = of_first.sort_values("dice", kind="stable")
        structures = ordered.groupby(["data", "dataset", "tissue", "label"], sort=False)
        chosen.append(structures.head(1).sort_values("dice", kind="stable").head(n))
    worst = pd.concat(chosen)
    return worst.assign(reason=[name_reason(row) for _, row in worst.iterrows()])


def name_reason(row: pd.Series) -> str:
    """Name what happened and what makes the tissue hard, by the first rule of each that applies."""
    ratio = row["predicted_area_mm2"] / row["area_mm2"]
    outcomes = {
        "nothing was found": ratio == 0,
        "leaked": ratio > WIDE,
        "fell short": ratio < NARROW,
    }
    difficulties = {
        "faint border": row["edge_contrast"] < WEAK_BELOW,
        "thin": row["thickness_mm"] < THIN_MM,
        "end of the structure": row["from_end"] == 0,
    }
    reasons = [next(filter(rules.get, rules), "") for rules in (outcomes, difficulties)]
    return ": ".join(filter(None, reasons)) or "none of these"


def brightened(image: NDArray[np.uint8], zoom_xyxy: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Scale an image (H, W) so that what is shown of it uses all grey levels."""
    x0, y0, x1, y1 = (max(int(edge), 0) for edge in zoom_xyxy)
    top = max(float(np.percentile(image[y0:y1, x0:x1], 99)), 1.0)
    scaled: NDArray[np.uint8] = np.clip(image * (255 / top), 0, 255).astype(np.uint8)
    return scaled


def failure_gallery(
    worst: pd.DataFrame, predictions: KeptPredictions, *, columns: int = 5, title: str
) -> NDArray[Any]:
    """Show the rows of `worst_slices` close up: reference dashed, prediction orange, box white.

    The predictions, kept while scoring, are found by the index of the rows. Each panel is
    brightened by itself, for the eye only. What the colours mean is added to the title.
    """
    figure, panels = new_panels(len(worst), columns=columns, size=(2.5, 2.9))
    for number, (ax, row) in enumerate(zip(panels, worst.itertuples(), strict=True), start=1):
        prediction = predictions[row.Index]
        at, boxes = prediction.case_slice, prediction.boxes_xyxy
        zoom = frame_around(boxes, shape=prediction.reference.shape)
        image = brightened(at.image, zoom)
        show_slice(image, spacing_mm=at.spacing_mm, zoom_xyxy=zoom, ax=ax)
        draw_boxes(ax, boxes)
        draw_label_map(ax, prediction.reference, colours={1: REFERENCE}, linestyle="dashed")
        draw_label_map(ax, prediction.prediction, colours={1: PREDICTION})
        whose = row.dataset.removeprefix("phantom_") if row.data == PHANTOMS else row.data
        ax.set_title(f"{number}: {row.tissue}\n{whose}, Dice {row.dice:.2f}", fontsize=9)
    figure.suptitle(f"{title}: reference blue and dashed, prediction orange", fontsize=11)
    return panels


def fat_slider(joined: pd.DataFrame, predictions: KeptPredictions, *, n: int = 6) -> Any:
    """Make a slider over slices of one muscle, from little fat to much; None if no fat is known.

    Of `with_covariates`: the muscle with the fattest slice, as the first segmenter answered.
    """
    column = "reference fat fraction"
    known = joined.dropna(subset=[column]) if column in joined else joined[:0]
    if known.empty:
        return None
    known = known[known["segmenter"] == known["segmenter"].iloc[0]].sort_values(column)
    rows = known[known["tissue"] == known["tissue"].iloc[-1]]
    chosen = rows.iloc[np.linspace(0, len(rows) - 1, n).astype(int)]
    row_with = {round(percent): chosen.loc[[row]] for row, percent in chosen[column].items()}

    def page_with(percent: int) -> Any:
        title = f"{percent} % of fat inside the reference"
        return failure_gallery(row_with[percent], predictions, columns=1, title=title)[0]

    return picture_slider("fat %", list(row_with), page_with)


def open_panel(
    worst: pd.DataFrame,
    panel: int,
    predictions: KeptPredictions,
    cases: Iterable[Case],
    segmenters: Iterable[Segmenter],
    *,
    margin_px: float,
) -> PromptExplorer:
    """Open the canvas on a panel of `failure_gallery`, with its largest box, widened.

    The panel's own model is chosen; the others can be. InputError if there is no such panel.
    """
    if not 1 <= panel <= len(worst):
        raise InputError(f"expected a panel from 1 to {len(worst)}, got {panel}")
    row = worst.iloc[panel - 1]
    asked, scan = predictions[worst.index[panel - 1]], ["dataset", "subject", "sequence"]
    case = next(c for c in cases if all(getattr(c, key) == row[key] for key in scan))
    explorer = PromptExplorer(case, {segmenter.name: segmenter for segmenter in segmenters})
    explorer.choose_model(row["segmenter"])
    explorer.choose_tissue(asked.label)
    explorer.go_to(asked.case_slice.index)
    largest = max(asked.boxes_xyxy, key=lambda box: np.prod(box[2:] - box[:2]))
    explorer.set_box(largest + margin_px * np.array([-1, -1, 1, 1]))
    return explorer
