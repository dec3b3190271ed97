"""From a table to a verdict: numbers that change, cells that vanish, what is ours."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from mskseg.errors import InputError
from mskseg.evaluation.tables import write_table
from mskseg_studies.claims.measuring import AbsentError, VanishedError, measure_table, select
from mskseg_studies.claims.rules import check_none_vanished, judge, ledger_table
from mskseg_studies.claims.statements import Claim, Measure

NOTEBOOK = "03_segment"
GAINS = np.array([0.04, 0.05, 0.06, 0.05, 0.04, 0.06])


def scores(gains=GAINS, *, miniature: bool = True) -> pd.DataFrame:
    """Six subjects, two tissues of one and three slices, two models `gains` apart."""
    rows = [
        {
            "dataset": "phantom_knee",
            "subject": f"knee-{k}",
            "tissue": tissue,
            "slice": index,
            "segmenter": segmenter,
            "miniature": miniature,
            "dice": 0.6 + 0.1 * (tissue == "femur") + shift,
        }
        for k, gain in enumerate(gains)
        for tissue, slices in (("femur", 1), ("meniscus", 3))
        for index in range(slices)
        for segmenter, shift in (("sam_vit_mini", gain), ("medsam_vit_mini", 0.0))
    ]
    return pd.DataFrame(rows)


def claim(**changes) -> Claim:
    measure = {
        "notebook": NOTEBOOK,
        "table": "03_scores.csv",
        "column": "dice",
        "first": {"segmenter": "sam_vit_*"},
        "second": {"segmenter": "medsam_vit_*"},
        "if_absent": "one model only",
        "unit": ["dataset", "subject"],
        "within": ["tissue"],
    }
    rule = {"direction": "above", "margin": 0.02, "smallest_n": 5, "why": "a test"}
    fields = {
        "id": "study-claim",
        "study": "study",
        "where": "here",
        "statement": "one is above the other",
        "published": "0.05",
        "measure": measure | changes.pop("measure", {}),
        "rule": rule | changes.pop("rule", {}),
    }
    return Claim.model_validate(fields | changes)


def written(folder: Path, table: pd.DataFrame, *, references=("synthetic",)) -> Path:
    facts = {"data": {"datasets": ["phantom_knee"], "references": list(references)}}
    write_table(table, folder / "03_scores.csv", provenance=facts)
    return folder


def judged(folder: Path, one: Claim, ran=(NOTEBOOK,)):
    (judgement,) = judge([one], tables=folder, ran=ran)
    return judgement


def test_a_change_of_the_numbers_flips_the_verdict(tmp_path):
    up = judged(written(tmp_path, scores()), claim())
    assert up.verdict == "holds here"
    assert up.value == pytest.approx(0.05)
    assert up.n == 6
    down = judged(written(tmp_path, scores(-GAINS)), claim())
    assert down.verdict == "does not hold here"
    assert down.value == pytest.approx(-0.05)
    unsure = judged(written(tmp_path, scores(GAINS * [3, -3, 3, -3, 3, 1])), claim())
    assert unsure.verdict == "inconclusive"


def test_the_interval_is_students_over_subjects():
    found = measure_table(scores(), claim().measure)
    expected = stats.t.interval(0.95, 5, loc=GAINS.mean(), scale=stats.sem(GAINS))
    assert found.interval == pytest.approx(expected)


def test_tissues_weigh_the_same_whatever_their_number_of_slices():
    table = scores()
    table.loc[(table["tissue"] == "meniscus") & (table["segmenter"] == "sam_vit_mini"), "dice"] -= 1
    assert measure_table(table, claim().measure).value == pytest.approx(0.05 - 0.5)


def test_it_says_what_it_was_measured_on(tmp_path):
    found = judged(written(tmp_path, scores()), claim())
    assert found.measured_on == "sam_vit_mini, medsam_vit_mini (miniature) on phantom_knee"
    official = scores(miniature=False).replace({"sam_vit_mini": "sam_vit_b"})
    found = judged(written(tmp_path, official), claim())
    assert "miniature)" not in found.measured_on


@pytest.mark.parametrize("of", ["models", "data"])
def test_what_we_built_ourselves_is_not_testable_whatever_the_number(tmp_path, of):
    ours = claim(construction={"of": [of], "why": "we made it"})
    for gains in (GAINS, -GAINS):
        found = judged(written(tmp_path, scores(gains)), ours)
        assert (found.verdict, found.why) == ("not testable here", "we made it")
        assert found.value == pytest.approx(gains.mean())  # beside it, as a curiosity


def test_nothing_follows_from_beating_a_model_that_was_hardly_trained(tmp_path):
    asked = {"column": "dice", "at_least": 0.5, "why": "nobody would use it"}
    one = claim(measure={"opponent": asked})
    assert judged(written(tmp_path, scores()), one).verdict == "holds here"
    low = scores().assign(dice=scores()["dice"] - 0.5)
    found = judged(written(tmp_path, low), one)
    assert found.verdict == "not testable here"
    assert found.value == pytest.approx(GAINS.mean())
    assert "is 0.15, asked 0.5: nobody would use it" in found.why
    with pytest.raises(VanishedError, match="no column iou"):
        measure_table(low, claim(measure={"opponent": asked | {"column": "iou"}}).measure)


def test_official_models_and_real_references_are_judged(tmp_path):
    ours = claim(construction={"of": ["models", "data"], "why": "we made it"})
    folder = written(tmp_path, scores(miniature=False), references=["manual"])
    assert judged(folder, ours).verdict == "holds here"


def test_what_is_not_known_about_a_table_counts_as_ours(tmp_path):
    write_table(scores().drop(columns="miniature"), tmp_path / "03_scores.csv", provenance={})
    found = judged(tmp_path, claim(construction={"of": ["models"], "why": "we made it"}))
    assert found.verdict == "not testable here"


def test_a_notebook_that_was_not_run_is_told_from_a_cell_that_vanished(tmp_path):
    found = judged(tmp_path, claim(), ran=())
    assert (found.verdict, found.vanished) == ("its notebook was not run", False)
    assert judged(tmp_path, claim()).vanished


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda t: t.drop(columns="dice"), "no column dice"),
        (lambda t: t.drop(columns="subject"), "no column subject"),
        (lambda t: t.assign(tissue="fibula"), r"no row has tissue \['femur', 'meniscus'\]"),
    ],
)
def test_a_claim_whose_cell_vanished_is_an_error_that_names_it(tmp_path, spoil, message):
    needs = claim(measure={"where": {"tissue": ["femur", "meniscus"]}})
    judgements = judge([needs], tables=written(tmp_path, spoil(scores())), ran=[NOTEBOOK])
    assert judgements[0].vanished
    with pytest.raises(InputError, match=f"study-claim: 03_scores.csv of 03_segment: .*{message}"):
        check_none_vanished(judgements)


def test_a_table_that_was_edited_by_hand_is_no_evidence(tmp_path):
    path = written(tmp_path, scores()) / "03_scores.csv"
    path.write_text(path.read_text(encoding="utf-8").replace("0.6", "0.9"), encoding="utf-8")
    found = judged(tmp_path, claim())
    assert found.vanished
    assert "was changed after its provenance" in found.why


def test_a_model_that_the_run_has_not_got_is_no_fault_of_the_notebook(tmp_path):
    one_model = scores().query("segmenter == 'sam_vit_mini'")
    found = judged(written(tmp_path, one_model), claim())
    assert (found.verdict, found.why) == ("not testable here", "one model only")
    with pytest.raises(VanishedError, match="no row has segmenter"):
        measure_table(one_model, claim(measure={"if_absent": ""}).measure)
    with pytest.raises(AbsentError):
        measure_table(one_model, claim().measure)


def ready(**columns) -> pd.DataFrame:
    rows = {"gain": [0.10, 0.04], "low": [0.05, 0.01], "high": [0.15, 0.07], "n": [6, 6]}
    return pd.DataFrame({"on": ["knee", "spine"], **rows, **columns})


def ready_measure(**changes) -> Measure:
    named = {"low": "low", "high": "high", "n": "n", "pick": "smallest"}
    return Measure.model_validate(
        {"notebook": NOTEBOOK, "table": "t.csv", "column": "gain", **named, **changes}
    )


def test_a_ready_interval_is_taken_from_the_row_that_is_picked():
    found = measure_table(ready(), ready_measure())
    assert (found.value, found.interval, found.n) == (0.04, (0.01, 0.07), 6)
    assert measure_table(ready(), ready_measure(pick="largest")).value == 0.10
    with pytest.raises(VanishedError, match="expected one row, got 2"):
        measure_table(ready(), ready_measure(pick=None))


def test_a_ready_row_without_an_interval_has_none():
    found = measure_table(ready(low=[np.nan, np.nan]), ready_measure())
    assert found.interval is None


def test_means_without_subjects_have_no_interval_and_judge_nothing():
    means = pd.DataFrame({"model": ["SAM", "nnU-Net"], "dice": [0.9, 0.8], "n_subjects": [6, 6]})
    measure = Measure(
        notebook=NOTEBOOK,
        table="t.csv",
        column="dice",
        first={"model": "SAM"},
        second={"model": "nnU-Net"},
        unit=["subject"],
        n="n_subjects",
    )
    found = measure_table(means, measure)
    assert found.value == pytest.approx(0.1)
    assert (found.interval, found.n) == (None, 6)


def test_relative_differences_and_correlations():
    table = scores().assign(opinion=lambda t: 2 * t["dice"] + 1)
    relative = measure_table(table, claim(measure={"relative": True}).measure)
    assert relative.value == pytest.approx((GAINS / 0.65).mean())
    alone = {"against": "opinion", "second": {}}
    assert measure_table(table, claim(measure=alone).measure).value == pytest.approx(1)


def test_selection_takes_patterns_lists_negation_and_extremes():
    table = pd.DataFrame(
        {"model": ["a_b", "a_c", "d"], "n": [1, 5, 20], "inside": [True, False, True]}
    )
    assert list(select(table, {"model": "a_*"})["n"]) == [1, 5]
    assert list(select(table, {"model": ["a_b", "d"]})["n"]) == [1, 20]
    assert list(select(table, {"model": ["!a_b", "!d"]})["n"]) == [5]
    assert list(select(table, {"n": "largest"})["model"]) == ["d"]
    assert list(select(table, {"n": "smallest", "inside": True})["model"]) == ["a_b"]
    assert list(select(table, {"n": 5})["model"]) == ["a_c"]


def test_the_table_has_a_row_for_every_claim(tmp_path):
    never = Claim(
        id="study-never",
        study="study",
        where="there",
        statement="nice",
        published="no number",
        not_testable="no number",
    )
    rows = ledger_table(judge([claim(), never], tables=tmp_path, ran=[]))
    assert list(rows["verdict"]) == ["its notebook was not run", "not testable here"]
