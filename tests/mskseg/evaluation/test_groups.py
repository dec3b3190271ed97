from __future__ import annotations

import pandas as pd
import pytest

from mskseg.evaluation.groups import tissue_group, with_group


@pytest.mark.parametrize(
    ("anatomy", "tissue", "group"),
    [
        ("knee", "medial tibial cartilage", "cartilage"),
        ("knee", "tibia", "bone"),
        ("knee", "lateral meniscus", "meniscus"),
        ("lumbar spine", "L3", "vertebra"),
        ("lumbar spine", "disc L1/2", "disc"),
        ("lumbar spine", "spinal canal", "canal"),
        ("thigh", "rectus femoris", "muscle"),
        ("thigh", "femur cortex", "bone"),
        ("thigh", "subcutaneous fat", "fat"),
        ("knee", "label 13", "other"),
    ],
)
def test_a_tissue_is_grouped_by_its_name(anatomy, tissue, group):
    assert tissue_group(anatomy, tissue) == group


def test_a_table_gets_the_column():
    table = pd.DataFrame({"anatomy": ["hip"], "tissue": ["pelvis"]})
    assert with_group(table)["group"].tolist() == ["bone"]
