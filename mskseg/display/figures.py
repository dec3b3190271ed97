"""Figures written with their provenance."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mskseg.errors import InputError
from mskseg.files import written_atomically
from mskseg.provenance import PNG_KEY, png_text


def save_figure(
    figure: Figure | Axes,
    path: str | os.PathLike[str],
    *,
    provenance: Mapping[str, Any],
    dpi: int = 150,
) -> None:
    """Write a figure as PNG that carries its provenance.

    Parameters
    ----------
    figure : Figure or Axes
        What to write; of Axes the whole figure.
    path : path-like
        Ends in ``.png``. Written completely or not at all.
    provenance : mapping
        From `mskseg.provenance.provenance`; `read_provenance` gives it back.
    dpi : int
        Dots per inch.

    Raises
    ------
    InputError
        If the path does not end in ``.png``.
    OutputError
        If the file cannot be written.
    """
    if not os.fspath(path).lower().endswith(".png"):
        raise InputError(f"{path} is no PNG path; give one that ends in .png, which holds metadata")
    whole = figure if isinstance(figure, Figure) else figure.get_figure(root=True)
    if whole is None:
        raise InputError("these axes belong to no figure any more; draw them anew")
    with written_atomically(path) as target:
        whole.savefig(
            target,
            dpi=dpi,
            format="png",
            bbox_inches="tight",  # keeps a legend beside the axes inside the file
            metadata={PNG_KEY: png_text(provenance)},
        )
