"""A simulated reader: where it clicks, what it gets to see, and what is scored."""

from __future__ import annotations

import numpy as np
import pytest

from mskseg.errors import InputError
from mskseg.evaluation.metrics import dice
from mskseg_studies.prompting.clicks import click_curves, clicks_to_reach

QUIET = {"progress": False}


def disc(radius, *, shape=(40, 60), x=30.0, y=20.0):
    rows, columns = np.mgrid[: shape[0], : shape[1]] + 0.5
    return np.hypot(columns - x, rows - y) <= radius


@pytest.fixture
def one_disc(draw_case):
    """A disc of radius 7 whose middle is the corner of four pixels."""
    return draw_case(disc(7)[None], kinds={1: "muscle"})


@pytest.fixture
def bar(draw_case):
    """Longer than wide: discs cover it one click after another."""
    labels = np.zeros((1, 40, 60))
    labels[0, 16:24, 6:54] = 1
    return draw_case(labels)


def test_a_row_for_each_object_strategy_and_number_and_one_for_its_box(one_disc, discs):
    table = click_curves(discs(), [one_disc], n_points=[3, 1, 3], **QUIET)
    found = list(zip(table["strategy"], table["n_points"], strict=True))
    assert found == [
        ("box", 0),
        *(("corrective", n) for n in (1, 2, 3)),
        *(("random", n) for n in (1, 3)),
    ]
    without = table["rated_dice"].isna() & table["best_dice"].isna()
    assert without.tolist() == [True, False, True, False, False, False]
    assert table["dice"].notna().all()
    row = table.iloc[1]
    assert (row["case"], row["tissue"], row["group"], row["slice"], row["n_boxes"]) == (
        one_disc.name, "muscle", "muscle", 0, 1,
    )  # fmt: skip


def test_after_one_click_the_highest_rated_of_three_is_kept_and_the_best_told_apart(
    one_disc, discs
):
    segmenter = discs(radii=(2.0, 4.0, 7.0), ratings=(0.1, 0.9, 0.2))
    table = click_curves(segmenter, [one_disc], n_points=[1], **QUIET)
    row = table[table["n_points"] == 1].iloc[0]
    middle = segmenter.calls[1].points[0, 0]
    small, large = (disc(r, x=middle[0], y=middle[1]) for r in (4, 7))
    assert row["dice"] == row["rated_dice"] == dice(disc(7), small)
    assert row["best_dice"] == dice(disc(7), large) > row["dice"]


def test_best_of_three_is_asked_for_with_many_clicks_too_but_one_mask_is_kept(bar, discs):
    segmenter = discs()
    table = click_curves(segmenter, [bar], n_points=[3], **QUIET)
    row = table[table["n_points"] == 3].iloc[0]
    assert [call.multimask for call in segmenter.calls[1:5]] == [True, False, False, True]
    kept, three = segmenter.calls[3:5]
    assert np.array_equal(kept.points, three.points)
    assert np.array_equal(kept.logits, three.logits)
    assert row["dice"] != row["best_dice"]
    assert row["best_dice"] >= row["rated_dice"]


def test_a_model_that_rates_nothing_keeps_its_first_mask(one_disc, discs):
    segmenter = discs(radii=(7.0, 2.0, 2.0), ratings=(np.nan,) * 3)
    table = click_curves(segmenter, [one_disc], n_points=[1], **QUIET)
    assert table.iloc[1]["dice"] > 0.9
    assert table.iloc[1]["rated_dice"] == table.iloc[1]["dice"]


def test_the_first_click_is_the_middle_and_the_second_the_deepest_error(bar, discs):
    segmenter = discs()
    click_curves(segmenter, [bar], n_points=[2], **QUIET)
    points, labels = segmenter.calls[2].points[0], segmenter.calls[2].labels[0]
    assert np.allclose(points[0], (30, 20), atol=1)  # x, y
    assert abs(points[1][0] - 30) > 4  # beyond the disc of radius 4
    assert 16 < points[1][1] < 24
    assert labels.tolist() == [1, 1]


def test_a_mask_that_is_too_large_is_clicked_outside_the_object(one_disc, discs):
    segmenter = discs(radii=(1.0, 15.0, 1.0))
    click_curves(segmenter, [one_disc], n_points=[2], **QUIET)
    point, label = segmenter.calls[2].points[0, 1], segmenter.calls[2].labels[0, 1]
    assert label == 0
    assert not disc(7)[int(point[1]), int(point[0])]


def test_depth_is_measured_in_millimetres(draw_case, discs):
    """10 rows of 0.5 mm are shallower than 6 columns of 2 mm."""
    labels = np.zeros((1, 60, 60))
    labels[0, 4:14, 4:14] = labels[0, 40:48, 4:20] = labels[0, 30:52, 40:46] = 1
    segmenter = discs(radii=(1.0, 2.0, 3.0))
    case = draw_case(labels, row_mm=0.5, column_mm=2.0)
    click_curves(segmenter, [case], n_points=[1], **QUIET)
    assert segmenter.calls[1].points[0, 0, 0] == pytest.approx(43, abs=1)


def test_each_click_sends_all_clicks_and_the_last_mask(bar, discs):
    segmenter = discs()
    click_curves(segmenter, [bar], n_points=[3], **QUIET)
    first, second, third = segmenter.calls[1:4]
    assert first.logits is None
    assert [call.points.shape[1] for call in (first, second, third)] == [1, 2, 3]
    assert np.array_equal(second.points[:, :1], first.points)
    kept = disc(4, x=first.points[0, 0, 0], y=first.points[0, 0, 1])  # rated highest
    assert np.array_equal(second.logits[0] > 0, kept)


def test_random_points_lie_inside_and_depend_on_seed_and_slice_alone(bar, one_disc, discs):
    def given(seed, *cases):
        segmenter = discs()
        click_curves(segmenter, cases, n_points=[6], seed=seed, **QUIET)
        return segmenter.calls[-1].points[0]

    points = given(0, bar)
    assert all(6 <= x <= 54 and 16 <= y <= 24 for x, y in points)
    assert np.array_equal(points, given(0, one_disc_named_otherwise(one_disc), bar))
    assert not np.array_equal(points, given(1, bar))


def test_random_points_are_given_at_once_without_a_mask_and_few_begin_many(bar, discs):
    segmenter = discs()
    table = click_curves(segmenter, [bar], n_points=[5, 1], **QUIET)
    one, three, kept = segmenter.calls[-3:]
    assert [call.multimask for call in (one, three, kept)] == [True, True, False]
    assert all(call.logits is None for call in (one, three, kept))
    assert np.array_equal(three.points[:, :1], one.points)
    assert three.points.shape == kept.points.shape == (1, 5, 2)
    assert set(three.labels.ravel()) == {1}
    assert len(np.unique(three.points[0], axis=0)) == 5
    at_random = table[table["strategy"] == "random"]
    few, many = (at_random[at_random["n_points"] == n].iloc[0] for n in (1, 5))
    assert few["dice"] == few["rated_dice"]
    assert many["best_dice"] >= many["rated_dice"]


def test_a_model_of_boxes_alone_is_asked_for_no_point(one_disc, discs):
    segmenter = discs()
    table = click_curves(segmenter, [one_disc], n_points=[], **QUIET)
    assert set(table["strategy"]) == {"box"}
    assert len(segmenter.calls) == 1


def one_disc_named_otherwise(case):
    from dataclasses import replace

    return replace(case, subject="s2")


def test_a_perfect_mask_is_clicked_inside_again(draw_case, discs):
    exact = disc(4.0, x=30.5, y=20.5)
    segmenter = discs()
    table = click_curves(segmenter, [draw_case(exact[None])], n_points=[1, 2], **QUIET)
    assert table[table["n_points"] == 1]["dice"].iloc[0] == 1
    x, y = segmenter.calls[2].points[0, 1]
    assert exact[int(y), int(x)]


def test_boxes_of_several_pieces_are_united_and_counted(draw_case, discs):
    labels = np.zeros((1, 40, 60))
    labels[0, 4:14, 4:14] = labels[0, 20:30, 30:50] = 1
    table = click_curves(discs(), [draw_case(labels)], n_points=[1], **QUIET)
    row = table[table["strategy"] == "box"].iloc[0]
    assert (row["dice"], row["n_boxes"]) == (1, 2)
    assert np.isnan(row["best_dice"])


def test_two_labels_of_one_name_are_two_objects_when_clicks_are_counted(draw_case, discs):
    labels = np.zeros((1, 40, 60))
    labels[0, 4:14, 4:14], labels[0, 20:30, 30:40] = 1, 2  # as long an outline
    case = draw_case(labels, tissues={1: "vertebral body", 2: "vertebral body"})
    table = click_curves(discs(), [case], n_points=[1], **QUIET)
    reached = clicks_to_reach(table, dice=0.5)
    assert reached["label"].tolist() == [1, 2]
    assert reached["outline_mm"].nunique() == 1


def test_specks_are_left_out(draw_case, discs):
    labels = np.zeros((1, 40, 60))
    labels[0, 4:14, 4:14] = 1
    labels[0, 20:25, 30:35] = labels[0, 30:35, 30:35] = 2  # 50 mm2, no piece of 30
    table = click_curves(discs(), [draw_case(labels)], n_points=[1], **QUIET)
    assert set(table["tissue"]) == {"muscle"}


@pytest.mark.parametrize("numbers", [[0, 3], [-1]])
def test_numbers_below_one_are_refused(one_disc, discs, numbers):
    with pytest.raises(InputError, match="expected numbers of 1 or more as n_points, got"):
        click_curves(discs(), [one_disc], n_points=numbers, **QUIET)


def test_nothing_to_click_on_is_said(draw_case, discs):
    labels = np.zeros((1, 40, 60))
    labels[0, 3:5, 3:5] = 1
    with pytest.raises(InputError, match="no tissue to click on"):
        click_curves(discs(), [draw_case(labels)], n_points=[1], **QUIET)
