"""Histograms and spectra of several scans over one another. Nothing is shown, Axes are returned."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from mskseg.display.style import PALETTE
from mskseg.errors import InputError

_LINES = ("solid", "dashed", "dotted", "dashdot")  # apart in black and white too


def histograms(
    samples: Mapping[str, ArrayLike],
    *,
    value: str,
    limits: tuple[float, float] | None = None,
    bins: int = 60,
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Draw the histogram of each sample as a line, all over the same bins and each of area 1.

    Parameters
    ----------
    samples : mapping of str to array
        Name, for the legend, and values of any shape.
    value : str
        What the values are, with their unit.
    limits : (low, high), optional
        Of the bins; by default the 0.5 and 99.5 percentiles of all values. Values outside are
        left out of picture and area.
    bins : int
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
        If there is no sample, or one is empty.
    """
    flat = {name: np.ravel(values) for name, values in samples.items()}
    if not flat or not all(values.size for values in flat.values()):
        raise InputError("a histogram needs one sample or more, none of them empty")
    low, high = limits or np.percentile(np.concatenate(list(flat.values())), (0.5, 99.5))
    ax = _axes(ax)
    for number, (name, values) in enumerate(flat.items()):
        density, edges = np.histogram(values, bins=bins, range=(low, high), density=True)
        ax.stairs(density, edges, label=name, **_style(number))
    _finish(ax, x=value, y="share of voxels per unit", title=title)
    return ax


def spectra(
    powers: Mapping[str, tuple[ArrayLike, ArrayLike]],
    *,
    band_per_mm: tuple[float, float] | None = None,
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Draw radial power spectra on double logarithmic axes.

    Parameters
    ----------
    powers : mapping of str to (frequency, power)
        Name, for the legend, and two arrays (N,): frequency in 1/mm, power in any unit.
    band_per_mm : (low, high), optional
        A band to shade, in which a slope was fitted.
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
        If there is no spectrum.
    """
    if not powers:
        raise InputError("no spectrum came, expected one or more")
    ax = _axes(ax)
    for number, (name, (frequency, power)) in enumerate(powers.items()):
        positive = np.asarray(frequency) > 0
        ax.loglog(
            np.asarray(frequency)[positive],
            np.asarray(power)[positive],
            label=name,
            **_style(number),
        )
    if band_per_mm is not None:
        ax.axvspan(*band_per_mm, color="0.93", zorder=0)
    _finish(ax, x="spatial frequency (1/mm)", y="power (relative)", title=title)
    return ax


def _style(number: int) -> dict[str, Any]:
    return {
        "color": PALETTE[number % len(PALETTE)],
        "linestyle": _LINES[number % len(_LINES)],
        "linewidth": 1.6,
    }


def _axes(ax: Axes | None) -> Axes:
    return plt.subplots(figsize=(6.0, 3.6), layout="constrained")[1] if ax is None else ax


def _finish(ax: Axes, *, x: str, y: str, title: str) -> None:
    ax.set_xlabel(x)
    ax.set_ylabel(y)
    ax.set_title(title, loc="left", fontsize=11)
    ax.legend(frameon=False, fontsize=9)
    ax.spines[["top", "right"]].set_visible(False)
