"""Tuning the mask decoder: cached embeddings against the loop that everybody copies.

That loop encodes the slice again at every step, although the encoder is frozen. Both loops here do
the same steps on the same weights, in turn, with a slice and 1 or 6 prompts a step; after the first
epoch the cached one only decodes. What arithmetic allows is (encode + step) / step, from the two
parts timed on their own in the same run; what was reached is printed as a share of it.

    python benchmarks/finetune.py --processor-time
    python benchmarks/finetune.py --architecture vit_b --slices 2 --device cuda

Weights do not change the time, so a ViT-B is built with random ones and nothing is fetched.

What it gave (one thread's processor time of a two-core machine with other work, torch 2.15; the
ViT-B with one slice of 320 px and two timed epochs, so two samples a number):

    model      prompts   encode s   step s   again s   cached s   ratio   possible   share
    vit_mini         1     0.0386   0.0354    0.0735     0.0367    2.00       2.09    0.96
    vit_mini         6     0.0361   0.1441    0.1811     0.1460    1.24       1.25    0.99
    vit_b            1    16.4785   0.2222   16.4096     0.2285   71.83      75.15    0.96
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from functools import partial

import numpy as np
import torch

import mskseg
from mskseg.case import Case, CaseSet
from mskseg.finetuning.config import FineTuneConfig
from mskseg.finetuning.dataset import SliceDataset
from mskseg.finetuning.machine import join_processes
from mskseg.finetuning.trainer import Trainer
from mskseg.models.checkpoints import architectures, load_segmenter
from mskseg.models.embeddings import EmbeddingCache
from mskseg.models.preprocessing import SamPreprocessing, as_rgb_uint8
from mskseg.models.segmenter import Segmenter
from mskseg.volume import LabelMap, Volume


def drawn_cases(n_slices: int, size: int, n_people: int = 1, prefix: str = "") -> CaseSet:
    """Six ellipses on every slice of every person, in noise."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:size, :size] / size
    affine, cases = np.diag([1.0, 1.0, 6.0, 1.0]), []
    for person in range(n_people):
        labels = np.zeros((size, size, n_slices), np.uint8)
        for k, label in np.ndindex(n_slices, 6):
            cx, cy = 0.2 + 0.3 * (label % 3), 0.3 + 0.4 * (label // 3)
            inside = ((x - cx) / 0.1) ** 2 + ((y - cy) / (0.1 + 0.03 * rng.random())) ** 2 < 1
            labels[..., k][inside] = label + 1
        image = (labels * 20 + rng.normal(60, 6, labels.shape)).astype(np.float32)
        cases.append(Case(f"{prefix}{person}", Volume(image, affine), LabelMap(labels, affine)))
    return CaseSet("drawn", cases)


def built(architecture: str, device: str) -> Segmenter:
    if architecture == "vit_mini":
        return load_segmenter("sam_vit_mini", device=device)
    torch.manual_seed(0)
    model = architectures()[architecture].build().requires_grad_(False)
    return Segmenter(model, SamPreprocessing(1024), name=f"random {architecture}", device=device)


class EncodeAgain:
    """The copied loop's encoder: prepares and encodes at every call."""

    def __init__(self, segmenter: Segmenter) -> None:
        self.segmenter = segmenter

    def __call__(self, slices):
        segmenter = self.segmenter
        with torch.no_grad():
            images = [
                segmenter.preprocessing.image_tensor(as_rgb_uint8(s.image), segmenter.model)
                for s in slices
            ]
            return segmenter.model.image_encoder(torch.cat(images)).float()


class Kept:
    """Gives embeddings that lie ready: what a step costs without any encoding."""

    def __init__(self, encoder) -> None:
        self.encoder, self.kept = encoder, {}

    def __call__(self, slices):
        for labelled in slices:
            if id(labelled) not in self.kept:
                self.kept[id(labelled)] = self.encoder([labelled])
        return torch.cat([self.kept[id(labelled)] for labelled in slices])


def make(segmenter, dataset, config, folder):
    """Three trainers with the same weights, slices, prompts and steps."""
    processes = join_processes(str(segmenter.device))
    trainers = {}
    for name in ("again", "cached", "step"):
        cache = EmbeddingCache(folder)
        trainers[name] = Trainer(
            segmenter, dataset, dataset, config, cache=cache, processes=processes
        )
    again = EncodeAgain(segmenter)
    trainers["again"].encode = again
    trainers["step"].encode = Kept(again)
    return trainers, again


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--architecture", choices=["vit_mini", "vit_b"], default="vit_mini")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--slices", type=int, default=6, help="an epoch shows each once")
    parser.add_argument("--size", type=int, default=256, help="side of a slice in pixels")
    parser.add_argument("--epochs", type=int, default=4, help="timed, after one that is not")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--precision", choices=["float32", "bfloat16"], default="float32")
    parser.add_argument(
        "--processor-time",
        action="store_true",
        help="count processor time, not the wall's: for a machine that others use too, on CPU",
    )
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    clock = time.process_time if options.processor_time else time.perf_counter
    segmenter = built(options.architecture, options.device)
    cases = drawn_cases(options.slices, options.size)

    def timed(work) -> float:
        if segmenter.device.type == "cuda":
            torch.cuda.synchronize()
        start = clock()
        work()
        if segmenter.device.type == "cuda":
            torch.cuda.synchronize()
        return clock() - start

    kind = "processor time" if options.processor_time else "wall time"
    print(f"{segmenter!r}, {options.threads} thread(s), torch {torch.__version__}, {kind}")
    print("prompts   encode s   step s   again s   cached s   ratio   possible   share")
    for prompts in (1, 6):
        config = FineTuneConfig(
            slices_per_step=1, prompts_per_slice=prompts, precision=options.precision
        )
        dataset = SliceDataset.from_cases(cases, config)
        with tempfile.TemporaryDirectory() as folder:
            trainers, again = make(segmenter, dataset, config, folder)
            seconds = {name: [] for name in (*trainers, "encode")}
            for epoch in range(options.epochs + 1):
                for _ in range(options.slices):
                    for name, trainer in trainers.items():  # in turn: a busy moment hits all alike
                        seconds[name].append((epoch, timed(trainer.train_step)))
                    first = dataset.slices[:1]
                    seconds["encode"].append((epoch, timed(partial(again, first))))
            weights = [next(iter(trainer.trained.values())) for trainer in trainers.values()]
            assert torch.allclose(weights[0], weights[2], atol=1e-6), "not the same training"
        median = {
            name: statistics.median(s for epoch, s in values if epoch)
            for name, values in seconds.items()
        }
        ratio = median["again"] / median["cached"]
        possible = (median["encode"] + median["step"]) / median["step"]
        print(
            f"{prompts:7d}   {median['encode']:8.4f}   {median['step']:6.4f}   "
            f"{median['again']:7.4f}   {median['cached']:8.4f}   {ratio:5.2f}   {possible:8.2f}   "
            f"{ratio / possible:5.2f}"
        )


if __name__ == "__main__":
    mskseg.load_segmenter  # noqa: B018  (imports it before anything is timed)
    main()
