"""The claims on tuning, measured in tables of names that no phantom has."""

from __future__ import annotations

import pandas as pd
import pytest

from mskseg.evaluation import write_table
from mskseg_studies.claims.measuring import measure_table
from mskseg_studies.claims.rules import judge
from mskseg_studies.claims.statements import load_claims

CLAIMS = {claim.id: claim for claim in load_claims().claims}


def cell(chosen_by, role, dataset, anatomy, gain, *, part="test", sequence="q"):
    return {
        "segmenter": "sam_vit_b", "training_subset": f"by {chosen_by}",
        "chosen_by": chosen_by, "role": role,
        "evaluated_on": dataset, "anatomy": anatomy, "sequence": sequence, "part": part,
        "gain": gain, "gain_low": gain - 0.01, "gain_high": gain + 0.01,
        "dice_tuned": 0.5 + gain, "n_subjects": 5,
    }  # fmt: skip


CROSS = pd.DataFrame(
    [
        cell("anatomy", "same site", "oai_zib", "knee", 0.2),
        cell("anatomy", "same site", "spider", "lumbar spine", 0.1),
        cell("anatomy", "same site", "mine", "thigh", 0.02),
        cell("anatomy", "other sequence", "spider", "lumbar spine", -0.3),
        cell("anatomy", "other site", "spider", "lumbar spine", -0.4, part="inference"),
        cell("anatomy", "other anatomy", "mine", "thigh", 0.9),
        cell("diversity", "same site", "oai_zib", "knee", 0.15),
        cell("diversity", "same site", "spider", "lumbar spine", 0.05),
        cell("diversity", "same site", "spider", "lumbar spine", 0.4, sequence="second"),
        cell("diversity", "same site", "mine", "thigh", -0.03),
        cell("sequence", "same site", "oai_zib", "knee", -0.5),
    ]
)


@pytest.mark.parametrize(
    ("claim", "value"),
    [
        ("hoyer-tuning-gains", 0.1),
        ("hoyer-thigh-exception", 0.02),
        ("hoyer-specific-beats-diverse", 0.05),
    ],
)
def test_gains_are_found_by_role_and_anatomy(claim, value):
    found = measure_table(CROSS, CLAIMS[claim].measure)
    assert found.value == pytest.approx(value)


@pytest.mark.parametrize(
    ("model", "verdict"), [("sam_vit_b", "holds here"), ("lite_medsam", "not testable here")]
)
def test_a_statement_about_sam_is_not_judged_on_another_model(tmp_path, model, verdict):
    """A table without the column is of the model that its provenance names."""
    table = CROSS[CROSS["evaluated_on"] == "spider"].drop(columns="segmenter")
    facts = {"segmenter": {"name": model, "miniature": False}, "data": {"datasets": ["spider"]}}
    write_table(table, tmp_path / "04_cross_table.csv", provenance=facts)
    (judged,) = judge([CLAIMS["hoyer-tuning-gains"]], tables=tmp_path, ran=["04_fine_tune"])
    assert judged.verdict == verdict


def by_size():
    """Three seeds of five people inside, who gain 0.1, and of two outside, who gain 0.3."""
    rows = [
        {"role": role, "dataset": "mine", "subject": f"{role} {k}", "seed": seed, "n_subjects": n,
         "dice": 0.5 + 0.01 * k + 0.02 * seed + (gain if n == 12 else 0.0)}
        for role, people, gain in (("same site", 5, 0.1), ("other site", 2, 0.3))
        for k in range(people) for seed in (0, 1, 2) for n in (1, 4, 12)
    ]  # fmt: skip
    return pd.DataFrame(rows)


@pytest.mark.parametrize(
    ("claim", "gain", "people"),
    [("ma-more-images-help", 0.1, 5), ("ma-more-images-help-outside", 0.3, 2)],
)
def test_more_images_are_judged_by_people_inside_and_outside(claim, gain, people):
    found = measure_table(by_size(), CLAIMS[claim].measure)
    assert found.value == pytest.approx(gain)
    assert found.n == people, "seeds of one person are no further people"


def test_overfitting_is_the_distance_of_training_and_test_of_full_over_that_of_a_part():
    table = pd.DataFrame(
        {
            "base": "sam_vit_b",
            "mode": mode,
            "n_train": 6,
            "seed": seed,
            "training_minus_test": gap + 0.01 * seed,
        }
        for mode, gap in (("full", 0.08), ("lora", 0.03), ("decoder", 0.5))
        for seed in (0, 1, 2)
    )
    found = measure_table(table, CLAIMS["ma-full-overfits"].measure)
    assert found.value == pytest.approx(0.05)
    assert found.n == 3
