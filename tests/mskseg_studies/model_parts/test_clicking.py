"""The two simulated readers: one who clicks where the error is deepest, one who draws it."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from mskseg.case import CaseSlice
from mskseg.prompts import central_point
from mskseg_studies import model_parts

TARGET = np.zeros((40, 60), dtype=bool)
TARGET[5:35, 10:50] = True


class Squares:
    """Marks a square around each click inside and clears one around each outside."""

    def __init__(self, half: int = 4) -> None:
        self.half, self.calls = half, []

    def predict(self, embedding, *, point_coords, point_labels, mask_logits):
        self.calls.append((len(point_coords), mask_logits is not None))
        mask = np.zeros(TARGET.shape, dtype=bool)
        for (x, y), label in zip(point_coords, point_labels, strict=True):
            rows = slice(max(int(y) - self.half, 0), int(y) + self.half)
            columns = slice(max(int(x) - self.half, 0), int(x) + self.half)
            mask[rows, columns] = label == 1
        return SimpleNamespace(masks=mask[None, None], low_res_logits=np.zeros((1, 1, 4, 4)))


def correct(**options):
    model = Squares(options.pop("half", 4))
    return model, model_parts.correct_with_clicks(model, None, TARGET, **options)


def test_a_careful_reader_starts_in_the_middle_and_goes_where_the_error_is_deepest():
    model, got = correct(n_corrections=3)
    assert got.points[0].tolist() == central_point(TARGET).tolist()
    assert model.calls == [(1, False), (2, True), (3, True), (4, True)]
    assert len(got.dice) == len(got.points) == len(got.labels) == 4
    assert np.array_equal(got.points, correct(n_corrections=3)[1].points)


def test_clicks_of_training_are_drawn_over_the_whole_error_and_the_seed_repeats_them():
    firsts = np.array(
        [
            correct(n_corrections=0, rng=np.random.default_rng(seed))[1].points[0]
            for seed in range(200)
        ]
    )
    # Uniform over 40 x 30 pixels: the deepest point alone would have no spread.
    assert firsts.std(axis=0) == pytest.approx([40 / 12**0.5, 30 / 12**0.5], rel=0.15)
    one, same = (correct(n_corrections=4, rng=np.random.default_rng(7))[1] for _ in range(2))
    assert np.array_equal(one.points, same.points)
    assert not np.array_equal(one.points, correct(n_corrections=4)[1].points)


def test_nobody_clicks_on_a_mask_that_is_right():
    class Right(Squares):
        def predict(self, embedding, **prompt):
            answer = super().predict(embedding, **prompt)
            return SimpleNamespace(masks=TARGET[None, None], low_res_logits=answer.low_res_logits)

    got = model_parts.correct_with_clicks(Right(), None, TARGET, n_corrections=5)
    assert got.dice.tolist() == [1.0]
    assert np.array_equal(got.masks[-1], TARGET)


def test_readers_stand_beside_each_other_and_one_who_is_done_keeps_the_last_dice():
    readers = model_parts.simulated_readers(
        Squares(), None, TARGET, n_corrections=3, n_drawn=3, seed=5
    )
    assert list(readers) == ["deepest", "drawn 1", "drawn 2", "drawn 3"]
    assert not np.array_equal(readers["drawn 1"].points, readers["drawn 2"].points)
    done = {name: each for name, each in readers.items() if name != "drawn 3"}
    last = readers["drawn 3"]
    done["drawn 3"] = type(last)(last.points[:1], last.labels[:1], np.array([1.0]), last.masks)
    table = model_parts.dice_by_click(done)
    assert table.index.tolist() == [1, 2, 3, 4]
    assert table["deepest"].tolist() == readers["deepest"].dice.tolist()
    others = np.stack([readers["drawn 1"].dice, readers["drawn 2"].dice, np.ones(4)])
    assert table["drawn, mean"].tolist() == pytest.approx(others.mean(axis=0))
    assert table["drawn, lowest"].tolist() == pytest.approx(others.min(axis=0))


def test_the_film_has_a_numbered_frame_for_each_click_with_the_clicks_until_then():
    _, got = correct(n_corrections=2)
    assert got.masks.shape == (3, *TARGET.shape)
    case_slice = CaseSlice(TARGET * np.uint8(9), None, (1.0, 1.0), "axial", 0)
    axes = model_parts.film_strip(case_slice, got, TARGET, title="t")
    assert [ax.get_title() for ax in axes] == [
        f"{k + 1}: Dice {score:.2f}" for k, score in enumerate(got.dice)
    ]
    numbers = [[t.get_text() for t in ax.texts if t.get_text().isdigit()] for ax in axes]
    assert numbers == [["1"], ["1", "2"], ["1", "2", "3"]]
