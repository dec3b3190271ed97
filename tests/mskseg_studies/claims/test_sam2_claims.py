"""The claims of and about SAM 2, on tables as a run with its weights would write them."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from mskseg.evaluation.tables import write_table
from mskseg_studies.claims.measuring import measure_table
from mskseg_studies.claims.output_ledger import judge_output
from mskseg_studies.claims.rules import OURS, judge
from mskseg_studies.claims.statements import load_claims

CLAIMS = {claim.id: claim for claim in load_claims().claims}
READ_ONLY = [claim for claim in CLAIMS.values() if claim.study in ("hoyer_2025", "ravi_2024")]
FOLLOWED = "belief-memory-holds-further"
ON_PEOPLE = {"segmenter": {"miniature": False}, "data": {"references": ["manual"]}}


def followed(far: float = 0.1, *, people: int = 6, dataset: str = "oai_zib") -> pd.DataFrame:
    """Two tissues of six people on both sides of the slice that was prompted, every 4 mm.

    Memory is level with boxes near it and `far` above them from 10 mm on. Boxes go on for longer.
    """
    rows = [
        {
            "segmenter": "sam2_1_tiny",
            "way": way,
            "dataset": dataset,
            "subject": f"{k}",
            "label": label,
            "tissue": f"tissue {label}",
            "distance_mm": 4.0 * abs(step),
            "dice": 0.7 + 0.01 * k + far * (way == "memory" and abs(step) > 2),
        }
        for k in range(people)
        for label in (1, 2)
        for way in ("boxes", "memory")
        for step in range(-5, 6)
    ]
    return pd.DataFrame(rows)


def judged(folder: Path, name: str, table: pd.DataFrame, facts: dict = ON_PEOPLE):
    claim = CLAIMS[name]
    write_table(table, folder / claim.measure.table, provenance=facts)
    (found,) = judge([claim], tables=folder, ran=[claim.measure.notebook])
    return found


@pytest.mark.parametrize(
    ("far", "verdict"),
    [(0.1, "holds here"), (0.01, "does not hold here"), (-0.1, "does not hold here")],
)
def test_memory_is_judged_by_what_it_has_over_boxes_far_from_the_prompt(tmp_path, far, verdict):
    found = judged(tmp_path, FOLLOWED, followed(far))
    assert (found.verdict, found.n) == (verdict, 6)
    assert found.value == pytest.approx(far), "slices nearer than 10 mm do not count"
    assert found.measured_on == "sam2_1_tiny on oai_zib"


def test_how_phantoms_change_from_slice_to_slice_is_our_construction(tmp_path):
    found = judged(tmp_path, FOLLOWED, followed(dataset="phantom_knee"))
    assert found.verdict == "not testable here"
    assert found.why.startswith(OURS)


def test_few_people_and_short_objects_and_other_models_decide_nothing(tmp_path):
    short = followed().query("distance_mm < 10")
    other = followed().assign(segmenter="medsam2")
    for table in (followed(people=2), short, other):
        found = judged(tmp_path, FOLLOWED, table)
        assert (found.verdict, found.why) == ("not testable here", CLAIMS[FOLLOWED].out_of_reach)


@pytest.mark.parametrize("name", ["ravi-image-accuracy", FOLLOWED, "hoyer25-biomarkers-agree"])
def test_without_weights_the_reason_is_said_whether_the_notebook_was_run_or_not(tmp_path, name):
    claim = CLAIMS[name]
    (before,) = judge([claim], tables=tmp_path, ran=[])
    assert (before.verdict, before.why) == ("not testable here", claim.out_of_reach)


def test_a_run_without_weights_decides_none_of_the_two_texts(tmp_path):
    found = {one.claim.id: one.verdict for one in judge_output(tmp_path).judgements}
    verdicts = {found[claim.id] for claim in READ_ONLY}
    assert len(READ_ONLY) == 6
    assert verdicts == {"not testable here", "its notebook was not run"}


def people_of(names: dict[str, float], **columns) -> pd.DataFrame:
    rows = [
        {
            "segmenter": name,
            "model": name,
            "dataset": "oai_zib",
            "subject": f"{k}",
            "tissue": "femur",
        }
        | {"dice": dice + 0.001 * k, "miniature": "mini" in name, **columns}
        for name, dice in names.items()
        for k in range(6)
    ]
    return pd.DataFrame(rows)


def test_sam_2_against_sam_is_judged_on_published_models_alone(tmp_path):
    name = "ravi-image-accuracy"
    published = people_of({"sam2_1_large": 0.9, "sam_vit_b": 0.8}, box_source="oracle")
    found = judged(tmp_path, name, published)
    assert (found.verdict, found.value) == ("holds here", pytest.approx(0.1))
    ours = judged(
        tmp_path,
        name,
        published.replace("sam_vit_b", "sam_vit_mini").assign(
            miniature=lambda table: table["segmenter"] == "sam_vit_mini"
        ),
    )
    assert ours.why.startswith(OURS)


def test_boxes_that_nobody_drew_are_compared_with_those_of_the_reference(tmp_path):
    tuned = {"sam2_1_tiny, decoder tuned": 0.9, "sam_vit_b, full tuned": 0.8}
    lost = {name: dice - 0.03 for name, dice in tuned.items()}
    tables = [
        people_of(tuned, arm="oracle", scaled=False),
        people_of(lost, arm="nnU-Net 2d (300 iterations)", scaled=False),
        people_of({"sam_vit_b": 0.1}, arm="nnU-Net 2d (300 iterations)", scaled=False),
        people_of({"sam_vit_b, full tuned": 0.1}, arm="neighbour", scaled=False),
    ]
    found = judged(tmp_path, "hoyer25-automatic-prompts", pd.concat(tables))
    assert (found.verdict, found.value) == ("holds here", pytest.approx(-0.03))


def test_biomarkers_of_a_tuned_model_count_from_ten_structures_on():
    table = pd.DataFrame(
        [
            ("T2", "sam_vit_b, lora tuned", True, 12),
            ("thickness", "sam_vit_b, lora tuned", True, 10),
            ("volume", "sam_vit_b, lora tuned", False, 9),
            ("T2", "sam_vit_b", False, 12),
        ],
        columns=["biomarker", "segmenter", "within", "n"],
    )
    assert measure_table(table, CLAIMS["hoyer25-biomarkers-agree"].measure).value == 1.0
