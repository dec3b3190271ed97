from __future__ import annotations

from support.drawn_cases import strip_case

from mskseg_studies.exploration import describe_datasets
from mskseg_studies.tissues import tissue_means, tissue_properties


def test_data_sets_are_described_by_what_was_measured():
    cases = [strip_case("a", 4)]
    row = describe_datasets([cases], tissue_means(tissue_properties(cases))).iloc[0]
    assert row["tissues"] == 2
    assert row["shapes"] == "1 thin, 1 compact"
    assert row["area_mm2"] == "100 to 1520"
    assert "t2_map" in row["maps"]
    one_tissue = tissue_means(tissue_properties(cases)).head(1)
    assert describe_datasets([cases], one_tissue).iloc[0]["area_mm2"] in ("100", "1520")
    assert "pdw_fs_8x" in row["accelerated"]
