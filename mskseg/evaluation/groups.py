"""Kinds of tissue that studies speak of together: muscle, cartilage, vertebra, disc, bone, fat."""

from __future__ import annotations

import pandas as pd

_WORDS = (
    ("cartilage", ("cartilage",)),
    ("meniscus", ("meniscus",)),
    ("disc", ("disc",)),
    ("vertebra", ("vertebra", "L1", "L2", "L3", "L4", "L5")),
    ("fat", ("fat",)),
    ("canal", ("canal",)),
    ("bone", ("tibia", "patella", "fibula", "pelvis", "cortex", "marrow", "bone", "femur")),
)


def tissue_group(anatomy: str, tissue: str) -> str:
    """Name the kind of a tissue by the words of its name.

    Parameters
    ----------
    anatomy : str
        Of the case; what has no other word is a muscle in a thigh, and "other" elsewhere.
    tissue : str

    Returns
    -------
    str
        "cartilage", "meniscus", "disc", "vertebra", "fat", "canal", "bone", "muscle" or "other".
    """
    for group, words in _WORDS:
        if any(word in tissue for word in words):
            return group
    return "muscle" if "thigh" in anatomy else "other"


def with_group(table: pd.DataFrame) -> pd.DataFrame:
    """Add the column `group` to a table with `anatomy` and `tissue`."""
    groups = [tissue_group(a, t) for a, t in zip(table["anatomy"], table["tissue"], strict=True)]
    return table.assign(group=groups)
