"""A volume from slices: each boxed by itself or handed on, and those without reference counted."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from mskseg.case import Case
from mskseg.evaluation.averaging import IN_THE_MEAN, nested_mean
from mskseg.evaluation.scoring import SCAN
from mskseg.evaluation.tables import volume_table
from mskseg.prompts.plans import Memory, NeighbourBox
from mskseg_studies.charts import check_columns, finish_chart, series_style
from mskseg_studies.panels import add_legend, new_panels

_MAX_STEPS = 8  # few structures are longer
_STRUCTURE = ["segmenter", "box_source", *SCAN, "tissue", "label"]


def volume_scores(table: pd.DataFrame) -> pd.DataFrame:
    """Score the volume that the slices of a plan add up to.

    Of a table of `score_people` with every slice. A row for each segmenter, plan, scan and tissue:
    `dice_3d` (`volume_dice` of `mskseg.evaluation.volume_table`: of all voxels, those included that
    are too few to be prompted, are lost, or are invented beyond the structure's end),
    `volume_error` (signed, part of the reference) and `invented` (part of the predicted volume that
    lies on slices without reference), with `data`.
    """
    volumes = volume_table(table).set_index(_STRUCTURE)
    predicted = table["predicted_area_mm2"]
    beyond = table.assign(beyond=predicted.where(table["area_mm2"] == 0, 0.0))
    areas = beyond.groupby(_STRUCTURE)[["beyond", "predicted_area_mm2"]].sum()
    scores = volumes[["volume_dice", "relative_volume_error"]].set_axis(
        ["dice_3d", "volume_error"], axis=1
    )
    invented = (areas["beyond"] / areas["predicted_area_mm2"]).fillna(0.0)
    data = table.groupby(_STRUCTURE)["data"].first()
    return scores.assign(invented=invented, data=data).reset_index()


def with_steps(table: pd.DataFrame) -> pd.DataFrame:
    """Add `steps` to rows that count: slices from the largest, where `NeighbourBox` is boxed."""
    scored = table[table["status"].isin(IN_THE_MEAN)]
    largest = scored.groupby(_STRUCTURE)["area_mm2"].transform("max")
    starts = scored["slice"].where(scored["area_mm2"] == largest)
    start = starts.groupby([scored[key] for key in _STRUCTURE]).transform("max")
    spacing = scored.groupby("dataset")["slice"].transform(
        lambda slices: min(np.diff(np.unique(slices)), default=1)
    )
    away = (scored["slice"] - start).abs()
    return scored.assign(n_slices_away=away, steps=(away / spacing).astype(int))


def followed_slices(table: pd.DataFrame, people: Mapping[str, Iterable[Case]]) -> pd.DataFrame:
    """List the slices that models with a memory followed by it, and by boxes handed on.

    Of a table of `score_people` with both plans, and the people that it got; empty without such a
    model. A row for each slice that counts: `segmenter`, `miniature`, `way` ("memory" or "boxes"),
    `dataset`, `subject`, `label`, `tissue`, `distance_mm` from the slice that was boxed, `dice`,
    `encode_s` and `decode_s`.
    """
    ways = {NeighbourBox().box_source: "boxes", Memory.box_source: "memory"}
    remembering = table.loc[table["box_source"] == Memory.box_source, "segmenter"]
    asked = table["segmenter"].isin(remembering) & table["box_source"].isin(ways)
    followed = with_steps(table[asked])
    thickness_mm = {
        tuple(getattr(case, name) for name in SCAN): case.image.slice_thickness_mm(case.plane)
        for cases in people.values()
        for case in cases
    }
    scans = [tuple(row) for row in followed[list(SCAN)].to_numpy()]
    followed["distance_mm"] = followed["n_slices_away"] * [thickness_mm[scan] for scan in scans]
    followed["way"] = followed["box_source"].map(ways)
    who = ["segmenter", "miniature", "way", "dataset", "subject", "label", "tissue"]
    return followed[[*who, "distance_mm", "dice", "encode_s", "decode_s"]]


def propagation_drift(table: pd.DataFrame) -> pd.DataFrame:
    """Average Dice by distance from the slice that was boxed, up to `_MAX_STEPS` slices.

    Of a table of `score_people` with one plan that boxes every slice and one that propagates. A row
    for each `data`, segmenter, plan and number of `steps`: `nested_mean` of `dice`.
    """
    placed = with_steps(table)
    near, keys = placed[placed["steps"] <= _MAX_STEPS], ["data", "segmenter", "box_source"]
    means = nested_mean(near, by=[*keys, "steps"]).sort_values("steps")
    return near[keys].drop_duplicates().merge(means, on=keys)  # models and plans as they came


def drift_chart(means: pd.DataFrame) -> NDArray[Any]:
    """Draw Dice over the distance from the slice that was boxed, from `propagation_drift`.

    A panel for each `data`, a colour for each segmenter, a line style for each plan. The titles say
    what the first segmenter's Dice comes to under its last plan, and how many masks are behind it.
    """
    check_columns(means, ["data", "segmenter", "box_source", "steps", "dice", "n_objects"])
    models, plans, groups = (
        list(dict.fromkeys(means[key])) for key in ("segmenter", "box_source", "data")
    )
    figure, panels = new_panels(len(groups), columns=3, size=(4.4, 4.0), sharey=True)
    for ax, group in zip(panels, groups, strict=True):
        of_group = means[means["data"] == group]
        for (model, plan), rows in of_group.groupby(["segmenter", "box_source"], sort=False):
            style = series_style(models.index(model))
            style["linestyle"] = series_style(plans.index(plan))["linestyle"]
            ax.plot(rows["steps"], rows["dice"], label=f"{model}, {plan}", **style)
        ax.set(xlabel="scored slices from the one that was boxed", ylim=(0, 1))
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        first_model = of_group["segmenter"].iloc[0]
        of_model = of_group[of_group["segmenter"] == first_model]
        plan = of_model["box_source"].iloc[-1]
        ends = of_model[of_model["box_source"] == plan].sort_values("steps").iloc[[0, -1]]
        finding = "{}\nDice {:.2f} to {:.2f}, of {} and {} masks".format(
            plan, *ends["dice"], *ends["n_objects"]
        )
        finish_chart(ax, f"{group}\n{first_model}\n{finding}", legend=None)
    panels[0].set_ylabel("Dice")
    add_legend(figure, max(panels, key=lambda ax: len(ax.lines)), "")
    return panels


READINGS = ("left_out", "invented_is_0", "nothing_is_1")


def read_empty_slices(
    table: pd.DataFrame, groups: Mapping[str, Iterable[Case]], *, slice_steps: Mapping[str, int]
) -> pd.DataFrame:
    """Average Dice with the slices that hold no reference left out, and counted.

    Left out, nothing that a model invents beyond a structure is seen; counted, the mean depends on
    how far the scan goes on.

    Takes what `score_people` gave and got. A row for each `data`, `dataset`, `segmenter` and
    `box_source`, with the mean Dice (slices, then tissues, then subjects) read in three ways:
    `left_out` (this project's mean), `invented_is_0` (slices without reference on which something
    was predicted count 0, others do not count) and `nothing_is_1` (these count 0, and slices on
    which rightly nothing was predicted count 1). Then `n_scored`, `n_invented` and `n_nothing`:
    pairs of slice and tissue.
    """
    n_slices = {
        tuple(getattr(case, name) for name in SCAN): len(
            range(0, case.image.n_slices(case.plane), slice_steps[group])
        )
        for group, cases in groups.items()
        for case in cases
    }
    keys = ["data", "dataset", "segmenter", "box_source"]
    in_the_mean = table["status"].isin(IN_THE_MEAN)
    structure = list(dict.fromkeys([*keys, *SCAN, "tissue", "label"]))
    counted = table.assign(
        total=table["dice"].where(in_the_mean, 0.0),
        n_scored=in_the_mean,
        n_invented=table["status"] == "beyond_end",
        n_too_small=table["status"] == "too_small",
    )
    columns = ["total", "n_scored", "n_invented", "n_too_small"]
    sums = counted.groupby(structure, sort=False)[columns].sum().reset_index()
    scans = [tuple(row) for row in sums[list(SCAN)].to_numpy()]
    predicted = sums["n_scored"] + sums["n_invented"]
    nothing = [n_slices[scan] for scan in scans] - predicted - sums["n_too_small"]
    means = sums.assign(
        n_nothing=nothing,
        left_out=sums["total"] / sums["n_scored"],
        invented_is_0=sums["total"] / predicted,
        nothing_is_1=(sums["total"] + nothing) / (predicted + nothing),
    )
    result = nested_mean(means, by=keys, values=READINGS)[[*keys, *READINGS]]
    counts = means.groupby(keys, sort=False)[["n_scored", "n_invented", "n_nothing"]].sum()
    return result.merge(counts.reset_index(), on=keys)
