"""Data sets, scans and tissues beside each other: a table, spectra and a chart."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from numpy.typing import ArrayLike, NDArray

from mskseg.case import CaseSet
from mskseg.datasets.manifest import load_manifest
from mskseg_studies.charts import PALETTE, chart_axes, finish_chart, series_style
from mskseg_studies.panels import log_scale, new_panels

_SIZE = (6.0, 3.6)
_PANELS = (
    ("area_mm2", "area on a slice (mm²)"),
    ("thickness_mm", "thickness (mm)"),
    ("contrast", "contrast (standard deviations)"),
)
_SHAPES = {"compact": "o", "thin": "_", "ring": "D"}


def spectra(
    powers: Mapping[str, tuple[ArrayLike, ArrayLike]],
    *,
    band_per_mm: tuple[float, float] | None = None,
    title: str = "",
) -> Axes:
    """Draw radial power spectra, by name, on double logarithmic axes.

    A spectrum is two arrays (N,), frequency in 1/mm and power in any unit. The band in which a
    slope was fitted is shaded.
    """
    ax = chart_axes(None, _SIZE)
    for number, (name, (frequency, power)) in enumerate(powers.items()):
        positive = np.asarray(frequency) > 0
        x, y = np.asarray(frequency)[positive], np.asarray(power)[positive]
        look = series_style(number) | {"marker": "", "linewidth": 1.6}
        ax.loglog(x, y, label=name, **look)
    if band_per_mm is not None:
        ax.axvspan(*band_per_mm, color="0.93", zorder=0)
    ax.set(xlabel="spatial frequency (1/mm)", ylabel="power (relative)")
    return finish_chart(ax, title, grid=None)


def tissue_chart(means: pd.DataFrame, *, title: str = "") -> NDArray[Any]:
    """Show area, thickness and contrast of each tissue of `tissue_means`, a row each.

    Data sets stay in their order, each with a colour; within one the thinnest tissue is on top. The
    marker says the shape.
    """
    names = list(dict.fromkeys(means["dataset"]))
    order = means["dataset"].map(names.index)
    rows = means.assign(order=order).sort_values(["order", "thickness_mm"])
    figure, axes = new_panels(3, columns=3, size=(3.5, 0.8 + 0.19 * len(rows)), sharey=True)
    height = np.arange(len(rows))
    for ax, (column, label) in zip(axes, _PANELS, strict=True):
        for shape, marker in _SHAPES.items():
            chosen = (rows["shape"] == shape).to_numpy()
            ax.scatter(
                rows[column][chosen],
                height[chosen],
                marker=marker,
                s=46,
                c=[PALETTE[number % len(PALETTE)] for number in rows["order"][chosen]],
                linewidths=2.5 if marker == "_" else 0.5,
            )
        ax.set_xlabel(label)
        finish_chart(ax, legend=None)
    axes[0].set_ylim(len(rows) - 0.5, -0.5)
    axes[0].set_yticks(height, rows["tissue"], fontsize=8)
    for ax in axes[:2]:
        log_scale(ax)
        ax.tick_params(axis="x", labelsize=8)
    axes[2].axvline(0, color="0.4", linewidth=0.8)
    figure.suptitle(title)
    looks = [(name, "s", PALETTE[n % len(PALETTE)]) for n, name in enumerate(names)]
    looks += [(shape, marker, "0.35") for shape, marker in _SHAPES.items()]
    handles = [
        Line2D([], [], linestyle="none", marker=marker, color=colour, label=name, mew=2)
        for name, marker, colour in looks
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=4, fontsize=8, frameon=False)
    return axes


_MAP, _ACCELERATED = "_map", "_8x"


def describe_datasets(sets: Iterable[CaseSet], tissues: pd.DataFrame) -> pd.DataFrame:
    """Describe data sets by anatomy, contrast, and the detail, shape and size of their labels.

    The grid is read off the first case of each set, the tissues are those of `tissue_means`. A row
    for each data set: `dataset`, `anatomy`, `subjects`,
    `sequences`, `maps` and `accelerated` (as in the manifest), `voxel_mm`, `plane`, `tissues` (how
    many), `shapes` ("4 compact, 5 thin"), `area_mm2` and `thickness_mm` (smallest to largest mean
    of a tissue, or of the only one) and `reference`.
    """
    rows = []
    for case in (cases[0] for cases in sets):
        own = tissues[tissues["dataset"] == case.dataset]
        entry = load_manifest().datasets[case.dataset]
        sequences = [name.strip() for name in entry.sequence.split(",")]
        special = [name for name in sequences if _MAP in name or _ACCELERATED in name]
        area, width = (own[name].agg(["min", "max"]) for name in ("area_mm2", "thickness_mm"))
        shapes = own["shape"].value_counts()
        rows.append(
            {
                "dataset": case.dataset,
                "anatomy": case.anatomy,
                "subjects": entry.subjects,
                "sequences": ", ".join(name for name in sequences if name not in special),
                "maps": ", ".join(name for name in special if _MAP in name),
                "accelerated": ", ".join(name for name in special if _ACCELERATED in name),
                "voxel_mm": " x ".join(f"{mm:.3g}" for mm in case.image.spacing_mm),
                "plane": case.plane,
                "tissues": len(own),
                "shapes": ", ".join(f"{n} {shape}" for shape, n in shapes.items()),
                "area_mm2": " to ".join(dict.fromkeys(f"{mm2:.0f}" for mm2 in area)),
                "thickness_mm": " to ".join(dict.fromkeys(f"{mm:.1f}" for mm in width)),
                "reference": case.reference_provenance,
            }
        )
    return pd.DataFrame(rows)
