"""The table: its rows, what is scored, the boxes of the neighbouring slice, and the mean."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from mskseg.case import Case
from mskseg.errors import InputError
from mskseg.evaluation import scoring
from mskseg.evaluation.averaging import summarise
from mskseg.evaluation.metrics import dice
from mskseg.evaluation.prediction import SlicePredictor, predict_slice
from mskseg.evaluation.scoring import COLUMNS, KeptPredictions, score_cases
from mskseg.prompts import fill_boxes
from mskseg.prompts.plans import NeighbourBox, OracleBox, OraclePoint
from mskseg.volume import LabelMap, Volume

SIZE, N_SLICES = 40, 8
TIMES = ["encode_s", "decode_s"]


class FakeSegmenter:
    """Answers a box with its filling, where the image is bright; counts its calls."""

    name, miniature = "fake", True

    def __init__(self):
        self.embedded, self.calls = [], []

    def embed(self, image):
        self.embedded.append(image.tobytes())
        return image

    def predict(self, embedding, prompt):
        boxes_xyxy, point_coords = prompt.boxes_xyxy, prompt.point_coords
        if boxes_xyxy is None:
            self.calls.append(point_coords)
            assert prompt.point_labels.shape == point_coords.shape[:2]
            boxes_xyxy = np.concatenate([point_coords[:, 0] - 3, point_coords[:, 0] + 3], axis=1)
        else:
            self.calls.append(boxes_xyxy)
        bright = embedding > 128
        masks = np.stack([fill_boxes(box, bright.shape) & bright for box in boxes_xyxy])
        return SimpleNamespace(masks=masks[:, None], predicted_iou=np.full((len(masks), 1), 0.9))


def make_case(draw, *, subject="s1", extra=None, **more):
    """A case of axial slices (rows x columns as displayed); `draw` paints the label maps.

    The image is bright where there is a label, and where `extra` paints besides.
    """
    labels = np.zeros((N_SLICES, SIZE, SIZE), dtype=np.int16)
    draw(labels)
    grid = Volume(np.zeros((SIZE, SIZE, N_SLICES)), np.diag([1.0, 2.0, 6.0, 1.0]))
    reference = LabelMap(grid.from_stack(labels, "axial").array, grid.affine)
    bright = labels.copy()
    if extra:
        extra(bright)
    levels = np.where(bright > 0, 1000, 1)
    levels[:, -1, 0] = 10 * np.arange(N_SLICES) + 1  # so that no two slices are alike
    image = Volume(grid.from_stack(levels, "axial").array.astype(np.int16), grid.affine)
    tissues = {1: "muscle", 2: "bone"}
    return Case(subject=subject, image=image, reference=reference, tissues=tissues, **more)


def two_blocks(labels):
    labels[2:6, 5:15, 5:15] = 1
    labels[3:5, 20:30, 20:32] = 2


def bright_everywhere(bright):
    bright[:, :-2][bright[:, :-2] == 0] = 3


def score(case, prompts, **more):
    segmenter = FakeSegmenter()
    return score_cases(segmenter, case, prompts=prompts, progress=False, **more), segmenter


# rows


def test_one_row_per_plan_slice_and_label():
    table, _ = score(make_case(two_blocks), [OracleBox(), OraclePoint()])
    assert tuple(table.columns) == COLUMNS
    assert len(table) == 2 * (4 + 2)
    key = ["prompt", "box_source", "slice", "label"]
    assert not table.duplicated(key).any()
    assert table[table["label"] == 2]["slice"].unique().tolist() == [3, 4]


def test_a_perfect_segmenter_scores_1_and_areas_are_in_mm2():
    table, _ = score(make_case(two_blocks), OracleBox())
    assert (table["dice"] == 1).all()
    assert (table["hd95_mm"] == 0).all()
    assert (table["filled_box_dice"] == 1).all()
    assert set(table["area_mm2"]) == {100 * 2.0, 120 * 2.0}
    assert (table["predicted_area_mm2"] == table["area_mm2"]).all()
    assert (table["predicted_iou"] == 0.9).all()


def test_rows_say_what_they_are_about():
    case = make_case(two_blocks, anatomy="thigh", sequence="t1w", reference_provenance="automatic")
    row = score(case, OracleBox())[0].iloc[0]
    wanted = {
        "segmenter": "fake",
        "miniature": True,
        "dataset": "own data",
        "subject": "s1",
        "anatomy": "thigh",
        "sequence": "t1w",
        "reference_provenance": "automatic",
        "tissue": "muscle",
        "plane": "axial",
        "prompt": "box",
        "box_source": "oracle",
        "status": "scored",
    }
    assert {name: row[name] for name in wanted} == wanted


def test_each_slice_is_encoded_once_whatever_the_plans_and_labels():
    plans = [OracleBox(), OracleBox(jitter_px=2), OraclePoint(n=3), NeighbourBox()]
    _, segmenter = score(make_case(two_blocks), plans)
    assert len(segmenter.embedded) == len(set(segmenter.embedded)) == 6  # both ends included


def test_all_boxes_of_a_slice_go_in_one_call():
    def draw(labels):
        labels[3, 2:12, 2:12] = labels[3, 20:30, 2:12] = 1
        labels[3, 20:30, 20:30] = 2

    table, segmenter = score(make_case(draw), OracleBox())
    assert [len(boxes) for boxes in segmenter.calls] == [3]
    assert table.set_index("tissue")["n_prompts"].to_dict() == {"muscle": 2, "bone": 1}
    assert (table["dice"] == 1).all()


def test_the_number_of_points_has_a_column_of_its_own():
    table, _ = score(make_case(two_blocks), [OracleBox(), OraclePoint(), OraclePoint(n=5)])
    by_plan = table.groupby(["prompt", "box_source"])["n_points"].unique().map(list)
    assert by_plan.to_dict() == {
        ("box", "oracle"): [0],
        ("point", "oracle"): [1],
        ("point", "oracle, 5 points"): [5],
    }


def test_only_every_nth_slice_is_used():
    table, _ = score(make_case(two_blocks), OracleBox(), slice_step=2)
    assert table["slice"].unique().tolist() == [2, 4]


def test_another_plane_than_the_acquired_one():
    table, _ = score(make_case(two_blocks), OracleBox(), plane="coronal")
    assert set(table["plane"]) == {"coronal"}
    assert (table["dice"] == 1).all()
    assert set(table["area_mm2"]) == {4 * 10 * 6.0, 2 * 12 * 6.0}


def test_jittered_boxes_are_scored_beside_their_own_filling():
    case = make_case(two_blocks, extra=bright_everywhere)
    table, _ = score(case, OracleBox(jitter_px=4))
    assert (table["dice"] < 1).any()
    assert (table["dice"] == table["filled_box_dice"]).all()  # this segmenter fills its box


# small components


def test_the_pixels_of_a_speck_stay_in_the_reference():
    def draw(labels):
        labels[3, 5:15, 5:15] = 1
        labels[3, 30:32, 30:32] = 1

    row = score(make_case(draw), OracleBox())[0].iloc[0]
    assert (row["n_prompts"], row["unprompted_px"]) == (1, 4)
    assert row["dice"] == pytest.approx(2 * 100 / (104 + 100))


def test_a_label_that_is_nothing_but_specks_is_kept_and_not_scored():
    def draw(labels):
        labels[3, 5:15, 5:15] = 1
        labels[4, 30:32, 30:32] = 1

    table, _ = score(make_case(draw), [OracleBox(), NeighbourBox()])
    speck = table[table["slice"] == 4]
    assert (speck["status"] == "too_small").all()
    assert speck["dice"].isna().all()
    assert speck.iloc[0]["n_prompts"] == 0
    assert speck.iloc[0]["unprompted_px"] == 4
    means = summarise(table)
    assert (means["dice"] == 1).all()
    assert (means["n_too_small"] == 1).all()
    assert (means["n_pairs"] == 1).all()


# the neighbouring slice


def test_neighbour_boxes_come_from_the_prediction_and_not_from_the_reference():
    def draw(labels):
        for k in range(1, 7):
            labels[k, 5:15, 5 + k : 15 + k] = 1  # walks one column a slice
        labels[4, 4:16, 8:20] = 1  # largest here

    _, segmenter = score(make_case(draw), NeighbourBox(margin_px=1))
    start, following, *_ = segmenter.calls
    assert start.tolist() == [[8, 4, 20, 16]]
    assert following.tolist() == [[7, 3, 21, 17]]  # the start's prediction, one pixel wider


def test_neighbour_boxes_travel_both_ways_from_the_largest_slice():
    def draw(labels):
        labels[1:7, 5:15, 5:15] = 1
        labels[3, 5:16, 5:15] = 1

    table, _ = score(make_case(draw), NeighbourBox(margin_px=2))
    assert table["slice"].tolist() == list(range(N_SLICES))
    inside = table[table["slice"].between(1, 6)]
    assert (inside["dice"] == 1).all()
    assert set(table["box_source"]) == {"neighbour, margin 2 px"}


def test_a_prompt_beyond_the_end_that_finds_nothing_is_nan_and_counted():
    table, _ = score(make_case(two_blocks), NeighbourBox())
    beyond = table[(table["label"] == 1) & table["slice"].isin([1, 6])]
    assert (beyond["status"] == "both_empty").all()
    assert beyond["dice"].isna().all()
    means = summarise(table)
    assert means["dice"].item() == 1
    assert means["n_both_empty"].item() == 4  # both ends of both labels


def leak(bright):
    bright[6, 5:15, 5:15] = 3


def test_a_prediction_beyond_the_end_scores_0_and_is_counted_outside_the_mean():
    table, _ = score(make_case(two_blocks, extra=leak), [OracleBox(), NeighbourBox()])
    row = table[(table["label"] == 1) & (table["slice"] == 6)].iloc[0]
    assert (row["status"], row["dice"], row["filled_box_dice"]) == ("beyond_end", 0, 0)
    assert row["area_mm2"] == 0
    assert row["hd95_mm"] == math.inf
    means = summarise(table)
    assert means["n_beyond_end"].tolist() == [0, 1]
    assert means["n_pairs"].tolist() == [6, 6]
    assert means["dice"].tolist() == [1, 1]


def test_slices_that_the_propagation_does_not_reach_score_0():
    def draw(labels):
        labels[1:4, 5:15, 5:15] = 1
        labels[3, 5:15, 5:16] = 1
        labels[5:7, 5:15, 5:15] = 1  # after a gap

    table, segmenter = score(make_case(draw), NeighbourBox())
    lost = table[table["slice"].isin([5, 6])]
    assert lost["dice"].tolist() == [0, 0]
    assert lost["n_prompts"].tolist() == [0, 0]
    assert lost["filled_box_dice"].tolist() == [0, 0]
    assert (lost["status"] == "scored").all()
    assert len(segmenter.embedded) == 5  # slices 0 to 4


def test_plans_are_compared_on_the_same_pairs_with_a_reference():
    case = make_case(two_blocks, extra=bright_everywhere)
    table, _ = score(case, [OracleBox(), NeighbourBox()])
    assert (table["status"] == "beyond_end").any()
    scored = table[table["status"] == "scored"]
    pairs = {
        s: set(zip(g["slice"], g["label"], strict=True)) for s, g in scored.groupby("box_source")
    }
    assert len(pairs) == 2
    assert len(set(map(frozenset, pairs.values()))) == 1


def test_one_slice_of_a_run_is_what_stands_in_the_table():
    case = make_case(two_blocks, extra=bright_everywhere)
    table, segmenter = score(case, OracleBox(jitter_px=3))
    found = predict_slice(segmenter, case, case.slice(4), OracleBox(jitter_px=3))
    rows = table[table["slice"] == 4].set_index("label")
    assert list(found) == rows.index.tolist() == [1, 2]
    for label, each in found.items():
        assert dice(each.reference, each.prediction) == rows.loc[label, "dice"]


# bad input


@pytest.mark.parametrize(
    ("cases", "prompts", "more", "message"),
    [
        ([], OracleBox(), {}, "expected one case or more"),
        (None, [], {}, "expected one prompt plan"),
        (None, [OracleBox(), OracleBox(seed=4)], {}, "two prompt plans are both called"),
        (None, OracleBox(), {"slice_step": 0}, "expected a step of 1 slice or more, got 0"),
    ],
)
def test_what_cannot_be_scored_is_refused(cases, prompts, more, message):
    with pytest.raises(InputError, match=message):
        score(make_case(two_blocks) if cases is None else cases, prompts, **more)


def test_a_case_without_a_reference_is_refused():
    case = make_case(two_blocks)
    bare = Case(subject="s1", image=case.image)
    segmenter = FakeSegmenter()
    with pytest.raises(InputError, match="has no reference"):
        score_cases(segmenter, [case, bare], prompts=OracleBox(), progress=False)
    assert segmenter.embedded == []  # before the first case is scored


def test_the_progress_bar_can_be_switched_off(capsys):
    case = make_case(two_blocks)
    score_cases(FakeSegmenter(), case, prompts=OracleBox(), progress=False)
    assert capsys.readouterr() == ("", "")
    score_cases(FakeSegmenter(), case, prompts=OracleBox(), progress=True)
    assert "fake: 100%" in capsys.readouterr().err


# the masks behind the rows


def test_kept_masks_are_those_that_were_scored_row_by_row():
    case = make_case(two_blocks, extra=leak)
    plans = [OracleBox(jitter_px=3), OraclePoint(), NeighbourBox()]
    kept = KeptPredictions()
    table, _ = score(case, plans, kept=kept)
    assert len(kept) == len(table)
    for (_, row), each in zip(table.iterrows(), kept, strict=True):
        assert (each.label, each.case_slice.index) == (row["label"], row["slice"])
        assert len(each.prompt) == row["n_prompts"]
        score_again = dice(each.reference, each.prediction)
        assert score_again == row["dice"] or (math.isnan(score_again) and math.isnan(row["dice"]))
    pd.testing.assert_frame_equal(
        score(case, plans)[0].drop(columns=TIMES), table.drop(columns=TIMES)
    )


def test_an_empty_prediction_is_kept_too():
    kept = KeptPredictions()
    table, _ = score(make_case(two_blocks), NeighbourBox(), kept=kept)
    beyond = table.index[table["status"] == "both_empty"]
    assert len(beyond) == 4
    assert not any(kept[row].prediction.any() for row in beyond)


def test_a_long_volume_is_encoded_once_and_its_embeddings_are_not_all_kept(monkeypatch):
    kept = []

    class Watched(SlicePredictor):
        MOST_KEPT = 2

        def predict(self, prompted):
            found = super().predict(prompted)
            kept.append(len(self._embeddings))
            return found

    monkeypatch.setattr(scoring, "SlicePredictor", Watched)
    table, segmenter = score(make_case(two_blocks), [OraclePoint(), OracleBox()])
    assert len(segmenter.embedded) == len(set(segmenter.embedded)) == 4  # those with a prompt
    assert max(kept) == 2
    assert table["prompt"].tolist() == ["point"] * 6 + ["box"] * 6  # in the order of the plans
