"""A checkpoint under Hugging Face's names gives the model that the published names give."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from mskseg.errors import InputError
from mskseg.models import checkpoints
from mskseg.models.checkpoints import Architecture, load_segmenter

# From the published name to Hugging Face's, in the order in which their converter replaces.
RENAMED = [
    ("iou_prediction_head.layers.0", "iou_prediction_head.proj_in"),
    ("iou_prediction_head.layers.1", "iou_prediction_head.layers.0"),
    ("iou_prediction_head.layers.2", "iou_prediction_head.proj_out"),
    ("mask_decoder.output_upscaling.0", "mask_decoder.upscale_conv1"),
    ("mask_decoder.output_upscaling.1", "mask_decoder.upscale_layer_norm"),
    ("mask_decoder.output_upscaling.3", "mask_decoder.upscale_conv2"),
    ("mask_downscaling.0", "mask_embed.conv1"),
    ("mask_downscaling.1", "mask_embed.layer_norm1"),
    ("mask_downscaling.3", "mask_embed.conv2"),
    ("mask_downscaling.4", "mask_embed.layer_norm2"),
    ("mask_downscaling.6", "mask_embed.conv3"),
    ("point_embeddings", "point_embed"),
    ("image_encoder", "vision_encoder"),
    ("neck.0", "neck.conv1"),
    ("neck.1", "neck.layer_norm1"),
    ("neck.2", "neck.conv2"),
    ("neck.3", "neck.layer_norm2"),
    ("patch_embed.proj", "patch_embed.projection"),
    (".norm", ".layer_norm"),
    ("blocks", "layers"),
]
GAUSS = "prompt_encoder.pe_layer.positional_encoding_gaussian_matrix"


def at_hugging_face(weights):
    renamed = {}
    for name, tensor in weights.items():
        if name == GAUSS:
            renamed["shared_image_embedding.positional_embedding"] = tensor
            renamed["prompt_encoder.shared_embedding.positional_embedding"] = tensor.clone()
            continue
        for ours, theirs in RENAMED:
            name = name.replace(ours, theirs)
        if "output_hypernetworks_mlps" in name:
            name = name.replace("layers.0", "proj_in").replace("layers.1", "layers.0")
            name = name.replace("layers.2", "proj_out")
        renamed[name] = tensor
    return renamed


@pytest.fixture
def sam(monkeypatch, make_small_sam):
    def three_layers():
        model = make_small_sam()
        head = model.mask_decoder.iou_prediction_head  # of three layers, as the published one
        head.layers.insert(1, torch.nn.Linear(32, 32))
        return model

    monkeypatch.setattr(checkpoints, "architectures", lambda: {"small": Architecture(three_layers)})
    return three_layers()


def test_every_tensor_finds_its_place(sam, tmp_path):
    expected = sam.state_dict()
    renamed = at_hugging_face(expected)
    assert "vision_encoder.layers.0.layer_norm1.weight" in renamed
    assert "mask_decoder.output_hypernetworks_mlps.3.proj_out.bias" in renamed
    assert "mask_decoder.transformer.layer_norm_final_attn.weight" in renamed
    save_file(renamed, tmp_path / "model.safetensors")
    loaded = load_segmenter(
        tmp_path / "model.safetensors", architecture="small", preprocessing="sam"
    )
    found = loaded.model.state_dict()
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], tensor) for name, tensor in expected.items())


def test_a_tensor_that_is_missing_there_is_named_by_its_published_name(sam, tmp_path):
    renamed = at_hugging_face(sam.state_dict())
    del renamed["mask_decoder.upscale_conv2.weight"]
    save_file(renamed, tmp_path / "model.safetensors")
    with pytest.raises(InputError, match=r"mask_decoder\.output_upscaling\.3\.weight"):
        load_segmenter(tmp_path / "model.safetensors", architecture="small", preprocessing="sam")


def test_sam_mini_under_hugging_faces_names(tmp_path):
    published = load_segmenter("sam_vit_mini")
    renamed = at_hugging_face(published.model.state_dict())
    # Its encoder has no form there: its own names stay, behind theirs of the part.
    own = {k: v for k, v in published.model.state_dict().items() if k.startswith("image_encoder.")}
    renamed = {k: v for k, v in renamed.items() if not k.startswith("vision_encoder.")}
    renamed |= {k.replace("image_encoder.", "vision_encoder.", 1): v for k, v in own.items()}
    save_file({k: v.clone() for k, v in renamed.items()}, tmp_path / "mini.safetensors")
    back = load_segmenter(
        tmp_path / "mini.safetensors", architecture="vit_mini", preprocessing="sam"
    )
    image = np.random.default_rng(0).integers(0, 256, (90, 70), dtype=np.uint8)
    masks = [s.predict(s.embed(image), boxes_xyxy=[[9, 9, 50, 60]]) for s in (published, back)]
    np.testing.assert_array_equal(masks[0].low_res_logits, masks[1].low_res_logits)


def test_a_checkpoint_in_parts(tmp_path):
    published = load_segmenter("sam_vit_mini")
    weights = published.model.state_dict()
    names = sorted(weights)
    paths = [tmp_path / f"model-{n:05d}-of-00002.safetensors" for n in (1, 2)]
    for path, part in zip(paths, (names[::2], names[1::2]), strict=True):
        save_file({name: weights[name].clone() for name in part}, path)
    for path in paths:
        read = load_segmenter(path, architecture="vit_mini", preprocessing="sam")
        assert read.encoder_fingerprint == published.encoder_fingerprint
    nothing = tmp_path / "model-00000-of-00000.safetensors"  # a name, and no parts
    nothing.write_bytes(paths[0].read_bytes())
    with pytest.raises(InputError, match="tensors are missing"):
        load_segmenter(nothing, architecture="vit_mini", preprocessing="sam")
    paths[1].unlink()
    with pytest.raises(InputError, match=r"00002-of-00002.* is missing, expected all 2 parts"):
        load_segmenter(paths[0], architecture="vit_mini", preprocessing="sam")
