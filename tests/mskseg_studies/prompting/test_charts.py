"""Charts of notebook 06: what is drawn is what the table says, and nothing overlaps."""

from __future__ import annotations

import pandas as pd
import pytest

from mskseg.errors import InputError
from mskseg_studies import prompting


def test_bars_are_ranked_and_numbered_to_three_decimals():
    means = pd.DataFrame(
        {
            "phase": ["water", "fat", "average", "maximum"],
            "dice": [0.8694, 0.8741, 0.8712, 0.9],
        }
    )
    ax = prompting.phase_bars(means, name="Thigh")
    assert ax.get_title(loc="left") == "Thigh: average 0.871, best single image 0.874"
    ax.figure.canvas.draw()
    assert [label.get_text() for label in ax.get_yticklabels()] == [
        "water",
        "average",
        "fat",
        "maximum",
    ]
    assert [text.get_text() for text in ax.texts] == ["0.869", "0.871", "0.874", "0.900"]
    assert max(bar.get_y() for bar in ax.patches) == ax.patches[-1].get_y()  # the best on top


def test_numbers_of_bars_stay_inside_the_axes():
    means = pd.DataFrame({"phase": ["a", "average", "maximum"], "dice": 1.0})
    ax = prompting.phase_bars(means, name="Knee")
    ax.figure.canvas.draw()
    assert ax.texts[0].get_window_extent().x1 <= ax.get_window_extent().x1


def test_seconds_of_three_ways_with_the_dearest_on_top():
    table = pd.DataFrame(
        {
            "tissue": ["femur", "meniscus"],
            "drawing_s": [20.0, 9.0],
            "clicking_s": [4.0, 16.0],
            "boxing_s": [3.0, 12.0],
        }
    )
    ax = prompting.seconds_chart(table)
    ax.figure.canvas.draw()
    assert [label.get_text() for label in ax.get_yticklabels()] == ["meniscus", "femur"]
    found = {each.get_label(): each.get_offsets()[:, 0].tolist() for each in ax.collections}
    assert found == {"drawing": [9, 20], "clicks": [16, 4], "boxes": [12, 3]}
    assert ax.get_xlim()[0] == 0


@pytest.mark.parametrize(
    "draw",
    [
        lambda table: prompting.phase_bars(table, name="Knee"),
        lambda table: prompting.phase_bars(table.iloc[:0].assign(phase="water"), name="Knee"),
        lambda table: prompting.seconds_chart(table),
    ],
)
def test_a_table_that_lacks_something_is_refused(draw):
    with pytest.raises(InputError, match=r"the table has \d rows and lacks"):
        draw(pd.DataFrame({"way": ["coarse", "frame"], "dice": [0.5, 0.6]}))
