"""One table of how fast the models and the loops are, in ratios, compared with the last one.

What a ratio compares is measured side by side: the arms take turns, and the median of the rounds'
ratios is kept, so that other work on the machine slows both. By default one thread's processor time
is counted; on an idle machine `--threads 2 --wall` says what a reader waits for.

    make bench                                # a few minutes
    make bench ARGUMENTS="vit_b canvas"       # some rows
    make bench ARGUMENTS="--full --threads 2 --wall"

The small size takes three blocks of the ViT-B instead of twelve (a global one of three, as in the
whole) and few slices. The table goes to benchmarks/results/, with its provenance; where the last
one has the same row, its value stands beside it.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pandas as pd
import torch
from torch.nn import functional

import mskseg
from benchmarks.decode_chunks import random_boxes, sam_without_encoder
from benchmarks.finetune import drawn_cases
from mskseg.case import CaseSet
from mskseg.evaluation import score_cases, write_table
from mskseg.finetuning import FineTuneConfig, fine_tune
from mskseg.finetuning.machine import PeakMemory
from mskseg.models import segmenter as segmenter_module
from mskseg.models.checkpoints import architectures
from mskseg.models.decoding import decode, is_known
from mskseg.models.encoding import encode
from mskseg.models.segmenter import Segmenter
from mskseg.models.upstream import sam_model_registry
from mskseg.prompts import OracleBox
from mskseg.provenance import provenance
from mskseg_networks.lite_medsam import folded

RESULTS = Path(__file__).parent / "results"
SAM2_SIZES = ("tiny", "small", "base_plus", "large")
KEYS = ["row", "what", "size", "threads", "clock"]
Rows = Iterator[tuple[str, float, str]]  # what it is, its value, the goal of issue 19


class Bench:
    def __init__(self, options: argparse.Namespace) -> None:
        self.full, self.rounds, self.wall = options.full, options.rounds, options.wall
        self.clock = time.perf_counter if options.wall else time.process_time

    def alternated(self, arms: dict[str, Callable[[], object]]) -> pd.DataFrame:
        """Seconds of each arm (columns) in each round (rows), in turn, after one that warms up."""
        seconds: dict[str, list[float]] = {name: [] for name in arms}
        with torch.inference_mode():
            for _ in range(self.rounds + 1):
                for name, work in arms.items():
                    start = self.clock()
                    work()
                    seconds[name].append(self.clock() - start)
        return pd.DataFrame(seconds).iloc[1:]


def ratio(seconds: pd.DataFrame, slow: str, fast: str) -> float:
    """Median over the rounds of how many times faster one arm is."""
    return float((seconds[slow] / seconds[fast]).median())


# --- encoders and the decoder ---------------------------------------------------------------------


def vit_b(bench: Bench) -> Rows:
    torch.manual_seed(0)
    encoder = sam_model_registry["vit_b"]().image_encoder.eval()
    if not bench.full:
        encoder.blocks = encoder.blocks[:3]  # two of windows, one global
    image, left, right = (
        torch.randn(1, 3, 1024, 1024),
        torch.randn(4096, 768),
        torch.randn(3072, 768),
    )

    def in_bfloat16() -> None:
        with torch.autocast("cpu", torch.bfloat16):
            encode(encoder, image)

    halves = left.bfloat16(), right.bfloat16()
    seconds = bench.alternated(
        {
            "upstream": lambda: encoder(image),
            "ours": lambda: encode(encoder, image),
            "ours, bfloat16": in_bfloat16,
            "matrices": lambda: functional.linear(left, right),
            "matrices, bfloat16": lambda: functional.linear(*halves),
        }
    )
    gflop = len(encoder.blocks) * (57.98 + 2.95) + len(encoder.blocks) / 3 * 49.3 + 11.3
    of_matrices = 2 * left.numel() * len(right) / 1e9
    yield "times faster than upstream's, float32", ratio(seconds, "upstream", "ours"), "1.3"
    for precision, goal in (("", "0.70"), (", bfloat16", "0.70")):
        shares = seconds[f"matrices{precision}"] * gflop / of_matrices / seconds[f"ours{precision}"]
        yield f"share of the matrix rate{precision}", float(shares.median()), goal
    yield "bfloat16 against upstream's", ratio(seconds, "upstream", "ours, bfloat16"), "3.3"


def lite_medsam(bench: Bench) -> Rows:
    segmenter = mskseg.load_segmenter("lite_medsam", device="cpu")
    published = segmenter.model.image_encoder
    quick, image = folded(published), torch.randn(1, 3, 256, 256)

    def in_bfloat16() -> None:
        with torch.autocast("cpu", torch.bfloat16):
            quick(image)

    arms = {
        "eager": lambda: published(image), "ours": lambda: quick(image), "bfloat16": in_bfloat16
    }  # fmt: skip
    seconds = bench.alternated(arms)
    yield "times faster than eager, float32", ratio(seconds, "eager", "ours"), "2.3"
    yield "bfloat16 against eager", ratio(seconds, "eager", "bfloat16"), "4"


def sam2(bench: Bench) -> Rows:
    names = ["vit_b", *(f"sam2_{size}" for size in SAM2_SIZES[: None if bench.full else 1])]
    image = torch.randn(1, 3, 1024, 1024)
    encoders = {name: random_encoder(name) for name in names}
    if not bench.full:
        encoders["vit_b"].blocks = encoders["vit_b"].blocks[:3]
    seconds = bench.alternated(
        {name: partial(encode, encoder, image) for name, encoder in encoders.items()}
    )
    part = "" if bench.full else ", 3 of 12 blocks"
    for name in names:
        of = f"{name}{part}" if name == "vit_b" else name
        yield f"{of}: seconds of the encoder", float(seconds[name].median()), ""
    for name in names[1:]:
        yield f"{name}: times faster than ViT-B{part}, ours", ratio(seconds, "vit_b", name), ""
    for name in names if bench.full else []:
        command = [sys.executable, "-m", "benchmarks", "--encoded", name]
        said = subprocess.check_output(command, cwd=RESULTS.parents[1], text=True)
        yield f"{name}: MB at the peak, building included", float(said), ""


def random_encoder(name: str) -> torch.nn.Module:
    torch.manual_seed(0)
    encoder: torch.nn.Module = architectures()[name].build().image_encoder
    return encoder.eval()


def encoded(name: str) -> None:
    """Encode one image, in a process of its own, and print the megabytes that this took."""
    import mskseg_networks.sam2.network  # noqa: F401  (what it imports is no part of the model)

    memory = PeakMemory(torch.device("cpu"))
    before = memory.megabytes()
    with torch.inference_mode():
        encode(random_encoder(name), torch.randn(1, 3, 1024, 1024))
    print(memory.megabytes() - before)


def decoder(bench: Bench) -> Rows:
    sam = sam_without_encoder()
    parts = [torch.randn(1, 256, 64, 64), sam.prompt_encoder.get_dense_pe()]
    sparse, dense = sam.prompt_encoder(points=None, boxes=torch.rand(4, 4) * 500, masks=None)
    quick = lambda: decode(sam.mask_decoder, *parts, sparse, dense)  # noqa: E731

    def upstream() -> None:
        with patch("mskseg.models.decoding.is_known", lambda _: False):
            quick()

    assert is_known(sam.mask_decoder)
    seconds = bench.alternated({"upstream": upstream, "ours": quick})
    yield "times faster than upstream's, 4 boxes", ratio(seconds, "upstream", "ours"), ""


def batches(bench: Bench) -> Rows:
    segmenter = mskseg.load_segmenter("sam_vit_mini", device="cpu")
    embedding = segmenter.embed(np.random.default_rng(0).integers(0, 256, (320, 320), np.uint8))
    boxes = random_boxes(16, 320)

    def in_chunks_of(size: int | None) -> Callable[[], object]:
        def work() -> None:
            segmenter.chunk_size = size
            segmenter.predict(embedding, boxes_xyxy=boxes)

        return work

    sizes = {"one by one": 1, "as used": None, "all at once": 16}
    seconds = bench.alternated({name: in_chunks_of(size) for name, size in sizes.items()})
    yield "mini, 16 boxes: as used against one by one", ratio(seconds, "one by one", "as used"), "1"
    yield (
        "mini, 16 boxes: as used against all at once",
        ratio(seconds, "all at once", "as used"),
        "1",
    )


# --- loops ----------------------------------------------------------------------------------------


def evaluate(bench: Bench) -> Rows:
    cases = drawn_cases(24 if bench.full else 6, 256)
    spent = [0.0]

    def counted(work: Callable[..., object]) -> Callable[..., object]:
        def timed(*arguments: object, **options: object) -> object:
            start = bench.clock()
            try:
                return work(*arguments, **options)
            finally:
                spent[0] += bench.clock() - start

        return timed

    for name in ("sam_vit_mini", "lite_medsam"):
        shares = []
        for _ in range(bench.rounds + 1):
            segmenter, spent[0] = mskseg.load_segmenter(name, device="cpu"), 0.0
            with (
                patch.object(segmenter_module, "encode", counted(encode)),
                patch.object(segmenter_module, "decode", counted(decode)),
            ):
                start = bench.clock()
                score_cases(segmenter, cases, prompts=OracleBox(), progress=False)
                shares.append((bench.clock() - start) / spent[0])
        yield f"{name}: against encode and decode alone", statistics.median(shares[1:]), "1.3"


def canvas(bench: Bench) -> Rows:
    from mskseg.display.canvas.session import Session

    case = drawn_cases(1, 256)[0]
    for name, goal in (("sam_vit_mini", "62"), ("lite_medsam", "200")):
        session, waited = Session(case, {name: mskseg.load_segmenter(name, device="cpu")}), []
        for shift in range(bench.rounds * 3 + 1):
            start = bench.clock()
            session.set_box([20.0 + shift, 30.0, 90.0 + shift, 120.0])
            waited.append(bench.clock() - start)
        yield (
            f"{name}: ms from a box to its mask, encoded",
            1e3 * statistics.median(waited[1:]),
            goal,
        )


# --- twice as much --------------------------------------------------------------------------------


def scaled(work: str, slices: int, people: int) -> None:
    """Do the work once, in a process of its own, and print its seconds and its peak of memory."""
    segmenter = mskseg.load_segmenter("sam_vit_mini", device="cpu")
    carry_out(work, segmenter, drawn_cases(2, 128, prefix="warm"))
    cases = drawn_cases(slices, 128, people)
    memory, start = PeakMemory(segmenter.device), time.process_time()
    carry_out(work, segmenter, cases)
    print(json.dumps({"s": time.process_time() - start, "peak_mb": memory.megabytes()}))


def carry_out(work: str, segmenter: Segmenter, cases: CaseSet) -> None:
    if work == "evaluate":
        score_cases(segmenter, cases, prompts=OracleBox(), progress=False)
    elif work == "tuning":
        config = FineTuneConfig(epochs=2, patience=0)
        fine_tune(segmenter, cases, drawn_cases(2, 128, prefix="v"), config, progress=False)
    else:
        from mskseg_studies.uncertainty import PromptedMaps

        plans = [OracleBox(jitter_px=5.0, seed=seed) for seed in range(2)]
        maps = PromptedMaps(segmenter, plans, labels=[1, 2, 3, 4, 5, 6])
        for each in (each for case in cases for each in maps.slices(case)):
            each.predicted_labels()


def scaling(bench: Bench) -> Rows:
    n = 8 if bench.full else 4
    for work in ("evaluate", "tuning", "maps"):
        found = {}
        for slices, people in ((n, 2), (2 * n, 2), (n, 4)):
            command = [
                sys.executable,
                "-m",
                "benchmarks",
                "--scaled",
                work,
                str(slices),
                str(people),
            ]
            runs = [
                json.loads(subprocess.check_output(command, cwd=RESULTS.parents[1], text=True))
                for _ in range(bench.rounds)
            ]
            found[slices, people] = pd.DataFrame(runs).median()
        for what, more in (("slices", (2 * n, 2)), ("people", (n, 4))):
            one, two = found[n, 2], found[more]
            exponent = math.log2(two["s"] / one["s"])
            yield f"{work}: exponent of time, {what} doubled", exponent, "1.0 to 1.1"
            more_mb = two["peak_mb"] - one["peak_mb"]
            yield f"{work}: MB more at the peak, {what} doubled", more_mb, "flat"


MEASURES = (vit_b, lite_medsam, sam2, decoder, batches, evaluate, canvas, scaling)
ROWS = {measure.__name__: measure for measure in MEASURES}


# --- the table ------------------------------------------------------------------------------------


def measured(bench: Bench, names: list[str], options: argparse.Namespace) -> pd.DataFrame:
    rows = []
    for name in names:
        for what, value, goal in ROWS[name](bench):
            size, clock = (
                ("full" if bench.full else "small"),
                ("wall" if bench.wall else "processor"),
            )
            rows.append([name, what, size, options.threads, clock, value, goal])
            print(f"{name:12s} {what:48s} {value:8.2f}   goal {goal}", file=sys.stderr, flush=True)
    return pd.DataFrame(rows, columns=[*KEYS, "value", "goal"])


def beside_last(table: pd.DataFrame, folder: Path) -> pd.DataFrame:
    """Add what the newest kept tables say of the same rows."""
    kept = [pd.read_csv(path) for path in sorted(folder.glob("*.csv"))]
    if not kept:
        return table.assign(last=np.nan)
    last = pd.concat(kept).drop_duplicates(KEYS, keep="last")
    return table.merge(last[[*KEYS, "value"]].rename(columns={"value": "last"}), "left", KEYS)


def main() -> None:
    parser = argparse.ArgumentParser("python -m benchmarks", None, __doc__.splitlines()[0])
    parser.add_argument(
        "rows", nargs="*", metavar="ROW", help=f"of {', '.join(ROWS)}; default: all"
    )
    parser.add_argument("--full", action="store_true", help="the whole ViT-B and more slices")
    parser.add_argument("--rounds", type=int, default=3, help="the median of them is kept")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--wall", action="store_true", help="the wall's time, on an idle machine")
    parser.add_argument("--output", type=Path, default=RESULTS, help="folder of the tables")
    parser.add_argument("--scaled", nargs=3, help=argparse.SUPPRESS)
    parser.add_argument("--encoded", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if unknown := set(options.rows) - set(ROWS):
        parser.error(f"no row is called {', '.join(sorted(unknown))}; choose of {', '.join(ROWS)}")
    torch.set_num_threads(options.threads)
    if options.encoded:
        encoded(options.encoded)
        return
    if options.scaled:
        scaled(options.scaled[0], *map(int, options.scaled[1:]))
        return
    table = measured(Bench(options), options.rows or list(ROWS), options)
    shown = beside_last(table, options.output)
    facts = provenance(threads=options.threads, rounds=options.rounds, torch=torch.__version__)
    options.output.mkdir(parents=True, exist_ok=True)
    kept = len(list(options.output.glob("*.csv")))
    path = options.output / f"{kept + 1:03}_{facts['written'][:10]}.csv"
    write_table(table.round({"value": 3}), path, provenance=facts)
    print(shown.drop(columns=KEYS[2:]).to_string(index=False, float_format="{:.2f}".format))
    print(f"{facts['hardware']['processor']}, {facts['commit']}; {path}")


if __name__ == "__main__":
    main()
