"""Charts of notebook 02: the architecture, an embedding, estimates and many masks."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import mskseg
from mskseg import display
from mskseg.case import CaseSlice
from mskseg.errors import InputError
from mskseg_studies import model_parts


@pytest.fixture(scope="module")
def segmenter():
    return mskseg.load_segmenter("sam_vit_mini")


def test_the_architecture_names_the_parts_and_the_sizes_of_what_the_model_returns(segmenter):
    embedding = segmenter.embed(np.zeros((100, 200), dtype=np.uint8))
    logits = segmenter.predict(embedding, boxes_xyxy=[10, 10, 50, 50]).low_res_logits
    ax = model_parts.draw_architecture(segmenter, title="t")
    words = " ".join(text.get_text() for text in ax.texts)
    assert " x ".join(map(str, embedding.features.shape[1:])) in words
    assert " x ".join(map(str, logits.shape[2:])) in words
    for expected in ("3.1 million", "3 thousand", "0.8 million", "128 x 32 x 32", "256 x 256"):
        assert expected in words


def test_an_embedding_lies_on_its_slice_cell_by_cell(segmenter):
    image = np.zeros((50, 60), dtype=np.uint8)
    image[10:30, 20:40] = 200
    case_slice = CaseSlice(image, None, (1.0, 1.0), "axial", 0)
    panels = model_parts.embedding_beside(
        case_slice, segmenter.embed(image), segmenter=segmenter, point=(25.0, 15.0)
    )
    # 60 x 50 pixels fill 256 x 213 of the frame: 32 cells of 8, and 27 of which the last is half
    # padding.
    expected = [0, 60, 27 * 8 * 50 / 213, 0]
    for ax in panels[1:]:
        assert list(ax.images[-1].get_extent()) == pytest.approx(expected)
        assert (ax.get_xlim(), ax.get_ylim()) == ((0, 60), (50, 0))


def test_estimates_are_drawn_with_the_truth_on_x_and_a_line_of_agreement():
    rows = [("box", 0.9, 0.5), ("box", 1.1, 0.7), ("point", 0.2, 0.1)]
    table = pd.DataFrame(rows, columns=["prompt", "predicted_iou", "iou"])
    ax = model_parts.estimate_chart(table)
    assert ax.collections[0].get_offsets().tolist() == [[0.5, 0.9], [0.7, 1.1]]
    assert list(ax.lines[0].get_xdata()) == list(ax.lines[0].get_ydata())
    assert ax.get_ylim()[1] > 1.1  # a prediction above 1 is shown, not cut
    with pytest.raises(InputError, match="the table has 0 rows"):
        model_parts.estimate_chart(table.iloc[:0])


def test_a_small_mask_is_drawn_over_a_large_one():
    masks = np.zeros((2, 12, 20), dtype=bool)
    masks[0, 4:6, 4:6] = masks[1, 1:11, 1:19] = True
    ax = model_parts.draw_masks(display.show_slice(np.zeros((12, 20)), spacing_mm=(1, 1)), masks)
    widths = [
        np.ptp(np.concatenate([path.vertices for path in each.get_paths()])[:, 0])
        for each in ax.collections
    ]
    assert widths == sorted(widths, reverse=True)
