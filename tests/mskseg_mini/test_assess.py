"""The bars, their table in the model card, and the measures behind them."""

from __future__ import annotations

import math
from pathlib import Path

import pandas as pd
import pytest

import mskseg
from mskseg.datasets.manifest import load_manifest
from mskseg.provenance import read_provenance
from mskseg_mini import assess
from mskseg_mini.assess import BARS, PHANTOMS, REAL, Sizes, markdown
from mskseg_mini.scenes import SCENES_VERSION

FOLDER = Path(assess.__file__).parent
TABLE = FOLDER / "assessed.csv"
FACTS = {
    "segmenter": {"sha256": "f00d" * 16},
    "written": "2026-11-21T00:00:00",
    "hardware": {"processor": "a processor"},
}


def rows_of(**columns: list) -> pd.DataFrame:
    """Rows as `score_cases` gives them, of as many pairs as the columns are long."""
    count = len(next(iter(columns.values())))
    fixed = {
        "segmenter": "mini", "prompt": "box", "box_source": "oracle", "status": "scored",
        "miniature": True, "dataset": "d", "subject": "s", "sequence": "t1w", "site": "A",
        "side": "", "visit": "", "plane": "axial", "label": 1, "tissue": "muscle", "n_prompts": 1,
        "group": "solid", "filled_box_dice": 0.5, "iou": 0.5, "predicted_iou": 0.5,
    }  # fmt: skip
    return pd.DataFrame({**fixed, "slice": range(count), **columns}, index=range(count))


# the card


def test_the_cards_table_was_made_with_the_shipped_weights():
    """After new weights: ``python -m mskseg_mini.assess --csv mskseg_mini/assessed.csv``."""
    facts = read_provenance(TABLE)
    assert facts["scenes_version"] == SCENES_VERSION
    assert facts["segmenter"]["sha256"] == mskseg.load_segmenter("sam_vit_mini").fingerprint
    section = markdown(pd.read_csv(TABLE), facts)
    assert facts["segmenter"]["sha256"][:12] in section
    assert section in (FOLDER / "README.md").read_text(encoding="utf-8")


def test_the_cards_table_holds_every_bar():
    table = pd.read_csv(TABLE)
    assert set(table["data"]) >= set(BARS["data"])
    assert len(table[table["section"] == "tissues"]) == 40


# the bars


@pytest.mark.parametrize(
    ("key", "value", "met"),
    [
        ("scenes_point", 0.8, "aim"),
        ("scenes_point", 0.7, "floor"),
        ("scenes_point", 0.6, "no"),
        ("femur", 0.6, "no"),  # has an aim alone
        ("scenes_box", 0.6, ""),  # has no bar
        ("scenes_point", math.nan, ""),
    ],
)
def test_a_value_meets_the_highest_bar_that_it_reaches(key, value, met):
    assert assess._row(key, value, "somewhere")["met"] == met


def test_the_table_says_what_is_missing_and_which_tissue_is_below_its_box():
    solid = assess._row("solid", 0.9, "9 pairs", 0.7)
    drawn = rows_of(dice=[0.4, 0.9], tissue=["fat", "bone"], dataset=["phantom_x"] * 2)
    rows = [solid, *assess.real_rows("qmritools_leg", None), *assess.tissue_rows(drawn)]
    text = markdown(pd.DataFrame(rows), FACTS)
    assert (
        "| phantom bones, vertebrae, discs, muscles | 0.900 | 0.700 | 0.850 | 0.920 | floor |"
        in text
    )
    assert "| real lower leg, axial | - | - | 0.800 | 0.860 | - | not fetched |" in text
    assert "| x: fat | 0.400 | 0.500 | below the box | 1 slices |" in text
    assert "| x: bone | 0.900 | 0.500 | above the box | 1 slices |" in text
    assert "f00df00df00d" in text


# scans


def test_every_tissue_of_the_phantoms_has_a_group():
    entries = [load_manifest().datasets[name] for name in PHANTOMS]
    kinds = {e.labels[label]: kind for e in entries for label, kind in e.label_kinds.items()}
    groups = {tissue: assess._GROUPS.get(kind, "solid") for tissue, kind in kinds.items()}
    assert {t for t in groups if not groups[t]} == {"subcutaneous fat", "spinal canal"}
    thin = {t for t in groups if "cartilage" in t or "menisc" in t}
    assert {t for t in groups if groups[t] == "thin"} == thin


def test_the_means_are_over_slices_then_labels_then_subjects():
    table = rows_of(
        dice=[1.0, 0.8, 0.5, 0.7],
        label=[1, 1, 2, 1],
        tissue=["a", "a", "b", "a"],
        subject=["s", "s", "s", "t"],
    )
    thin = rows_of(dice=[0.3]).assign(group="cartilage", tissue="cartilage")
    solid, above, small, _ = assess.phantom_rows(pd.concat([table, thin], ignore_index=True))
    assert solid["value"] == pytest.approx(((0.9 + 0.5) / 2 + 0.7) / 2)
    assert solid["measured_on"] == "2 subjects, 2 labels, 4 slices, 4 pairs"
    assert above["value"] == 0.5  # b: 0.5 is not above its box of 0.5
    assert small["value"] == pytest.approx(0.3)


def test_predicted_iou_is_compared_where_one_prompt_has_one_true_iou():
    table = rows_of(
        iou=[0.1, 0.5, 0.9, 0.9],
        predicted_iou=[0.2, 0.4, 0.6, 0.0],
        n_prompts=[1, 1, 1, 2],
        dice=[0.5] * 4,
    )
    *_, r = assess.phantom_rows(table)
    assert r["value"] == pytest.approx(1)
    assert r["measured_on"] == "3 boxes"


def test_a_real_scan_that_is_not_here_is_not_fetched(monkeypatch):
    monkeypatch.setattr(assess, "is_fetched", lambda _: False)
    segmenter = mskseg.load_segmenter("sam_vit_mini")
    for name in REAL:
        assert assess.score_real(segmenter, name, Sizes()) is None
        assert {row["measured_on"] for row in assess.real_rows(name, None)} == {"not fetched"}


@pytest.mark.slow
def test_the_command_measures_every_bar_and_keeps_the_table(tmp_path, capsys):
    path = tmp_path / "assessed.csv"
    few = "--subjects 1 --sequences 1 --slice-step 12 --real-slice-step 12 --batches 1 --medical 8"
    assess.main([*few.split(), "--csv", str(path)])
    table, facts = pd.read_csv(path), read_provenance(path)
    assert set(table["data"]) >= set(BARS["data"])
    assert table.loc[table["data"] == BARS.loc["solid", "data"], "value"].between(0.6, 1).all()
    assert markdown(table, facts) in capsys.readouterr().out
