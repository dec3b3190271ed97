"""The second reader draws the same thing, elsewhere by about what was asked for."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import ndimage

from mskseg.case import Case
from mskseg.errors import InputError
from mskseg.evaluation.metrics import dice
from mskseg.evaluation.metrics import surface_distances_mm as between
from mskseg.evaluation.scoring import SCAN, described_scan
from mskseg.volume import LabelMap, Volume
from mskseg_studies.errors.inter_reader import (
    ceiling_chart,
    on_same_pairs,
    read_again,
    reader_ceiling,
    redraw,
)

MM = (1.0, 1.0)


@pytest.fixture
def square():
    mask = np.zeros((120, 120), dtype=bool)
    mask[30:90, 30:90] = True
    return mask


def readings(mask, sigma_mm, n=20, spacing_mm=MM):
    rng = np.random.default_rng(0)
    return [redraw(mask, spacing_mm=spacing_mm, sigma_mm=sigma_mm, rng=rng) for _ in range(n)]


def test_a_sure_reader_draws_the_same(square):
    assert np.array_equal(readings(square, 0.0, n=1)[0], square)


def test_the_outline_moves_by_the_sigma_that_was_asked_for(square):
    found = [between(square, each, spacing_mm=MM).assd_mm for each in readings(square, 2.0)]
    assert np.mean(found) == pytest.approx(2.0 * np.sqrt(2 / np.pi), rel=0.2)  # mean of |normal|


def test_both_directions_are_as_likely(square):
    sizes = [each.sum() / square.sum() for each in readings(square, 1.5, n=40)]
    assert np.mean(sizes) == pytest.approx(1, abs=0.03)


def test_thin_tissue_has_a_lower_ceiling_than_thick(square):
    thin = np.zeros_like(square)
    thin[58:61, 20:100] = True
    ceilings = {
        name: np.mean([dice(mask, each) for each in readings(mask, 0.7)])
        for name, mask in (("thick", square), ("thin", thin))
    }
    assert ceilings["thick"] > 0.95
    assert ceilings["thin"] < ceilings["thick"] - 0.1


def test_sigma_is_in_millimetres_along_both_axes(square):
    tall = square.repeat(2, axis=0)
    moved = readings(tall, 2.0, n=12, spacing_mm=(0.5, 1.0))
    assert np.mean(
        [between(tall, each, spacing_mm=(0.5, 1.0)).assd_mm for each in moved]
    ) == pytest.approx(2.0 * np.sqrt(2 / np.pi), rel=0.25)


def test_neighbours_on_the_outline_move_together(square):
    other = readings(square, 2.0, n=1)[0]
    _, pieces = ndimage.label(other ^ square)
    assert pieces < 40  # not salt and pepper along 240 pixels of outline


@pytest.mark.parametrize("sigma_mm", [-1.0, float("nan")])
def test_impossible_lengths_are_refused(square, sigma_mm):
    with pytest.raises(InputError, match="sigma_mm is"):
        redraw(
            square,
            spacing_mm=MM,
            sigma_mm=sigma_mm,
            rng=np.random.default_rng(0),
        )


def strip_and_block() -> Case:
    labels = np.zeros((120, 120, 2), dtype=np.int16)
    labels[10:110, 10:13] = 1
    labels[10:110, 30:110] = 2
    labels[0, 119] = 3  # under the minimum area
    affine = np.diag([1.0, 1.0, 4.0, 1.0])
    tissues = {1: "strip", 2: "block", 3: "speck"}
    reference, image = LabelMap(labels, affine), Volume(labels + 1.0, affine)
    return Case(subject="a", image=image, reference=reference, tissues=tissues)


def test_the_ceiling_is_lower_for_thin_tissue_and_for_a_less_certain_reader():
    table = read_again([strip_and_block()], sigmas_px=(0.5, 1.0))
    means = table.groupby(["tissue", "sigma_px"])["dice"].mean()
    assert set(table["tissue"]) == {"strip", "block"}
    assert means["strip", 1.0] < means["strip", 0.5] < means["block", 0.5]
    assert means["block", 1.0] < means["block", 0.5]


def test_the_same_seed_gives_the_same_readers_whatever_else_is_read():
    case = strip_and_block()
    every = read_again([case], sigmas_px=(0.5, 1.0))
    second = read_again([case], sigmas_px=(0.5, 1.0), slice_step=2)
    assert second["dice"].tolist() == every[every["slice"] == 0]["dice"].tolist()
    assert (
        read_again([case], sigmas_px=(0.5, 1.0), seed=1)["dice"].tolist() != every["dice"].tolist()
    )


def test_nothing_to_read_is_refused(draw_case):
    with pytest.raises(InputError, match="expected one case or more"):
        read_again([], sigmas_px=[1.0])
    speck = np.zeros((1, 40, 60))
    speck[0, 4, 4] = 1
    with pytest.raises(InputError, match="no slice shows a tissue large enough to read again"):
        read_again([draw_case(speck)], sigmas_px=[1.0])


def test_specks_are_not_read_again_even_if_they_are_many(draw_case):
    labels = np.zeros((1, 40, 60))
    labels[0, 4:14, 4:14] = 1
    labels[0, 20:25, 30:35] = labels[0, 30:35, 30:35] = 2  # 50 mm2, no piece of 30
    assert (
        read_again([draw_case(labels)], sigmas_px=(0.5, 1.0))["slice"].size == 2
    )  # one tissue, two sigmas


def test_means_are_over_the_slices_that_were_read_again_and_scored():
    case = strip_and_block()
    scores = pd.DataFrame(
        {
            **described_scan(case),
            "data": "people",
            "tissue": "block",
            "label": 2,
            "slice": [0, 1],
            "segmenter": "m",
            "status": "scored",
            "dice": [0.5, 0.7],
        }
    )
    ceilings, models = reader_ceiling(
        {"people": [case]}, scores, sigmas_px=(0.5, 1.0), slice_steps={"people": 2}
    )
    assert ceilings[["tissue", "sigma_px"]].to_numpy().tolist() == [["block", 0.5], ["block", 1.0]]
    assert models[["tissue", "segmenter", "dice"]].to_numpy().tolist() == [["block", "m", 0.5]]


def test_readers_and_models_are_compared_on_the_pairs_that_both_have():
    keys = {**dict.fromkeys(SCAN, "a"), "tissue": "t", "label": 1}
    readings = pd.DataFrame(
        {**keys, "slice": [1, 1, 2, 3], "sigma_px": [0.5, 1.0] * 2, "dice": 0.9}
    )
    scores = pd.DataFrame(
        {
            **keys,
            "slice": [1, 1, 2, 4],
            "segmenter": ["a", "b", "a", "a"],
            "status": ["scored", "scored", "too_small", "scored"],
            "dice": 0.5,
        }
    )
    again, scored = on_same_pairs(readings, scores)
    assert list(zip(again["slice"], again["sigma_px"], strict=True)) == [(1, 0.5), (1, 1.0)]
    assert list(zip(scored["slice"], scored["segmenter"], strict=True)) == [(1, "a"), (1, "b")]
    with pytest.raises(InputError, match="no pair was both read again and scored"):
        on_same_pairs(readings[readings["slice"] > 1], scores)


def test_the_ceiling_says_on_how_many_tissues_it_was_reached():
    keys = {"dataset": ["phantom_knee"] * 2, "tissue": ["femur", "cartilage"]}
    ceilings = pd.concat(
        [
            pd.DataFrame({**keys, "sigma_px": 0.5, "dice": [0.99, 0.9]}),
            pd.DataFrame({**keys, "sigma_px": 1.0, "dice": [0.97, 0.7]}),
        ]
    )
    means = pd.DataFrame({**keys, "segmenter": "m", "dice": [0.9, 0.8]})
    ax = ceiling_chart(ceilings, means)
    assert ax.get_title(loc="left") == "m reaches a second reader on 1 of its 2 tissues"
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert names == ["cartilage (knee)", "femur (knee)"]
    assert ax.lines[0].get_xdata().tolist() == [0.8, 0.9]
    with pytest.raises(InputError, match="the table has 0 rows"):
        ceiling_chart(ceilings.iloc[:0], means)
