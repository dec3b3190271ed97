"""nnU-Net's predictions -> label maps and probabilities on the grids of our cases."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mskseg.case import Case
from mskseg.errors import InputError
from mskseg.io.readers import load_label_map
from mskseg.volume import LabelMap, check_same_grid
from mskseg_studies.specialists.nnunet.exporting import Labels, case_id
from mskseg_studies.specialists.volumes import Predictions


def import_predictions(
    folder: str | Path,
    cases: Iterable[Case],
    *,
    labels: Labels,
    names: Mapping[str, str] | None = None,
) -> Predictions:
    """Read predictions of this machine or of another.

    Parameters
    ----------
    folder : path-like
        With ``ID.nii.gz`` and, for probabilities, ``ID.npz``, as ``nnUNetv2_predict`` writes them.
    cases : iterable of Case
        What was predicted; only their images are needed.
    labels : Labels
        Those of the export (`NnunetRun.labels`).
    names : mapping of str to str, optional
        ID of each case by its name, for predictions that were not exported here; by default as
        `export_training` and `NnunetRun.predict` name them.

    Returns
    -------
    Predictions
        A case without a file is in `missing`, and there is no error: scores count it.

    Raises
    ------
    InputError
        If the folder is not there, a label map lies on another grid than its image, or holds a
        label that was not exported.
    """
    place = Path(folder)
    if not place.is_dir():
        raise InputError(f"{place} is no folder; give the one that holds nnU-Net's predictions")
    found: dict[str, LabelMap] = {}
    readers = {}
    given = list(cases)
    for case in given:
        stem = case_id(case) if names is None else names.get(case.name, "")
        path = place / f"{stem}.nii.gz"
        if not stem or not path.is_file():
            continue
        label_map = load_label_map(path)
        _check_grid(case, label_map, path)
        # The affine of the case, not the file's: a NIfTI rounds it to 32 bits.
        found[case.name] = LabelMap(labels.to_ours(label_map).array, case.image.affine)
        if (place / f"{stem}.npz").is_file():
            readers[case.name] = partial(_probabilities, place / f"{stem}.npz")
    missing = tuple(case.name for case in given if case.name not in found)
    return Predictions(found, missing, labels.ours, readers)


def _check_grid(case: Case, label_map: LabelMap, path: Path) -> None:
    try:
        check_same_grid(case.image, label_map)
    except InputError as error:
        raise InputError(f"{path} does not lie on the image of {case.name}: {error}") from error


def _probabilities(path: Path) -> NDArray[np.float32]:
    """Read (C, ni, nj, nk); nnU-Net's arrays have their spatial axes the other way round."""
    try:
        with np.load(path) as stored:
            array: NDArray[np.float32] = stored["probabilities"]
    except (OSError, KeyError, ValueError) as error:
        raise InputError(
            f"{path} holds no probabilities ({error}); predict with --save_probabilities"
        ) from error
    return array.transpose(0, 3, 2, 1)
