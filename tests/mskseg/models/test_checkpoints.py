"""Loading by name and by file, and what a wrong file says."""

from __future__ import annotations

import pickle
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from mskseg import registry
from mskseg.errors import InputError
from mskseg.models import checkpoints
from mskseg.models.checkpoints import Architecture, architectures, load_segmenter, save_weights
from mskseg.models.preprocessing import SamPreprocessing
from mskseg.models.segmenter import Segmenter


@pytest.fixture
def small(monkeypatch, make_small_sam):
    """Two tiny architectures beside the published ones, and weights of the first."""
    known = {
        "small": Architecture(make_small_sam, "model", miniature=True),
        "wide": Architecture(lambda: make_small_sam(image_size=192)),
    }
    monkeypatch.setattr(checkpoints, "architectures", lambda: known)
    return make_small_sam()


@pytest.fixture
def checkpoint(small, tmp_path):
    path = tmp_path / "mine.pth"
    torch.save(small.state_dict(), path)
    return path


def assert_same_weights(segmenter, sam):
    loaded = segmenter.model.state_dict()
    assert loaded.keys() == sam.state_dict().keys()
    assert all(torch.equal(loaded[key], value) for key, value in sam.state_dict().items())


def test_own_file_with_its_architecture_named(checkpoint, small, scan):
    segmenter = load_segmenter(checkpoint, architecture="small", preprocessing="sam")
    assert_same_weights(segmenter, small)
    assert (segmenter.name, segmenter.miniature) == ("mine", True)
    assert segmenter.preprocessing == SamPreprocessing(128, "model")
    assert not any(parameter.requires_grad for parameter in segmenter.model.parameters())
    image = scan((40, 50))
    reference = Segmenter(small, SamPreprocessing(128, "model"), name="x")
    assert torch.equal(segmenter.embed(image).features, reference.embed(image).features)
    assert segmenter.fingerprint == reference.fingerprint


@pytest.mark.parametrize("wrapper", ["model", "state_dict"])
def test_training_checkpoints_are_unwrapped(small, tmp_path, wrapper):
    weights = {f"module.{key}": value for key, value in small.state_dict().items()}
    torch.save({wrapper: weights, "epoch": 3}, tmp_path / "run.pth")
    assert_same_weights(
        load_segmenter(tmp_path / "run.pth", architecture="small", preprocessing="sam"), small
    )


def test_half_precision_weights_are_computed_with_in_single(small, tmp_path):
    save_file({k: v.half() for k, v in small.state_dict().items()}, tmp_path / "half.safetensors")
    segmenter = load_segmenter(
        tmp_path / "half.safetensors", architecture="small", preprocessing="sam"
    )
    assert {p.dtype for p in segmenter.model.parameters()} == {torch.float32}


def test_saved_weights_say_what_they_are(small, tmp_path):
    path = tmp_path / "tuned.safetensors"
    segmenter = Segmenter(small, SamPreprocessing(128, "model"), name="x", learned_iou=False)
    save_weights(segmenter, path, architecture="small")
    loaded = load_segmenter(path)
    assert loaded.fingerprint == segmenter.fingerprint
    assert not loaded.learned_iou
    with pytest.raises(InputError, match="unknown; choose one of small, wide"):
        save_weights(segmenter, path, architecture="large")


def test_a_header_whose_length_begins_as_a_pickle_does_is_still_safetensors(small, tmp_path):
    """One file in 32 has 0x80 as its first byte, and lost what it says about itself."""
    path = tmp_path / "mine.safetensors"
    for filling in range(0, 400, 8):
        what = {"mskseg.architecture": "small", "mskseg.preprocessing": "sam", "x": "-" * filling}
        save_file(small.state_dict(), path, metadata=what)
        if path.read_bytes()[0] == 0x80:
            break
    assert path.read_bytes()[0] == 0x80
    assert load_segmenter(path).preprocessing.name == "sam"


def test_medsam_preprocessing_of_an_own_file_has_no_learned_iou(checkpoint):
    segmenter = load_segmenter(checkpoint, architecture="small", preprocessing="medsam")
    assert segmenter.preprocessing.name == "medsam"
    assert not segmenter.learned_iou


class RunsCode:
    def __reduce__(self):
        return (print, ("the pickle ran code",))


def wrong_files(small, tmp_path):
    weights = small.state_dict()
    some = dict(list(weights.items())[:-2])
    key = "mask_decoder.iou_token.weight"
    good = tmp_path / "good.pth"
    torch.save(weights, good)
    save_file(weights, tmp_path / "good.safetensors")
    yield "missing", lambda p: torch.save(some, p), "2 of .* tensors are missing, the first is"
    yield "unknown", lambda p: torch.save({**weights, "head.x": weights[key]}, p), "head.x"
    reshaped = {**weights, key: torch.zeros(1, 7)}
    yield "reshaped", lambda p: torch.save(reshaped, p), r"\(1, 7\), expected \(1, 32\)"
    yield "code", lambda p: torch.save({"model": RunsCode()}, p), "could run code"
    yield (
        "legacy code",
        lambda p: p.write_bytes(pickle.dumps(RunsCode(), protocol=2)),
        "could run code",
    )
    yield "truncated", lambda p: p.write_bytes(good.read_bytes()[:20_000]), "truncated"
    half = (tmp_path / "good.safetensors").read_bytes()[:20_000]
    yield "truncated safetensors", lambda p: p.write_bytes(half), "truncated"
    yield "empty", lambda p: p.write_bytes(b""), "is empty"
    yield "text", lambda p: p.write_text("<html>404 not found</html>"), "neither a PyTorch"
    yield "one tensor", lambda p: torch.save(torch.zeros(3), p), "holds a Tensor"
    yield (
        "numbers",
        lambda p: torch.save({"epoch": 3}, p),
        "more than tensors, the first is 'epoch'",
    )


KINDS = [
    "missing",
    "unknown",
    "reshaped",
    "code",
    "legacy code",
    "truncated",
    "truncated safetensors",
    "empty",
    "text",
    "one tensor",
    "numbers",
]


@pytest.mark.parametrize("kind", KINDS)
def test_a_wrong_file_is_one_line_that_names_it(small, tmp_path, capsys, kind):
    write, message = {name: rest for name, *rest in wrong_files(small, tmp_path)}[kind]
    path = tmp_path / "wrong.pth"
    write(path)
    with pytest.raises(InputError, match=message) as caught:
        load_segmenter(path, architecture="small", preprocessing="sam")
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "ran code" not in capsys.readouterr().out


def test_another_architectures_weights_are_recognised(checkpoint):
    with pytest.raises(InputError, match="holds small weights, expected wide; name small instead"):
        load_segmenter(checkpoint, architecture="wide", preprocessing="sam")


def test_the_published_sizes_are_told_apart(tmp_path):
    """On the meta device: no file of 2.5 GB is needed to say that ViT-L came where B was named."""
    with torch.device("meta"):
        expected, came = (architectures()[name].build().state_dict() for name in ("vit_b", "vit_l"))
    with pytest.raises(InputError, match="holds vit_l weights, expected vit_b"):
        checkpoints.check_weights(came, expected, "vit_b", tmp_path / "sam.pth")


def test_a_file_that_does_not_say_what_it_is(checkpoint):
    with pytest.raises(InputError, match="name its architecture, one of small, wide"):
        load_segmenter(checkpoint)
    with pytest.raises(InputError, match=r"architecture 'vit_x' of .*mine.pth is unknown"):
        load_segmenter(checkpoint, architecture="vit_x", preprocessing="sam")
    with pytest.raises(InputError, match="choose one of sam, medsam"):
        load_segmenter(checkpoint, architecture="small", preprocessing="clip")


def test_unknown_names_list_the_known_ones(tmp_path):
    with pytest.raises(InputError, match=r"neither a model's name.*medsam_vit_b, .*sam_vit_b"):
        load_segmenter("sam_vit_x")
    with pytest.raises(InputError, match="neither a model's name nor a file"):
        load_segmenter(tmp_path)


def test_a_name_takes_no_architecture():
    with pytest.raises(InputError, match="has its own architecture"):
        load_segmenter("sam_vit_b", architecture="vit_l")


def test_a_named_model_is_fetched_checked_and_built(monkeypatch, make_small_sam, tmp_path):
    torch.manual_seed(3)
    sam, path = make_small_sam(), tmp_path / "sam.pth"
    torch.save(sam.state_dict(), path)
    known = {"vit_b": Architecture(make_small_sam)}
    monkeypatch.setattr(checkpoints, "architectures", lambda: known)
    monkeypatch.setattr(checkpoints, "fetch", lambda name: {"weights": path})
    medsam = load_segmenter("medsam_vit_b")
    assert (medsam.name, medsam.preprocessing.name, medsam.learned_iou) == (
        "medsam_vit_b",
        "medsam",
        False,
    )
    assert load_segmenter("sam_vit_b").preprocessing == SamPreprocessing(128, "upstream")


def test_missing_builtin_weights_are_never_replaced_by_random_ones(monkeypatch, tmp_path):
    empty = SimpleNamespace(submodule_search_locations=[str(tmp_path)])
    monkeypatch.setattr(registry, "find_spec", lambda _: empty)
    with pytest.raises(InputError, match=r"mskseg_mini has no file .*install it again"):
        load_segmenter("sam_vit_mini")


def test_the_mini_takes_prompts_in_its_own_frame(tmp_path, scan):
    sam = architectures()["vit_mini"].build()
    torch.save(sam.state_dict(), tmp_path / "mini.pth")
    mini = load_segmenter(tmp_path / "mini.pth", architecture="vit_mini", preprocessing="sam")
    assert mini.miniature
    assert mini.preprocessing == SamPreprocessing(256, "model")
    prediction = mini.predict(mini.embed(scan((80, 60))), boxes_xyxy=[3, 4, 50, 60])
    assert prediction.low_res_logits.shape == (1, 1, 128, 128)
    assert np.isfinite(prediction.probabilities).all()


def test_a_model_without_name_is_refused():
    with pytest.raises(InputError, match="named by its name or file, got NoneType"):
        load_segmenter(None)
