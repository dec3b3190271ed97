"""Follow the labels of a case by memory, with what an evaluation keeps of each slice."""

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from mskseg.case import Case, CaseSlice
from mskseg.evaluation.loop import PromptedSlice
from mskseg.evaluation.metrics import iou
from mskseg.evaluation.prediction import LabelPrediction
from mskseg.models.segmenter import Segmenter
from mskseg.prompts.prompt import Prompt
from mskseg.prompts.tracks import Track
from mskseg_networks.sam2.following import FollowedObject, follow


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
    their union. Nothing ends for good: where an object is "not seen" it may be found again.
    """
    labels, objects = [], []
    for label, track in tracks.items():
        for piece in _pieces(track):
            labels.append(label)
            objects.append(piece)
    predictions: list[dict[int, LabelPrediction]] = [{} for _ in slices]
    images = [case_slice.image for case_slice in slices]
    for position, found, seconds in follow(segmenter, images, objects):
        here = predictions[position]
        maps: dict[int, list[NDArray[np.float32]]] = {}
        for number, probabilities in found.items():
            maps.setdefault(labels[number], []).append(probabilities)
        prompts = {label: tracks[label].prompts.get(position, Prompt()) for label in maps}
        prompted = PromptedSlice(case, slices[position], prompts)
        encode_s = segmenter.embed(images[position]).encode_s
        for label, prompt in prompts.items():
            decode_s, other = seconds / len(prompts), here.get(label)
            if other is not None:  # of a piece that came past on the other way
                decode_s += other.decode_s
                maps[label].append(np.zeros(images[position].shape, np.float32))
                maps[label][-1][other.prediction] = other.certainty
            surest = np.max(maps[label], axis=0)
            # Nothing is seen on a slice without signal: padding, beyond the scanned body.
            mask = (surest > 0.5) & bool(np.ptp(images[position]))
            overlap, up = math.nan, position > min(tracks[label].prompts)
            before = predictions[position - 1 if up else min(position + 1, len(slices) - 1)]
            if mask.any() and label in before:
                overlap = iou(before[label].prediction, mask)
            here[label] = LabelPrediction(
                case_slice=slices[position],
                label=label,
                prediction=mask,
                prompt=prompt,
                promptable_px=prompted.promptable_px[label],
                encode_s=encode_s,
                decode_s=decode_s,
                certainty=surest[mask],
                overlap=overlap,
                reason=_reason(tracks[label], position) if mask.any() else "not seen",
            )
        progress(slices[position].index)
    return predictions


def _pieces(track: Track) -> list[FollowedObject]:
    """Split a track into one object for each of the boxes on a slice."""
    objects = []
    for n in range(max(map(len, track.prompts.values()))):
        own = {k: prompt[n : n + 1] for k, prompt in track.prompts.items() if len(prompt) > n}
        starts = {k: prompt for k, prompt in own.items() if track.starts(k)} or own
        corrections = {k: prompt for k, prompt in own.items() if k not in starts}
        objects.append(FollowedObject(starts, corrections))
    return objects


def _reason(track: Track, position: int) -> str:
    if position not in track.prompts:
        return "remembered"
    return "prompt" if track.starts(position) else "correction"
