"""Boxes wider than tight: their means stand beside the tight ones and are in no mean with them."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from mskseg.case import Case
from mskseg.errors import InputError
from mskseg.evaluation import score_cases
from mskseg.prompts import OracleBox, OraclePoint
from mskseg.volume import LabelMap, Volume
from mskseg_studies import prompting
from mskseg_studies.claims.measuring import measure_table
from mskseg_studies.claims.statements import load_claims

MARGINS = [0, 2, 8]


class Shrinks:
    """Answers with the box, narrower by its habit on every side: it was taught wide boxes."""

    miniature = False

    def __init__(self, name: str, habit_px: int) -> None:
        self.name, self.habit_px = name, habit_px

    def embed(self, image):
        return image

    def predict(self, embedding, prompt):
        n = len(prompt)
        masks = np.zeros((n, 1, *embedding.shape), dtype=bool)
        if prompt.boxes_xyxy is None:
            return SimpleNamespace(masks=masks, predicted_iou=np.ones((n, 1)))
        for mask, box in zip(masks[:, 0], prompt.boxes_xyxy.astype(int), strict=True):
            x0, y0, x1, y1 = box + self.habit_px * np.array([1, 1, -1, -1])
            mask[y0:y1, x0:x1] = True
        return SimpleNamespace(masks=masks, predicted_iou=np.ones((n, 1)))


def case(subject: str = "a", dataset: str = "d", side: int = 80) -> Case:
    grid = Volume(np.zeros((80, side, 3)), np.diag([1.0, 1.0, 5.0, 1.0]))
    stack = np.zeros((3, side, 80), dtype=np.int16)
    stack[:, 20:40, 30:60] = 1
    reference = LabelMap(grid.from_stack(stack, "axial").array, grid.affine)
    image = Volume(reference.array * 100.0 + 1, grid.affine)
    return Case(subject=subject, dataset=dataset, image=image, reference=reference)


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    plans = [*(OracleBox(margin_px=margin) for margin in MARGINS), OracleBox(jitter_px=3)]
    models = [Shrinks("tight", 0), Shrinks("wide", 2)]
    people = [case("a"), case("b")]
    parts = [
        score_cases(model, people, prompts=[*plans, OraclePoint()], progress=False)
        for model in models
    ]
    return pd.concat(parts, ignore_index=True)


def expected_dice(margin: int, habit: int) -> float:
    width, height = (length + 2 * (margin - habit) for length in (30, 20))
    overlap = min(30, width) * min(20, height)
    return 2 * overlap / (600 + width * height)


def test_each_margin_is_a_mean_of_its_own_beside_the_same_box_filled(table):
    means = prompting.margin_means(table, MARGINS)
    assert len(means) == 6
    for row in means.itertuples():
        habit = {"tight": 0, "wide": 2}[row.segmenter]
        assert row.dice == pytest.approx(expected_dice(row.margin_px, habit))
        assert row.filled_box_dice == pytest.approx(expected_dice(row.margin_px, 0))
        assert (row.n_subjects, row.n_pairs) == (2, 6)


def test_which_model_is_ahead_depends_on_the_margin_and_the_means_show_it(table):
    means = prompting.margin_means(table, MARGINS)
    ahead = prompting.model_ahead(means)
    assert ahead.loc["d"].to_dict() == {0: "tight", 2: "wide", 8: "wide"}


def test_no_claim_on_tight_boxes_takes_in_a_wider_one(table):
    """Each claim that reads notebook 03 gives one number with and without the rows of margins."""
    measured = [c for c in load_claims().claims if c.measure]
    of_people = [c for c in measured if c.measure.table == "03_people.csv"]
    claims = [c for c in of_people if c.measure.where.get("box_source") == "oracle"]
    assert len(claims) >= 3
    named = table.assign(
        segmenter=table["segmenter"].map({"tight": "sam_vit_b", "wide": "medsam_vit_b"})
    )
    others = [named[:12].assign(segmenter=name) for name in ("lite_medsam", "sam2_1_tiny")]
    named = pd.concat([named, *others])
    tight_only = named[named["box_source"] == "oracle"]
    for claim in claims:
        with_all = measure_table(named, claim.measure)
        assert with_all.value == measure_table(tight_only, claim.measure).value
        assert set(with_all.rows["box_source"]) == {"oracle"}


def test_a_margin_that_was_not_scored_is_refused(table):
    with pytest.raises(InputError, match="the table has no boxes 'oracle, margin 4 px'"):
        prompting.margin_means(table, [0, 4])


def test_twenty_of_1024_pixels_are_five_of_256_and_the_shorter_side_counts():
    seen = prompting.seen_margins_px(
        [case(side=256), case("b", side=80), case(dataset="e", side=512)]
    )
    assert {name: seen[name] for name in "de"} == pytest.approx(dict.fromkeys("de", 80 * 20 / 1024))


def test_the_figure_has_a_panel_a_data_set_a_line_a_model_and_the_filled_box(table):
    means = prompting.margin_means(table, MARGINS)
    both = pd.concat([means, means.assign(dataset="e")])
    axes = prompting.margin_panels(both, seen_px={"d": 5.0, "e": 2.5}, title="t")
    assert axes[0].figure.get_suptitle() == "t"
    assert [ax.get_title(loc="left") for ax in axes] == ["d", "e"]
    for ax, seen in zip(axes, (5.0, 2.5), strict=True):
        lines = {line.get_label(): line for line in ax.lines}
        drawn = lines["filled box"].get_xydata()
        assert drawn[:, 0].tolist() == MARGINS
        assert drawn[:, 1] == pytest.approx([expected_dice(margin, 0) for margin in MARGINS])
        (band,) = ax.patches
        assert band.get_extents().transformed(ax.transData.inverted()).x1 == pytest.approx(seen)
    (legend,) = axes[0].figure.legends
    names = [text.get_text() for text in legend.get_texts()]
    assert sorted(names) == ["MedSAM's training", "filled box", "tight", "wide"]


def test_the_title_says_what_the_widest_margin_cost(table):
    means = prompting.margin_means(table, MARGINS)
    lost = [expected_dice(8, habit) - expected_dice(0, habit) for habit in (0, 2)]
    finding = (
        f"Change of Dice from tight to +8 px: filled box {lost[0]:+.2f}, "
        f"tight {lost[0]:+.2f}, wide {lost[1]:+.2f}"
    )
    assert prompting.margin_panels(means)[0].figure.get_suptitle() == finding


def test_the_table_lays_models_below_the_filled_box_and_says_who_is_ours(table):
    means = prompting.margin_means(table, MARGINS)
    mixed = means.assign(miniature=means["segmenter"] == "wide")
    laid_out = prompting.margin_table(pd.concat([mixed.assign(dataset="z"), mixed]))
    assert list(laid_out.columns) == ["tight", "+2 px", "+8 px"]
    assert [(row[0], row[-1]) for row in laid_out.index] == [
        (dataset, model)
        for dataset in ("z", "d")
        for model in ("filled box", "tight (published)", "wide (miniature)")
    ]
    assert laid_out.loc[("d", 2, 6, "filled box"), "+8 px"] == pytest.approx(expected_dice(8, 0))
    assert laid_out.loc[("d", 2, 6, "wide (miniature)"), "tight"] == pytest.approx(
        expected_dice(0, 2)
    )


def test_a_model_is_counted_above_the_boxes_that_it_was_given(table):
    means = prompting.margin_means(table, MARGINS)
    counts = prompting.above_box_by_margin(pd.concat([means, means.assign(dataset="e")]))
    assert counts.loc["wide"].to_dict() == {"tight": 0, "+2 px": 2, "+8 px": 2, "of": 2}
    assert counts.loc["tight"].to_dict() == {"tight": 0, "+2 px": 0, "+8 px": 0, "of": 2}


def test_a_model_has_one_colour_in_all_panels_also_where_it_was_not_asked(table):
    means = prompting.margin_means(table, MARGINS)
    only_wide = means[means["segmenter"] == "wide"].assign(dataset="e")
    axes = prompting.margin_panels(pd.concat([means, only_wide]))
    colours = [
        {line.get_label(): line.get_color() for c in ax.containers for line in [c.lines[0]]}
        for ax in axes
    ]
    names = [[c.get_label() for c in ax.containers] for ax in axes]
    assert names == [["tight", "wide"]] * 2
    assert list(colours[0].values()) == list(colours[1].values())
    drawn = [c.lines[0].get_xdata().size for c in axes[1].containers]
    assert drawn == [1, 3], "the absent model has no score to draw"
    assert np.isnan(np.asarray(axes[1].containers[0].lines[0].get_ydata(), dtype=float)).all()


def test_boxes_of_two_people_are_compared_and_a_box_that_was_not_drawn_has_no_row():
    image, reference = np.zeros((2, 40, 40), dtype=np.uint8)
    reference[10:20, 10:20] = 1
    boxes = {
        "tight": np.array([[10.0, 10, 20, 20]]),
        "wide": np.array([[5.0, 5, 25, 25]]),
        "": None,
    }
    table = prompting.compare_boxes(Shrinks("m", 1), image, reference > 0, boxes)
    assert table.index.tolist() == ["tight", "wide"]
    of_model, of_box = (table[f"Dice of the {name}"].tolist() for name in ("model", "filled box"))
    assert of_model == pytest.approx([2 * 64 / 164, 200 / (100 + 18**2)])
    assert of_box == pytest.approx([1.0, 200 / 500])
