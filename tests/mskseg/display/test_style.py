"""Colours that stay apart, and figures that carry their provenance."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from mskseg import display
from mskseg.errors import InputError, OutputError
from mskseg.provenance import read_provenance

IMAGE = np.arange(12 * 20, dtype=np.uint8).reshape(12, 20)
HOW = {"spacing_mm": (3.0, 1.5)}


def test_colours_of_thirty_tissues_stay_apart():
    from skimage.color import deltaE_ciede2000, rgb2lab

    colours = display.tissue_colours(range(1, 31))
    lab = rgb2lab(np.array(list(colours.values()))[None])[0]
    apart = deltaE_ciede2000(lab[:, None], lab[None])
    assert apart[np.triu_indices(30, 1)].min() > 10
    assert display.tissue_colours([5, 1]) == display.tissue_colours([1, 5, 5])


def test_a_figure_carries_its_provenance(tmp_path):
    path = tmp_path / "out" / "slice.png"
    display.save_figure(
        display.show_slice(IMAGE, **HOW), path, provenance={"seed": 3, "name": "Übung"}
    )
    assert read_provenance(path) == {"seed": 3, "name": "Übung"}
    with Image.open(path) as image:
        assert min(image.size) > 200
    assert [each.name for each in path.parent.iterdir()] == ["slice.png"]


def test_only_png_is_written_since_it_carries_text(tmp_path):
    with pytest.raises(InputError, match=r"ends in \.png"):
        display.save_figure(display.show_slice(IMAGE, **HOW), tmp_path / "a.jpg", provenance={})
    assert not list(tmp_path.iterdir())


def test_a_figure_that_cannot_be_written_leaves_nothing(tmp_path):
    (tmp_path / "taken").write_text("")
    with pytest.raises(OutputError, match="cannot write"):
        display.save_figure(
            display.show_slice(IMAGE, **HOW), tmp_path / "taken" / "a.png", provenance={}
        )
