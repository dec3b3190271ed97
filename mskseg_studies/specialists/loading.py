"""A specialist from the file that `Specialist.save` wrote."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from mskseg.errors import InputError
from mskseg.models.checkpoints import check_weights
from mskseg.models.weights import read_weights
from mskseg_studies.specialists.config import SpecialistConfig
from mskseg_studies.specialists.networks import build_network, n_channels_and_outputs
from mskseg_studies.specialists.specialist import FACTS, HISTORY, Specialist


def load_specialist(path: str | Path, *, device: str | None = None) -> Specialist:
    """Load a specialist with its configuration, labels and history.

    Parameters
    ----------
    path : path-like
        Written by `Specialist.save`.
    device : str, optional
        Where it runs; by default where it was trained.

    Returns
    -------
    Specialist
        With the fingerprint of the one that was saved.

    Raises
    ------
    InputError
        If the file is missing, damaged, something else, or of another version, and if the encoder
        or the device is not there.
    """
    path = Path(path)
    weights, metadata = read_weights(path)
    if FACTS not in metadata:
        raise InputError(
            f"{path} does not say which specialist it holds, expected a file that Specialist.save "
            "wrote; load a promptable model with load_segmenter"
        )
    told, config, labels = _facts(metadata[FACTS], path)
    n_channels, n_outputs = n_channels_and_outputs(config, n_labels=len(labels))
    network = build_network(config, n_channels=n_channels, n_outputs=n_outputs)
    check_weights(weights, network.state_dict(), config.architecture, path)
    network.load_state_dict(weights)
    here = config if device is None else replace(config, device=device)
    history = pd.DataFrame(told["history"], columns=list(HISTORY))
    return Specialist(network, here, labels, history=history, data=told["data"])


def _facts(text: str, path: Path) -> tuple[dict[str, Any], SpecialistConfig, dict[int, str]]:
    """Read what the metadata tell: everything, the configuration and the labels."""
    try:
        told: dict[str, Any] = json.loads(text)
        labels = {int(label): str(name) for label, name in told["labels"].items()}
        config = SpecialistConfig(**told["config"])
        _ = told["history"], told["data"]
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError(
            f"{path} was written by another version of mskseg ({error}); train it again, or load "
            "it with that version"
        ) from error
    return told, config, labels
