"""Whether predicted IoU selects good ones among automatic masks."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import mskseg
from mskseg.case import Case
from mskseg.errors import InputError
from mskseg.volume import LabelMap, Volume
from mskseg_studies import model_parts
from mskseg_studies.claims.measuring import measure_table
from mskseg_studies.claims.statements import load_claims

TRUE = np.arange(10) / 10


def masks_of(subject: str, predicted: np.ndarray) -> pd.DataFrame:
    described = {"segmenter": "sam_vit_b", "dataset": "d", "subject": subject}
    return pd.DataFrame({"iou": TRUE, "predicted_iou": predicted}).assign(**described)


def test_a_perfect_judge_gains_all_there_is_a_wrong_one_loses_and_constant_iou_is_no_number():
    people = [masks_of("knows", TRUE + 5), masks_of("inverts", -TRUE)]
    people.append(masks_of("alike", TRUE).assign(iou=0.5))
    got = model_parts.selection_gain(pd.concat(people, ignore_index=True)).set_index("subject")
    assert got["gain_share"].tolist() == pytest.approx([1, -1, np.nan], nan_ok=True)
    assert got.loc["inverts", ["iou_all", "iou_kept", "iou_best"]].tolist() == pytest.approx(
        [0.45, 0.2, 0.7]
    )
    assert got["r"].tolist()[:2] == pytest.approx([1, -1])


def test_a_choice_by_chance_gains_nothing_on_average():
    rng = np.random.default_rng(0)
    many = [masks_of(str(k), rng.random(10)) for k in range(300)]
    gained = model_parts.selection_gain(pd.concat(many, ignore_index=True))["gain_share"]
    assert abs(gained.mean()) < 0.06


def test_the_claim_is_about_selecting_by_subject():
    (claim,) = [c for c in load_claims().claims if c.id == "kirillov-predicted-iou"]
    people = [masks_of(str(k), TRUE if k else -TRUE) for k in range(5)]
    table = model_parts.selection_gain(pd.concat(people, ignore_index=True))
    found = measure_table(table, claim.measure)
    assert (found.value, found.n) == (pytest.approx(0.6), 5)


@pytest.fixture(scope="module")
def two_squares() -> Case:
    grid = Volume(np.zeros((64, 64, 2)), np.diag([1.0, 1.0, 5.0, 1.0]))
    stack = np.zeros((2, 64, 64), dtype=np.int16)
    stack[0, 8:24, 8:24], stack[0, 40:60, 36:60] = 1, 2
    reference = LabelMap(grid.from_stack(stack, "axial").array, grid.affine)
    image = Volume(reference.array * 100.0 + 1, grid.affine)
    return Case(subject="a", dataset="d", image=image, reference=reference)


def test_only_points_on_a_tissue_are_asked_and_a_mask_counts_for_the_piece_it_fits(two_squares):
    segmenter = mskseg.load_segmenter("sam_vit_mini")
    table = model_parts.score_grid_masks(segmenter, [two_squares], points_per_side=8)
    label_map = mskseg.fullest_slice(two_squares).label_map
    on = label_map[table["y"].astype(int), table["x"].astype(int)]
    assert (on > 0).all()
    assert set(on) == {1, 2}
    assert table.groupby(["x", "y"]).size().max() == 3
    assert table["iou"].between(0, 1).all()
    assert table["iou"].max() > 0.7  # two bright squares on black


def test_a_grid_that_misses_every_tissue_is_refused(two_squares):
    segmenter = mskseg.load_segmenter("sam_vit_mini")
    with pytest.raises(InputError, match="no point of a grid of 1 x 1 lies on a labelled tissue"):
        model_parts.score_grid_masks(segmenter, [two_squares], points_per_side=1)


def test_what_is_kept_on_a_slice_passed_all_three_filters():
    segmenter = mskseg.load_segmenter("sam_vit_mini")
    case = mskseg.load_some("phantom_knee")[0]
    case_slice, masks = model_parts.filtered_masks(segmenter, case, 6, (0.6, 0.7))
    assert case_slice.index == mskseg.fullest_slice(case).index
    every = model_parts.grid_candidates(segmenter, case_slice.image, points_per_side=6)
    passed = every.where((every.predicted_iou >= 0.6) & (every.stability >= 0.7))
    assert 0 < len(masks) == len(passed.without_duplicates()) < len(every)
    (ax,) = model_parts.mask_panels({"knee": (case_slice, masks)})
    assert ax.get_title() == f"knee: {len(masks)} masks"
