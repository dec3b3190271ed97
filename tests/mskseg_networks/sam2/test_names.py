"""A checkpoint of either form is read, told apart from other models, and written again."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from mskseg.datasets.manifest import load_manifest
from mskseg.errors import InputError
from mskseg.finetuning import fine_tune
from mskseg.models.checkpoints import architecture_of, load_segmenter, save_weights
from mskseg.prompts import Prompt
from mskseg_networks.sam2 import architecture
from mskseg_networks.sam2.following import FollowedObject, follow
from mskseg_networks.sam2.names import names_of_transformers, our_names
from mskseg_studies.automatic import grid_candidates
from mskseg_studies.model_parts.charts import draw_architecture
from mskseg_studies.prompting.frame_size import at_frame_size

IMAGE = np.random.default_rng(3).integers(0, 256, (60, 50), dtype=np.uint8)
BOX = [[10, 12, 40, 41]]


def masks_of(segmenter):
    return segmenter.predict(segmenter.embed(IMAGE), boxes_xyxy=BOX).low_res_logits


def test_names_of_transformers_come_back(video_model):
    theirs = video_model.state_dict()
    back = names_of_transformers(our_names(theirs))
    assert back.keys() == theirs.keys()
    assert all(back[name].equal(theirs[name]) for name in theirs)


def test_what_is_no_sam_2_keeps_its_names(small_sam):
    weights = small_sam.state_dict()
    assert our_names(weights).keys() == weights.keys()


def test_an_image_model_is_read_and_has_no_memory(small_sam2_known, small_sam2, tmp_path):
    image_only = names_of_transformers(small_sam2.model.state_dict())  # as of a `Sam2Model`
    save_file({k: v.contiguous().clone() for k, v in image_only.items()}, tmp_path / "model.st")
    read = load_segmenter(tmp_path / "model.st", architecture="sam2_test", preprocessing="sam2")
    assert not read.model.memory_weights
    np.testing.assert_array_equal(masks_of(read), masks_of(small_sam2))


def test_what_is_saved_is_read_again_with_its_memory(small_sam2, tmp_path):
    assert architecture_of(small_sam2) == "sam2_test"
    save_weights(small_sam2, tmp_path / "again.safetensors", architecture="sam2_test")
    again = load_segmenter(tmp_path / "again.safetensors")
    assert again.preprocessing == small_sam2.preprocessing
    assert again.learned_iou
    assert again.model.memory_weights.keys() == small_sam2.model.memory_weights.keys() != set()
    np.testing.assert_array_equal(masks_of(again), masks_of(small_sam2))
    asked = [FollowedObject({0: Prompt(boxes_xyxy=np.array(BOX, float))})]
    ways = [list(follow(each, [IMAGE, IMAGE[::-1]], asked)) for each in (small_sam2, again)]
    np.testing.assert_allclose(ways[0][1].probabilities[0], ways[1][1].probabilities[0], atol=1e-5)


def test_a_frame_of_another_size_is_another_architecture(needs_transformers, small_sam2):
    from mskseg_networks.sam2.architecture import MEDSAM2, SAM2_TINY

    tiny, medsam2 = SAM2_TINY.build(), MEDSAM2.build()
    shapes = [{k: v.shape for k, v in m.state_dict().items()} for m in (tiny, medsam2)]
    assert shapes[0] == shapes[1]
    assert (tiny.image_encoder.img_size, medsam2.image_encoder.img_size) == (1024, 512)
    small_sam2.model, small_sam2.preprocessing = medsam2, type(small_sam2.preprocessing)(512)
    assert architecture_of(small_sam2) == "medsam2"


@pytest.mark.parametrize("named", ["vit_b", "vit_mini", "lite_medsam", "sam2_large"])
def test_a_sam_2_file_under_another_name(small_sam2_known, sam2_file, named):
    with pytest.raises(InputError, match=f"holds sam2_test weights, expected {named}; name sam2_"):
        load_segmenter(sam2_file, architecture=named, preprocessing="sam")


def test_a_sam_file_under_a_name_of_sam_2(needs_transformers, tmp_path):
    from mskseg.datasets.fetching import fetch

    mini = fetch("sam_vit_mini")["weights"]
    torch.save(load_file(mini), tmp_path / "sam.pth")
    with pytest.raises(InputError, match="holds vit_mini weights, expected sam2_tiny; name vit_m"):
        load_segmenter(tmp_path / "sam.pth", architecture="sam2_tiny", preprocessing="sam2")


def test_a_file_of_tiny_tensors_may_be_either_of_two(needs_transformers, tmp_path):
    from mskseg_networks.sam2.architecture import SAM2_TINY

    torch.save(SAM2_TINY.build().state_dict(), tmp_path / "tiny.pt")
    with pytest.raises(InputError, match="holds medsam2 or sam2_tiny weights, expected vit_b"):
        load_segmenter(tmp_path / "tiny.pt", architecture="vit_b", preprocessing="sam")


def test_one_missing_tensor_is_named(small_sam2_known, sam2_file):
    weights = torch.load(sam2_file, weights_only=True)
    del weights["mask_decoder.conv_s0.weight"]
    torch.save(weights, sam2_file)
    with pytest.raises(InputError, match=r"1 of \d+ tensors are missing.*image_encoder\.conv_s0"):
        load_segmenter(sam2_file, architecture="sam2_test", preprocessing="sam2")


def test_it_is_not_fine_tuned_here(small_sam2, train, validation, tiny):
    with pytest.raises(InputError, match="cannot be fine-tuned"):
        fine_tune(small_sam2, train, validation, tiny)


@pytest.mark.parametrize("preprocessing", ["sam", "medsam"])
def test_the_preprocessing_of_another_model(small_sam2_known, sam2_file, preprocessing):
    said = f"expected preprocessing sam2 or medsam2, got {preprocessing}"
    with pytest.raises(InputError, match=said):
        load_segmenter(sam2_file, architecture="sam2_test", preprocessing=preprocessing)


def test_a_medsam2_file_learned_its_iou_as_its_entry_says(small_sam2_known, sam2_file):
    read = load_segmenter(sam2_file, architecture="sam2_test", preprocessing="medsam2")
    assert read.learned_iou == load_manifest().models["medsam2"].learned_iou


def test_an_older_transformers(monkeypatch, sam2_file):
    monkeypatch.setattr(architecture, "package_version", lambda name: "4.57.6")
    with pytest.raises(InputError, match=r"needs transformers 5 or newer, got 4\.57\.6; run: "):
        load_segmenter(sam2_file, architecture="sam2_tiny", preprocessing="sam2")


def test_the_studies_take_it_or_pass_it_over(small_sam2):
    assert draw_architecture(small_sam2, title="SAM 2")
    assert at_frame_size(small_sam2, 128).name == "small_sam2 at 128 px"
    with pytest.raises(InputError, match="is built for 128 px alone"):
        at_frame_size(small_sam2, 256)
    with pytest.raises(InputError, match="is no SAM that learned points"):
        grid_candidates(small_sam2, IMAGE)
