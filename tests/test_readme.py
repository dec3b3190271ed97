"""What the README shows belongs to the weights that are shipped."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest

import mskseg
from mskseg.provenance import read_provenance

ROOT = Path(__file__).parent.parent
TABLE = ROOT / "docs" / "zero_shot_thigh.csv"
FIGURE = ROOT / "docs" / "zero_shot_thigh.png"


@pytest.mark.parametrize("path", [TABLE, FIGURE], ids=["table", "figure"])
def test_table_and_figure_were_made_with_the_shipped_weights(path: Path):
    """After new weights: `make figure`, then the README's numbers."""
    shown = read_provenance(path)["segmenter"]["sha256"]
    assert shown == mskseg.load_segmenter("sam_vit_mini").fingerprint


def test_the_numbers_of_the_readme_are_those_of_the_committed_table():
    table = pd.read_csv(TABLE)
    columns = ["dice", "filled_box_dice", "neighbour_box_dice"]
    mean = table.groupby("label")[columns].mean().mean()
    row = re.search(
        r"^\| SAM-mini \(miniature\) \|(.*)\|$",
        (ROOT / "README.md").read_text(encoding="utf-8"),
        re.M,
    )
    assert row is not None
    assert [float(cell) for cell in row[1].split("|")] == [round(mean[c], 3) for c in columns]


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").split()) <= 700
