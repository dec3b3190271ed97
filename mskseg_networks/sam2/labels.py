"""Follow the labels of a case by memory, with what an evaluation keeps of each slice."""

import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from mskseg.case import Case, CaseSlice
from mskseg.evaluation.loop import PromptedSlice
from mskseg.evaluation.prediction import LabelPrediction, judged
from mskseg.models.segmenter import Segmenter
from mskseg.prompts.plans import NeighbourBox
from mskseg.prompts.prompt import Prompt
from mskseg.prompts.tracks import REMEMBERED, Track
from mskseg_networks.sam2.following import follow


def follow_labels(
    segmenter: Segmenter,
    case: Case,
    slices: Sequence[CaseSlice],
    tracks: Mapping[int, Track],
    *,
    progress: Callable[[int], object],
) -> list[dict[int, LabelPrediction]]:
    """Follow labels as `SlicePredictor.propagate` does; a label's pieces are objects of their own.

    The first boxes of all slices are one object, the second boxes another, and so on; a label is
    their union. Nothing ends for good: an object may be found again.
    """
    owners, objects = [], []
    for label, track in tracks.items():
        for n in range(max(map(len, track.prompts.values()))):
            owners.append(label)
            objects.append({k: p[n : n + 1] for k, p in track.prompts.items() if len(p) > n})
    predictions: list[dict[int, LabelPrediction]] = [{} for _ in slices]
    images, start = [case_slice.image for case_slice in slices], time.perf_counter()
    for position, found in follow(segmenter, images, objects):
        prompts = {owners[n]: tracks[owners[n]].prompts.get(position, Prompt()) for n in found}
        prompted = PromptedSlice(case, slices[position], prompts)
        encode_s, seconds = segmenter.embed(images[position]).encode_s, time.perf_counter() - start
        decode_s = (
            seconds - encode_s if seconds > encode_s else seconds
        )  # else it was encoded before
        for label, prompt in prompts.items():
            maps = [each for n, each in found.items() if owners[n] == label]
            if (other := predictions[position].get(label)) is not None:  # a piece that came past
                maps.append(np.zeros_like(maps[0]))
                maps[-1][other.prediction] = other.certainty
            probabilities = np.max(maps, axis=0)
            up = position > min(tracks[label].prompts)
            before = predictions[position - 1 if up else min(position + 1, len(slices) - 1)]
            answer = LabelPrediction(
                case_slice=slices[position],
                label=label,
                prediction=probabilities > 0.5,
                prompt=prompt,
                promptable_px=prompted.promptable_px[label],
                encode_s=encode_s,
                decode_s=decode_s / len(prompts),
                certainty=probabilities[probabilities > 0.5],
            )
            source = "prompt" if len(prompt) else REMEMBERED
            predictions[position][label] = judged(NeighbourBox(), before.get(label), answer, source)
        progress(slices[position].index)
        start = time.perf_counter()
    return predictions
