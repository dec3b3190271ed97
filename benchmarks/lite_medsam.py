"""What do folded batch norms, channels last and bfloat16 save of LiteMedSAM's encoder?

Encodes one slice with the published encoder, the folded one and the folded one in bfloat16, in
turn, and prints the processor time of each, its ratio to the first, and how far its features are
from the first's. Needs the extra ``mskseg[lite]``.

    python benchmarks/lite_medsam.py --rounds 3 --threads 1

What it gave (one thread of a busy two-core machine, torch 2.15, best of 2 rounds):

    published            2.02 s   1.00  features off by 0.0e+00
    folded               1.75 s   0.86  features off by 3.2e-06
    folded, bfloat16     3.47 s   1.71  features off by 3.5e-02

That processor does not compute in bfloat16, so torch imitates it. On three real slices of vertebrae
with tight boxes the mean Dice in bfloat16 was away by 0.001, 0.006 and 0.031: at the edge of what
the model saw, rounding decides some masks.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import torch

import mskseg
from mskseg.models.lite_medsam import folded


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    segmenter = mskseg.load_segmenter("lite_medsam")
    image = np.random.default_rng(0).integers(0, 256, (320, 320, 3), dtype=np.uint8)
    tensor = segmenter.preprocessing.image_tensor(image, segmenter.model)
    published = segmenter.model.image_encoder
    arms = {"published": (published, False), "folded": (folded(published), False)}
    arms["folded, bfloat16"] = (arms["folded"][0], True)
    seconds: dict[str, list[float]] = {name: [] for name in arms}
    features = {}
    for _ in range(arguments.rounds):  # in turn: a busy machine slows all arms alike
        for name, (encoder, half) in arms.items():
            start = time.process_time()
            with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=half):
                features[name] = encoder(tensor).float()
            seconds[name].append(time.process_time() - start)
    first, norm = min(seconds["published"]), features["published"].norm()
    for name, taken in seconds.items():
        away = float((features[name] - features["published"]).norm() / norm)
        print(
            f"{name:<18} {min(taken):6.2f} s  {min(taken) / first:5.2f}  features off by {away:.1e}"
        )


if __name__ == "__main__":
    main()
