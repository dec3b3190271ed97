"""The encoder in less time and memory answers as upstream's, and can be switched off."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from segment_anything import sam_model_registry
from support.small_sams import build_small_sam

from mskseg.models import encoding
from mskseg.models.preprocessing import SamPreprocessing
from mskseg.models.segmenter import Segmenter

BOXES = np.array([[10, 12, 31, 40], [3, 20, 50, 44]])


def with_positions(sam, seed=1):
    """Fresh weights have no relative positions: draw some that matter."""
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in sam.image_encoder.named_parameters():
        if "rel_pos" in name or "pos_embed" in name or name.endswith("qkv.bias"):
            parameter.data.normal_(0, 0.3, generator=generator)
    return sam


@pytest.fixture
def sam():
    return with_positions(build_small_sam(seed=3))


@pytest.fixture
def as_published(monkeypatch):
    def switch(on=True):
        monkeypatch.setattr(encoding, "AS_PUBLISHED", on)

    return switch


def features_of(encoder, n_images=2):
    images = torch.randn(n_images, 3, 128, 128, generator=torch.Generator().manual_seed(2))
    with torch.inference_mode():
        return encoding.encode(encoder, images), encoder(images)


@pytest.mark.parametrize("window", [3, 4, 8, 0], ids="{} cells".format)  # of 8: padded or not
def test_features_are_those_of_upstream(sam, window):
    encoder = sam.image_encoder
    block = encoder.blocks[0]
    block.window_size, side = window, window or 8
    for name in ("rel_pos_h", "rel_pos_w"):
        setattr(block.attn, name, torch.nn.Parameter(torch.randn(2 * side - 1, 16)))
    assert encoding.is_known(encoder)
    ours, theirs = features_of(encoder)
    assert theirs.std() > 0.1
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=0)


def test_the_image_that_was_given_stays(sam):
    image = torch.randn(1, 3, 128, 128)
    kept, weights = image.clone(), sam.image_encoder.pos_embed.clone()
    with torch.inference_mode():
        encoding.encode(sam.image_encoder, image)
    assert torch.equal(image, kept)
    assert torch.equal(sam.image_encoder.pos_embed, weights)


def assert_same_masks(sam, image, as_published):
    size = sam.image_encoder.img_size
    boxes = BOXES * min(image.shape) / 60
    found = []
    for published in (False, True):
        as_published(published)
        segmenter = Segmenter(sam, SamPreprocessing(size), name="small", device="cpu")
        found.append(segmenter.predict(segmenter.embed(image), boxes_xyxy=boxes))
    ours, theirs = (each.low_res_logits for each in found)
    assert theirs.std() > 0.01, "logits that hardly vary would agree by chance"
    np.testing.assert_allclose(ours, theirs, atol=1e-4)
    assert not np.array_equal(ours, theirs), "both were computed by the same code"


def test_logits_are_those_of_upstream(sam, scan, as_published):
    assert_same_masks(sam, scan((60, 60)), as_published)


@pytest.mark.slow
def test_logits_of_a_whole_vit_b_are_those_of_upstream(scan, as_published):
    torch.manual_seed(0)
    sam = with_positions(sam_model_registry["vit_b"]())
    assert_same_masks(sam, scan((320, 320)), as_published)


def test_others_are_called_as_they_are(sam, as_published, monkeypatch):
    def known():
        return encoding.is_known(sam.image_encoder)

    assert known()
    as_published()
    assert not known()
    ours, theirs = features_of(sam.image_encoder)
    assert torch.equal(ours, theirs)
    as_published(False)
    monkeypatch.setattr(sam.image_encoder.blocks[1].attn, "use_rel_pos", False)
    assert not known()
    assert not encoding.is_known(torch.nn.Identity())
