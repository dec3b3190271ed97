"""The bars that SAM-mini is held to, the table that shows it beside them, and the card's section.

A *floor* is what training on a CPU alone must reach, an *aim* what a GPU or patience should.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from mskseg.errors import InputError

BEGIN = "<!-- written by python -m mskseg_mini.assessment.assess --card: do not edit -->"
END = "<!-- end of what assess writes -->"


@dataclass(frozen=True)
class Bar:
    """What a measure is called, and what it should reach."""

    data: str  # first cell of the row
    floor: float = math.nan  # NaN where there is no such bar
    aim: float = math.nan
    at_most: bool = False  # smaller is better

    def met_by(self, value: float) -> str:
        """Say which bar a value reaches: "aim", "floor", "no", or nothing where there is none."""
        if math.isnan(value) or (math.isnan(self.floor) and math.isnan(self.aim)):
            return ""
        sign = -1 if self.at_most else 1
        bars = {"aim": self.aim, "floor": self.floor}
        return next((name for name, bar in bars.items() if sign * value >= sign * bar), "no")


_TABLE = pd.read_csv(Path(__file__).with_name("limits.csv"), index_col="key")
BARS: Mapping[str, Bar] = {key: Bar(**bar) for key, bar in _TABLE.to_dict("index").items()}


@dataclass(frozen=True)
class Sizes:
    """How much is measured; the reason stands beside each default."""

    subjects: int = 6  # all test subjects of a phantom
    sequences: int = 2  # of a phantom: its first two differ in contrast
    slice_step: int = 4  # of phantoms: their neighbours look alike
    real_slice_step: int = 1  # of real scans: there is one person each
    batches: int = 12  # of 8 scenes and 32 objects: a standard error of about 0.01
    corrected: int = 128  # objects that get corrective points
    automatic: int = 12  # scenes with automatic masks: about ten objects and ten seconds each
    medical: int = 128  # medical scenes: a standard error of about 0.01, less of a difference
    timed_slices: int = 10


@dataclass(frozen=True)
class Measure:
    """One row of the table before it is held against its bar."""

    key: str  # of `BARS`, or the name of a tissue
    value: float  # NaN where nothing could be measured
    measured_on: str  # sizes: subjects, slices, pairs; or why there is no value
    filled_box: float = math.nan  # its Dice on the same pairs; NaN where that means nothing


def bars_table(measures: list[Measure], *, section: str = "bars") -> pd.DataFrame:
    """Hold measures against their bars, one row each; `section` is "bars" or "tissues"."""
    rows = []
    for measure in measures:
        bar, value, box = BARS.get(measure.key), measure.value, measure.filled_box
        bar = bar or Bar(measure.key)
        met = bar.met_by(value)
        if section == "tissues" and not math.isnan(box):
            met = "above the box" if value > box else "below the box"
        rows.append((section, bar.data, measure.measured_on, value, box, bar.floor, bar.aim, met))
    names = ["section", "data", "measured_on", "value", "filled_box", "floor", "aim", "met"]
    return pd.DataFrame(rows, columns=names)


def markdown(table: pd.DataFrame, facts: Mapping[str, Any]) -> str:
    """Write the table of `bars_table`, or its CSV, as the model card shows it, with its facts."""
    threads = facts.get("threads", "?")
    return "\n".join(
        [
            f"Weights {facts['segmenter']['sha256'][:12]}, {facts['written'][:10]}, "
            f"{facts['hardware']['processor']}, {threads} thread(s). Dice unless a row says "
            "otherwise; boxes are oracle boxes of components of 30 mm2 or more.",
            "",
            *_lines(table[table["section"] == "bars"], _BAR_HEADERS),
            "",
            "Phantom tissues:",
            "",
            *_lines(table[table["section"] == "tissues"], _TISSUE_HEADERS),
        ]
    )


_BAR_HEADERS = {
    "data": "data",
    "value": "SAM-mini",
    "filled_box": "filled box",
    "floor": "floor",
    "aim": "aim",
    "met": "reached",
    "measured_on": "measured on",
}
_TISSUE_HEADERS = {
    name: "tissue" if name == "data" else header
    for name, header in _BAR_HEADERS.items()
    if name not in ("floor", "aim")
}


def _lines(rows: pd.DataFrame, headers: Mapping[str, str]) -> list[str]:
    cells = [[_cell(row[name]) for name in headers] for row in rows.to_dict("records")]
    head, *body = (f"| {' | '.join(row)} |" for row in (headers.values(), *cells))
    return [head, "|" + "---|" * len(headers), *body]


def _cell(value: Any) -> str:
    if isinstance(value, str):
        return value or "-"
    if pd.isna(value):
        return "-"
    return f"{value:.0f}" if abs(value) >= 10 or float(value).is_integer() else f"{value:.3f}"


def with_section(card: str, section: str) -> str:
    """Put `section` between the card's markers; InputError if it does not have both once."""
    pattern = re.compile(f"(?<={re.escape(BEGIN)}\n).*?(?={re.escape(END)})", re.S)
    if card.count(BEGIN) != 1 or len(pattern.findall(card)) != 1:
        raise InputError(
            f"the card does not hold the markers {BEGIN!r} and {END!r} once each; put them where "
            "the table belongs"
        )
    return pattern.sub(lambda _: f"\n{section}\n\n", card)
