"""What an automatic model says of a whole volume: a label map, and a probability of each tissue."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mskseg.case import Case
from mskseg.errors import InputError
from mskseg.evaluation.loop import check_has_reference
from mskseg.volume import LabelMap
from mskseg_studies.calibration import checked_probabilities


@dataclass(frozen=True, eq=False)
class Predictions:
    """Predictions of a model for some cases.

    `label_maps` are by name of the case, on its grid, in our values, as `score_label_maps` and
    `SpecialistBox` take them. Cases that have none are `missing`, by name: they are counted and
    score 0; nothing drops them. `labels` are the values that the model knows; channel 0 of the
    probabilities is background, channel c is ``labels[c - 1]``.
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
        """Read the probabilities (C, ni, nj, nk) of one case, on its grid.

        C is the background and the labels, and they sum to 1. Raises InputError if there are none,
        or they are no probabilities (see `checked_probabilities`).
        """
        if name not in self._readers:
            raise InputError(f"no probabilities of {name!r} here; predict it, with probabilities")
        shape = (len(self.labels) + 1, *self.label_maps[name].shape)
        return checked_probabilities(self._readers[name](), shape=shape, what=name)


def known_labels(cases: Iterable[Case]) -> dict[int, str]:
    """Gather the labels of the references, with their names, ascending; InputError without one."""
    names: dict[int, str] = {}
    for case in cases:
        check_has_reference(case)
        for label in case.reference.labels if case.reference else ():
            names.setdefault(label, case.tissue(label))
    return dict(sorted(names.items()))
