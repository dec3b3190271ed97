"""The rule that judges, and the file that holds the rules."""

from __future__ import annotations

import math
import re
from fnmatch import fnmatchcase
from pathlib import Path
from typing import get_args

import pandas as pd
import pytest
import yaml

from mskseg.case import TissueKind
from mskseg.datasets.manifest import load_manifest
from mskseg.errors import InputError
from mskseg_studies.claims.measuring import select
from mskseg_studies.claims.rules import rule_in_words, verdict
from mskseg_studies.claims.statements import Rule, claims_path, load_claims

ROOT = Path(__file__).parents[3]
STUDIES = ROOT.parent / "shared" / "studies"


def rule(direction: str, *, margin: float = 0.02, **others) -> Rule:
    return Rule(direction=direction, margin=margin, smallest_n=5, why="a test", **others)


def judged(direction: str, value: float, low: float, high: float, *, n: int = 6) -> str:
    return verdict(rule(direction), value, interval=(low, high), n=n)[0]


@pytest.mark.parametrize(
    ("direction", "value", "low", "high", "expected"),
    [
        ("above", 0.05, 0.01, 0.09, "holds here"),
        ("above", 0.05, -0.01, 0.11, "inconclusive"),
        ("above", 0.01, 0.005, 0.015, "does not hold here"),  # sure, and too small to count
        ("above", -0.05, -0.09, -0.01, "does not hold here"),
        ("at_least", 0.00, -0.01, 0.01, "holds here"),
        ("at_least", 0.00, -0.03, 0.03, "inconclusive"),
        ("at_least", -0.05, -0.06, -0.04, "does not hold here"),
        ("equal", 0.00, -0.01, 0.01, "holds here"),
        ("equal", 0.00, -0.03, 0.01, "inconclusive"),
        ("equal", 0.05, 0.03, 0.07, "does not hold here"),
    ],
)
def test_a_verdict_follows_from_interval_and_margin(direction, value, low, high, expected):
    assert judged(direction, value, low, high) == expected


@pytest.mark.parametrize(("one", "other"), [("above", "below"), ("at_least", "at_most")])
@pytest.mark.parametrize("value", [-0.05, -0.01, 0.0, 0.01, 0.05])
def test_the_two_ways_of_a_direction_mirror_each_other(one, other, value):
    low, high = value - 0.015, value + 0.015
    assert judged(one, value, low, high) == judged(other, -value, -high, -low)


def test_a_number_that_changes_flips_the_verdict():
    assert judged("above", 0.04, 0.03, 0.05) == "holds here"
    assert judged("above", -0.04, -0.05, -0.03) == "does not hold here"


def test_too_few_units_or_no_interval_or_no_number_is_inconclusive():
    assert judged("above", 0.5, 0.4, 0.6, n=4) == "inconclusive"
    assert verdict(rule("above"), 0.5, interval=None, n=6)[0] == "inconclusive"
    assert verdict(rule("above"), math.nan, interval=(0.4, 0.6), n=6)[0] == "inconclusive"


def test_a_count_needs_no_interval_and_has_to_be_the_very_number():
    exactly = rule("exactly", target=64, sampled=False)
    assert verdict(exactly, 64, interval=None, n=None)[0] == "as stated"
    assert verdict(exactly, 65, interval=None, n=None)[0] == "not as stated"


@pytest.mark.parametrize(
    ("direction", "words"),
    [
        ("above", "holds if the number is 0.02 or more AND the interval lies above 0;"),
        ("below", "holds if the number is -0.02 or less AND the interval lies below 0;"),
        ("at_least", "holds if the interval lies above -0.02;"),
        ("at_most", "holds if the interval lies below 0.02;"),
        ("equal", "holds if the interval lies between -0.02 and 0.02;"),
    ],
)
def test_a_rule_is_told_as_it_is_computed(direction, words):
    told = rule_in_words(rule(direction), units="trainings")
    assert told.startswith("With 5 trainings or more it ")
    assert words in told
    # both conditions of "above" count: a sure number under the margin, and an unsure one over it
    if direction == "above":
        assert judged("above", 0.019, 0.01, 0.03) == "inconclusive"
        assert judged("above", 0.021, -0.001, 0.04) == "inconclusive"
        assert judged("above", 0.021, 0.001, 0.04) == "holds here"


def test_a_count_is_told_without_an_interval():
    told = rule_in_words(rule("below", margin=0.5, sampled=False))
    assert told.startswith("It holds if the number is -0.5 or less; it does not if the number")


def test_people_of_several_data_sets_are_never_taken_for_independent():
    for claim in load_claims().claims:
        if claim.measure and "dataset" in claim.measure.unit:
            assert claim.measure.cluster == "dataset", claim.id


def test_a_missing_interval_is_explained():
    told = verdict(rule("above"), 0.5, interval=None, n=6, no_interval="four clusters")
    assert told == ("inconclusive", "four clusters")


def test_every_study_is_there_and_every_rule_has_margin_and_number_of_units():
    claims = load_claims()
    assert {claim.study for claim in claims.claims} == set(claims.studies)
    assert len(claims.studies) == 7
    for claim in claims.claims:
        if claim.rule and claim.rule.sampled:
            assert claim.rule.margin > 0, claim.id
            assert claim.rule.smallest_n >= 3, claim.id


def test_what_is_common_belief_has_no_published_number():
    beliefs = [claim for claim in load_claims().claims if claim.evidence == "common belief"]
    assert beliefs
    assert all(not claim.numbers and "not stated" in claim.published for claim in beliefs)


ABOUT_ANY_NETWORK = ["belief-ensembles-calibrate"]
OUR_DATA_ALONE = [
    *("hoyer-specific-beats-diverse", "ma-specialists-weaker-outside"),
    "belief-memory-holds-further",
]
OUR_MODELS_ALONE = [
    *("hoyer-sam-above-medsam", "ma-medsam-above-sam", "casali-medsam-no-advantage"),
    *("hu-resolution-encoder", "kirillov-predicted-iou"),
]


def test_every_sampled_claim_says_what_of_ours_decides_it():
    for claim in load_claims().claims:
        if claim.rule is None or not claim.rule.sampled or claim.id in ABOUT_ANY_NETWORK:
            continue
        assert claim.construction, claim.id
        of = set(claim.construction.of)
        if claim.id in OUR_DATA_ALONE:
            assert of == {"data"}, claim.id
        elif claim.id in OUR_MODELS_ALONE or claim.id.startswith("hoyer-medsam-"):
            assert "models" in of, claim.id
        else:
            assert of == {"models", "data"}, claim.id


# of texts that are not beside the checkout: stored web pages with the abstract
READ_ELSEWHERE = {"ravi_2024": ["3x", "6x"]}


def test_every_published_number_stands_in_the_studies_texts():
    if not STUDIES.is_dir():
        pytest.skip("no texts of the studies beside the checkout")
    text = "\n".join(path.read_text(encoding="utf-8") for path in STUDIES.glob("*.txt"))
    squeezed = re.sub(r"[\s$\\]|times", "", text).replace("×", "x")
    for claim in load_claims().claims:
        elsewhere = READ_ELSEWHERE.get(claim.study, [])
        for number in set(claim.numbers).difference(elsewhere):
            assert number.replace("×", "x").replace(" ", "") in squeezed, (claim.id, number)


def test_the_wheel_carries_the_claims():
    assert claims_path() == ROOT / "claims.yaml"
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert '"claims.yaml" = "mskseg_studies/claims.yaml"' in project


# filters


def filters() -> list[tuple[str, str, str]]:
    """Claim, column and value of every filter."""
    return [
        (claim.id, column, value)
        for claim in load_claims().claims
        if (measure := claim.measure)
        for wanted in (measure.where, measure.first, measure.second)
        for column, given in wanted.items()
        for value in (given if isinstance(given, list) else [given])
        if isinstance(value, str)
    ]


def test_no_filter_names_a_data_set_or_a_tissue():
    entries = load_manifest().datasets
    tissues = {name for entry in entries.values() for name in entry.labels.values()}
    words = {
        "group": get_args(TissueKind),
        "anatomy": {entry.anatomy for entry in entries.values()},
    }
    assert filters()
    for claim, column, value in filters():
        pattern = value.removeprefix("!")
        assert column not in ("dataset", "evaluated_on", "tissue", "label"), claim
        if column in words:  # a kind or an anatomy that is known, in its own column
            assert pattern in words[column], (claim, value)
        else:
            named = [name for name in {*entries, *tissues} if fnmatchcase(name, pattern)]
            assert not named, (claim, value, named[:3])


SPINE = ["hoyer-medsam-jagged-spine", "hoyer-medsam-underestimates-spine"]
PUBLIC = {  # data set, tissue: which claims on MedSAM's forms take it
    ("oai_zib", "femur"): ["hoyer-medsam-overestimates-bone", "hoyer-medsam-smooths-bone"],
    ("oai_zib", "femoral cartilage"): [],
    ("spider", "disc L3/L4"): SPINE,
    ("spider", "spinal canal"): [],
    ("tptbox_vertebra", "intervertebral disc"): SPINE,
    ("tptbox_vertebra", "vertebral body"): SPINE,
    ("tptbox_vertebra", "vertebral arch"): [],
    ("qmritools_thigh", "vastus lateralis right"): ["hoyer-medsam-jagged-thigh"],
    ("qmritools_thigh", "ilium left"): [],
    ("qmritools_thigh", "femur left"): [],
    ("phantom_hip", "proximal femur"): [],
}  # fmt: skip


@pytest.mark.parametrize(("dataset", "tissue"), PUBLIC)
def test_claims_on_forms_find_the_tissues_of_public_data_sets(dataset, tissue):
    entry = load_manifest().datasets[dataset]
    (label,) = [label for label, name in entry.labels.items() if name == tissue]
    row = pd.DataFrame(
        {
            "segmenter": ["medsam_vit_b"],
            "dataset": dataset,
            "tissue": tissue,
            "group": entry.label_kinds.get(label, "other"),
            "anatomy": entry.anatomy,
        }
    )
    takes = [
        claim.id
        for claim in load_claims().claims
        if claim.id.startswith("hoyer-medsam-") and len(select(row, claim.measure.first))
    ]
    assert sorted(takes) == sorted(PUBLIC[dataset, tissue])


def broken(tmp_path: Path, change) -> Path:
    content = yaml.safe_load((ROOT / "claims.yaml").read_text(encoding="utf-8"))
    change(content)
    path = tmp_path / "claims.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c["claims"].append(c["claims"][0]), "given twice: hoyer-sam-above-medsam"),
        (lambda c: c["claims"][0].update(study="nobody"), "no such study: nobody"),
        (lambda c: c["claims"][0].pop("rule"), "give a measure and a rule"),
        (lambda c: c["claims"][0]["rule"].update(direction="up"), r"claims.0.rule.direction"),
        (lambda c: c["claims"][0].update(verdict="holds"), r"claims.0.verdict"),
        (lambda c: c["claims"][0]["measure"].update(cluster="site"), "site is no column of unit"),
        (
            lambda c: c["claims"][0]["measure"].update(optional=True, if_absent=""),
            "an optional table needs if_absent",
        ),
        (lambda c: c["notes"][0].update(claims=["gone-claim"]), "names no claim: gone-claim"),
    ],
)
def test_a_faulty_ledger_is_refused_with_the_place(tmp_path, change, message):
    with pytest.raises(InputError, match=message) as caught:
        load_claims(broken(tmp_path, change))
    assert "\n" not in str(caught.value)


def test_a_missing_or_unreadable_ledger_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"claims\.yaml"):
        load_claims(tmp_path / "claims.yaml")
    for n, text in enumerate(
        ("claims: [", "claims: " + "[" * 5000, "claims: !!python/name:os.system")
    ):
        (tmp_path / f"{n}.yaml").write_text(text, encoding="utf-8")
        with pytest.raises(InputError, match=rf"{n}\.yaml is no YAML") as caught:
            load_claims(tmp_path / f"{n}.yaml")
        assert "\n" not in str(caught.value)
