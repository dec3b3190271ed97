"""From masks of single tissues to one map of probabilities in which every pixel sums to one.

A promptable model answers each box on its own: "is this pixel part of the thing in the box?" NLL
and calibration need one distribution over all tissues and background for each pixel. **The rule**:

1. a tissue's logit is the maximum over its prompts (one for each connected component), where a
   logit is ``log(p / (1 - p))`` of the probability that the segmenter gives;
2. the background's logit is 0;
3. softmax over the tissues' logits and the background's.

With one tissue this gives the segmenter's own probability back, and the argmax its own mask. With
more, tissues compete; where several hover at a low probability the background loses a little to
each of them.

**What nobody asked about.** On a slice where a tissue got no prompt it has no answer, which would
be a logit of minus infinity and, where the reference has it, an infinite NLL. So logits are kept
within those of `FLOOR` and ``1 - FLOOR``, and whoever computes an NLL counts the pixels whose true
class lies at the floor (`Calibration.n_clipped`).

Arrays are ``(C, H, W)``: class first, class 0 the background, then the tissues in the order of
`labels`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mskseg.errors import InputError

Floats = NDArray[np.float32]

FLOOR = 1e-6
"""Smallest probability of a tissue: an NLL of 13.8 for a pixel that nobody asked about."""

TOLERANCE = 1e-3
"""How far a pixel's probabilities may be from 1 in sum; half precision needs half of it."""


def multiclass_probabilities(
    probabilities: ArrayLike, prompt_labels: Sequence[int], *, labels: Sequence[int]
) -> Floats:
    """Join the answers to single prompts by the rule of this module.

    Parameters
    ----------
    probabilities : (N, H, W) float
        One answer for each prompt, in [0, 1]; N may be 0.
    prompt_labels : (N,) int
        The tissue that each prompt asked about.
    labels : (K,) int
        Tissues of the map, in its order, each once; 0 is not among them.

    Returns
    -------
    (1 + K, H, W) float32
        Background, then `labels`; every pixel sums to one.

    Raises
    ------
    InputError
        If the arrays do not fit, a prompt's label is not one of `labels`, or a value is no
        probability.
    """
    answers = np.asarray(probabilities, dtype=np.float32)
    _check_answers(answers, prompt_labels, labels)
    # exp(logit p) is p / (1 - p): the softmax needs no logarithm.
    odds = np.full((1 + len(labels), *answers.shape[1:]), _odds(np.float32(0)), dtype=np.float32)
    odds[0] = 1.0
    place = {label: number + 1 for number, label in enumerate(labels)}
    for answer, label in zip(answers, prompt_labels, strict=True):
        np.maximum(odds[place[label]], _odds(answer), out=odds[place[label]])
    joined: Floats = odds / odds.sum(axis=0)
    return joined


def checked_probabilities(
    probabilities: ArrayLike,
    *,
    shape: tuple[int, ...] | None = None,
    what: str = "a map",
) -> Floats:
    """Validate probabilities of maps or of a volume and return them as float32.

    Parameters
    ----------
    probabilities : (..., C, H, W) or (C, ...) float
        At least two classes. Without `shape` one map or a stack of them, the class being the last
        axis but two; with it the class is the first axis, as of a volume.
    shape : tuple of int, optional
        Expected, (C, ...).
    what : str
        Whose they are, for the message.

    Returns
    -------
    Array of the same shape, float32

    Raises
    ------
    InputError
        If the shape is another, there is one class only, a value lies outside 0 to 1, or a sum is
        off: then they are logits, of overlapping regions, or of another run.
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
    off = np.abs(maps.sum(axis=axis, dtype=np.float64) - 1)
    if off.size and off.max() > TOLERANCE:
        worst = maps.sum(axis=axis, dtype=np.float64).flat[off.argmax()]
        raise InputError(
            f"the probabilities of {what} sum to {worst:.3g} in a voxel, expected 1; give the "
            "softmax over the classes, background included"
        )
    return maps


def temper(probabilities: ArrayLike, temperature: float) -> Floats:
    """Divide the logits by a temperature: ``softmax(log(p) / T)`` (Guo 2017, equation 9).

    A softmax does not see what is added to all logits, so the logarithms of the probabilities
    serve as logits as well as the model's own.

    Parameters
    ----------
    probabilities : (..., C, H, W) float
        Above 1 a temperature makes them less certain, below 1 more.
    temperature : float

    Returns
    -------
    (..., C, H, W) float32

    Raises
    ------
    InputError
        If the temperature is not above 0.
    """
    if not 0 < temperature < np.inf:
        raise InputError(f"expected a temperature above 0 (1 changes nothing), got {temperature}")
    maps = np.asarray(probabilities, dtype=np.float32)
    if temperature == 1:
        return maps
    raised = np.power(maps, np.float32(1 / temperature))
    tempered: Floats = raised / raised.sum(axis=-3, keepdims=True)
    return tempered


def as_classes(label_map: ArrayLike, labels: Sequence[int]) -> NDArray[np.intp]:
    """Turn a label map into classes, numbered as those of a map of probabilities.

    Parameters
    ----------
    label_map : (H, W) int
    labels : (K,) int
        Class 1, 2, ...; every other label becomes background, class 0.

    Returns
    -------
    (H, W) int
    """
    given = np.asarray(label_map)
    classes = np.zeros(given.shape, dtype=np.intp)
    for number, label in enumerate(labels):
        classes[given == label] = number + 1
    return classes


def _odds(probability: Floats | np.float32) -> Floats:
    kept = np.clip(probability, np.float32(FLOOR), np.float32(1 - FLOOR))
    odds: Floats = kept / (1 - kept)
    return odds


def _check_answers(answers: Floats, prompt_labels: Sequence[int], labels: Sequence[int]) -> None:
    if answers.ndim != 3 or len(answers) != len(prompt_labels):
        raise InputError(
            "expected probabilities (prompts, rows, columns) with a label for each prompt, got "
            f"{answers.shape} with {len(prompt_labels)} labels"
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
    if not ((answers >= 0) & (answers <= 1)).all():
        raise InputError(
            "expected probabilities of 0 to 1, got values outside or NaN; "
            "give `Prediction.probabilities`, not logits"
        )
