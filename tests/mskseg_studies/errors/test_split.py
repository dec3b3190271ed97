"""A biomarker of curved sheets and of compact tissues is two biomarkers."""

from __future__ import annotations

import pandas as pd

from mskseg_studies.errors import biomarker_agreement, split_by_box


def test_only_a_biomarker_of_both_kinds_is_split_and_keeps_its_source():
    scores = pd.DataFrame(
        {"dataset": "d", "tissue": ["sheet", "plate", "disc"], "filled_box_dice": [0.2, 0.9, 0.8]}
    )
    table = pd.DataFrame(
        {"biomarker": ["cartilage thickness"] * 2 + ["disc height"], "dataset": "d",
         "tissue": ["sheet", "plate", "disc"], "segmenter": "m", "unit": "mm",
         "smallest_change": 0.1, "difference": [10.0, 0.0, 1.0]}
    )  # fmt: skip
    split = split_by_box(table, scores)
    names = ["cartilage thickness, curved", "cartilage thickness, compact", "disc height"]
    assert split["biomarker"].tolist() == names
    assert biomarker_agreement(split)["source"].notna().all()
