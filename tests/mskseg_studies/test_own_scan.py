"""A scan of one's own: what is loaded, compared and corrected, with and without a reference."""

from __future__ import annotations

from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pytest
from support.drawn_cases import BrightFilling

import mskseg
from mskseg.case import Case
from mskseg.errors import InputError
from mskseg.evaluation import propagate
from mskseg.prompts import SlicePrompt
from mskseg.volume import LabelMap, Volume
from mskseg_studies import own_scan


@pytest.fixture
def case():
    """A square on slices 1 to 6 of 8; on the last two the reference has its upper half alone."""
    image, labels = np.full((40, 40, 8), 10), np.zeros((40, 40, 8), np.int16)
    image[10:20, 10:20, 1:7] = 900
    labels[10:20, 10:20, 1:5] = labels[10:20, 15:20, 5:7] = 3
    affine = np.diag([1.0, 1.0, 6.0, 1.0])
    return Case(subject="s", image=Volume(image, affine), reference=LabelMap(labels, affine))


def follow(case, label=3, k=3):
    box = tuple(own_scan.read_box(case, label, k))
    return propagate(BrightFilling(), case, [SlicePrompt(slice=k, label=label, boxes_xyxy=(box,))])


def test_slices_are_compared_with_the_reference_and_with_the_filled_box(case):
    label, start = own_scan.choose_start(case)
    assert (label, start) == (3, 3), "the middle one of slices that are equally large"
    compared = own_scan.compare_slices(follow(case), case, 3, start=3)
    assert compared["predicted_px"].tolist() == [0, *[100] * 6, 0]
    assert compared["mm"].tolist() == [6.0 * k for k in range(-3, 5)]
    assert compared["dice"].tolist()[1:7] == pytest.approx([1, 1, 1, 1, 100 / 150, 100 / 150])
    assert compared["filled_box_dice"][3] == pytest.approx(2 * 100 / (14 * 14 + 100))
    total = own_scan.sum_up(compared)
    assert total["volume_dice"] == pytest.approx(2 * 500 / (600 + 500))
    assert (total["slices"], total["slices_of_reference"]) == (6, 6)
    assert own_scan.sum_up(compared, within=1)["volume_dice"] == 1
    assert own_scan.slice_to_correct(compared) == 5


def test_without_a_reference_there_are_areas_and_no_scores(case):
    bare = replace(case, reference=None)
    assert own_scan.choose_start(bare, box=[2, 8, 8, 22, 22]) == (1, 2)
    assert own_scan.choose_start(bare) == (1, 4)
    assert own_scan.read_box(bare, 1, 4) == [16, 16, 24, 24]
    prompt = SlicePrompt(slice=3, boxes_xyxy=((16, 16, 34, 34),))
    compared = own_scan.compare_slices(propagate(BrightFilling(), bare, [prompt]), bare, 1, start=3)
    assert compared["predicted_px"].sum() == 600
    assert compared["dice"].isna().all()
    assert np.isnan(own_scan.sum_up(compared)["volume_dice"])
    assert own_scan.slice_to_correct(compared) is None


def test_a_box_that_cannot_be_drawn_is_refused(case):
    with pytest.raises(InputError, match=r"as slice, x0, y0, x1, y1, got \[3, 100\]"):
        own_scan.choose_start(case, box=[3, 100])
    with pytest.raises(InputError, match="on slice 0; choose one that the reference has"):
        own_scan.read_box(case, 3, 0)


def test_what_fills_its_box_is_followed_before_a_larger_ring(case):
    labels = case.reference.array.copy()
    labels[0, :, :] = labels[-1, :, :] = labels[:, 0, :] = labels[:, -1, :] = 7
    ringed = replace(case, reference=LabelMap(labels, case.reference.affine))
    assert (labels == 7).sum() > (labels == 3).sum()
    assert own_scan.choose_start(ringed)[0] == 3
    assert own_scan.choose_start(ringed, label=7)[0] == 7


def test_the_other_plane_is_cut_where_two_propagations_differ(case):
    first = follow(case)
    array = first.label_map.array.copy()
    rows = np.unique(np.nonzero(array)[1])
    array[:, rows[2], :] = 0  # one coronal slice is lost
    second = replace(first, label_map=LabelMap(array, first.label_map.affine))
    axes = own_scan.show_side(case, {"a": first, "b": second}, 3, start=3)
    coronal = [
        k
        for k in range(40)
        if not (second.label_map.slice("coronal", k) == first.label_map.slice("coronal", k)).all()
    ]
    assert axes[0].get_title().endswith(f"coronal slice {coronal[0]}")
    plt.close("all")


@pytest.mark.parametrize("with_reference", [True, False])
def test_figures_show_both_ends_the_side_and_the_drift(case, with_reference):
    found = follow(case)
    shown = case if with_reference else replace(case, reference=None)
    compared = own_scan.compare_slices(found, shown, 3, start=3)
    with plt.rc_context():
        plt.switch_backend("Agg")
        panels = own_scan.show_slices(shown, found, compared, 3, n=5)
        titles = [ax.get_title() for ax in panels]
        assert titles[0].startswith("slice 0")
        assert "ended:\nnothing was predicted" in titles[0]
        assert any("prompt" in title for title in titles)
        assert len(own_scan.show_side(shown, {"a": found, "b": found}, 3, start=3)) == 2
        ax = own_scan.drift_chart({"followed": compared})
        assert ax.get_ylabel() == ("Dice" if with_reference else "area (pixels)")
        plt.close("all")


def test_a_scan_is_read_with_a_second_readers_label_map(case, tmp_path):
    mskseg.save_nifti(case.image, tmp_path / "scan.nii.gz")
    mskseg.save_nifti(case.reference, tmp_path / "labels.nii.gz")
    loaded = own_scan.load_scan(tmp_path / "scan.nii.gz", reference=tmp_path / "labels.nii.gz")
    assert loaded.reference.labels == (3,)
    assert own_scan.load_scan(tmp_path / "scan.nii.gz").reference is None
    assert own_scan.load_scan(datasets=["phantom_spine"]).dataset == "phantom_spine"
