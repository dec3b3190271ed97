"""Measure SAM-mini against its bars: ``python -m mskseg_mini.assess [--weights FILE]``.

Phantoms, real scans (where their files are in the cache), held-out scenes, automatic masks and
times go into one table, printed as markdown; ``--csv`` keeps it with its provenance, ``--card``
puts it into the model card, ``--figure`` draws the best, median and worst real slices.
"""

from __future__ import annotations

import argparse
import math
import os
import time
from dataclasses import asdict, dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from mskseg.evaluation.tables import write_table
from mskseg.files import written_atomically
from mskseg.models.checkpoints import load_segmenter
from mskseg.models.segmenter import Segmenter
from mskseg.provenance import provenance
from mskseg_mini.assessed_scans import (
    PHANTOMS,
    REAL,
    ScanSizes,
    iou_correlation,
    phantom_measures,
    ranked_slices,
    real_measures,
    score_phantoms,
    score_real,
    tissue_measures,
)
from mskseg_mini.assessed_scenes import (
    REPORT_SEED,
    SceneSizes,
    automatic_measure,
    medical_measures,
    scene_measures,
)
from mskseg_mini.bars import Measure, bars_table, markdown, with_section
from mskseg_mini.scenes import SCENES_VERSION
from mskseg_mini.timing import time_segmenter
from mskseg_phantom import PHANTOM_VERSION


@dataclass(frozen=True)
class AssessmentSizes:
    """How much is measured."""

    scans: ScanSizes = field(default_factory=ScanSizes)
    scenes: SceneSizes = field(default_factory=SceneSizes)
    timed_slices: int = 10


QUICK = AssessmentSizes(
    ScanSizes(subjects=1, sequences=1, slice_step=12, real_slice_step=12),
    SceneSizes(batches=1, corrected=4, automatic=1, medical=8),
    timed_slices=1,
)
"""Half a minute: to see that it runs."""


@dataclass(frozen=True, eq=False)
class Assessment:
    """What was measured.

    Attributes
    ----------
    table : pandas.DataFrame
        Columns `bars.COLUMNS`.
    real : dict of str to pandas.DataFrame
        Rows of `score_cases` of each real scan that was there.
    """

    table: pd.DataFrame
    real: dict[str, pd.DataFrame]


def assess(
    segmenter: Segmenter,
    sizes: AssessmentSizes,
    *,
    load_s: float = math.nan,
    progress: bool = True,
) -> Assessment:
    """Measure every bar.

    Parameters
    ----------
    segmenter : Segmenter
        On the CPU.
    sizes : AssessmentSizes
    load_s : float
        Seconds that loading it took; NaN if nobody measured it.
    progress : bool
        Show bars on stderr.
    """
    times = [Measure("load_s", load_s, "one load"), *_times(segmenter, sizes.timed_slices)]
    phantoms = score_phantoms(segmenter, sizes.scans, progress=progress)
    scored = {name: score_real(segmenter, name, sizes.scans, progress=progress) for name in REAL}
    measures = [
        *phantom_measures(phantoms),
        *(each for name, table in scored.items() for each in real_measures(name, table)),
        *scene_measures(segmenter, sizes.scenes, progress=progress),
        *medical_measures(segmenter, sizes.scenes),
        iou_correlation(phantoms),
        automatic_measure(segmenter, sizes.scenes, progress=progress),
        *times,
    ]
    tables = [bars_table(measures), bars_table(tissue_measures(phantoms), section="tissues")]
    real = {name: table for name, table in scored.items() if table is not None}
    return Assessment(pd.concat(tables, ignore_index=True), real)


def _times(segmenter: Segmenter, slices: int) -> list[Measure]:
    encode_ms, decode_ms = time_segmenter(segmenter, repeats=slices)
    busy = os.getloadavg()[0] / (os.cpu_count() or 1)
    how = f"{torch.get_num_threads()} threads, median of {slices} slices, load {busy:.1f} a core"
    return [Measure("encode_ms", encode_ms, how), Measure("decode_ms", decode_ms, how)]


def card_path() -> Path:
    """Where the model card of SAM-mini is."""
    return Path(str(resources.files("mskseg"))) / "models" / "mini" / "README.md"


def write_card(table: pd.DataFrame, facts: dict[str, Any], path: Path) -> None:
    """Put the table into the card at `path`, between its markers."""
    card = with_section(path.read_text(encoding="utf-8"), markdown(table, facts))
    with written_atomically(path) as target:
        target.write_text(card, encoding="utf-8")


def write_figure(
    segmenter: Segmenter, assessment: Assessment, path: Path, *, facts: dict[str, Any]
) -> None:
    """Draw the best, median and worst real slices, ten of each, as a PNG."""
    from mskseg.display.style import save_figure
    from mskseg_mini.figures import ranking_page

    ranked = ranked_slices(segmenter, assessment.real.values())
    axes = ranking_page(ranked, title=f"{segmenter.name} (miniature), oracle boxes, real scans")
    save_figure(axes.flat[0], path, provenance=facts)


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m mskseg_mini.assess", description=__doc__)
    parser.add_argument("--weights", default="sam_vit_mini", help="a file, or a name (default)")
    parser.add_argument("--quick", action="store_true", help="half a minute, to see that it runs")
    parser.add_argument("--slice-step", type=int, help="of the phantoms' slices; default 4")
    parser.add_argument("--subjects", type=int, help="of each phantom; default all 6 for testing")
    parser.add_argument("--csv", type=Path, help="keep the table, with its provenance beside it")
    parser.add_argument(
        "--card", type=Path, nargs="?", const=card_path(), help="write the table into the card"
    )
    parser.add_argument("--figure", type=Path, help="PNG of the best, median, worst real slices")
    return parser.parse_args(arguments)


def _sizes(options: argparse.Namespace) -> AssessmentSizes:
    sizes = QUICK if options.quick else AssessmentSizes()
    asked = {"slice_step": options.slice_step, "subjects": options.subjects}
    scans = asdict(sizes.scans) | {k: v for k, v in asked.items() if v is not None}
    return AssessmentSizes(ScanSizes(**scans), sizes.scenes, sizes.timed_slices)


def main(arguments: list[str] | None = None) -> None:
    """Command line of the assessment."""
    options = _parse(arguments)
    sizes = _sizes(options)
    start = time.perf_counter()
    segmenter = load_segmenter(options.weights)
    load_s = time.perf_counter() - start
    assessment = assess(segmenter, sizes, load_s=load_s)
    facts = provenance(
        segmenter=segmenter,
        seed=REPORT_SEED,
        datasets=", ".join((*PHANTOMS, *assessment.real)),
        phantom_version=PHANTOM_VERSION,
        scenes_version=SCENES_VERSION,
        threads=torch.get_num_threads(),
        sizes=str(asdict(sizes)),
        seconds=round(time.perf_counter() - start),
    )
    if options.csv:
        write_table(assessment.table, options.csv, provenance=facts)
    if options.card:
        write_card(assessment.table, facts, options.card)
    if options.figure and assessment.real:
        write_figure(segmenter, assessment, options.figure, facts=facts)
    print(markdown(assessment.table, facts))  # noqa: T201  (this is a command)


if __name__ == "__main__":
    main()
