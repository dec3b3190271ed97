"""Slices, then tissues, then people: every level counts once."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mskseg.errors import InputError
from mskseg.evaluation.averaging import nested_mean


def row(subject, tissue, dice, **more):
    return {"dataset": "d", "subject": subject, "tissue": tissue, "dice": dice, **more}


def test_a_person_with_many_slices_and_a_tissue_with_many_count_once():
    table = pd.DataFrame(
        [
            *[row("s1", "bone", 1.0, way="a")] * 9,
            row("s1", "cartilage", 0.0, way="a"),
            row("s2", "bone", 0.8, way="a"),
        ]
    )
    (found,) = nested_mean(table, by=["way"]).to_dict("records")
    assert found["dice"] == pytest.approx((0.5 + 0.8) / 2)
    assert found["dice_sd"] == pytest.approx(np.std([0.5, 0.8], ddof=1))
    assert (found["n_subjects"], found["n_objects"]) == (2, 11)


def test_rows_stay_in_their_order_and_several_values_are_averaged():
    table = pd.DataFrame(
        [row("s1", "bone", 0.2, way="z", best=0.4), row("s1", "bone", 0.6, way="a", best=0.8)]
    )
    found = nested_mean(table, by=["way"], values=["dice", "best"])
    assert found["way"].tolist() == ["z", "a"]
    assert found["best"].tolist() == [0.4, 0.8]
    assert found["best_sd"].isna().all()  # one person has no spread


def test_people_of_one_name_in_two_data_sets_are_two():
    table = pd.DataFrame([row("s1", "bone", 0.2, way="a"), row("s1", "bone", 0.6, way="a")])
    table.loc[1, "dataset"] = "other"
    assert nested_mean(table, by=["way"])["n_subjects"].item() == 2


def test_means_by_a_level_itself():
    table = pd.DataFrame([row("s1", "bone", 0.2), row("s1", "cartilage", 0.6)])
    found = nested_mean(table, by=["tissue"]).set_index("tissue")["dice"]
    assert found.to_dict() == {"bone": 0.2, "cartilage": 0.6}


def test_what_is_missing_is_named():
    with pytest.raises(InputError, match="got 1 rows without way, tissue"):
        nested_mean(pd.DataFrame([row("s1", "bone", 1.0)]).drop(columns="tissue"), by=["way"])
    with pytest.raises(InputError, match="got 0 rows"):
        nested_mean(pd.DataFrame(columns=["dataset", "subject", "tissue", "dice"]), by=[])
