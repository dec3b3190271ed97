"""A specialist in a file, and what tells one from another."""

from __future__ import annotations

import copy
import json
from dataclasses import replace

import pandas as pd
import pytest
import torch

from mskseg.errors import InputError
from mskseg.models.weights import read_weights, write_safetensors
from mskseg_studies.specialists.config import SpecialistConfig
from mskseg_studies.specialists.networks import build_network
from mskseg_studies.specialists.specialist import FACTS, HISTORY, Specialist, load_specialist

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


@pytest.mark.parametrize("prompt", ["box", "none"])
def test_a_saved_specialist_comes_back_as_it_was(prompt, tmp_path):
    saved = built(prompt)
    saved.save(tmp_path / "new" / "it.safetensors")
    loaded = load_specialist(tmp_path / "new" / "it.safetensors")
    assert loaded.fingerprint == saved.fingerprint
    assert (loaded.config, loaded.labels, loaded.data) == (saved.config, saved.labels, saved.data)
    pd.testing.assert_frame_equal(loaded.history, saved.history)
    inputs = torch.rand(1, 2 if prompt == "box" else 1, 32, 32)
    with torch.inference_mode():
        assert torch.equal(loaded.network(inputs), saved.network(inputs))


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


def test_weights_of_something_else_are_no_specialist(tmp_path):
    weights = {"weight": torch.zeros(2)}
    path = tmp_path / "other.safetensors"
    write_safetensors(weights, path, metadata={})
    with pytest.raises(InputError, match="does not say which specialist it holds"):
        load_specialist(path)
    path.write_text("no weights")
    with pytest.raises(InputError, match="neither a PyTorch checkpoint nor safetensors"):
        load_specialist(path)
    with pytest.raises(InputError, match="cannot read"):
        load_specialist(tmp_path / "nowhere.safetensors")


def test_a_file_of_another_version_or_network_is_refused(boxed, tmp_path):
    path = tmp_path / "it.safetensors"
    boxed.save(path)
    weights, metadata = read_weights(path)
    told = json.loads(metadata[FACTS])
    for change, said in (
        ({"config": {**told["config"], "dropout": 0.5}}, "another version of mskseg"),
        ({"config": {**told["config"], "architecture": "deeplabv3plus"}}, "no deeplabv3plus check"),
    ):
        write_safetensors(weights, path, metadata={FACTS: json.dumps({**told, **change})})
        with pytest.raises(InputError, match=said) as refused:
            load_specialist(path)
        assert "\n" not in str(refused.value)


def test_a_path_that_is_none_of_weights_is_refused(boxed, tmp_path):
    with pytest.raises(InputError, match=r"expected a path that ends in .safetensors"):
        boxed.save(tmp_path / "it.pth")
