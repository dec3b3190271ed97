"""From masks of single tissues to one map of probabilities in which every pixel sums to one.

A promptable model answers each box on its own; NLL and calibration need one distribution over all
tissues and background for each pixel. **The rule**:

1. a tissue's logit is the maximum over its prompts (one for each connected component), where a
   logit is ``log(p / (1 - p))`` of the probability that the segmenter gives;
2. the background's logit is 0;
3. softmax over the tissues' logits and the background's.

With one tissue this gives the segmenter's own probability and mask back. Logits are kept within
those of `FLOOR` and ``1 - FLOOR``, as for a tissue without a prompt (`Calibration.n_clipped`).

Arrays are ``(C, H, W)``: class 0 the background, then the tissues in the order of `labels`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mskseg.errors import InputError

Floats = NDArray[np.float32]

FLOOR = 1e-6
"""Smallest probability of a tissue: an NLL of 13.8 for a pixel without a prompt."""

TOLERANCE = 1e-3
"""How far a pixel's probabilities may be from 1 in sum; half precision needs half of it."""


def multiclass_probabilities(
    probabilities: ArrayLike, prompt_labels: Sequence[int], *, labels: Sequence[int]
) -> Floats:
    """Join (N, H, W) of single prompts by the rule of this module to (1 + K, H, W) float32."""
    of_prompts = np.asarray(probabilities, dtype=np.float32)
    _check_prompts(of_prompts, prompt_labels, labels)
    # exp(logit p) is p / (1 - p): the softmax needs no logarithm.
    odds = np.full((1 + len(labels), *of_prompts.shape[1:]), _odds(np.float32(0)), dtype=np.float32)
    odds[0] = 1.0
    for probability, label in zip(of_prompts, prompt_labels, strict=True):
        of_label = odds[1 + labels.index(label)]
        np.maximum(of_label, _odds(probability), out=of_label)
    joined: Floats = odds / odds.sum(axis=0)
    return joined


def checked_probabilities(
    probabilities: ArrayLike,
    *,
    shape: tuple[int, ...] | None = None,
    what: str = "a map",
) -> Floats:
    """Validate probabilities that sum to one over two classes or more; return them as float32.

    Without `shape` they are a map (C, H, W) or a stack of them; with it the class is the first
    axis. `what` names them in the InputError.
    """
    maps = np.asarray(probabilities, dtype=np.float32)
    if shape is not None and maps.shape != shape:
        raise InputError(
            f"the probabilities of {what} have the shape {maps.shape}, expected {shape}; give "
            "those of this run, background first"
        )
    axis = 0 if shape is not None else -3
    if maps.ndim < 3 or maps.shape[axis] < 2:
        raise InputError(
            f"the probabilities of {what} have the shape {maps.shape}, expected (classes, rows, "
            "columns) with the background as class 0; a single tissue needs two classes"
        )
    if not ((maps >= 0) & (maps <= 1 + TOLERANCE)).all():
        raise InputError(
            f"the probabilities of {what} go from {maps.min():.3g} to {maps.max():.3g}, expected 0 "
            "to 1 and no NaN; give a softmax, not logits"
        )
    sums = maps.sum(axis=axis, dtype=np.float64)
    off = np.abs(sums - 1)
    if off.size and off.max() > TOLERANCE:
        worst = sums.flat[off.argmax()]
        raise InputError(
            f"the probabilities of {what} sum to {worst:.3g} in a voxel, expected 1; give the "
            "softmax over the classes, background included"
        )
    return maps


def temper(probabilities: ArrayLike, temperature: float) -> Floats:
    """Divide the logits of (..., C, H, W) by a temperature above 0 (Guo 2017, equation 9)."""
    if not 0 < temperature < np.inf:
        raise InputError(f"expected a temperature above 0 (1 changes nothing), got {temperature}")
    maps = np.asarray(probabilities, dtype=np.float32)
    if temperature == 1:
        return maps
    raised = np.power(maps, np.float32(1 / temperature))
    tempered: Floats = raised / raised.sum(axis=-3, keepdims=True)
    return tempered


def as_classes(label_map: ArrayLike, labels: Sequence[int]) -> NDArray[np.intp]:
    """Turn the labels of a map (H, W) into classes 1, 2, ...; every other label becomes 0."""
    given = np.asarray(label_map)
    classes = np.zeros(given.shape, dtype=np.intp)
    for number, label in enumerate(labels):
        classes[given == label] = number + 1
    return classes


def _odds(probability: Floats | np.float32) -> Floats:
    kept = np.clip(probability, np.float32(FLOOR), np.float32(1 - FLOOR))
    return kept / (1 - kept)


def _check_prompts(
    probabilities: Floats, prompt_labels: Sequence[int], labels: Sequence[int]
) -> None:
    if probabilities.ndim != 3 or len(probabilities) != len(prompt_labels):
        raise InputError(
            "expected probabilities (prompts, rows, columns) with a label for each prompt, got "
            f"{probabilities.shape} with {len(prompt_labels)} labels"
        )
    if not labels or len(set(labels)) != len(labels) or 0 in labels:
        raise InputError(
            "expected one tissue or more, each once, without 0, which is the background, got "
            f"labels {tuple(labels)}"
        )
    unknown = sorted(set(prompt_labels) - set(labels))
    if unknown:
        raise InputError(
            f"expected prompts about the labels {tuple(labels)}, got one about label {unknown[0]}; "
            "add it to `labels`"
        )
    if not ((probabilities >= 0) & (probabilities <= 1)).all():
        raise InputError(
            "expected probabilities of 0 to 1, got values outside or NaN; "
            "give `Prediction.probabilities`, not logits"
        )
