"""What do thousands of scans cost? Processor seconds a slice of each model, times all of them.

Encodes and decodes a few slices by each model on one thread, and counts processor time, so that
other work on the machine does not change it much. A model whose weights are not here is built with
fresh ones: the arithmetic is the same. Then it lays out a plan: hours, memory, disk and price.

    python benchmarks/plan_many_scans.py --price 0.04

What it gave stands in docs/many_scans.md.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

import mskseg
from mskseg.datasets.fetching import is_fetched
from mskseg.datasets.manifest import load_manifest
from mskseg.io import save_nifti
from mskseg.models.checkpoints import architectures
from mskseg.models.preprocessing import preprocessings
from mskseg.models.segmenter import Segmenter
from mskseg.volume import LabelMap


def load(name: str) -> Segmenter:
    entry = load_manifest().models[name]
    if is_fetched(name):
        return mskseg.load_segmenter(name, device="cpu")
    network = architectures()[entry.architecture]
    model = network.build()
    recipe = preprocessings()[entry.preprocessing]
    frame = recipe(model.image_encoder.img_size, network.prompt_frame)
    return Segmenter(model, frame, name=name, device="cpu", prompt_kinds=network.prompt_kinds)


def measure(name: str, side: int, labels: int, repeats: int) -> None:
    """Print seconds to load, to encode a slice, to decode its boxes, and the most memory in GB."""
    torch.set_num_threads(1)
    start = time.process_time()
    segmenter = load(name)
    loaded = time.process_time() - start
    rng = np.random.default_rng(0)
    boxes = np.array([[40 + 30 * k, 60, 120 + 30 * k, 150] for k in range(labels)], float)
    encode, decode = [], []
    for _ in range(repeats):
        image = rng.integers(0, 256, (side, side), dtype=np.uint8)
        start = time.process_time()
        embedding = segmenter.embed(image)
        encode.append(time.process_time() - start)
        start = time.process_time()
        segmenter.predict(embedding, boxes_xyxy=boxes)
        decode.append(time.process_time() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(loaded, min(encode), min(decode), peak)


def written_mb(side: int, slices: int, labels: int) -> float:
    """Give the size of a compressed label map of discs."""
    rows, columns = np.mgrid[:side, :side]
    array = np.zeros((side, side, slices), np.uint8)
    for label in range(1, labels + 1):
        array[(rows - 60 * label) ** 2 + (columns - side / 2) ** 2 < 40**2] = label
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mask.nii.gz"
        save_nifti(LabelMap(array, np.eye(4)), path)
        return path.stat().st_size / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", default=["sam_vit_mini", "lite_medsam", "sam_vit_b"])
    parser.add_argument("--volumes", type=int, default=5000)
    parser.add_argument("--slices", type=int, default=160, help="of a volume; OAI's DESS: 160")
    parser.add_argument("--side", type=int, default=384, help="pixels; OAI's DESS: 384")
    parser.add_argument("--labels", type=int, default=5, help="boxes on each slice")
    parser.add_argument("--cores", type=int, default=100)
    parser.add_argument("--price", type=float, default=0.04, help="of a core for an hour")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        measure(options.measure, options.side, options.labels, options.repeats)
        return
    given = [f"--{name}={getattr(options, name)}" for name in ("side", "labels", "repeats")]
    raw_gb = options.volumes * options.slices * options.side**2 * 2 / 1e9
    out_gb = options.volumes * written_mb(options.side, options.slices, options.labels) / 1e3
    print(
        f"{options.volumes} volumes of {options.slices} slices of {options.side} x {options.side}"
    )
    print(f"read: {raw_gb:.0f} GB of 16-bit pixels; written: {out_gb:.2f} GB of label maps\n")
    heads = (
        "model | encode s | boxes s | minutes a volume | core-hours | hours | GB a worker | price"
    )
    print(f"| {heads} |\n|{'---|' * 8}")
    for name in options.models:
        command = [sys.executable, __file__, "--measure", name, *given]
        out = subprocess.run(command, capture_output=True, check=True, encoding="utf-8").stdout
        _, encode, decode, peak = map(float, out.split())
        volume_s = options.slices * (encode + decode)
        hours = options.volumes * volume_s / 3600
        print(
            f"| {name} | {encode:.3f} | {decode:.3f} | {volume_s / 60:.1f} | {hours:,.0f} | "
            f"{hours / options.cores:,.1f} | {peak:.1f} | {hours * options.price:,.0f} |"
        )


if __name__ == "__main__":
    main()
