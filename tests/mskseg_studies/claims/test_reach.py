"""Whether the notebooks at their largest size write what each claim asks for."""

from __future__ import annotations

import ast
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from mskseg.evaluation.tables import write_table
from mskseg.prompts.plans import NeighbourBox, OracleBox
from mskseg.workbook import load_notebook, read_sizes
from mskseg_studies.claims.measuring import AbsentError, VanishedError, measure_table, select
from mskseg_studies.claims.rules import judge
from mskseg_studies.claims.statements import Claim, load_claims
from mskseg_studies.prompting.resolutions import COARSER_IMAGE, OTHER_FRAME
from mskseg_studies.specialists.nnunet.config import NnunetConfig
from mskseg_studies.specialists.nnunet.running import NnunetRun
from mskseg_studies.specialists.specialist import _TITLES
from mskseg_studies.uncertainty.probability_maps import VolumeMaps

FOLDER = Path(__file__).parents[3] / "notebooks"
WRITTEN = yaml.safe_load(Path(__file__).with_name("written.yaml").read_text(encoding="utf-8"))
MEASURED = [claim for claim in load_claims().claims if claim.measure]
BY_ID = {claim.id: claim for claim in MEASURED}
MADE = {
    "oracle": OracleBox().box_source,
    "neighbour": NeighbourBox().box_source,
    "no_box": VolumeMaps.arm,
    "coarser_image": COARSER_IMAGE,
    "other_frame": OTHER_FRAME,
    "unet": _TITLES["unet"],
    "deeplab": _TITLES["deeplabv3plus"],
}


@cache
def parameters(notebook: str) -> dict[str, Any]:
    """The notebook's own parameters with those of size "full" over them."""
    cell = load_notebook(FOLDER / f"{notebook}.py").cells[4]
    own = {s.targets[0].id: ast.literal_eval(s.value) for s in ast.parse(cell.source).body}
    return own | read_sizes(FOLDER)[notebook]["full"]


def values_of(column: str, given: Any, known: dict[str, Any]) -> list[Any]:
    if isinstance(given, str):
        name, _, key = given.strip("{}").partition("[")
        given = known[name][key.rstrip("]")] if key else known[name]
    if isinstance(given, int):
        return [f"{column} {number}" for number in range(given)]
    return [_filled(value, known) for value in given]


def _filled(value: Any, known: dict[str, Any]) -> Any:
    if not isinstance(value, str) or "{" not in value:
        return value
    alone = known.get(value[1:-1])
    return alone if isinstance(alone, int) else value.format(**known)


def table_of(name: str, notebook: str) -> pd.DataFrame:
    """A table with the names of a full run and numbers that mean nothing."""
    schema, known = WRITTEN[name], MADE | parameters(notebook)
    rows: list[dict[str, Any]] = []
    for block in schema["blocks"]:
        columns = [values_of(column, given, known) for column, given in block.items()]
        rows += [dict(zip(block, row, strict=True)) for row in product(*columns)]
    table, rng = pd.DataFrame(rows), np.random.default_rng(0)
    if grades := schema.get("grades"):
        dealt = table["subject"].str.split().str[-1].astype(int) % len(grades)
        table["severity"] = [grades[k] for k in dealt]
    return table.assign(**{column: rng.random(len(table)) for column in schema["numbers"]})


def decides(claim: Claim) -> bool:
    """Whether a full run has all that the rule of a claim asks for."""
    table = table_of(claim.measure.table, claim.measure.notebook)
    found = measure_table(table, claim.measure)
    if not claim.rule.sampled:
        return bool(np.isfinite(found.value))
    # how many data sets are pooled is the reader's choice, not a question of size
    spread = found.interval is not None or "clusters" in found.no_interval
    return spread and (found.n or 0) >= claim.rule.smallest_n


@pytest.mark.parametrize("claim", MEASURED, ids=lambda claim: claim.id)
def test_a_full_run_decides_every_claim_that_is_not_marked_as_out_of_reach(claim):
    try:
        decided = decides(claim)
    except AbsentError:
        decided = False
    assert decided != bool(claim.out_of_reach), claim.out_of_reach or "say why in out_of_reach"


def test_a_filter_that_names_what_no_notebook_writes_is_seen():
    good = BY_ID["belief-ensembles-calibrate"]
    decides(good)
    wrong = good.measure.model_copy(update={"where": {"scaled": False, "arm": "reference"}})
    with pytest.raises(VanishedError, match="no row has"):
        decides(good.model_copy(update={"measure": wrong}))
    lost = good.measure.model_copy(update={"column": "ece"})
    with pytest.raises(VanishedError, match="no column ece"):
        decides(good.model_copy(update={"measure": lost}))


def nnunet_name(folder: Path, configuration: str, **more: Any) -> str:
    """Name that a trained nnU-Net gets in tables."""
    line = "mskseg: epoch 1 of 1, loss 0.3, pseudo Dice 0.3, rate 0.01, 9.0 s\n"
    (folder / "log.txt").write_text(line, encoding="utf-8")
    config = NnunetConfig(configuration, epochs=1, iterations_per_epoch=300, **more)
    return NnunetRun(folder, config, {1: "muscle"}).name


def with_nnunet(folder: Path) -> pd.DataFrame:
    """Notebook 08's table as a run with nnU-Net 2-D and 3-D and more people would write it."""
    known = parameters("08_quantify_uncertainty")
    two, three = (nnunet_name(folder, name) for name in ("2d", "3d_fullres"))
    told = nnunet_name(folder, "3d_fullres", box_channels=True)
    tuned = f"{known['models'][1]}, {known['modes'][0]} tuned"
    alone = {two: 0.1, three: 0.8, f"{three}, ensemble of 2": 0.7, told: 0.2}
    scores = {(tuned, three): 0.9, **{(name, "no box"): dice for name, dice in alone.items()}}
    rows = [
        {"model": model, "arm": arm, "dice": dice + 0.001 * k, "subject": f"{grade} {k}"}
        | {"severity": grade, "ece_candidate": 1 - dice, "scaled": False, "dataset": "d"}
        for (model, arm), dice in scores.items()
        for grade in ("Early", "Moderate", "Severe")
        for k in range(6)
    ]
    return pd.DataFrame(rows)


AGAINST_NNUNET = [
    *(f"casali-{what}" for what in ("early-equal", "moderate-accuracy", "severe-accuracy")),
    *(f"casali-calibration-{grade}" for grade in ("moderate", "severe")),
]


@pytest.mark.parametrize("name", AGAINST_NNUNET)
def test_a_run_with_nnunet_in_3d_is_judged_against_it_and_no_other(tmp_path, name):
    measure = BY_ID[name].measure
    found = measure_table(with_nnunet(tmp_path), measure)
    assert found.value == pytest.approx(0.1 if measure.column == "dice" else -0.1)
    assert found.n == 6


def test_tuned_medsam_is_compared_with_tuned_sam_under_the_same_boxes_over_all_grades(tmp_path):
    table = with_nnunet(tmp_path)
    sam = table[table["model"].str.endswith("tuned")].assign(arm="oracle")
    medsam = sam.assign(model="med" + sam["model"], dice=sam["dice"] - 0.1)
    elsewhere = medsam.assign(arm="neighbour", dice=0.0)
    both = pd.concat([sam, medsam, elsewhere])
    found = measure_table(both, BY_ID["casali-medsam-no-advantage"].measure)
    assert found.value == pytest.approx(-0.1)
    assert found.n == 18


def test_an_ensemble_is_compared_with_the_mean_of_its_own_members_and_no_other_model():
    table = table_of("08_uncertainty.csv", "08_quantify_uncertainty")
    table = table[(table["arm"] == "oracle") & ~table["scaled"].astype(bool)]
    measure = BY_ID["belief-ensembles-calibrate"].measure
    means = table.groupby("member")["ece_candidate"].mean()
    others = table["n_members"] == 1
    for shown in (table, table.assign(ece_candidate=table["ece_candidate"].mask(others, 9.0))):
        found = measure_table(shown, measure)
        together = shown[(shown["member"] == 0) & ~others]["ece_candidate"].mean()
        assert found.value == pytest.approx(together - means[[1, 2, 3]].mean())
        assert set(found.rows["n_members"]) == {3}


def test_a_2d_nnunet_of_300_iterations_is_no_3d_one(tmp_path):
    names = pd.DataFrame(
        {"model": [nnunet_name(tmp_path, "2d"), "nnU-Net 3d_fullres (9 iterations)"]}
    )
    assert "3" in names["model"][0]
    wanted = {"model": BY_ID["casali-moderate-accuracy"].measure.second["model"]}
    assert select(names, wanted)["model"].tolist() == ["nnU-Net 3d_fullres (9 iterations)"]


def test_what_is_out_of_reach_is_said_before_and_after_the_run_and_judged_if_it_comes(tmp_path):
    known = BY_ID["casali-moderate-accuracy"]
    changes = {"out_of_reach": "too few people at every size", "construction": None}
    claim = known.model_copy(update=changes)
    ran = ["08_quantify_uncertainty"]
    (before,) = judge([claim], tables=tmp_path, ran=[])
    assert (before.verdict, before.why) == ("not testable here", claim.out_of_reach)
    table, path = with_nnunet(tmp_path), tmp_path / claim.measure.table
    few = table[table["subject"].str.endswith(("0", "1"))]
    for rows, verdict in ((few, "not testable here"), (table, "holds here")):
        write_table(rows, path, provenance={})
        (after,) = judge([claim], tables=tmp_path, ran=ran)
        assert after.verdict == verdict
        assert after.value == pytest.approx(0.1)
    write_table(table[table["arm"] == "no box"], path, provenance={})
    (absent,) = judge([claim], tables=tmp_path, ran=ran)
    assert (absent.verdict, absent.why) == ("not testable here", claim.out_of_reach)


def test_a_run_may_have_nobody_of_another_site():
    """Few public data sets name their sites."""
    stated = BY_ID["ma-more-images-help-outside"]
    people = {"dataset": "a", "subject": "s", "seed": 0, "role": "same site", "n_subjects": [1, 4]}
    with pytest.raises(AbsentError, match="nobody of another site"):
        measure_table(pd.DataFrame({**people, "dice": [0.7, 0.8]}), stated.measure)
