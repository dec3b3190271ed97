"""An encoder on a frame of another size: its positions are interpolated."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import mskseg
from mskseg.errors import InputError
from mskseg_studies.prompting.frame_size import _resized_distances, at_frame_size


def test_at_its_own_size_a_vit_is_the_same(segmenter, scan):
    same = at_frame_size(segmenter, 128)
    image = scan((96, 128))
    assert torch.equal(same.embed(image).features, segmenter.embed(image).features)
    boxes = [[20, 30, 70, 80]]
    first, second = (
        each.predict(each.embed(image), boxes_xyxy=boxes) for each in (segmenter, same)
    )
    assert np.array_equal(first.low_res_logits, second.low_res_logits)


@pytest.mark.parametrize("size", [64, 192, 16])
def test_at_another_size_the_grid_has_another_size_and_numbers_are_sound(segmenter, scan, size):
    other, image = at_frame_size(segmenter, size), scan((96, 128))
    cells = size // 16
    encoder = other.model.image_encoder
    assert encoder.pos_embed.shape == (1, cells, cells, 32)
    assert encoder.blocks[1].attn.rel_pos_h.shape == (2 * cells - 1, 16)
    assert encoder.blocks[0].attn.rel_pos_h.shape == (2 * 3 - 1, 16)  # windows of cells stay
    embedding = other.embed(image)
    assert embedding.features.shape == (1, 32, cells, cells)
    assert torch.isfinite(embedding.features).all()
    answer = other.predict(embedding, boxes_xyxy=[[20, 30, 70, 80]], multimask=True)
    assert answer.masks.shape == (1, 3, 96, 128)
    assert answer.low_res_logits.shape[2:] == (4 * cells, 4 * cells)
    assert np.isfinite(answer.probabilities).all()
    again = other.predict(
        embedding, boxes_xyxy=[[20, 30, 70, 80]], mask_logits=answer.low_res_logits[:, 0]
    )
    assert np.isfinite(again.probabilities).all()


def test_the_original_stays_as_it_was_and_all_other_weights_are_shared(segmenter):
    before = segmenter.fingerprint
    other = at_frame_size(segmenter, 64)
    assert segmenter.fingerprint == before != other.fingerprint
    assert segmenter.model.image_encoder.img_size == 128
    assert segmenter.model.prompt_encoder.image_embedding_size == (8, 8)
    first, second = (
        dict(each.model.named_parameters(remove_duplicate=False)) for each in (segmenter, other)
    )
    new = {name for name in first if first[name] is not second[name]}
    assert new == {
        "image_encoder.pos_embed",
        "image_encoder.blocks.1.attn.rel_pos_h",
        "image_encoder.blocks.1.attn.rel_pos_w",
    }


def test_a_smooth_absolute_embedding_keeps_its_course(segmenter):
    """A ramp over the frame stays that ramp: row to row, column constant, not transposed."""
    sloped = at_frame_size(segmenter, 128)
    ramp = (torch.arange(8) + 0.5) / 8
    parameter = ramp[None, :, None, None].expand(1, 8, 8, 32).contiguous()
    sloped.model.image_encoder.pos_embed = torch.nn.Parameter(parameter)
    found = at_frame_size(sloped, 256).model.image_encoder.pos_embed[0, :, :, 0]
    wanted = (torch.arange(16) + 0.5) / 16
    assert torch.allclose(found[3:-3, 0], wanted[3:-3], atol=0.01)
    assert torch.allclose(found, found[:, :1].expand(16, 16), atol=1e-5)


def test_a_distance_keeps_its_vector_as_a_part_of_the_frame():
    distances = torch.arange(-7, 8, dtype=torch.float32)[:, None]  # 8 cells: -7 to 7
    half = _resized_distances(distances, 8, 4)[:, 0]
    assert half.tolist() == [-6, -4, -2, 0, 2, 4, 6]  # a new cell is two old ones
    double = _resized_distances(distances, 8, 16)[:, 0]
    assert double[15] == 0
    assert double[16] == 0.5
    assert double.abs().max() == 7  # the frame's largest is kept beyond it


def test_the_miniature_runs_at_other_sizes_and_has_no_positions_to_interpolate(scan):
    mini, image = mskseg.load_segmenter("sam_vit_mini"), scan((128, 128))
    half = at_frame_size(mini, 128)
    assert half.embed(image).features.shape[2:] == (16, 16)
    assert half.name == "sam_vit_mini at 128 px"
    assert half.miniature
    answer = half.predict(half.embed(image), boxes_xyxy=[[20, 30, 70, 80]])
    assert answer.masks.shape == (1, 1, 128, 128)


@pytest.mark.parametrize("size", [0, 8, 100])
def test_a_frame_is_a_whole_number_of_cells(segmenter, size):
    with pytest.raises(InputError, match=f"multiple of 16 px for small, got {size}"):
        at_frame_size(segmenter, size)


def test_the_coarsest_layer_decides_for_the_miniature():
    with pytest.raises(InputError, match="expected a frame of a multiple of 32 px"):
        at_frame_size(mskseg.load_segmenter("sam_vit_mini"), 144)


@pytest.mark.parametrize("fixture", ["lite_medsam", "small_sam2"])
def test_a_network_of_a_fixed_frame_refuses_another(request, fixture):
    segmenter = request.getfixturevalue(fixture)
    with pytest.raises(InputError, match=r"built for \d+ px alone, got \d+"):
        at_frame_size(segmenter, 2 * segmenter.preprocessing.image_size)
