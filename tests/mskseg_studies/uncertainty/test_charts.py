"""Reliability diagrams, referral curves, and maps over a slice."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from mskseg.case import CaseSlice
from mskseg.errors import InputError
from mskseg_studies import uncertainty
from mskseg_studies.uncertainty.probability_maps import SliceMaps
from mskseg_studies.uncertainty.selective_prediction import referral_curve


def bins():
    """Two grades, two models; the second model is 20 per cent too sure."""
    rows = []
    for grade in ("Early", "Severe"):
        for model, shift in (("a", 0.0), ("b", 0.2)):
            for number in range(5, 10):
                sure = (number + 0.5) / 10
                rows.append((grade, model, "candidate", number, 100, 100 * sure))
                rows[-1] += (100 * (sure - shift),)
    names = ["severity", "model", "region", "bin", "n", "confidence", "hits"]
    return pd.DataFrame(rows, columns=names)


def slice_maps(m=2, shape=(12, 20), spacing_mm=(1.0, 1.0)):
    label_map = np.zeros(shape, dtype=np.int16)
    label_map[2:8, 3:11] = 4
    one = CaseSlice(np.zeros(shape, dtype=np.uint8), label_map, spacing_mm, "axial", 0)
    tissue = np.where(label_map > 0, 0.8, 0.1)
    tissue[0, 0] = 0.6
    members = np.stack([np.stack([1 - p, p]) for p in (tissue, tissue**2)[:m]])
    return SliceMaps(one, (4,), members.astype(np.float32), {}, prompted=True)


def test_a_reliability_diagram_has_a_panel_for_each_grade_and_names_the_ece():
    axes = uncertainty.reliability_charts(bins(), title="both")
    assert [ax.get_title() for ax in axes] == ["Early", "Severe"]
    names = [text.get_text() for text in axes[0].figure.legends[0].get_texts()]
    assert names == ["a", "b"]
    told = [text.get_text() for text in axes[1].texts if "ECE" in text.get_text()]
    assert told == ["ECE 0.0 %", "ECE 20.0 %"]
    x, y = np.asarray(axes[0].collections[1].get_offsets()).T
    assert x - y == pytest.approx(0.2)


def test_panels_can_be_of_data_sets():
    table = bins().rename(columns={"severity": "dataset"})
    axes = uncertainty.reliability_charts(table, by="dataset")
    assert [ax.get_title() for ax in axes] == ["Early", "Severe"]


def test_bins_with_hardly_a_pixel_are_left_out():
    table = bins()
    table[["n", "confidence", "hits"]] *= 10
    table.loc[0, ["n", "confidence", "hits"]] = (1, 0.55, 0.0)
    axes = uncertainty.reliability_charts(table)
    assert len(axes[0].collections[0].get_offsets()) == 4


def test_a_table_without_models_is_refused():
    with pytest.raises(InputError, match=r"lacks \['model'"):
        uncertainty.reliability_charts(bins().drop(columns="model"))


def test_referral_lies_between_random_and_best():
    curve = referral_curve([0.9, 0.5, 0.7], [0.1, 0.9, 0.3], fractions=(0, 0.5, 1))
    ax = uncertainty.referral_chart({"e": curve})
    assert ax.lines[0].get_ydata().tolist() == curve["dice"].tolist()
    assert ax.get_title(loc="left").endswith("+0.027 over chance (e)")
    with pytest.raises(InputError, match="expected one referral curve"):
        uncertainty.referral_chart({})


def test_the_referral_of_a_model_that_found_nothing_is_not_drawn():
    curve = referral_curve([0.9, 0.5], [0.1, 0.9])
    nothing = referral_curve([0.0], [np.nan])
    assert len(uncertainty.referral_chart({"net": nothing, "e": curve}).lines) == 1
    with pytest.raises(InputError, match="got 1 of models that predicted nothing"):
        uncertainty.referral_chart({"net": nothing})


def test_compared_maps_share_a_scale_and_small_ones_have_their_own():
    still = slice_maps(spacing_mm=(3.0, 1.5))
    moved = replace(still, members=np.roll(still.members, 1, axis=2))
    axes = uncertainty.uncertainty_maps(still, moved=moved)
    assert len(axes) == 5
    assert axes[4].get_title() == "moved boxes change it"
    assert axes[0].figure.get_suptitle().startswith("On this slice")
    (limits,) = {ax.images[-1].get_clim() for ax in axes[1:3]}
    assert limits[0] == 0
    for ax in axes[3:]:
        highest = ax.images[-1].get_clim()[1]
        assert 0 < highest < limits[1]
        assert highest == pytest.approx(ax.images[-1].get_array().max())
    assert limits[1] == pytest.approx(np.log(2), abs=0.01), "a pixel of 0.52"
    assert axes[1].images[-1].get_cmap().name == "viridis"
    assert {ax.get_aspect() for ax in axes} == {2}


def test_what_is_nearly_certain_shows_the_slice():
    maps = slice_maps(m=1)
    sure = np.zeros_like(maps.members)
    sure[:, 0] = 1
    sure[:, :, 0, 0] = 0.5
    axes = uncertainty.uncertainty_maps(replace(maps, members=sure))
    drawn = ~np.ma.getmaskarray(axes[1].images[-1].get_array())
    assert np.argwhere(drawn).tolist() == [[0, 0]]


def test_an_ensemble_shows_its_parts_and_a_single_model_does_not():
    assert [ax.get_title() for ax in uncertainty.uncertainty_maps(slice_maps())] == [
        "wrong pixels",
        "all uncertainty",
        "each member's own",
        "members disagree",
    ]
    assert len(uncertainty.uncertainty_maps(slice_maps(m=1))) == 2


def test_maps_show_what_was_asked_about():
    boxed = replace(slice_maps(), boxes={4: np.array([[3.0, 2, 11, 8]])})
    for axes in (uncertainty.uncertainty_maps(boxed), uncertainty.reading_page(boxed, tissues={})):
        assert {(ax.get_xlim(), ax.get_ylim()) for ax in axes} == {((2.6, 11.4), (8.4, 1.6))}
    whole = uncertainty.uncertainty_maps(slice_maps())
    assert {(ax.get_xlim(), ax.get_ylim()) for ax in whole} == {((0, 20), (12, 0))}


def test_wrong_pixels_are_marked():
    axes = uncertainty.uncertainty_maps(slice_maps(m=1))
    marked = ~np.ma.getmaskarray(axes[0].images[-1].get_array())
    assert np.argwhere(marked).tolist() == [[0, 0]]
    assert "100 % of pairs" in axes[0].figure.get_suptitle(), (
        "the one wrong pixel is the least sure"
    )


def test_the_readers_page_ranks_the_outlines_and_marks_what_to_check():
    axes = uncertainty.reading_page(slice_maps(m=1), tissues={4: "sartorius"})
    names = [text.get_text() for text in axes[0].figure.legends[0].get_texts()]
    assert names[-1] == "80 %  sartorius"
    assert names[1:3] == ["less than 90 % sure", "wrong"]
    (doubtful,) = (~np.ma.getmaskarray(image.get_array()) for image in axes[1].images[1:])
    assert doubtful[0, 0]
    assert doubtful[3, 4]
    told = axes[0].figure.get_suptitle()
    assert told == "100 % of the errors are marked; by chance it would be 20 %"
    fewer = uncertainty.reading_page(slice_maps(m=1), tissues={}, sure=0.7)
    (checked,) = (~np.ma.getmaskarray(image.get_array()) for image in fewer[1].images[1:])
    assert np.argwhere(checked).tolist() == [[0, 0]]
