"""How long SAM-mini takes to load, to encode a slice and to decode a prompt, against its bars.

The bars are 0.5 s for loading after import, 100 ms for encoding and 15 ms for decoding one box, on
two cores. Preprocessing and the way back to the slice are part of the times. Run it on an idle
machine; with other work beside it, `--processor-time` of one thread is the fairer number.

    python benchmarks/encode_decode.py --threads 2

What it gave (torch 2.15, AMD EPYC, a two-core machine that a training shared): one thread's
processor time 34 ms to encode and 10.6 ms to decode, 0.06 s to load; two threads beside the
training, wall time 51 ms, 15.8 ms and 0.12 s.
"""

from __future__ import annotations

import argparse
import time

import torch

import mskseg
from mskseg_mini.assessment.assess import time_segmenter
from mskseg_mini.assessment.bars import BARS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="sam_vit_mini", help="a name in the manifest, or a file")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--size", type=int, default=256, help="side of the slice in pixels")
    parser.add_argument(
        "--processor-time",
        action="store_true",
        help="count processor time of all threads, not the wall's",
    )
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    clock = time.process_time if options.processor_time else time.perf_counter

    mskseg.load_segmenter  # noqa: B018  (imports it: the bar is for loading after import)
    start = clock()
    segmenter = mskseg.load_segmenter(options.model)
    load_s = clock() - start
    encode_ms, decode_ms = time_segmenter(
        segmenter, repeats=options.repeats, size=options.size, clock=clock
    )
    kind = "processor time" if options.processor_time else "wall time"
    print(f"{segmenter!r}, {options.threads} thread(s), torch {torch.__version__}, {kind}")
    print(f"median of {options.repeats} slices of {options.size} px")
    for key, value in (("load_s", load_s), ("encode_ms", encode_ms), ("decode_ms", decode_ms)):
        bar = BARS[key]
        verdict = "met" if bar.met_by(value) == "floor" else "missed"
        print(f"{bar.data:28s} {value:8.2f}   bar {bar.floor:g}: {verdict}")


if __name__ == "__main__":
    main()
