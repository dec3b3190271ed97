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
from mskseg_studies.claims.rules import OURS, check_none_vanished, judge
from mskseg_studies.claims.statements import Claim, Measure
from mskseg_studies.claims.views import (
    disagreements,
    facts_table,
    ledger_table,
    short_table,
    text_table,
)

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


def written(folder: Path, table: pd.DataFrame, *, references=("synthetic",), **more) -> Path:
    facts = {"data": {"datasets": ["phantom_knee"], "references": list(references)}, **more}
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
    named = "sam_vit_mini (miniature); medsam_vit_mini (miniature)"
    assert found.measured_on == f"{named} on phantom_knee"
    official = scores(miniature=False).replace({"sam_vit_mini": "sam_vit_b"})
    found = judged(written(tmp_path, official), claim())
    assert "miniature)" not in found.measured_on


def test_a_pool_of_models_names_each_and_marks_the_miniatures_alone(tmp_path):
    table = scores().rename(columns={"segmenter": "model"})
    small = table["model"] == "medsam_vit_mini"
    table = table.replace({"sam_vit_mini": "sam_vit_b"}).assign(miniature=small)
    named = {"first": {"model": "sam_vit_b"}, "second": {"model": "medsam_vit_*"}}
    folder = written(tmp_path, table, segmenter={"name": "sam_vit_b", "miniature": False})
    found = judged(folder, claim(measure=named))
    assert found.measured_on == "sam_vit_b; medsam_vit_mini (miniature) on phantom_knee"


@pytest.mark.parametrize("of", ["models", "data"])
def test_what_we_built_ourselves_is_not_testable_whatever_the_number(tmp_path, of):
    ours = claim(construction={"of": [of], "why": "we made it"})
    for gains in (GAINS, -GAINS):
        found = judged(written(tmp_path, scores(gains)), ours)
        assert (found.verdict, found.why) == ("not testable here", f"{OURS}: we made it")
        assert found.value == pytest.approx(gains.mean())  # beside it, as a curiosity


def test_nothing_follows_from_beating_a_model_that_was_hardly_trained(tmp_path):
    asked = {"column": "dice", "at_least": 0.5, "why": "nobody would use it"}
    one = claim(measure={"opponent": asked})
    assert judged(written(tmp_path, scores()), one).verdict == "holds here"
    low = scores().assign(dice=scores()["dice"] - 0.5)
    found = judged(written(tmp_path, low), one)
    assert found.verdict == "not testable here"
    assert found.value == pytest.approx(GAINS.mean())
    assert found.why == (
        "the opponent's dice is 0.15, asked 0.5: nobody would use it; without this rule: holds here"
    )
    with pytest.raises(VanishedError, match="no column iou"):
        measure_table(low, claim(measure={"opponent": asked | {"column": "iou"}}).measure)


@pytest.mark.parametrize("of", [["models"], ["data"], ["models", "data"]])
@pytest.mark.parametrize("miniature", [True, False])
@pytest.mark.parametrize("dataset", ["phantom_knee", "oai_zib", "a reader's own"])
def test_only_what_none_of_our_construction_made_is_judged(tmp_path, of, miniature, dataset):
    ours = claim(construction={"of": of, "why": "we made it"})
    table = scores(miniature=miniature).assign(dataset=dataset)
    drawn = dataset == "phantom_knee"
    folder = written(tmp_path, table, references=["synthetic"] if drawn else ["manual"])
    made = ("models" in of and miniature) or ("data" in of and drawn)
    found = judged(folder, ours)
    assert found.verdict == ("not testable here" if made else "holds here")
    assert found.why.startswith(OURS) == made
    assert found.value == pytest.approx(GAINS.mean())


@pytest.mark.parametrize("column", ["dataset", "reference_provenance"])
def test_real_people_are_judged_by_themselves_where_phantoms_are_in_the_table_too(tmp_path, column):
    ours = claim(construction={"of": ["models", "data"], "why": "we made it"})
    drawn = scores(-GAINS, miniature=False)
    real = scores(miniature=False).assign(dataset="oai_zib" if column == "dataset" else "own")
    both = pd.concat([drawn, real])
    if column == "reference_provenance":
        both[column] = np.where(both["dataset"] == "own", "manual", "synthetic")
    found = judged(written(tmp_path, both, references=["manual", "synthetic"]), ours)
    assert (found.verdict, found.n) == ("holds here", 6)
    assert "phantom" not in found.measured_on
    assert found.value == pytest.approx(GAINS.mean())


# people of one data set are not independent, and inside and outside are different people


def pooled(datasets: int, people: int = 2) -> pd.DataFrame:
    """Gains that differ between data sets and not within them."""
    parts = [scores([0.02 + 0.02 * k] * people).assign(dataset=f"set {k}") for k in range(datasets)]
    return pd.concat(parts)


CLUSTERED = {"cluster": "dataset"}


@pytest.mark.parametrize("datasets", [2, 4])
@pytest.mark.parametrize("people", [1, 3])
def test_people_of_few_data_sets_give_no_interval(tmp_path, datasets, people):
    table = pooled(datasets, people)
    one = claim(measure=CLUSTERED, rule={"smallest_n": 2})
    found = judged(written(tmp_path, table), one)
    assert (found.verdict, found.interval, found.n) == ("inconclusive", None, datasets * people)
    assert f"{datasets} clusters, and an interval needs 5" in found.why
    assert measure_table(table, claim().measure).interval is not None  # as if independent


def test_the_interval_of_clusters_is_that_of_their_means():
    found = measure_table(pooled(5), claim(measure=CLUSTERED).measure)
    means = [0.02, 0.04, 0.06, 0.08, 0.10]
    expected = stats.t.interval(0.95, 4, loc=np.mean(means), scale=stats.sem(means))
    assert found.interval == pytest.approx(expected)
    assert (found.value, found.n) == (pytest.approx(0.06), 10)


def test_people_of_one_data_set_are_the_units_themselves():
    plain, clustered = (measure_table(scores(), claim(measure=m).measure) for m in ({}, CLUSTERED))
    assert clustered.interval == plain.interval


SIDES = {
    "first": {"role": "same site"},
    "second": {"role": "other site"},
    "independent": True,
    "cluster": "dataset",
}


def inside_and_outside(inside, outside) -> pd.DataFrame:
    sets = [("same site", "a", inside), ("other site", "b", outside)]
    return pd.DataFrame(
        {"role": role, "dataset": name, "subject": f"{k}", "tissue": "femur", "dice": dice}
        for role, name, values in sets
        for k, dice in enumerate(values)
    )


def test_two_groups_of_people_are_compared_by_welch_and_not_joined():
    inside, outside = [0.9, 0.88, 0.91, 0.87, 0.9], [0.7, 0.5, 0.8, 0.6, 0.75, 0.7, 0.66]
    found = measure_table(inside_and_outside(inside, outside), claim(measure=SIDES).measure)
    expected = stats.ttest_ind(inside, outside, equal_var=False)
    assert found.value == pytest.approx(np.mean(inside) - np.mean(outside))
    assert found.interval == pytest.approx(tuple(expected.confidence_interval(0.95)))
    assert found.n == 5
    paired = measure_table(
        inside_and_outside(inside, outside), claim(measure=SIDES | {"independent": False}).measure
    )
    assert paired.n == 0  # nobody is on both sides


def test_the_same_people_on_both_sides_are_pairs_and_some_on_both_are_neither():
    table = inside_and_outside([0.9, 0.8, 0.7], [0.8, 0.7, 0.6]).assign(dataset="a")
    measure = claim(measure=SIDES).measure
    assert measure_table(table, measure).interval == pytest.approx((0.1, 0.1))
    more = inside_and_outside([0.9, 0.8, 0.7], [0.8, 0.7, 0.6, 0.5]).assign(dataset="a")
    found = measure_table(more, measure)
    assert found.interval is None
    assert "some people are on both sides" in found.no_interval


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


def test_a_table_that_a_run_may_do_without_has_not_vanished_where_it_is_not_there(tmp_path):
    optional = claim(measure={"optional": True})
    (tmp_path / "empty").mkdir()
    folders = [tmp_path, written(tmp_path / "empty", scores().head(0))]
    for folder in folders:
        found = judged(folder, optional)
        assert (found.verdict, found.why) == ("not testable here", "one model only")
        assert judged(folder, claim()).vanished
    assert judged(written(tmp_path, scores()), optional).verdict == "holds here"
    renamed = scores().rename(columns={"dice": "overlap"})
    assert judged(written(tmp_path, renamed), optional).vanished


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


def test_a_relative_difference_is_divided_by_the_second_number():
    relative = measure_table(scores(), claim(measure={"relative": True}).measure)
    assert relative.value == pytest.approx((GAINS / 0.65).mean())


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
    assert list(select(table, {"n": ">= 5"})["model"]) == ["a_c", "d"]
    assert list(select(table, {"n": "!>= 5"})["model"]) == ["a_b"]


def test_the_table_has_a_row_for_every_claim(tmp_path):
    never = Claim(
        id="study-never",
        study="study",
        where="there",
        statement="nice",
        published="no number",
        not_testable="no number",
    )
    judgements = judge([claim(), never], tables=tmp_path, ran=[])
    rows = ledger_table(judgements)
    assert list(rows["verdict"]) == ["its notebook was not run", "not testable here"]
    for view in (rows, short_table(judgements), facts_table([]), disagreements([], [])):
        assert view.columns[0] == "statement"


def test_two_runs_that_disagree_stand_beside_each_other_with_what_differs(tmp_path):
    of = {"segmenter": {"name": "sam_vit_mini", "sha256": "f" * 64, "miniature": True}}
    here = judged(written(tmp_path, scores(), **of), claim())
    of["segmenter"]["sha256"] = "0" * 64
    there = judged(written(tmp_path, scores(-GAINS[:5]), **of), claim())
    (row,) = disagreements([here], [there]).to_dict("records")
    assert row["statement"] == here.claim.statement
    assert row["this run"].startswith("holds here: +0.050")
    assert row["the other run"].startswith("does not hold here: -0.048")
    assert "weights ffffffff" in row["what differs"]
    assert "weights 00000000" in row["what differs"]
    assert "n: 6 here, 5 there" in row["what differs"]
    assert disagreements([here], [here]).empty


def test_a_table_of_texts_has_names_of_rows_but_no_numbers():
    table = pd.DataFrame({"what": ["a <b>"]})
    assert "row_heading" not in text_table(table).to_html()
    assert "a &lt;b&gt;" in text_table(table).to_html()
    assert "row_heading" in text_table(table.set_axis(["rule"])).to_html()
