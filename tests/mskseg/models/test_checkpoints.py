"""Loading by name and by file, and what a wrong file says."""

from __future__ import annotations

import hashlib
import pickle
import re
import zipfile
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from mskseg import registry
from mskseg.cli.evaluate import describe
from mskseg.datasets.manifest import load_manifest
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


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    wrappers=st.lists(
        st.sampled_from(["model", "state_dict", "model_state_dict", "model_state", "net"]),
        max_size=2,
    ),
    prefix=st.lists(
        st.sampled_from(["module", "_orig_mod", "sam", "model", "base_model", "student"]),
        max_size=3,
    ),
    inside=st.sampled_from(["", "_orig_mod.", "module."]),
    beside=st.sampled_from([3, 0.5, np.float64(0.9), np.float32(0.9), np.int64(7), None, "x"]),
)
@example([], ["sam"], "", 3)  # SAMed, and micro-sam's exported models
@example(["model_state"], ["sam"], "", np.float64(0.9))  # torch_em, which trains micro-sam
@example(["model"], ["module"], "", 3)  # MedSAM on several GPUs
@example(["state_dict"], ["model", "_orig_mod"], "", 3)  # Lightning around torch.compile
def test_checkpoints_of_trainers_load_whatever_is_around_them(
    small, tmp_path, wrappers, prefix, inside, beside
):
    front = "".join(f"{part}." for part in prefix)
    content = {
        front + key.replace("encoder.", f"encoder.{inside}", 1): value
        for key, value in (small.state_dict() | {"pixel_mean": torch.zeros(3, 1, 1)}).items()
    }
    for wrapper in wrappers:
        content = {"epoch": beside, "optimizer": {"state": {}}, wrapper: content}
    torch.save(content, tmp_path / "run.pth")
    assert_same_weights(
        load_segmenter(tmp_path / "run.pth", architecture="small", preprocessing="sam"), small
    )


def test_names_of_its_own_are_told(small, tmp_path):
    weights = {f"net{i % 2}.{key}": v for i, (key, v) in enumerate(small.state_dict().items())}
    torch.save(weights, tmp_path / "x.pth")
    with pytest.raises(
        InputError, match=r"none of its \d+ tensors is called as there: it holds net0"
    ):
        load_segmenter(tmp_path / "x.pth", architecture="small", preprocessing="sam")
    weights = small.state_dict()
    weights["decoder.x"] = weights.pop("mask_decoder.iou_token.weight")
    torch.save(weights, tmp_path / "x.pth")
    said = r"1 of \d+ tensors are missing.*iou_token.weight, and it holds decoder.x, which"
    with pytest.raises(InputError, match=said):
        load_segmenter(tmp_path / "x.pth", architecture="small", preprocessing="sam")
    weights = small.state_dict()
    first = next(iter(weights))
    torch.save({**weights, f"module.{first}": weights[first]}, tmp_path / "x.pth")
    with pytest.raises(InputError, match=f"holds {first} twice"):
        load_segmenter(tmp_path / "x.pth", architecture="small", preprocessing="sam")


NO_WEIGHTS = {
    "int64": lambda t: t.long(),
    "int8": lambda t: t.to(torch.int8),
    "bool": lambda t: t > 0,
    "complex64": lambda t: t.to(torch.complex64),
    "sparse": lambda t: t.to_sparse(),
    "meta device": lambda t: t.to("meta"),
    "NaN or infinite": lambda t: torch.where(t == t.max(), torch.nan, t),
    "values of": lambda t: torch.full_like(t, torch.inf).half(),
    "1 of": lambda t: torch.where(t == t.max(), 1e300, t.double()),
}


@pytest.mark.parametrize("kind", NO_WEIGHTS)
def test_a_tensor_that_is_no_weight_is_refused_by_name(small, tmp_path, kind):
    weights, key = small.state_dict(), "mask_decoder.iou_token.weight"
    weights[key] = NO_WEIGHTS[kind](weights[key])
    torch.save(weights, tmp_path / "x.pth")
    with pytest.raises(InputError, match=kind) as caught:
        load_segmenter(tmp_path / "x.pth", architecture="small", preprocessing="sam")
    assert key in str(caught.value)
    assert str(caught.value).startswith(str(tmp_path / "x.pth"))


def test_an_archive_that_unpacks_to_more_than_it_holds_is_refused_unread(
    small, tmp_path, monkeypatch
):
    monkeypatch.setattr(torch, "load", pytest.fail)
    with zipfile.ZipFile(tmp_path / "x.pth", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x/data/0", bytes(10**7))
    with pytest.raises(InputError, match=r"unpacks from 0\.0 to 10\.0 MB"):
        load_segmenter(tmp_path / "x.pth", architecture="small", preprocessing="sam")
    with (tmp_path / "large.pth").open("wb") as file:
        file.truncate(17 * 10**9)
    with pytest.raises(InputError, match="expected 16,000 MB at most"):
        load_segmenter(tmp_path / "large.pth", architecture="small", preprocessing="sam")


@pytest.mark.parametrize("size", ["9" * 9, "-64", "64", "64.0", "many", "1" * 5000])
def test_weights_of_another_frame_are_refused(small, tmp_path, size):
    facts = {
        "mskseg.architecture": "small",
        "mskseg.preprocessing": "sam",
        "mskseg.image_size": size,
    }
    save_file(small.state_dict(), tmp_path / "x.safetensors", metadata=facts)
    with pytest.raises(InputError, match=f"of a frame of {re.escape(size[:20])} px, expected 128"):
        load_segmenter(tmp_path / "x.safetensors")


def test_a_file_is_as_published_by_its_checksum_alone(small, tmp_path, monkeypatch):
    path = tmp_path / "medsam_vit_b.pth"
    torch.save(small.state_dict(), path)
    monkeypatch.setattr(
        checkpoints, "architectures", lambda: {"vit_b": Architecture(lambda: small)}
    )
    own = load_segmenter(path, architecture="vit_b", preprocessing="medsam")
    assert describe(own) == "medsam_vit_b (own file) (a checkpoint of your own)"
    manifest = load_manifest()
    entry = manifest.models["medsam_vit_b"]
    content = path.read_bytes()
    this_file = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    entry = entry.model_copy(update={"weights": entry.weights.model_copy(update=this_file)})
    known = manifest.model_copy(update={"models": {"medsam_vit_b": entry}})
    monkeypatch.setattr(checkpoints, "load_manifest", lambda: known)
    same = load_segmenter(path, architecture="vit_b", preprocessing="medsam")
    assert describe(same) == "medsam_vit_b (as published)"
    other = load_segmenter(path, architecture="vit_b", preprocessing="sam")
    assert other.name == "medsam_vit_b (own file)"


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
