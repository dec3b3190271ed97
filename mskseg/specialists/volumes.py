"""What an automatic model says of a whole volume: a label map, and a probability of each tissue."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mskseg.data.volume import LabelMap
from mskseg.errors import InputError

_SUM_TOLERANCE = 1e-3  # nnU-Net keeps its logits in half precision


@dataclass(frozen=True, eq=False)
class Predictions:
    """Predictions of a model for some cases.

    Attributes
    ----------
    label_maps : mapping of str to LabelMap
        By name of the case, on its grid, in our values. `score_label_maps` and `SpecialistBox`
        take them.
    missing : tuple of str
        Names of the cases that have none. They are counted and score 0; nothing drops them.
    labels : tuple of int
        The values that the model knows; channel 0 of the probabilities is background, channel c is
        ``labels[c - 1]``.
    """

    label_maps: Mapping[str, LabelMap]
    missing: tuple[str, ...]
    labels: tuple[int, ...]
    _readers: Mapping[str, Callable[[], NDArray[np.float32]]] = field(
        default_factory=dict, repr=False
    )

    def __repr__(self) -> str:
        return f"Predictions({len(self.label_maps)} cases, {len(self.missing)} missing)"

    def probabilities(self, name: str) -> NDArray[np.float32]:
        """Read the probabilities of one case.

        Returns
        -------
        (C, ni, nj, nk) float32
            On the case's grid; C is the background and the labels, and they sum to 1.

        Raises
        ------
        InputError
            If there are none, or they are no probabilities (see `checked_probabilities`).
        """
        if name not in self._readers:
            raise InputError(
                f"there are no probabilities of {name!r}; predict it, with probabilities"
            )
        shape = (len(self.labels) + 1, *self.label_maps[name].shape)
        return checked_probabilities(self._readers[name](), shape=shape, what=name)


def checked_probabilities(
    array: NDArray[np.floating], *, shape: tuple[int, ...], what: str
) -> NDArray[np.float32]:
    """Make sure that an array holds probabilities that sum to one over its first axis.

    Parameters
    ----------
    array : (C, ...) float
    shape : tuple of int
        Expected.
    what : str
        Whose they are, for the message.

    Returns
    -------
    (C, ...) float32

    Raises
    ------
    InputError
        If the shape is another, a value is below 0 or not finite, or a sum is off by more than
        0.001: then they are logits, of overlapping regions, or of another run.
    """
    if array.shape != shape:
        raise InputError(
            f"the probabilities of {what} have the shape {array.shape}, expected {shape}; give "
            "those of this run, background first"
        )
    if not np.isfinite(array).all() or array.min() < 0:
        raise InputError(
            f"the probabilities of {what} go down to {array.min():.3g}, expected 0 to 1; give "
            "probabilities, not logits"
        )
    sums = array.sum(axis=0, dtype=np.float64)
    worst = float(sums.flat[np.abs(sums - 1).argmax()])
    if abs(worst - 1) > _SUM_TOLERANCE:
        raise InputError(
            f"the probabilities of {what} sum to {worst:.3g} in a voxel, expected 1; give the "
            "softmax over background and all labels"
        )
    return array.astype(np.float32, copy=False)
