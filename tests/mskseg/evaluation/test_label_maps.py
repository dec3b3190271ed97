"""Automatic models in the table of prompted ones, boxes of a specialist, and Dice of volumes."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from mskseg.case import Case
from mskseg.errors import InputError
from mskseg.evaluation.averaging import summarise
from mskseg.evaluation.metrics import dice
from mskseg.evaluation.scoring import COLUMNS, score_cases, score_label_maps
from mskseg.evaluation.tables import volume_table
from mskseg.prompts import fill_boxes
from mskseg.prompts.plans import OracleBox, SpecialistBox
from mskseg.volume import LabelMap, Volume

MODEL = SimpleNamespace(name="U-Net", miniature=True)


class BoxFiller:
    """Answers a box with its filling."""

    name, miniature = "filler", True

    def embed(self, image):
        return image

    def predict(self, embedding, prompt):
        masks = np.stack([fill_boxes(box, embedding.shape) for box in prompt.boxes_xyxy])
        return SimpleNamespace(masks=masks[:, None], predicted_iou=np.full((len(masks), 1), 0.9))


def make_case(subject="s1"):
    """Two blocks of labels 3 and 7, lying askew, the slices along the first axis."""
    labels = np.zeros((6, 30, 30), np.uint8)
    labels[1:4, 5:15, 5:15] = 3
    labels[2:5, 18:28, 12:26] = 7
    affine = np.array([[0, 0, 1.0, 5], [0, -1.0, 0.1, 0], [5.0, 0, 0, -9], [0, 0, 0, 1]])
    image = Volume(np.where(labels > 0, 900, 100).astype(np.int16), affine)
    tissues = {3: "muscle", 7: "bone"}
    return Case(subject=subject, image=image, reference=LabelMap(labels, affine), tissues=tissues)


def shifted(case, *, by=2, slices=0):
    """The reference, moved within the slice and along the stack."""
    moved = np.roll(case.reference.array, (slices, by), axis=(0, 1))
    return LabelMap(moved, case.reference.affine)


def score(cases, label_maps, **more):
    return score_label_maps(MODEL, cases, label_maps, progress=False, **more)


def test_prompted_and_automatic_models_share_one_table():
    case = make_case()
    automatic = score(case, {case.name: shifted(case)})
    prompted = score_cases(BoxFiller(), case, prompts=OracleBox(), progress=False)
    assert tuple(automatic.columns) == tuple(prompted.columns) == COLUMNS
    both = pd.concat([prompted, automatic], ignore_index=True)
    means = summarise(both).set_index("segmenter")
    assert means["n_pairs"].to_dict() == {"filler": 6, "U-Net": 6}
    assert means.loc["U-Net", "dice"] == pytest.approx(0.8)


def test_rows_say_that_there_was_no_prompt_and_keep_the_baseline():
    case = make_case()
    table = score(case, {case.name: shifted(case)})
    assert (table["n_prompts"] == 0).all()
    assert set(table["prompt"]) == set(table["box_source"]) == {"none"}
    assert (table["filled_box_dice"] == 1).all()  # the reference's blocks fill their boxes


def test_a_missing_prediction_scores_0_in_the_mean_and_is_counted():
    there, lost = make_case("s1"), make_case("s2")
    table = score([there, lost], {there.name: there.reference})
    row = summarise(table).iloc[0]
    assert row["dice"] == pytest.approx(0.5)
    assert (row["n_subjects"], row["n_pairs"], row["n_missing"]) == (2, 12, 6)
    volumes = volume_table(table).set_index("subject")
    assert (volumes.loc["s2", "volume_dice"] == 0).all()
    assert volumes.loc["s2", "missing"].all()
    assert not volumes.loc["s1", "missing"].any()


def test_what_is_made_up_is_beyond_the_end_and_lowers_the_volume_dice():
    case = make_case()
    table = score(case, {case.name: shifted(case, by=0, slices=1)})
    assert table["status"].value_counts().to_dict() == {"scored": 6, "beyond_end": 2}
    assert summarise(table).iloc[0]["n_beyond_end"] == 2
    assert (volume_table(table)["volume_dice"] < 1).all()
    assert (volume_table(table)["n_beyond_end"] == 1).all()


def test_volume_dice_is_that_of_the_volumes():
    case = make_case()
    found = shifted(case, by=3, slices=1)
    volumes = volume_table(score(case, {case.name: found})).set_index("label")
    for label in (3, 7):
        expected = dice(case.reference.mask(label), found.mask(label))
        assert volumes.loc[label, "volume_dice"] == pytest.approx(expected)
        assert volumes.loc[label, "relative_volume_error"] == pytest.approx(0)


def test_volume_dice_of_a_prompted_model_counts_all_its_slices():
    case = make_case()
    plan = SpecialistBox({case.name: shifted(case, by=3, slices=1)}, "U-Net")
    table = score_cases(BoxFiller(), case, prompts=plan, progress=False)
    expected = dice(case.reference.mask(3), shifted(case, by=3, slices=1).mask(3))
    volumes = volume_table(table).set_index("label")
    assert volumes.loc[3, "volume_dice"] == pytest.approx(expected)
    assert volumes.loc[3, "n_beyond_end"] == 1


def test_a_label_map_on_another_grid_is_refused():
    case = make_case()
    moved = LabelMap(case.reference.array, case.image.affine + np.eye(4, k=3))
    with pytest.raises(InputError, match="grid"):
        score(case, {case.name: moved})
    with pytest.raises(InputError, match="grid"):
        score_cases(
            BoxFiller(), case, prompts=SpecialistBox({case.name: moved}, "x"), progress=False
        )


def test_a_table_of_another_kind_has_no_volumes():
    with pytest.raises(InputError, match="lacks segmenter"):
        volume_table(pd.DataFrame({"dice": [1.0]}))


# boxes of a specialist


def test_a_perfect_specialist_gives_the_oracles_boxes():
    case = make_case()
    plans = [OracleBox(), SpecialistBox({case.name: case.reference}, "U-Net")]
    table = score_cases(BoxFiller(), case, prompts=plans, progress=False)
    oracle, found = (table[table["box_source"] == plan.box_source] for plan in plans)
    assert found["dice"].tolist() == oracle["dice"].tolist()
    assert set(found["box_source"]) == {"U-Net"}


def test_boxes_come_from_the_specialist_and_not_from_the_reference():
    case = make_case()
    plan = SpecialistBox({case.name: shifted(case)}, "U-Net", margin_px=1)
    table = score_cases(BoxFiller(), case, prompts=plan, progress=False)
    assert set(table["box_source"]) == {"U-Net, margin 1 px"}
    assert (table["dice"] < 0.9).all()


def test_what_the_specialist_misses_is_lost():
    case = make_case()
    without = LabelMap(
        np.where(case.reference.array == 3, 0, case.reference.array), case.image.affine
    )
    table = score_cases(
        BoxFiller(), case, prompts=SpecialistBox({case.name: without}, "U-Net"), progress=False
    )
    by_label = table.groupby("label")["dice"].mean()
    assert by_label.to_dict() == {3: 0, 7: 1}
    assert (table[table["label"] == 3]["status"] == "scored").all()
    assert (table[table["label"] == 3]["n_prompts"] == 0).all()


def test_a_case_that_the_specialist_lacks_is_missing():
    case = make_case()
    table = score_cases(BoxFiller(), case, prompts=SpecialistBox({}, "U-Net"), progress=False)
    assert set(table["status"]) == {"missing"}
    assert (table["dice"] == 0).all()


def test_of_a_specialists_fragments_the_largest_get_a_box(monkeypatch):
    case = make_case()
    fragments = np.zeros(case.reference.shape, np.uint8)
    for size, place in enumerate(range(0, 28, 7), start=2):
        fragments[2, place : place + size, 1:17] = 3
    found = {case.name: LabelMap(fragments, case.image.affine)}
    for n, expected in ((1, 1), (3, 3), (9, 4)):
        monkeypatch.setattr("mskseg.prompts.plans.MAX_FOUND", n)
        how = {"prompts": SpecialistBox(found, "U-Net"), "progress": False}
        table = score_cases(BoxFiller(), case, **how)
        assert table[table["label"] == 3]["n_prompts"].max() == expected


def test_seven_pieces_of_one_label_that_a_specialist_found_are_all_boxed():
    """As vertebrae that are only counted: with four boxes, three of them would be lost."""
    case = make_case()
    pieces = np.zeros(case.reference.shape, np.uint8)
    for place in range(0, 28, 4):
        pieces[2, place : place + 3, 1:17] = 3
    found = {case.name: LabelMap(pieces, case.image.affine)}
    table = score_cases(BoxFiller(), case, prompts=SpecialistBox(found, "U-Net"), progress=False)
    assert table[table["label"] == 3]["n_prompts"].max() == 7
