"""Numbers of people, ways to tune and kinds of boxes, compared on one bench."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from mskseg.case import CaseSlice
from mskseg.evaluation.prediction import LabelPrediction
from mskseg.finetuning import FineTuneConfig
from mskseg.prompts import OracleBox, Prompt
from mskseg_studies import tuning


class Bench:
    """Gains 0.1 for each person tuned on, half of it at the other site; training Dice is 1."""

    def tune(self, segmenter, subset, *, n_subjects, config):
        costs = {"trainable_parameters": 7, "seconds": 1.0, "peak_memory_mb": 2.0}
        history = pd.DataFrame({"validation_dice": [0.4, 0.45]})
        return SimpleNamespace(
            n=n_subjects, config=config, history=history, best_epoch=1, stopped="", **costs
        )

    def score(self, result, parts):
        return pd.DataFrame(
            {"training_subset": "s", "chosen_by": "anatomy", "role": "same site", "dataset": "d",
             "anatomy": "a", "sequence": "t1w", "part": "test", "subject": ["p", "q"],
             "tissue": "bone", "slice": 0, "status": "scored",
             "dice": 0.1 * result.n + 0.01 * result.config.seed}
        )  # fmt: skip

    def mean_dice(self, model, cases, *, part="test", prompts=None):
        if part == "train":
            return 1.0
        loose = 0.0 if prompts is None else prompts.margin_px / 10
        return 0.5 + 0.1 * getattr(model, "n", 0) * (0.5 if cases == ["far"] else 1) - loose


def test_each_number_of_people_is_tuned_with_each_seed_and_scored_by_person():
    sizes = tuning.tune_in_sizes(
        Bench(), None, None, FineTuneConfig(), sizes=[1, 2], seeds=[0, 1], parts={}
    )
    means = sizes.groupby(["n_subjects", "seed"])["dice"].mean()
    assert means.tolist() == pytest.approx([0.1, 0.11, 0.2, 0.21])
    assert len(sizes) == 8
    assert set(sizes["dataset"]) == {"d"}


def test_a_way_to_tune_says_what_it_gained_here_and_elsewhere_and_what_it_cost():
    base = SimpleNamespace(name="m", miniature=True)
    subset = SimpleNamespace(load=lambda part, *, n_subjects, progress: ["own"] * n_subjects)
    ways = [(base, "lora", 2, 0), (base, "decoder", 1, 3)]
    parts = {"test": ["near"], "inference": ["far"]}
    table = tuning.tune_in_ways(Bench(), subset, FineTuneConfig(), ways, parts=parts)
    assert table["mode"].tolist() == ["lora", "decoder"]
    assert table["gain"].tolist() == pytest.approx([0.2, 0.1])
    assert table["gain_other_site"].tolist() == pytest.approx([0.1, 0.05])
    assert table["training_minus_test"].tolist() == pytest.approx([0.3, 0.4])
    assert set(table["validation_dice"]) == {0.45}
    alone = tuning.tune_in_ways(
        Bench(), subset, FineTuneConfig(), ways[:1], parts={"test": ["near"]}
    )
    assert alone["gain_other_site"].isna().all()


def test_what_is_lost_by_looser_boxes_stands_beside_both():
    plans = {"tight": OracleBox(), "loose": OracleBox(margin_px=2)}
    models = {"untuned": SimpleNamespace(), "tuned": SimpleNamespace(n=1)}
    table = tuning.dice_by_boxes(Bench(), models, ["near"], plans)
    assert table.loc["tuned"].tolist() == pytest.approx([0.6, 0.4, 0.2])
    assert table.index.name == "tuned"


def test_an_object_is_drawn_before_and_after_near_its_box():
    labels = np.zeros((60, 60), dtype=np.uint8)
    labels[20:30, 20:30] = 1
    before = LabelPrediction(
        CaseSlice(labels * 9, labels, (1.0, 1.0), "axial", 0), 1, labels > 0,
        Prompt(np.array([[20.0, 20, 30, 30]])), 100,
    )  # fmt: skip
    axes = tuning.before_and_after(before, labels > 0, titles=["before", "after"])
    assert [ax.get_title() for ax in axes] == ["before", "after"]
    assert axes[0].get_xlim()[1] < 60
