"""How many prompts should one call of the mask decoder take, and how fast is ours? Measured.

Decodes the same N boxes on one embedded slice in chunks of 1, 2, 4, ... N, in turn, and prints the
seconds per box of each, with `mskseg.models.decoding` and with upstream's own decoder. The cost
does not depend on the weights, so they are random and nothing is fetched; SAM's decoder is the same
for ViT-B, L and H, so no large encoder is built.

    python benchmarks/decode_chunks.py --model sam --boxes 16 --device cpu

What it gave, in milliseconds of processor time per box (one thread of a two-core machine that
others used too, torch 2.15, 16 boxes, 320 px; best of 3 rounds; upstream's in brackets). The
numbers of `_NUMBERS_AT_ONCE` in `mskseg.models.segmenter` come from it:

    chunk              1            2            4            8           16
    sam       62.5 (135)   57.4 (120)   68.3 (123)   70.0 (159)   75.3 (173)
    mini      7.2 (12.2)   5.6 (10.3)    4.8 (9.8)   5.0 (11.8)   6.3 (12.4)
"""

from __future__ import annotations

import argparse
import time
from itertools import product
from unittest.mock import patch

import numpy as np
import torch

from mskseg.models.checkpoints import architectures
from mskseg.models.decoding import is_known
from mskseg.models.embeddings import ImageEmbedding
from mskseg.models.preprocessing import SamPreprocessing
from mskseg.models.segmenter import Segmenter, available_device
from mskseg.models.upstream import Sam


def sam_without_encoder() -> Sam:
    """SAM's own prompt encoder and mask decoder; the image encoder only keeps its size."""
    with torch.device("meta"):
        model = architectures()["vit_b"].build()
    model.image_encoder = torch.nn.Identity()
    model.image_encoder.img_size = 1024
    model = model.to_empty(device="cpu")
    generator = torch.Generator().manual_seed(0)
    for tensor in model.state_dict().values():
        tensor.normal_(0, 0.05, generator=generator)
    model.pixel_mean.zero_()
    model.pixel_std.fill_(1)
    return model.requires_grad_(False)


def random_boxes(n: int, size: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    corners = rng.uniform(0, size / 2, (n, 2))
    return np.concatenate([corners, corners + rng.uniform(10, size / 2, (n, 2))], axis=1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", choices=["sam", "mini"], default="sam")
    parser.add_argument("--boxes", type=int, default=16)
    parser.add_argument("--size", type=int, default=320, help="side of the slice in pixels")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--device", default="cpu")
    parser.add_argument(
        "--processor-time",
        action="store_true",
        help="count processor time, not the wall's: for a machine that others use too, on CPU",
    )
    options = parser.parse_args()

    torch.manual_seed(0)
    if options.model == "sam":
        model, preprocessing = sam_without_encoder(), SamPreprocessing(1024)
        shape = (1, 256, 64, 64)
    else:
        model = architectures()["vit_mini"].build()
        preprocessing, shape = SamPreprocessing(256, "model"), (1, 128, 32, 32)
    device = available_device(options.device)
    segmenter = Segmenter(model, preprocessing, name=options.model, device=device)
    embedding = ImageEmbedding(
        torch.randn(shape).to(device), (options.size,) * 2, "", segmenter.encoder_fingerprint, 0.0
    )
    boxes = random_boxes(options.boxes, options.size)

    clock = time.process_time if options.processor_time else time.perf_counter
    chunks = [2**i for i in range(options.boxes.bit_length()) if 2**i <= options.boxes]
    seconds: dict[tuple[bool, int], list[float]] = {}
    for _ in range(options.rounds + 1):  # the first round warms up
        for ours, chunk in product((True, False), chunks):  # in turn: a busy moment hits all alike
            segmenter.chunk_size = chunk
            known = is_known if ours else lambda _: False
            with patch("mskseg.models.decoding.is_known", known):
                start = clock()
                segmenter.predict(embedding, boxes_xyxy=boxes)
                spent = (clock() - start) / options.boxes
            seconds.setdefault((ours, chunk), []).append(spent)

    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    print(f"{options.model}, {name}, {torch.get_num_threads()} threads, torch {torch.__version__}")
    print(f"{options.boxes} boxes on a {options.size} px slice, best of {options.rounds} rounds")
    print("chunk   ms/box   upstream's   times faster")
    for chunk in chunks:
        ours, upstream = (min(seconds[which, chunk][1:]) for which in (True, False))
        print(f"{chunk:5d}   {ours * 1e3:6.1f}   {upstream * 1e3:10.1f}   {upstream / ours:.2f}")


if __name__ == "__main__":
    main()
