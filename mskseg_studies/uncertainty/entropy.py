"""How uncertain an ensemble is, pixel by pixel, and how much of it is the model's own.

With members m that give probabilities p_m:

* **predictive** entropy ``H(mean_m p_m)``: all that is uncertain;
* **aleatoric** ``mean_m H(p_m)``: what each member finds uncertain by itself, as a blurred edge;
* **epistemic** ``predictive - aleatoric``, the mutual information of the answer and the member: how
  far the members disagree. More training data would lower it (Houlsby 2011, arXiv:1112.5745;
  Depeweg 2018, arXiv:1710.07283; deep ensembles: Lakshminarayanan 2017, arXiv:1612.01474).

In nats: 0 is certain, ``log C`` is no idea among C classes. Members may also be the answers of one
model to boxes that were drawn a little differently: then the last part is the uncertainty that the
*prompt* brings in.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mskseg.errors import InputError

Floats = NDArray[np.float32]

_TINY = np.float32(1e-30)  # log 0 is asked for nowhere: 0 log 0 = 0


class EntropyParts(NamedTuple):
    """Uncertainty of each pixel (H, W), in nats: the first is the sum of the others."""

    predictive: Floats
    aleatoric: Floats
    epistemic: Floats


def entropy(probabilities: ArrayLike) -> Floats:
    """Entropy of each pixel, ``-sum_c p_c log p_c``, in nats: (..., C, H, W) -> (..., H, W)."""
    p = np.asarray(probabilities, dtype=np.float32)
    nats: Floats = np.maximum(-(p * np.log(np.maximum(p, _TINY))).sum(axis=-3), 0)
    return nats


def entropy_parts(members: ArrayLike) -> EntropyParts:
    """Split the predictive entropy of the members' probabilities (M, C, H, W)."""
    maps = np.asarray(members, dtype=np.float32)
    if maps.ndim != 4 or not len(maps):
        raise InputError(
            "expected (members, classes, rows, columns) with one member or more, got the shape "
            f"{maps.shape}; stack the maps of the ensemble"
        )
    aleatoric = entropy(maps).mean(axis=0)
    if len(maps) == 1:  # one cannot disagree with itself; a 0 would read as "sure of itself"
        return EntropyParts(aleatoric, aleatoric, np.full_like(aleatoric, math.nan))
    predictive = entropy(maps.mean(axis=0))
    # Entropy is concave, so this is 0 or more but for rounding.
    return EntropyParts(predictive, aleatoric, np.maximum(predictive - aleatoric, 0))
