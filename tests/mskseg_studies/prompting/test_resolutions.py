"""Shrink the image, or run the encoder at another size: prompts and masks stay in place."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from mskseg.errors import InputError
from mskseg.prompts.plans import OracleBox, OraclePoint
from mskseg_studies.prompting import resolutions
from mskseg_studies.prompting.resolutions import (
    COARSER_IMAGE,
    OTHER_FRAME,
    coarsened,
    possible_frames,
    possible_sizes,
    resolution_changes,
    score_resolutions,
)


class FilledBoxes:
    """Fills the box, pixel by pixel as far as each is covered; keeps what it was asked."""

    name, miniature = "filled", True

    def __init__(self):
        self.boxes, self.points, self.shapes = [], [], []

    def embed(self, image):
        self.shapes.append(image.shape)
        return image

    def predict(self, embedding, prompt):
        boxes_xyxy, point_coords = prompt.boxes_xyxy, prompt.point_coords
        height, width = embedding.shape
        if boxes_xyxy is None:
            self.points.append(point_coords)
            return SimpleNamespace(
                probabilities=np.zeros((len(point_coords), 1, height, width), np.float32)
            )
        self.boxes.append(boxes_xyxy)
        covered = [
            np.outer(_covered(y0, y1, height), _covered(x0, x1, width))
            for x0, y0, x1, y1 in boxes_xyxy
        ]
        return SimpleNamespace(probabilities=np.array(covered, np.float32)[:, None])


def _covered(start, stop, n):
    """Part of each of n pixels that lies between start and stop."""
    edges = np.arange(n + 1).clip(start, stop)
    return np.diff(edges)


@pytest.fixture
def rectangle(draw_case):
    """Not square, not centred: 16 rows, 40 columns of 64 x 128 pixels, on multiples of 8."""
    labels = np.zeros((2, 64, 128))
    labels[:, 8:24, 72:112] = 1
    return draw_case(labels)


def shrunk(case, sizes, segmenter=None, **more):
    segmenter = segmenter or FilledBoxes()
    return score_resolutions(segmenter, [case], image_sizes=sizes, frame_sizes=[], **more)


def test_boxes_follow_the_image_and_masks_come_back_where_they_were(rectangle):
    segmenter = FilledBoxes()
    table = shrunk(rectangle, [128, 32, 16], segmenter, n_slices=1)
    assert segmenter.shapes == [(64, 128), (16, 32), (8, 16)]
    assert [boxes.tolist()[0] for boxes in segmenter.boxes] == [
        [72, 8, 112, 24], [18, 2, 28, 6], [9, 1, 14, 3],
    ]  # fmt: skip
    assert table["dice"].iloc[0] == 1
    assert (table["dice"] > 0.97).all()  # a shift by half a coarse pixel would cost 0.1


def test_enlarging_keeps_the_middle_where_it_was():
    coarse = np.zeros((4, 8), np.float32)
    coarse[1, 2] = 1
    fine = resolutions._enlarged(coarse, (16, 32))
    rows, columns = np.mgrid[:16, :32] + 0.5
    middle = [(axis * fine).sum() / fine.sum() for axis in (rows, columns)]
    assert middle == pytest.approx([1.5 * 4, 2.5 * 4])


def test_points_follow_too(rectangle):
    segmenter = FilledBoxes()
    table = shrunk(rectangle, [128, 64], segmenter, plans=[OraclePoint(n=3)])
    full, half = segmenter.points[:2]
    assert full.shape == (1, 3, 2)
    assert np.allclose(half, full / 2)
    assert set(table["prompt"]) == {"point"}
    assert set(table["box_source"]) == {"oracle, 3 points"}


def test_a_row_for_each_slice_plan_and_size(rectangle):
    table = shrunk(rectangle, [128, 64], plans=[OracleBox(), OraclePoint()])
    assert len(table) == 2 * 2 * 2
    assert set(table["reading"]) == {COARSER_IMAGE}
    assert not table.duplicated(["slice", "prompt", "size_px"]).any()


def test_another_frame_gets_the_full_image(rectangle, monkeypatch):
    made = {}

    def framed(segmenter, size):
        made[size] = FilledBoxes()
        return made[size]

    monkeypatch.setattr(resolutions, "at_frame_size", framed)
    table = score_resolutions(FilledBoxes(), [rectangle], image_sizes=[32], frame_sizes=[64, 256])
    assert set(zip(table["reading"], table["size_px"], strict=True)) == {
        (COARSER_IMAGE, 32), (OTHER_FRAME, 64), (OTHER_FRAME, 256),
    }  # fmt: skip
    assert set(made[64].shapes) == {(64, 128)}
    assert (table[table["reading"] == OTHER_FRAME]["dice"] == 1).all()


def scored_at(changes, *, sizes=(64, 128, 256)):
    """A table of people whose Dice at the sizes is 0.5 plus their own change, tissues alike."""
    rows = [
        {"model": "m", "miniature": False, "prompt": "point", "reading": COARSER_IMAGE}
        | {"dataset": "d", "subject": f"s{person}"}
        | {"tissue": tissue, "size_px": size, "dice": 0.5 + shift + step}
        for person, steps in enumerate(changes)
        for size, step in zip(sizes, steps, strict=True)
        for tissue, shift in (("bone", 0), ("disc", 0.1))
    ]
    return pd.DataFrame(rows)


def test_every_two_sizes_are_compared_person_by_person():
    changes = resolution_changes(scored_at([(0, 0.1, 0.05), (0, 0.3, 0.05)]))
    assert changes[["coarser_px", "finer_px"]].to_numpy().tolist() == [
        [64, 128], [64, 256], [128, 256],
    ]  # fmt: skip
    assert changes["change"].tolist() == pytest.approx([0.2, 0.05, -0.15])
    assert set(changes["n_subjects"]) == {2}
    assert set(changes["dataset"]) == {"d"}
    alone = resolution_changes(scored_at([(0, 0.1, 0.05)]))
    assert alone[["low", "high"]].isna().all(axis=None)


def test_the_intervals_of_all_pairs_hold_together():
    """Where no size is better, some pair must seem worse in 5 of 100 studies, not in 15."""
    rng = np.random.default_rng(0)
    studies = [resolution_changes(scored_at(rng.normal(size=(6, 3)))) for _ in range(400)]
    wrong = np.mean([(one["low"] > 0).any() or (one["high"] < 0).any() for one in studies])
    assert wrong < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 400)


def test_of_one_pair_the_interval_is_students():
    steps = np.random.default_rng(0).normal(size=(6, 2))
    (row,) = resolution_changes(scored_at(steps, sizes=(64, 128))).to_dict("records")
    known = stats.ttest_1samp(steps[:, 1] - steps[:, 0], 0).confidence_interval(0.95)
    assert (row["low"], row["high"]) == pytest.approx((known.low, known.high))


def test_an_encoder_of_one_size_is_asked_at_that_one():
    preprocessing = SimpleNamespace(image_size=256)
    free = SimpleNamespace(
        model=SimpleNamespace(image_encoder=SimpleNamespace()), preprocessing=preprocessing
    )
    fixed = SimpleNamespace(
        model=SimpleNamespace(image_encoder=SimpleNamespace(fixed_frame=True)),
        preprocessing=preprocessing,
    )
    assert possible_frames(free, [64, 512]) == [64, 512]
    assert possible_frames(fixed, [64, 512]) == [256]


def test_sizes_are_those_that_every_image_has(rectangle, draw_case):
    small = draw_case(np.ones((1, 40, 32)))
    assert possible_sizes([rectangle], [16, 128, 129]) == [16, 128]
    assert possible_sizes([rectangle, small], [16, 40, 128]) == [16, 40]
    assert possible_sizes([rectangle], [256, 512]) == [128]


def test_a_size_of_one_data_set_alone_is_not_compared_in_the_other():
    one = scored_at([(0, 0.1)] * 2, sizes=(64, 128))
    both = pd.concat([one, scored_at([(0, 0.1)] * 2, sizes=(64, 256)).assign(dataset="e")])
    changes = resolution_changes(both)
    assert changes[["dataset", "coarser_px", "finer_px"]].to_numpy().tolist() == [
        ["d", 64, 128], ["e", 64, 256],
    ]  # fmt: skip
    assert set(changes["model"]) == {"m"}
    assert changes["change"].tolist() == pytest.approx([0.1, 0.1])


def test_two_models_are_not_mixed():
    better = scored_at([(0, 0.3)] * 2, sizes=(64, 128)).assign(model="n", miniature=True)
    changes = resolution_changes(pd.concat([scored_at([(0, 0.1)] * 2, sizes=(64, 128)), better]))
    found = changes.set_index("model")["change"]
    assert found.to_dict() == pytest.approx({"m": 0.1, "n": 0.3})
    assert changes.set_index("model")["miniature"].to_dict() == {"m": False, "n": True}


def test_an_image_cannot_be_shrunk_to_more_than_it_has(rectangle):
    with pytest.raises(InputError, match="expected a longest side of 1 to 128 pixels, got 200"):
        shrunk(rectangle, [200])


def test_nothing_to_ask_for_is_said(draw_case):
    labels = np.zeros((1, 20, 20))
    labels[0, 3:5, 3:5] = 1
    with pytest.raises(InputError, match="no tissue gets a prompt"):
        shrunk(draw_case(labels), [20])


def test_shrinking_averages_areas_and_keeps_the_proportions():
    image = np.zeros((40, 80), np.uint8)
    image[:20, :40] = 200
    image[10, 10] = 120
    small = coarsened(image, 8)
    assert small.shape == (4, 8)
    assert small.dtype == np.uint8
    assert small[0, 0] == 200
    assert small[1, 1] == round(200 - 80 / 100)  # one pixel of a hundred
    assert (small[2:] == 0).all()


def test_the_full_size_is_the_image_itself():
    image = np.arange(60, dtype=np.uint8).reshape(6, 10)
    assert np.array_equal(coarsened(image, 10), image)


@pytest.mark.parametrize("size", [0, 11])
def test_a_size_that_does_not_fit_is_refused(size):
    with pytest.raises(InputError, match=f"expected a longest side of 1 to 10 pixels, got {size}"):
        coarsened(np.zeros((6, 10), np.uint8), size)
