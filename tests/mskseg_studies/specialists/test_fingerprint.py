"""What tells one specialist from another."""

from __future__ import annotations

import copy
from dataclasses import replace

import pandas as pd
import pytest
import torch

from mskseg_studies.specialists.config import SpecialistConfig
from mskseg_studies.specialists.networks import build_network
from mskseg_studies.specialists.specialist import HISTORY, Specialist

LABELS = {3: "disc", 7: "triangle"}


def built(prompt):
    """A specialist with the weights that a training starts from."""
    config = SpecialistConfig(prompt=prompt, encoder="mobilenet_v2", frame_px=32, seed=4)
    network = build_network(config, n_labels=len(LABELS))
    history = pd.DataFrame([(50, 0.7, 1 / 3, 1.5), (100, 0.1, 2 / 3, 3.0)], columns=list(HISTORY))
    return Specialist(network, config, LABELS, history=history, data="3 subjects")


@pytest.fixture(scope="module")
def boxed():
    return built("box")


def test_the_fingerprint_follows_weights_and_labels_but_not_the_device(boxed):
    def like(**changes):
        what = {"network": boxed.network, "config": boxed.config, "labels": boxed.labels}
        return Specialist(**{**what, **changes}, history=boxed.history).fingerprint

    other = copy.deepcopy(boxed.network)
    with torch.no_grad():
        next(other.parameters()).add_(1)
    assert like() == like(config=replace(boxed.config, device="cpu:0")) == boxed.fingerprint
    assert like(network=other) != boxed.fingerprint
    assert like(labels={3: "disc", 7: "kite"}) != boxed.fingerprint
