"""Trainings and scorings on one bench: nothing twice, and each row with its role."""

from __future__ import annotations

import pytest
from support.small_sams import build_small_sam
from support.tuning_cases import TINY, draw_case

from mskseg.case import CaseSet
from mskseg.models.preprocessing import SamPreprocessing
from mskseg.models.segmenter import Segmenter
from mskseg.prompts import OracleBox
from mskseg_studies.tuning import bench as module
from mskseg_studies.tuning.bench import TuningBench
from mskseg_studies.tuning.subsets import Subset

KNOWN = {"dataset": "legs", "anatomy": "leg", "site": "A", "sequence": "t1"}


class Legs(Subset):
    """A subset that draws its scans."""

    def load(self, part, *, n_subjects, progress=True):
        named = [f"{part} {k}" for k in range(n_subjects)]
        return CaseSet(part, [draw_case(name, seed=len(name), **KNOWN) for name in named])


LEGS = Legs("legs", "anatomy", (("legs", "t1"),))


def scan(subject, **other):
    return draw_case(subject, seed=3, **(KNOWN | other))


@pytest.fixture
def segmenter():
    model = build_small_sam(0).requires_grad_(False)
    return Segmenter(model, SamPreprocessing(128), name="small")


@pytest.fixture
def bench(tmp_path):
    steps = {"test": 2}
    return TuningBench(tmp_path, n_validation=1, slice_steps=steps, progress=False)


def test_each_row_says_what_the_scan_is_to_the_model(bench, segmenter):
    result = bench.tune(segmenter, LEGS, n_subjects=1, config=TINY)
    cases = [
        scan("test 0"),
        scan("test 0", sequence="t2"),
        scan("validation 0", sequence="t2"),
        scan("other", dataset="knees", anatomy="knee"),
    ]
    outside = [scan("far", site="B"), scan("far", dataset="knees", anatomy="knee")]
    rows = bench.score(result, {"test": cases, "inference": outside})
    told = rows.drop_duplicates(["part", "dataset", "subject", "sequence"])
    assert told["role"].tolist() == [
        "same site",
        "other sequence",
        "training data",
        "other anatomy",
        "other site",
    ], "of other anatomies no whole volume is asked"
    assert set(rows["training_subset"]) == {"legs"}
    assert set(rows["chosen_by"]) == {"anatomy"}
    untuned = bench.score(segmenter, {"test": cases, "inference": outside})
    assert untuned["subject"].nunique() == 4
    assert set(untuned["training_subset"]) == {"zero-shot"}
    assert set(untuned["role"]) == {""}


def test_slices_are_stepped_by_part_and_whole_volumes_are_whole(bench, segmenter):
    case = draw_case("p", seed=0, n_slices=5, **KNOWN)
    rows = bench.score(segmenter, {"test": [case], "inference": [case]})
    of_part = rows.groupby("part")["slice"].unique()
    assert of_part["test"].tolist() == [0, 2, 4]
    assert of_part["inference"].tolist() == [0, 1, 2, 3, 4]


def test_nothing_is_trained_or_scored_twice(bench, segmenter, monkeypatch):
    calls = []
    real = module.score_cases
    monkeypatch.setattr(
        module, "score_cases", lambda *a, **k: calls.append(k["prompts"]) or real(*a, **k)
    )
    first = bench.tune(segmenter, LEGS, n_subjects=1, config=TINY)
    shown = []
    again = bench.tune(segmenter, LEGS, n_subjects=1, config=TINY, on_epoch=shown.append)
    assert again is first
    assert [history is first.history for history in shown] == [True], "its figure is drawn again"
    assert len(bench) == 1
    case = scan("test 0")
    for _ in range(2):
        bench.mean_dice(first, [case])
        bench.mean_dice(segmenter, [case])
    assert len(calls) == 2, "the tuned and the untuned model once each"
    bench.mean_dice(segmenter, [case], prompts=OracleBox(jitter_px=2))
    assert len(calls) == 3, "another plan is another score"


def test_a_model_that_tuning_did_not_help_is_still_told_from_the_untuned_one(bench, segmenter):
    """Its best epoch is 0, so the weights are those of the untuned model."""
    idle = bench.tune(segmenter, LEGS, n_subjects=1, config=TINY)
    idle.segmenter.model.load_state_dict(segmenter.model.state_dict())
    assert idle.segmenter.fingerprint == segmenter.fingerprint
    assert set(bench.score(idle, {"test": [scan("x")]})["training_subset"]) == {"legs"}
    assert set(bench.score(segmenter, {"test": [scan("x")]})["training_subset"]) == {"zero-shot"}
