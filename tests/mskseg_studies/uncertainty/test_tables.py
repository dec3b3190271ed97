"""Sources of maps and the tables made of them, on drawn cases."""

from __future__ import annotations

import math
import pickle
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import mskseg
from mskseg.case import Case, CaseSet
from mskseg.errors import InputError
from mskseg.evaluation.metrics import dice
from mskseg.evaluation.tables import write_table
from mskseg.prompts import fill_boxes
from mskseg.prompts.plans import NeighbourBox, OracleBox, OraclePoint
from mskseg.volume import LabelMap, Volume
from mskseg_studies.calibration import FLOOR, as_classes
from mskseg_studies.uncertainty import people
from mskseg_studies.uncertainty.case_sums import sum_slice
from mskseg_studies.uncertainty.people import load_tissues
from mskseg_studies.uncertainty.probability_maps import PromptedMaps, VolumeMaps, with_labels
from mskseg_studies.uncertainty.selective_prediction import entropy_and_dice
from mskseg_studies.uncertainty.tables import (
    alone,
    average_subjects,
    describe_committed,
    measure_uncertainty,
)
from mskseg_studies.uncertainty.temperature import temperatures_of

SIZE, N_SLICES, LABELS = 40, 6, (1, 2)


class BoxFiller:
    """Fills its boxes with a probability; inside them it is sure of itself to that degree."""

    miniature = True

    def __init__(self, inside=0.9, outside=0.05, name="filler"):
        self.inside, self.outside, self.name = inside, outside, name

    def embed(self, image):
        return image

    def predict(self, embedding, prompt):
        boxes_xyxy, point_coords = prompt.boxes_xyxy, prompt.point_coords
        if boxes_xyxy is None:
            boxes_xyxy = np.concatenate([point_coords[:, 0] - 3, point_coords[:, 0] + 3], axis=1)
        filled = np.stack([fill_boxes(box, embedding.shape) for box in boxes_xyxy])
        p = np.where(filled, self.inside, self.outside).astype(np.float32)[:, None]
        iou = np.full((len(p), 1), 0.8, np.float32)
        return SimpleNamespace(masks=p > 0.5, probabilities=p, predicted_iou=iou)


def make_case(subject="s1", severity="Early", reach=15):
    labels = np.zeros((N_SLICES, SIZE, SIZE), dtype=np.int16)
    labels[1:5, 5:reach, 5:15] = 1
    labels[2:4, 20:30, 20:32] = 2
    labels[2:4, 35:36, 35:37] = 2  # a speck that gets no box
    labels[:, :3, :3] = 14  # a tissue that nobody asks about
    grid = Volume(np.zeros((SIZE, SIZE, N_SLICES)), np.diag([1.0, 1.0, 6.0, 1.0]))
    image = Volume(grid.from_stack(100 + labels, "axial").array, grid.affine)
    reference = LabelMap(grid.from_stack(labels, "axial").array, grid.affine)
    tissues = {1: "muscle", 2: "other muscle", 14: "marrow"}
    return Case(
        subject=subject, image=image, reference=reference, tissues=tissues, severity=severity
    )


def measure(*sources, **more):
    return measure_uncertainty(sources, [make_case()], progress=False, **more)


def test_members_are_segmenters_times_plans():
    plans = [OracleBox(jitter_px=2, seed=k) for k in range(2)]
    source = PromptedMaps([BoxFiller(), BoxFiller(0.7)], plans, labels=LABELS)
    found = list(source.slices(make_case(), step=2))
    assert [one.case_slice.index for one in found] == [0, 2, 4]
    assert all(one.members.shape == (4, 3, SIZE, SIZE) for one in found)
    assert source.n_members == 4
    assert source.arm == "oracle, jitter 2 px, 2 draws"
    assert source.model == "ensemble of 2: filler"
    assert found[1].members.sum(axis=1) == pytest.approx(1, abs=1e-5)


def test_labels_that_are_not_asked_about_are_background():
    narrowed = with_labels(make_case(), LABELS)
    assert set(np.unique(narrowed.reference.array)) == {0, 1, 2}
    with pytest.raises(InputError, match=r"none of the labels \(7,\)"):
        with_labels(make_case(), (7,))


def test_rectangles_are_filled_rightly_and_the_speck_is_counted():
    row = measure(PromptedMaps(BoxFiller(), OracleBox(), labels=LABELS)).cases.iloc[0]
    assert row["dice"] == pytest.approx((1 + 2 * 240 / (240 + 244)) / 2)
    assert row["n_unprompted"] == 4
    assert row["n_slices"] == N_SLICES
    assert row["n_pixels"] == N_SLICES * SIZE**2
    assert math.isnan(row["epistemic"]), "an ensemble of one"
    assert row["severity"] == "Early"


def test_a_slice_without_a_prompt_is_background_and_its_tissue_is_clipped_and_counted():
    case = make_case(reach=7)
    source = PromptedMaps(BoxFiller(), OracleBox(), labels=LABELS)
    row = measure_uncertainty([source], [case], progress=False).cases.iloc[0]
    assert row["n_clipped"] == 4 * 20, "the muscle of 20 mm2 got no prompt on 4 slices"
    assert row["n_unprompted"] == 4 * 20 + 4
    first = next(source.slices(case))
    assert first.members[0, 0].min() == pytest.approx(1, abs=3 * FLOOR)


def test_clipped_pixels_stay_counted_when_a_temperature_lifts_the_floor():
    source = PromptedMaps(BoxFiller(), OracleBox(), labels=LABELS)
    scaled = {("filler", "oracle"): 2.0}
    rows = measure_uncertainty([source], [make_case(reach=7)], temperatures=scaled, progress=False)
    rows = rows.cases
    assert rows["scaled"].tolist() == [False, True]
    assert rows["n_clipped"].tolist() == [80, 80]
    assert rows["nll"].iloc[1] < rows["nll"].iloc[0]
    assert rows["dice"].nunique() == 1


def test_the_neighbour_arm_follows_what_the_members_predict_together():
    shy = BoxFiller(inside=0.2)  # alone it predicts nothing and loses every slice but the first
    alone, both = (
        PromptedMaps(each, NeighbourBox(margin_px=0), labels=LABELS)
        for each in ([shy], [shy, BoxFiller(), BoxFiller()])
    )
    lost, kept = (
        sum(bool(one.boxes) for one in source.slices(make_case())) for source in (alone, both)
    )
    assert lost < kept
    row = measure(alone).cases.iloc[0]
    assert row["n_unprompted"] > 300, "slices without any box count as well"


def test_points_can_be_the_prompt():
    source = PromptedMaps(BoxFiller(), OraclePoint(), labels=LABELS)
    assert measure(source).cases["dice"].iloc[0] > 0.3


def test_each_outline_has_its_dice_and_its_uncertainty():
    table = measure(PromptedMaps(BoxFiller(), OracleBox(), labels=LABELS)).outlines
    assert len(table) == 6
    of_muscle = table[table["tissue"] == "muscle"]
    assert of_muscle["dice"].tolist() == [1.0] * 4
    assert (of_muscle["uncertainty"] > 0).all()


def volumes(case, labels):
    """Nearly perfect probabilities (C, ni, nj, nk) of a whole case, channels in that order."""
    classes = as_classes(case.reference.array, labels)
    channels = np.arange(1 + len(labels))[:, None, None, None]
    maps = np.where(channels == classes, 0.97, 0.03 / len(labels)).astype(np.float32)
    return SimpleNamespace(labels=tuple(labels), probabilities=lambda name: maps)


def test_a_specialist_is_measured_without_a_prompt():
    case = make_case()
    source = VolumeMaps("net", volumes(case, LABELS), labels=LABELS)
    tables = measure_uncertainty([source], [case], progress=False)
    row = tables.cases.iloc[0]
    assert (row["dice"], row["arm"], row["n_unprompted"]) == (1.0, "no box", 0)
    assert row["ece_top_label"] == pytest.approx(0.03, abs=1e-3)


def test_volumes_of_a_specialist_that_are_no_probabilities_are_refused():
    case = make_case()
    good = volumes(case, LABELS)
    doubled = SimpleNamespace(
        labels=LABELS, probabilities=lambda name: 2 * good.probabilities(name)
    )
    with pytest.raises(InputError, match="expected 0 to 1"):
        list(VolumeMaps("net", doubled, labels=LABELS).slices(case))


def test_volumes_of_an_automatic_model_are_cut_into_slices_whatever_its_channels():
    """Its channels come in another order, with a tissue that is not asked for."""
    case = make_case()
    source = VolumeMaps("net", volumes(case, (14, 2, 1)), labels=LABELS)
    tables = measure_uncertainty([source], [case], progress=False)
    row = tables.cases.iloc[0]
    assert (row["dice"], row["arm"], row["model"]) == (1.0, "no box", "net")
    two = VolumeMaps("two", [volumes(case, (1, 2)), volumes(case, (2, 1))], labels=LABELS)
    assert two.n_members == 2
    one = next(two.slices(case))
    assert one.members[0] == pytest.approx(one.members[1])


@pytest.mark.parametrize("step", [2, 100])  # the second is longer than the stack
def test_of_the_volumes_of_an_automatic_model_the_slices_that_are_asked_for_are_cut(step):
    case = make_case()
    source = VolumeMaps("net", volumes(case, LABELS), labels=LABELS)
    every = {maps.case_slice.index: maps.members for maps in source.slices(case)}
    asked = {maps.case_slice.index: maps.members for maps in source.slices(case, step=step)}
    assert list(asked) == [at.index for at in case.slices(step=step)]
    assert all(np.array_equal(members, every[index]) for index, members in asked.items())


def test_a_tissue_that_an_automatic_model_does_not_know_is_clipped_and_counted():
    case = make_case()
    source = VolumeMaps("net", volumes(case, (1,)), labels=LABELS)
    row = measure_uncertainty([source], [case], progress=False).cases.iloc[0]
    assert row["n_clipped"] == int((case.reference.array == 2).sum())


def test_the_bins_of_the_regions_add_up_to_their_pixels():
    tables = measure(PromptedMaps(BoxFiller(), OracleBox(), labels=LABELS))
    row = tables.cases.iloc[0]
    n = tables.bins.groupby("region")["n"].sum()
    assert n.to_dict() == {"slice": row["n_pixels"], "candidate": row["n_candidate"]}
    assert tables.bins["bin"].nunique() == 15


def test_the_map_alone_says_which_pixels_count_whatever_box_it_came_from():
    """The same maps with another reference, and without their oracle boxes."""
    one = list(PromptedMaps(BoxFiller(), OracleBox(), labels=LABELS).slices(make_case()))[2]
    other = replace(one.case_slice, label_map=np.roll(one.case_slice.label_map, 9, axis=0))
    bare = replace(one, case_slice=other, boxes={}, prompted=False)
    first, second = (sum_slice(each) for each in (one, bare))
    for region in ("slice", "candidate"):
        bins = getattr(first, region).bins, getattr(second, region).bins
        assert (bins[0].n == bins[1].n).all()
        assert (bins[0].confidence == bins[1].confidence).all()
    assert (first.uncertainty[0], first.n_slices) == (second.uncertainty[0], 1)
    counted = [np.add(each.ranking.right, each.ranking.wrong) for each in (first, second)]
    assert (counted[0] == counted[1]).all()
    assert first.ranking.wrong.sum() < second.ranking.wrong.sum()


def test_a_blind_model_does_not_look_honest():
    blind = PromptedMaps(BoxFiller(0.001, 0.001), OracleBox(), labels=LABELS)
    seeing = PromptedMaps(BoxFiller(name="seeing", outside=0.001), OracleBox(), labels=LABELS)
    first, second = (row for _, row in measure(blind, seeing).cases.iterrows())
    assert math.isnan(first["ece_candidate"])
    assert (first["n_candidate"], first["reference_outside"]) == (0, 1)
    assert second["reference_outside"] == pytest.approx(4 / (4 * 100 + 240 + 4)), "the speck"


def test_a_temperature_is_judged_on_the_same_pixels():
    source = PromptedMaps(BoxFiller(outside=0.004), OracleBox(), labels=LABELS)
    rows = measure(source, temperatures={("filler", "oracle"): 3.0}).cases
    assert rows["n_candidate"].nunique() == 1
    assert rows["reference_outside"].nunique() == 1


def test_each_member_of_an_ensemble_has_a_row_on_the_pixels_of_all():
    sharp, vague = BoxFiller(outside=0.001), BoxFiller(0.6, outside=0.05)
    source = PromptedMaps([sharp, vague], OracleBox(), labels=LABELS, name="both")
    tables = measure(source)
    assert tables.select().cases["model"].tolist() == ["both"]
    rows = tables.select(member=None).cases.set_index("member")
    assert rows["model"].to_dict() == {0: "both", 1: alone("both"), 2: alone("both")}
    assert rows["n_candidate"].nunique() == 1
    for number, member in enumerate([sharp, vague], start=1):
        by_itself = measure(PromptedMaps(member, OracleBox(), labels=LABELS)).cases.iloc[0]
        assert rows.loc[number, "nll"] == pytest.approx(by_itself["nll"])
        assert rows.loc[number, "ece_top_label"] == pytest.approx(by_itself["ece_top_label"])
    assert measure(PromptedMaps(sharp, OracleBox(), labels=LABELS)).cases["member"].tolist() == [0]
    assert rows["nll"].nunique() == 3


def test_dice_is_that_of_the_volume():
    case, source = make_case(), PromptedMaps(BoxFiller(), OracleBox(), labels=LABELS)
    found = np.stack([one.members[0].argmax(axis=0) for one in source.slices(case)])
    reference = case.reference.stack("axial")
    expected = np.mean([dice(reference == k, found == k) for k in LABELS])
    assert measure(source).cases["dice"].iloc[0] == pytest.approx(expected)


def test_what_is_kept_of_a_case_does_not_grow_with_its_slices():
    source = PromptedMaps(BoxFiller(), OracleBox(), labels=LABELS)
    looks = [sum_slice(one) for one in source.slices(make_case())]
    total = looks[0] + looks[1] + looks[2]
    assert len(pickle.dumps(total)) < 1.1 * len(pickle.dumps(looks[0]))
    assert total.n_slices == 3


def test_members_that_differ_are_told_apart_from_a_hard_image():
    source = PromptedMaps([BoxFiller(), BoxFiller(0.6)], OracleBox(), labels=LABELS)
    row = measure(source).cases.iloc[0]
    assert row["epistemic"] > 0
    assert row["entropy"] == pytest.approx(row["aleatoric"] + row["epistemic"], abs=1e-6)


def test_uncertainty_and_error_go_together_where_rho_is_below_zero():
    cases = [make_case(f"s{k}", reach=15 + k) for k in range(4)]
    table = measure_uncertainty(
        [PromptedMaps(BoxFiller(), OracleBox(), labels=LABELS)], cases, progress=False
    ).cases
    table["dice"], table["entropy"] = [0.9, 0.8, 0.7, 0.6], [0.1, 0.2, 0.3, 0.4]
    found = entropy_and_dice(table)
    assert found["spearman"].item() == pytest.approx(-1)
    assert found["by_chance"].item() == pytest.approx(2 / 24), "two of the orders of four"
    assert math.isnan(entropy_and_dice(table[:2])["spearman"].item())


def test_chance_is_counted_for_few_subjects_and_estimated_for_many():
    def of(n):
        rng = np.random.default_rng(n)
        people = {"dataset": "d", "subject": range(n), "model": "m", "arm": "a", "scaled": False}
        table = pd.DataFrame(people | {"entropy": range(n), "dice": rng.random(n)})
        return table, entropy_and_dice(table).iloc[0]

    table, few = of(6)
    exact = stats.permutation_test(
        (table["dice"],),
        lambda dice: stats.spearmanr(table["entropy"], dice)[0],
        permutation_type="pairings",
    )
    assert few["by_chance"] == pytest.approx(exact.pvalue, abs=1e-9)
    table, many = of(12)
    assert many["by_chance"] == pytest.approx(stats.spearmanr(table["entropy"], table["dice"])[1])


def test_the_temperature_of_a_source_makes_a_modest_one_surer():
    modest = PromptedMaps(BoxFiller(inside=0.6, outside=0.3), OracleBox(), labels=LABELS)
    fitted = temperatures_of([modest], [make_case()])
    assert list(fitted) == [("filler", "oracle")]
    assert fitted["filler", "oracle"] < 1
    with pytest.raises(InputError, match="expected one validation case or more"):
        temperatures_of([modest], [])


def test_sources_that_cannot_be_told_apart_are_refused():
    twice = [PromptedMaps(BoxFiller(), OracleBox(), labels=LABELS)] * 2
    with pytest.raises(InputError, match="both called"):
        measure_uncertainty(twice, [make_case()], progress=False)


def test_several_plans_must_be_oracles():
    with pytest.raises(InputError, match="boxes from the reference"):
        PromptedMaps(BoxFiller(), [NeighbourBox(), OracleBox()], labels=LABELS)
    with pytest.raises(InputError, match="got 0 prompt plans"):
        PromptedMaps(BoxFiller(), [], labels=LABELS)


def test_a_case_without_a_reference_is_refused():
    source = PromptedMaps(BoxFiller(), OracleBox(), labels=LABELS)
    with pytest.raises(InputError, match="has no reference"):
        measure_uncertainty([source], [replace(make_case(), reference=None)], progress=False)


def test_the_miniatures_go_through_alone_and_together():
    sam, medsam = (mskseg.load_segmenter(f"{name}_vit_mini") for name in ("sam", "medsam"))
    source = PromptedMaps([sam, medsam], OracleBox(), labels=LABELS)
    tables = measure_uncertainty([source], [make_case()], slice_step=3, progress=False)
    row = tables.cases.iloc[0]
    assert row["miniature"]
    assert 0 < row["epistemic"] < row["entropy"]


def test_the_mean_is_over_subjects_and_those_without_a_number_are_counted():
    table = pd.DataFrame(
        {
            "dataset": "d",
            "subject": ["a", "a", "b"],
            "arm": "oracle",
            "dice": [0.9, 0.7, 0.6],
            "ece_candidate": [math.nan, math.nan, 0.1],
        }
    )
    row = average_subjects(table, by=["arm"], values=["dice", "ece_candidate"]).loc["oracle"]
    assert row["dice"] == pytest.approx(0.7)
    assert row["ece_candidate"] == pytest.approx(0.1)
    assert (row["n_subjects"], row["n_without_ece_candidate"]) == (2, 1)


def test_a_committed_run_is_shown_with_its_weights_or_said_to_be_missing(tmp_path):
    def told(sha256="0" * 64):
        facts = {"segmenter": {"name": "sam_vit_mini", "sha256": sha256}}
        return describe_committed(tmp_path, values=["dice"], provenance=facts)

    assert told() == "No full run of this notebook is committed at present."
    cases = measure(PromptedMaps([BoxFiller()] * 2, OracleBox(), labels=LABELS)).cases
    together = cases["member"] == 0  # no mean over an ensemble and its members
    cases = cases.assign(dice=cases["dice"].where(~together, 0.5), model="nnU-Net")
    cases = pd.concat([cases, cases[together].assign(scaled=True, dice=0.9)])
    path, theirs = tmp_path / "08_uncertainty.csv", {"name": "sam_vit_mini", "sha256": "1" * 64}
    write_table(cases, path, provenance={"segmenter": theirs})
    (named, row) = told().splitlines()[-2:]
    assert named.split() == ["arm", "model"]
    assert row.split() == ["oracle", "nnU-Net", "0.5", "1"]
    assert "sam_vit_mini, weights 11111111 (not the shipped" in told()
    assert "of other weights than this run (sam_vit_mini 00000000)" in told()
    assert "of other weights" not in told("1" * 64)
    write_table(cases.drop(columns="dice"), path, provenance={"segmenter": theirs})
    with pytest.raises(InputError, match="rows without dice"):
        told()


def test_rows_of_an_arm_and_a_model_are_selected_from_all_tables():
    sources = [PromptedMaps(BoxFiller(name=name), OracleBox(), labels=LABELS) for name in "ab"]
    tables = measure(*sources, temperatures={("a", "oracle"): 2.0})
    assert len(tables.cases) == 3
    kept = tables.select(arm="oracle", model="a")
    for name, table in vars(kept).items():
        assert set(table["model"]) == {"a"}, name
        assert 0 < len(table) < len(getattr(tables, name)), name
    assert len(tables.select(scaled=None).cases) == 3
    assert set(tables.select(model=["a", "b"]).cases["model"]) == {"a", "b"}
    with pytest.raises(InputError, match=r"the arms \['oracle'\]"):
        tables.select(arm="neighbour")


def test_one_slice_looked_at_is_the_one_that_was_measured():
    for plan in (OracleBox(), NeighbourBox()):
        source = PromptedMaps([BoxFiller(), BoxFiller(0.6)], plan, labels=LABELS)
        measured = {one.case_slice.index: one for one in source.slices(make_case(), step=2)}
        looked = source.at(make_case(), 2, step=2)
        assert (looked.members == measured[2].members).all()
    with pytest.raises(InputError, match="not one of every 2"):
        source.at(make_case(), 3, step=2)


def test_kinds_of_tissue_that_are_left_out_become_background():
    left_out = ["bone", "fat"]
    muscles = load_tissues("phantom_infiltrated_thigh", {"test": 1}, left_out=left_out)["test"]
    assert set(np.unique(muscles[0].reference.array)) == {0, *muscles.tissues}
    assert "femur cortex" not in muscles.tissues.values()


def test_labels_of_one_name_become_one_tissue_and_kinds_are_left_out(draw_case, monkeypatch):
    labels = np.zeros((1, 12, 10))
    labels[0, :3], labels[0, 3:6], labels[0, 6:9] = 4, 2, 5
    case = draw_case(
        labels,
        tissues={2: "vertebral body", 4: "vertebral body", 5: "femur"},
        kinds={2: "vertebra", 4: "vertebra", 5: "bone"},
    )
    monkeypatch.setattr(people, "load_some", lambda name, **_: CaseSet(name, [case]))
    (joined,) = load_tissues("real", {"test": 1}, left_out=["bone"])["test"]
    assert joined.tissues == {2: "vertebral body"}
    assert joined.reference.array.max() == joined.reference.array[joined.reference.array > 0].min()
    assert (joined.reference.array == 2).sum() == np.isin(case.reference.array, [2, 4]).sum()
    with pytest.raises(InputError, match="shows none of the labels"):
        load_tissues("real", {"test": 1}, left_out=["bone", "vertebra"])
