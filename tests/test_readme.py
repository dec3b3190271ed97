"""What the README shows belongs to the weights that are shipped."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest

import mskseg
from mskseg.provenance import read_provenance

ROOT = Path(__file__).parent.parent
PACKAGES = ("mskseg", "mskseg_phantom", "mskseg_mini", "mskseg_studies")
TABLE = ROOT / "docs" / "zero_shot_thigh.csv"
FIGURE = ROOT / "docs" / "real_spine.png"
PEOPLE = ROOT / "results" / "03_margins.csv"


def test_tables_and_figure_were_made_with_the_shipped_weights():
    """After new weights: `make table results`, then the README's numbers."""
    shipped = mskseg.load_segmenter("sam_vit_mini").fingerprint
    assert read_provenance(TABLE)["segmenter"]["sha256"] == shipped
    assert f"sam_vit_mini {shipped}" in read_provenance(PEOPLE)["models"]
    figure = read_provenance(FIGURE)
    assert figure["segmenter"] == read_provenance(PEOPLE)["segmenter"]
    assert [model["name"] for model in figure["tuned"]] == ["lite_medsam, decoder tuned"]


@pytest.mark.parametrize(
    ("row", "model", "column"),
    [
        ("filled box, no model", "sam_vit_mini", "filled_box_dice"),
        ("LiteMedSAM (published)", "lite_medsam", "dice"),
        ("SAM-mini (miniature)", "sam_vit_mini", "dice"),
    ],
)
def test_the_numbers_of_real_people_are_those_of_the_committed_table(row, model, column):
    table = pd.read_csv(PEOPLE)
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    cells = re.search(rf"^\| {re.escape(row)} \|(.*)\|$", text, re.M)[1].split("|")
    for site, cell in zip(("VB2", "VB3"), cells, strict=True):
        rows = table[(table["segmenter"] == model) & table["dataset"].str.endswith(site)]
        found = rows.sort_values("margin_px")[column].round(3)
        assert [float(number) for number in cell.split("/")] == list(found)


def test_what_tuning_brings_is_that_of_the_committed_table():
    table = pd.read_csv(ROOT / "results" / "04_cross_table.csv").set_index("role")
    text = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    said = re.search(r"reaches (0\.\d+) and (0\.\d+) \(\[table\]\(results/04_cross_table", text)
    found = table.loc[["same site", "other site"], "dice_tuned"].round(3)
    assert [float(number) for number in said.groups()] == list(found)
    assert set(table["n_train"]) == {6}


def test_the_numbers_of_the_readme_are_those_of_the_committed_table():
    table = pd.read_csv(TABLE)
    columns = ["dice", "filled_box_dice", "neighbour_box_dice"]
    mean = table.groupby("label")[columns].mean().mean()
    text = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    sentence = re.search(r"docs/zero_shot_thigh\.csv\)\) (.*?0\.\d+ .*?0\.\d+.*?0\.\d+)\.", text)
    found = [float(number) for number in re.findall(r"0\.\d+", sentence[1])]
    assert found == [round(mean[column], 3) for column in columns]


def test_the_example_of_the_readme_runs_as_it_says():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    example = text.partition("```python\n")[2].partition("```")[0]
    *lines, last = example.strip().splitlines()
    expression, _, shape = last.partition("  # ")
    names: dict[str, object] = {}
    exec("\n".join(lines), names)
    assert shape.startswith(str(eval(expression, names)))


def test_every_place_of_the_map_exists_and_no_room_is_missing():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").partition("## Map")[2]
    tree = text.split("```")[3]
    folder, places = Path(), set()
    for line in filter(None, tree.splitlines()):
        names = re.match(r" *((?:[\w.]+/? {1,2})+) ", line)[1].split()
        if not line.startswith(" "):
            folder = Path(names[0])
            places.add(folder)
        else:
            places |= {folder / name for name in names}
    assert [place for place in places if not (ROOT / place).exists()] == []
    rooms = {path.parent for package in PACKAGES for path in (ROOT / package).glob("*/__init__.py")}
    inside = {path.relative_to(ROOT) for path in rooms}
    described = {place for place in places if place.parts[0] in {"mskseg", "mskseg_studies"}}
    assert {room for room in inside if room.parts[0] in {"mskseg", "mskseg_studies"}} <= described


def test_the_places_that_the_map_names_in_full_exist():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    named = re.findall(r"`((?:mskseg|tests|notebooks|benchmarks)\w*/[\w./]+)`", text)
    assert named
    assert [name for name in named if "NN_" not in name and not (ROOT / name).exists()] == []
