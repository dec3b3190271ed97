"""The bars, their table in the model card, and the measures behind them."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import torch

import mskseg
from mskseg.datasets.manifest import load_manifest
from mskseg.errors import InputError
from mskseg.evaluation.scoring import score_cases
from mskseg.prompts.plans import OracleBox
from mskseg.provenance import read_provenance
from mskseg_mini.assessment import measures
from mskseg_mini.assessment.assess import CARD
from mskseg_mini.assessment.bars import (
    BARS,
    BEGIN,
    END,
    Bar,
    Measure,
    Sizes,
    bars_table,
    markdown,
    with_section,
)
from mskseg_mini.assessment.measures import (
    PHANTOMS,
    bar_group,
    iou_correlation,
    phantom_measures,
    real_measures,
    score_real,
    tissue_measures,
)
from mskseg_mini.scenes import SCENES_VERSION, SceneBatch
from mskseg_phantom import make_phantom

TABLE = CARD.parent / "assessment" / "bars.csv"
FACTS = {
    "segmenter": {"sha256": "f00d" * 16},
    "written": "2026-11-21T00:00:00",
    "hardware": {"processor": "a processor"},
    "threads": 2,
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
    """After new weights: ``assess --csv mskseg_mini/assessment/bars.csv --card``."""
    facts = read_provenance(TABLE)
    assert facts["scenes_version"] == SCENES_VERSION
    assert facts["segmenter"]["sha256"] == mskseg.load_segmenter("sam_vit_mini").fingerprint
    section = markdown(pd.read_csv(TABLE), facts)
    assert facts["segmenter"]["sha256"][:12] in section
    assert section in CARD.read_text(encoding="utf-8")


def test_the_cards_table_holds_every_bar():
    table = pd.read_csv(TABLE)
    assert set(table["data"]) >= {bar.data for bar in BARS.values()}
    assert len(table[table["section"] == "tissues"]) == 40


def test_a_section_replaces_what_stood_between_the_markers_and_nothing_else():
    card = f"before\n{BEGIN}\nold\n{END}\nafter\n"
    once = with_section(card, "new \\1")
    assert once == f"before\n{BEGIN}\n\nnew \\1\n\n{END}\nafter\n"
    assert with_section(once, "new \\1") == once


@pytest.mark.parametrize("card", ["no markers", f"{BEGIN}\n", f"{END}\n{BEGIN}\n"])
def test_a_card_without_its_markers_is_refused(card):
    with pytest.raises(InputError, match="does not hold the markers"):
        with_section(card, "table")


# the bars


@pytest.mark.parametrize(
    ("bar", "value", "met"),
    [
        (Bar("a", 0.5, 0.7), 0.7, "aim"),
        (Bar("a", 0.5, 0.7), 0.6, "floor"),
        (Bar("a", 0.5, 0.7), 0.4, "no"),
        (Bar("a", aim=0.7), 0.6, "no"),
        (Bar("a"), 0.6, ""),
        (Bar("a", 0.5), math.nan, ""),
        (Bar("a", 100, at_most=True), 99, "floor"),
        (Bar("a", 100, at_most=True), 101, "no"),
    ],
)
def test_a_value_meets_the_highest_bar_that_it_reaches(bar, value, met):
    assert bar.met_by(value) == met


def test_the_table_says_what_is_missing_and_which_tissue_is_below_its_box():
    bars = bars_table(
        [Measure("solid", 0.9, "9 pairs", 0.7), *real_measures("qmritools_leg", None)]
    )
    tissues = bars_table(
        [Measure("x: fat", 0.4, "2 slices", 0.5), Measure("x: bone", 0.9, "2 slices", 0.5)],
        section="tissues",
    )
    text = markdown(pd.concat([bars, tissues]), FACTS)
    assert (
        "| phantom bones, vertebrae, discs, muscles | 0.900 | 0.700 | 0.850 | 0.920 | floor |"
        in text
    )
    assert "| real lower leg, axial | - | - | 0.800 | 0.860 | - | not fetched |" in text
    assert "| x: fat | 0.400 | 0.500 | below the box | 2 slices |" in text
    assert "| x: bone | 0.900 | 0.500 | above the box | 2 slices |" in text
    assert "f00df00df00d" in text


# scans


def test_every_tissue_of_the_phantoms_has_a_group():
    entries = [load_manifest().datasets[name] for name in PHANTOMS]
    kinds = {e.labels[label]: kind for e in entries for label, kind in e.label_kinds.items()}
    tissues = [tissue for e in entries for tissue in e.labels.values()]
    groups = pd.Series({tissue: bar_group(kinds[tissue]) for tissue in tissues})
    assert set(groups.index[groups == "no bar"]) == {"subcutaneous fat", "spinal canal"}
    assert set(groups.index[groups == "thin"]) == {
        tissue for tissue in tissues if "cartilage" in tissue or "menisc" in tissue
    }


def test_the_means_are_over_slices_then_labels_then_subjects():
    table = rows_of(
        dice=[1.0, 0.8, 0.5, 0.7],
        label=[1, 1, 2, 1],
        tissue=["a", "a", "b", "a"],
        subject=["s", "s", "s", "t"],
    )
    thin = rows_of(dice=[0.3]).assign(group="thin", tissue="cartilage")
    solid, below, small = phantom_measures(pd.concat([table, thin], ignore_index=True))
    assert solid.value == pytest.approx(((0.9 + 0.5) / 2 + 0.7) / 2)
    assert solid.measured_on == "2 subjects, 2 labels, 4 slices, 4 pairs"
    assert below.value == 1  # b: 0.5 is not above its box of 0.5
    assert small.value == pytest.approx(0.3)


def test_predicted_iou_is_compared_where_one_prompt_has_one_true_iou():
    table = rows_of(
        iou=[0.1, 0.5, 0.9, 0.9],
        predicted_iou=[0.2, 0.4, 0.6, 0.0],
        n_prompts=[1, 1, 1, 2],
        dice=[0.5] * 4,
    )
    r = iou_correlation(table)
    assert r.value == pytest.approx(1)
    assert r.measured_on == "3 boxes"


def test_a_real_scan_that_is_not_in_the_cache_is_not_fetched():
    segmenter = mskseg.load_segmenter("sam_vit_mini")
    assert score_real(segmenter, "qmritools_thigh", Sizes()) is None
    assert [m.measured_on for m in real_measures("qmritools_thigh", None)] == ["not fetched"] * 2


def test_tissues_are_named_with_their_anatomy():
    case = make_phantom("spine", 17, shape=(64, 64, 3))
    segmenter = mskseg.load_segmenter("sam_vit_mini")
    table = score_cases(segmenter, case, prompts=OracleBox(), progress=False)
    named = tissue_measures(table)
    assert named
    assert all(each.key.startswith("spine: ") for each in named)


# scenes


class HalfThenWhole:
    """Answers the first point with half of the object, later ones with all; notes the calls."""

    def __init__(self, mask: np.ndarray) -> None:
        self.mask, self.points = mask, []

    def predict(self, embedding, *, point_coords, point_labels, mask_logits=None, multimask=False):
        self.points.append((len(point_coords), mask_logits is not None, multimask))
        half = self.mask & (np.arange(self.mask.shape[1]) < np.flatnonzero(self.mask.any(0)).mean())
        answer = half if multimask else self.mask
        masks = (
            np.stack([np.zeros_like(half), half, np.zeros_like(half)])[None]
            if multimask
            else (answer[None, None])
        )
        return type("P", (), {"masks": masks, "low_res_logits": np.zeros((1, len(masks[0]), 4, 4))})


def test_the_gain_is_from_the_best_of_three_masks_to_the_last_correction():
    mask = np.zeros((64, 64), bool)
    mask[20:40, 10:50] = True
    segmenter = HalfThenWhole(mask)
    gain = measures._gain(segmenter, None, mask)
    assert gain == pytest.approx(1 - 2 * 0.5 / 1.5, abs=0.03)
    assert segmenter.points == [
        (1, False, True),
        (2, True, False),
        (3, True, False),
        (4, True, False),
    ]


def test_automatic_masks_count_the_objects_that_one_mask_meets(monkeypatch):
    """A generator that finds all that is bright finds the one bright object, not the grey one."""
    label_maps = torch.zeros(1, 256, 256, dtype=torch.int64)
    label_maps[:, 20:60, 20:60], label_maps[:, 100:140, 100:140] = 1, 2
    groups = torch.zeros(1, 2, 3, dtype=torch.bool)
    groups[0, 0, 1] = groups[0, 1, 2] = True
    scene = SceneBatch(label_maps * 100.0, label_maps, groups, torch.ones(1, 2), label_maps < 0)

    class Maker:
        def __init__(self, model, **settings):
            assert settings == measures.AUTOMATIC

        def generate(self, image):
            assert (image.shape, image.dtype) == ((256, 256, 3), np.uint8)
            return [{"segmentation": image[..., 0] >= 200}]

    monkeypatch.setattr(measures, "SamAutomaticMaskGenerator", Maker)
    monkeypatch.setattr(measures, "random_scenes", lambda *_, **__: scene)
    segmenter = mskseg.load_segmenter("sam_vit_mini")
    sizes = Sizes(automatic=1)
    measure = measures.automatic_measure(segmenter, sizes)
    assert measure.value == 0.5
    assert measure.measured_on.startswith("2 objects of 1 scenes, 1 masks; points_per_side 32")


def test_ranked_slices_are_those_of_the_table_best_first_with_their_predictions(monkeypatch):
    case = make_phantom("thigh", 17, shape=(96, 96, 5))
    monkeypatch.setattr(measures, "REAL", {case.dataset: "axial"})
    monkeypatch.setattr(measures, "load_cases", lambda *_, **__: [case])
    segmenter = mskseg.load_segmenter("sam_vit_mini")
    table = score_cases(segmenter, case, prompts=OracleBox(), progress=False)
    means = table[table["status"] == "scored"].groupby("slice")["dice"].mean()
    ranked = measures.ranked_slices(segmenter, [table], count=2)
    order = means.sort_values(ascending=False).index.tolist()
    assert [one.case_slice.index for one in ranked["best"]] == order[:2]
    assert [one.case_slice.index for one in ranked["worst"]] == order[-2:]
    best = ranked["best"][0]
    assert best.dice == pytest.approx(means.max())
    labels = np.unique(best.prediction[best.prediction > 0]).tolist()
    label = labels[0]
    assert (best.case_slice.label_map[best.prediction == label] == label).mean() > 0.5
