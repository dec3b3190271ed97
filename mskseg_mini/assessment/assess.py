"""Measure SAM-mini against its bars: ``python -m mskseg_mini.assessment.assess [--weights FILE]``.

Phantoms, real scans (where their files are in the cache), held-out scenes, automatic masks and
times go into one table, printed as markdown; ``--csv`` keeps it with its provenance, ``--card``
puts it into the model card, ``--figure`` draws the best, median and worst real slices.
"""

import argparse
import math
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from mskseg.evaluation.tables import write_table
from mskseg.files import write_text
from mskseg.models.checkpoints import load_segmenter
from mskseg.models.embeddings import EmbeddingCache
from mskseg.models.segmenter import Segmenter
from mskseg.provenance import provenance
from mskseg_mini.assessment.bars import Measure, Sizes, bars_table, markdown, with_section
from mskseg_mini.assessment.measures import (
    PHANTOMS,
    REAL,
    automatic_measure,
    iou_correlation,
    medical_measures,
    phantom_measures,
    ranked_slices,
    real_measures,
    scene_measures,
    score_phantoms,
    score_real,
    tissue_measures,
)
from mskseg_mini.scenes.batch import SCENES_VERSION
from mskseg_mini.training.held_out import REPORT_SEED
from mskseg_phantom import PHANTOM_VERSION

QUICK = Sizes(
    subjects=1,
    sequences=1,
    slice_step=12,
    real_slice_step=12,
    batches=1,
    corrected=4,
    automatic=1,
    medical=8,
    timed_slices=1,
)
"""Half a minute: to see that it runs."""


def assess(
    segmenter: Segmenter, sizes: Sizes, *, load_s: float = math.nan
) -> tuple[pd.DataFrame, dict[str, pd.DataFrame]]:
    """Measure every bar on the CPU: the table, and the rows of `score_cases` of each real scan."""
    times = time_segmenter(segmenter, repeats=sizes.timed_slices)  # while nothing else was done
    busy = os.getloadavg()[0] / (os.cpu_count() or 1)
    timed_on = (
        f"{torch.get_num_threads()} threads, median of {sizes.timed_slices} slices, load "
        f"{busy:.1f} a core"
    )
    phantoms = score_phantoms(segmenter, sizes)
    scored = {name: score_real(segmenter, name, sizes) for name in REAL}
    measures = [
        *phantom_measures(phantoms),
        *(each for name, table in scored.items() for each in real_measures(name, table)),
        *scene_measures(segmenter, sizes),
        *medical_measures(segmenter, sizes),
        iou_correlation(phantoms),
        automatic_measure(segmenter, sizes),
        Measure("load_s", load_s, "one load"),
        Measure("encode_ms", times[0], timed_on),
        Measure("decode_ms", times[1], timed_on),
    ]
    tables = [bars_table(measures), bars_table(tissue_measures(phantoms), section="tissues")]
    real = {name: table for name, table in scored.items() if table is not None}
    return pd.concat(tables, ignore_index=True), real


def time_segmenter(
    segmenter: Segmenter,
    *,
    repeats: int = 10,
    size: int = 256,
    clock: Callable[[], float] = time.perf_counter,
) -> tuple[float, float]:
    """Median milliseconds of encoding a slice of `size` pixels a side and of decoding a box on it.

    Preprocessing and the way back to the slice are part of them. Of `repeats` slices, after one
    that warms up, each is new, so no embedding comes from the cache. The clock
    `time.process_time` counts the processor time of all threads instead.
    """
    rng = np.random.default_rng(0)
    box = np.array([0.25, 0.25, 0.75, 0.75]) * size
    encode, decode = [], []
    kept, segmenter.cache = segmenter.cache, EmbeddingCache()
    try:
        for _ in range(repeats + 1):
            image = rng.integers(0, 256, (size, size), dtype=np.uint8)
            start = clock()
            embedding = segmenter.embed(image)
            encoded = clock()
            segmenter.predict(embedding, boxes_xyxy=box)
            encode.append((encoded - start) * 1e3)
            decode.append((clock() - encoded) * 1e3)
    finally:
        segmenter.cache = kept
    return statistics.median(encode[1:]), statistics.median(decode[1:])


CARD = Path(__file__).parents[1] / "README.md"
"""The model card of SAM-mini."""


def main(arguments: list[str] | None = None) -> None:
    """Command line of the assessment."""
    parser = argparse.ArgumentParser("python -m mskseg_mini.assessment.assess", None, __doc__)
    parser.add_argument("--weights", default="sam_vit_mini", help="a file, or a name (default)")
    parser.add_argument("--quick", action="store_true", help="half a minute, to see that it runs")
    parser.add_argument("--slice-step", type=int, help="of the phantoms' slices; default 4")
    parser.add_argument("--subjects", type=int, help="of each phantom; default all 6 for testing")
    parser.add_argument("--csv", type=Path, help="keep the table, with its provenance beside it")
    card = "write the table into the card"
    parser.add_argument("--card", type=Path, nargs="?", const=CARD, help=card)
    parser.add_argument("--figure", type=Path, help="PNG of the best, median, worst real slices")
    options = parser.parse_args(arguments)
    asked = {"slice_step": options.slice_step, "subjects": options.subjects}
    sizes = replace(QUICK if options.quick else Sizes(), **{k: v for k, v in asked.items() if v})
    start = time.perf_counter()
    segmenter = load_segmenter(options.weights)
    load_s = time.perf_counter() - start
    table, real = assess(segmenter, sizes, load_s=load_s)
    facts = provenance(
        segmenter=segmenter,
        seed=REPORT_SEED,
        datasets=", ".join((*PHANTOMS, *real)),
        phantom_version=PHANTOM_VERSION,
        scenes_version=SCENES_VERSION,
        threads=torch.get_num_threads(),
        sizes=str(asdict(sizes)),
        seconds=round(time.perf_counter() - start),
    )
    if options.csv:
        write_table(table, options.csv, provenance=facts)
    if options.card:
        card = options.card.read_text(encoding="utf-8")
        write_text(options.card, with_section(card, markdown(table, facts)))
    if options.figure and real:
        from mskseg.display.style import save_figure  # matplotlib, for this option alone
        from mskseg_mini.figures import ranking_page

        title = f"{segmenter.name} (miniature), oracle boxes, real scans"
        axes = ranking_page(ranked_slices(segmenter, real.values()), title=title)
        save_figure(axes[0], options.figure, provenance=facts)
    print(markdown(table, facts))  # noqa: T201  (this is a command)


if __name__ == "__main__":
    main()
