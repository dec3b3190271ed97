"""Measure SAM-mini against its bars: ``python -m mskseg_mini.assess [--csv FILE]``.

Phantoms and real scans (those that are here) with oracle boxes, and scenes that
neither trained nor selected the weights, go into one table, printed as the model card shows it.
`bars.csv` holds the bars: a *floor* is what training on a CPU alone must reach, an *aim* what a GPU
or patience should.
"""

import argparse
import math
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from mskseg.datasets.fetching import is_fetched
from mskseg.datasets.loading import list_subjects, load_cases
from mskseg.evaluation.averaging import summarise
from mskseg.evaluation.scoring import score_cases
from mskseg.evaluation.tables import write_table
from mskseg.models.checkpoints import load_segmenter
from mskseg.models.segmenter import Segmenter
from mskseg.prompts.plans import OracleBox
from mskseg.provenance import provenance
from mskseg.volume import Plane
from mskseg_mini.scenes.batch import SCENES_VERSION
from mskseg_mini.training.held_out import (
    MEDICAL_REPORT_SEED,
    REPORT_SEED,
    score_held_out_scenes,
    score_medical_scenes,
)
from mskseg_phantom import PHANTOM_VERSION
from mskseg_phantom.provider import PhantomSource

PHANTOMS = ("phantom_thigh", "phantom_knee", "phantom_spine", "phantom_hip")
REAL: dict[str, Plane] = {
    "qmritools_thigh": "axial",
    "qmritools_leg": "axial",
    "tptbox_vertebra": "sagittal",
}
"""Real scans and the plane each is judged in."""

BARS = pd.read_csv(Path(__file__).with_name("bars.csv"), index_col="key")
_OWN_BAR: dict[str, dict[str, tuple[str, ...]]] = {
    "qmritools_thigh": {"femur": ("femur left", "femur right")},
    "tptbox_vertebra": {k: (k,) for k in ("vertebral body", "intervertebral disc")},
}
"""Tissues of real scans that have a row of their own."""
_GROUPS = {"cartilage": "thin", "meniscus": "thin", "fat": "", "canal": ""}  # all else is solid


@dataclass(frozen=True)
class Sizes:
    """How much is measured; the reason stands beside each default."""

    subjects: int = 6  # all test subjects of a phantom
    sequences: int = 2  # of a phantom: its first two differ in contrast
    slice_step: int = 4  # of phantoms: their neighbours look alike
    real_slice_step: int = 1  # of real scans: there is one person each
    batches: int = 12  # of 8 scenes and 32 objects: a standard error of about 0.01
    medical: int = 128  # medical scenes: a standard error of about 0.01, less of a difference


def assess(segmenter: Segmenter, sizes: Sizes) -> pd.DataFrame:
    """Measure every bar on the CPU, one row each, then the tissues of the phantoms."""
    phantoms = score_phantoms(segmenter, sizes)
    scored = {name: score_real(segmenter, name, sizes) for name in REAL}
    real = [row for name, table in scored.items() for row in real_rows(name, table)]
    bars = [*phantom_rows(phantoms), *real, *scene_rows(segmenter, sizes)]
    return pd.DataFrame([*bars, *tissue_rows(phantoms)])


def score_phantoms(segmenter: Segmenter, sizes: Sizes) -> pd.DataFrame:
    """Score the test subjects of all four phantoms; rows as `score_cases`."""
    tables = []
    for name in PHANTOMS:
        subjects = list_subjects(name, part="test")[: sizes.subjects]
        sequences = PhantomSource(name).sequences()[: sizes.sequences]
        cases = load_cases(name, subjects=subjects, sequences=sequences)
        step = sizes.slice_step
        tables.append(score_cases(segmenter, cases, prompts=OracleBox(), slice_step=step))
    return pd.concat(tables, ignore_index=True)


def score_real(segmenter: Segmenter, name: str, sizes: Sizes) -> pd.DataFrame | None:
    """Score a real scan in its plane; None where its files are not here."""
    if not is_fetched(name):
        return None
    plane, step = REAL[name], sizes.real_slice_step
    cases = load_cases(name)
    return score_cases(segmenter, cases, prompts=OracleBox(), plane=plane, slice_step=step)


def phantom_rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Mean of the solid and of the thin tissues, the share above their box, predicted IoU."""
    groups = table["group"].map(lambda kind: _GROUPS.get(kind, "solid"))
    solid = table[groups == "solid"]
    by_tissue = _summary(solid, ["dataset", "tissue"])
    above = (by_tissue["dice"] > by_tissue["filled_box_dice"]).mean()
    one_box = table[(table["n_prompts"] == 1) & (table["status"] == "scored")]
    r = one_box["predicted_iou"].corr(one_box["iou"])
    return [
        _mean_row("solid", solid),
        _row("above", above, f"{len(by_tissue)} tissues"),
        _mean_row("thin", table[groups == "thin"]),
        _row("iou_r", r, f"{len(one_box)} boxes"),
    ]


def tissue_rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Mean of each phantom tissue beside its filled box, in the order of the labels."""
    rows = []
    for found in _summary(table, ["dataset", "tissue"]).to_dict("records"):
        name = f"{found['dataset'].removeprefix('phantom_')}: {found['tissue']}"
        value, box = found["dice"], found["filled_box_dice"]
        side = "above" if value > box else "below"
        row = _row(name, value, f"{found['n_pairs']} slices", box)
        rows.append(row | {"section": "tissues", "met": f"{side} the box"})
    return rows


def real_rows(name: str, table: pd.DataFrame | None) -> list[dict[str, Any]]:
    """Mean over the labels of a real scan, and over those that have a bar of their own."""
    own = _OWN_BAR.get(name, {})
    if table is None:
        return [_row(key, math.nan, "not fetched") for key in (*own, name)]
    parts = {key: table[table["tissue"].isin(tissues)] for key, tissues in own.items()}
    return [_mean_row(key, rows) for key, rows in (*parts.items(), (name, table))]


def scene_rows(segmenter: Segmenter, sizes: Sizes) -> list[dict[str, Any]]:
    """Box and point on held-out scenes; medical scenes, and the gain of the sibling there."""
    scores = score_held_out_scenes(segmenter.model, batches=sizes.batches, seed=REPORT_SEED)
    objects = f"{scores['n_objects']:.0f} objects of {8 * sizes.batches} scenes"
    medical, sibling = (
        score_medical_scenes(model, scenes=sizes.medical, seed=MEDICAL_REPORT_SEED)
        for model in (segmenter, load_segmenter("medsam_vit_mini"))
    )
    scenes = f"{sizes.medical} scenes"
    return [
        _row("scenes_box", scores["box"], objects, scores["filled_box"]),
        _row("scenes_point", scores["point"], objects),
        _row("medical", medical, scenes),
        _row("medical_gain", sibling - medical, f"{scenes}; the sibling {sibling:.3f}"),
    ]


def _mean_row(key: str, rows: pd.DataFrame) -> dict[str, Any]:
    if not (rows["status"] == "scored").any():
        return _row(key, math.nan, "no pair on these slices")
    (found,) = _summary(rows, []).to_dict("records")
    counts = ((found[f"n_{what}s"], what) for what in ("subject", "label", "slice", "pair"))
    measured_on = ", ".join(f"{n} {what}{'' if n == 1 else 's'}" for n, what in counts)
    return _row(key, found["dice"], measured_on, found["filled_box_dice"])


def _summary(rows: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    return summarise(rows, by=["segmenter", "prompt", "box_source", *by])


def _row(key: str, value: float, measured_on: str, filled_box: float = math.nan) -> dict[str, Any]:
    """Hold a value against its bar; `key` is of `bars.csv`, or the name of a tissue."""
    bar: dict[str, Any] = {"data": key, "floor": math.nan, "aim": math.nan}
    if key in BARS.index:
        bar = BARS.loc[key].to_dict()
    reached = [name for name in ("aim", "floor") if value >= bar[name]]
    judged = not math.isnan(value) and not (math.isnan(bar["aim"]) and math.isnan(bar["floor"]))
    return {
        "section": "bars",
        "data": bar["data"],
        "measured_on": measured_on,
        "value": value,
        "filled_box": filled_box,
        "floor": bar["floor"],
        "aim": bar["aim"],
        "met": [*reached, "no"][0] if judged else "",
    }


def markdown(table: pd.DataFrame, facts: Mapping[str, Any]) -> str:
    """Write the table of `assess`, or its CSV, as the model card shows it, with its facts."""
    columns = {"value": "SAM-mini", "filled_box": "filled box", "floor": "floor", "aim": "aim"}
    columns |= {"met": "reached", "measured_on": "measured on"}
    lines = [
        f"Weights {facts['segmenter']['sha256'][:12]}, {facts['written'][:10]}, "
        f"{facts['hardware']['processor']}. Dice unless a row says otherwise; boxes are oracle "
        "boxes of components of 30 mm2 or more."
    ]
    for section, first in (("bars", "data"), ("tissues", "phantom tissue")):
        shown = {"data": first, **columns}
        if section == "tissues":
            del shown["floor"], shown["aim"]
        rows = table.loc[table["section"] == section, list(shown)].itertuples(index=False)
        cells = [[_cell(value) for value in row] for row in rows]
        head, *body = (f"| {' | '.join(row)} |" for row in (shown.values(), *cells))
        lines += ["", head, "|" + "---|" * len(shown), *body]
    return "\n".join(lines)


def _cell(value: Any) -> str:
    if value == "" or pd.isna(value):
        return "-"
    if isinstance(value, str):
        return value
    return f"{value:.0f}" if float(value).is_integer() else f"{value:.3f}"


def main(arguments: list[str] | None = None) -> None:
    """Command line of the assessment."""
    parser = argparse.ArgumentParser("python -m mskseg_mini.assess", None, __doc__)
    parser.add_argument("--weights", default="sam_vit_mini", help="a file, or a name (default)")
    parser.add_argument("--csv", type=Path, help="keep the table, with its provenance beside it")
    for name, default in vars(Sizes()).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=int, default=default)
    options = parser.parse_args(arguments)
    sizes = Sizes(**{name: getattr(options, name) for name in vars(Sizes())})
    start = time.perf_counter()
    segmenter = load_segmenter(options.weights)
    table = assess(segmenter, sizes)
    facts = provenance(
        segmenter=segmenter,
        seed=REPORT_SEED,
        datasets=", ".join((*PHANTOMS, *REAL)),
        phantom_version=PHANTOM_VERSION,
        scenes_version=SCENES_VERSION,
        sizes=str(asdict(sizes)),
        seconds=round(time.perf_counter() - start),
    )
    if options.csv:
        write_table(table, options.csv, provenance=facts)
    print(markdown(table, facts))  # noqa: T201  (this is a command)


if __name__ == "__main__":
    main()
