"""The bars that SAM-mini is held to, the table that shows it beside them, and the card's section.

A *floor* is what training on a CPU alone must reach, an *aim* what a GPU or patience should.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from mskseg.errors import InputError

BEGIN = "<!-- written by python -m mskseg_mini.assessment.assess --card: do not edit -->"
END = "<!-- end of what assess writes -->"


@dataclass(frozen=True)
class Bar:
    """What a measure is called, and what it should reach."""

    data: str  # first cell of the row
    floor: float | None = None  # None where there is no such bar
    aim: float | None = None
    at_most: bool = False  # smaller is better

    def met_by(self, value: float) -> str:
        """Say which bar a value reaches: "aim", "floor", "no", or nothing where there is none."""
        if (self.floor is None and self.aim is None) or math.isnan(value):
            return ""
        for name in ("aim", "floor"):
            bar = getattr(self, name)
            if bar is not None and (value <= bar if self.at_most else value >= bar):
                return name
        return "no"


BARS: Mapping[str, Bar] = {
    "solid": Bar("phantom bones, vertebrae, discs, muscles", 0.85, 0.92),
    "below": Bar("of these tissues, how many are below their filled box", 0, at_most=True),
    "thin": Bar("phantom cartilage and menisci (thin)", 0.60, 0.75),
    "qmritools_thigh": Bar("real thigh, automatic reference, axial", 0.80, 0.88),
    "femur": Bar("real thigh, femur", aim=0.92),
    "qmritools_leg": Bar("real lower leg, axial", 0.80, 0.86),
    "vertebral body": Bar("real vertebra crop, vertebral body, sagittal", 0.88, 0.92),
    "intervertebral disc": Bar("real vertebra crop, disc, sagittal"),
    "tptbox_vertebra": Bar("real vertebra crop, all its labels, sagittal"),
    "scenes_box": Bar("held-out scenes, tight box"),
    "scenes_point": Bar("held-out scenes, one point, best of three masks", 0.70, 0.80),
    "scenes_gain": Bar("held-out scenes, gain by three corrective points", aim=0.08),
    "medical": Bar("held-out medical scenes, tight box"),
    "medical_gain": Bar("gain there of the sibling, `medsam_vit_mini`", 0.03),
    "iou_r": Bar("predicted IoU against true IoU on the phantoms, Pearson r", 0.5, 0.7),
    "automatic": Bar("automatic masks, share of objects of 100 px or more found", 0.70),
    "load_s": Bar("loading after import, s", 0.5, at_most=True),
    "encode_ms": Bar("encoding a slice, ms", 100, at_most=True),
    "decode_ms": Bar("decoding a prompt, ms", 15, at_most=True),
}


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
    return pd.DataFrame([_row(measure, section) for measure in measures])


def _row(measure: Measure, section: str) -> dict[str, Any]:
    bar = BARS.get(measure.key, Bar(measure.key))
    met = bar.met_by(measure.value)
    if section == "tissues" and not math.isnan(measure.filled_box):
        met = "above the box" if measure.value > measure.filled_box else "below the box"
    return {
        "section": section,
        "data": bar.data,
        "measured_on": measure.measured_on,
        "value": measure.value,
        "filled_box": measure.filled_box,
        "floor": math.nan if bar.floor is None else bar.floor,
        "aim": math.nan if bar.aim is None else bar.aim,
        "met": met,
    }


def markdown(table: pd.DataFrame, facts: Mapping[str, Any]) -> str:
    """Write the table of `bars_table`, or its CSV, as the model card shows it.

    Of the facts, its provenance, the weights' sha256, the date and the processor are named.
    """
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
    lines = ["| " + " | ".join(headers.values()) + " |", "|" + "---|" * len(headers)]
    lines += [
        "| " + " | ".join(_cell(row[name]) for name in headers) + " |"
        for row in rows.to_dict("records")
    ]
    return lines


def _cell(value: Any) -> str:
    if isinstance(value, str):
        return value or "-"
    if value is None or math.isnan(value):
        return "-"
    if abs(value) >= 10 or float(value).is_integer():
        return f"{value:.0f}"
    return f"{value:.3f}"


def with_section(card: str, section: str) -> str:
    """Put `section` between the card's markers.

    Raises InputError if the card does not have the two markers, once each, in this order.
    """
    pattern = re.compile(f"(?<={re.escape(BEGIN)}\n).*?(?={re.escape(END)})", re.S)
    if card.count(BEGIN) != 1 or len(pattern.findall(card)) != 1:
        raise InputError(
            f"the card does not hold the markers {BEGIN!r} and {END!r} once each; put them where "
            "the table belongs"
        )
    return pattern.sub(lambda _: f"\n{section}\n\n", card)
