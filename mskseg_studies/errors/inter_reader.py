"""How far two careful readers agree, with a simulated second reader: a ceiling for Dice."""

import zlib
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from mskseg.case import Case
from mskseg.errors import InputError
from mskseg.evaluation.averaging import IN_THE_MEAN, nested_mean
from mskseg.evaluation.loop import prompted_slices
from mskseg.evaluation.metrics import checked_spacing, dice
from mskseg.evaluation.scoring import SCAN, described_scan
from mskseg.prompts import OracleBox
from mskseg.prompts.checks import checked_mask
from mskseg_studies.charts import chart_axes, check_columns, finish_chart, series_style
from mskseg_studies.people import by_site
from mskseg_studies.tissues import signed_distance_mm

CORRELATION_MM = 8.0
"""How far along an outline a reader stays on the same side of it; assumed."""

_N_READINGS = 3  # of each tissue of a slice, averaged


def redraw(
    mask: ArrayLike,
    *,
    spacing_mm: tuple[float, float],
    sigma_mm: float,
    rng: np.random.Generator,
) -> NDArray[np.bool_]:
    """Move the outline of a mask (H, W) in and out, as a second reader might draw it."""
    # The signed distance to the outline gets a smooth Gaussian random field added, of the standard
    # deviation `sigma_mm`: how sure one can be of an edge, such as half a pixel, or the width of
    # the blur in the image. Where the sum is above zero is inside.
    inside = checked_mask(mask, what="the mask")
    spacing = checked_spacing(spacing_mm, ndim=2)
    if not sigma_mm >= 0:
        raise InputError(f"sigma_mm is {sigma_mm}, expected 0 or more, in millimetres")
    if not inside.any() or sigma_mm == 0:
        return inside.copy()
    field = ndimage.gaussian_filter(
        rng.standard_normal(inside.shape), CORRELATION_MM / spacing, mode="wrap"
    )
    moved: NDArray[np.bool_] = (
        signed_distance_mm(inside, spacing) + sigma_mm * field / field.std() > 0
    )
    return moved


def reader_ceiling(
    groups: Mapping[str, Iterable[Case]],
    scores: pd.DataFrame,
    *,
    sigmas_px: Sequence[float],
    slice_steps: Mapping[str, int],
    seed: int = 0,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Average a simulated second reader and the models over the same pairs of slice and tissue.

    The outline moves by `sigmas_px` pixels (the mean of row and column spacing): half a pixel is
    what a grid alone leaves open, a pixel what a blurred edge does. Scores are those of one plan.
    Gives `nested_mean` of `dice` by `dataset` (see `by_site`), `tissue` and `sigma_px`, and of the
    models by `dataset`, `tissue` and `segmenter`. Tissues without a component of the minimum area
    of a box are left out: `score_cases` does not score them either. InputError if none is left.
    """
    readings = [
        read_again(cases, sigmas_px=sigmas_px, slice_step=slice_steps[group], seed=seed).assign(
            data=group
        )
        for group, cases in groups.items()
    ]
    pairs = on_same_pairs(pd.concat(readings, ignore_index=True), scores)
    same_readings, same_scores = (by_site(table) for table in pairs)
    tissue = ["dataset", "tissue"]
    ceilings = nested_mean(same_readings, by=[*tissue, "sigma_px"])
    return ceilings, nested_mean(same_scores, by=[*tissue, "segmenter"])


def read_again(
    cases: Iterable[Case], *, sigmas_px: Sequence[float], slice_step: int = 1, seed: int = 0
) -> pd.DataFrame:
    """Score a second reader against the reference: a row for each slice, tissue and sigma."""
    rows = []
    for prompted in prompted_slices(cases, OracleBox(), slice_step=slice_step):
        case, case_slice = prompted.case, prompted.case_slice
        spacing_mm = case_slice.spacing_mm
        for label, mask in prompted.references.items():
            if not len(prompted.prompts[label]):
                continue
            key = (seed, zlib.crc32(case.name.encode()), case_slice.index, label)
            described = described_scan(case) | {
                "tissue": case.tissue(label),
                "label": label,
                "slice": case_slice.index,
            }
            for sigma_px in sigmas_px:  # all with the same draws, so that they differ in size alone
                rng, sigma_mm = np.random.default_rng(key), sigma_px * float(np.mean(spacing_mm))
                scores = [
                    dice(mask, redraw(mask, spacing_mm=spacing_mm, sigma_mm=sigma_mm, rng=rng))
                    for _ in range(_N_READINGS)
                ]
                rows.append(described | {"sigma_px": sigma_px, "dice": float(np.mean(scores))})
    if not rows:
        raise InputError("no slice shows a tissue large enough to read again; check the cases")
    return pd.DataFrame(rows)


def on_same_pairs(
    readings: pd.DataFrame, scores: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Keep the rows of `read_again` and `score_cases` on pairs of slice and tissue in both."""
    keys = [*SCAN, "tissue", "label", "slice"]
    scored = scores[scores["status"].isin(IN_THE_MEAN)]
    pairs = readings[keys].merge(scored[keys]).drop_duplicates()
    if pairs.empty:
        raise InputError("no pair was both read again and scored; pass the same cases and slices")
    return readings.merge(pairs, on=keys), scored.merge(pairs, on=keys)


def ceiling_chart(ceilings: pd.DataFrame, means: pd.DataFrame) -> Axes:
    """Show the Dice of each tissue beside what a second reader reaches, from `reader_ceiling`.

    Grey bars run from the most to the least uncertain reader; the tissue on which readers agree
    least is on top. The title counts the tissues on which the first segmenter reaches the less
    certain reader.
    """
    check_columns(ceilings, ["dataset", "tissue", "sigma_px", "dice"])
    keys = ["dataset", "tissue"]
    spans = ceilings.groupby(keys)["dice"].agg(["min", "max"]).sort_values("min")
    ax = chart_axes(None, (7.0, 1.5 + 0.19 * len(spans)))
    at = np.arange(len(spans))
    ax.hlines(at, spans["min"], spans["max"], color="0.65", linewidth=6, label="second reader")
    finding = ""
    for number, (model, rows) in enumerate(means.groupby("segmenter", sort=False)):
        dice = rows.set_index(keys)["dice"].reindex(spans.index)
        style = series_style(number, line=False)
        ax.plot(dice, at, linestyle="none", markersize=5, label=model, **style)
        reached, asked = int((dice >= spans["min"]).sum()), int(dice.notna().sum())
        finding = finding or f"{model} reaches a second reader on {reached} of its {asked}"
    names = [f"{tissue} ({dataset.removeprefix('phantom_')})" for dataset, tissue in spans.index]
    ax.set_yticks(at, names, fontsize=8)
    ax.set(xlabel="Dice", ylim=(len(spans) - 0.5, -0.5), xlim=(0, 1.02))
    return finish_chart(ax, f"{finding} tissues", legend="below", legend_columns=3)
