"""A published architecture, measured without its weights."""

from __future__ import annotations

import pytest

from mskseg_studies.model_parts.parts import model_dimensions


@pytest.fixture(scope="module")
def dimensions():
    return {
        size: model_dimensions(size).set_index("dimension")["value"] for size in ("vit_b", "vit_l")
    }


def test_it_takes_no_memory_and_counts_what_a_real_build_has(dimensions):
    from segment_anything import sam_model_registry

    decoder = sam_model_registry["vit_b"]().mask_decoder  # random weights, on the processor
    counted = sum(p.numel() for p in decoder.parameters())
    assert dimensions["vit_b"]["mask decoder parameters"] == counted


def test_a_part_of_the_parameters_trains_in_the_cheaper_modes(dimensions):
    b = dimensions["vit_b"]
    modes = [b[f"parameters that train in mode {mode}"] for mode in ("decoder", "lora", "full")]
    decoder, lora, full = modes
    # rank 4 on each block's qkv: three thirds, A of rank x 768 and B of 768 x rank
    assert lora - decoder == 12 * 3 * (4 * 768 + 768 * 4)
    assert lora / full == pytest.approx(0.040, abs=5e-4)


def test_the_larger_model_differs_in_its_encoder_only(dimensions):
    differs = dimensions["vit_b"].index[dimensions["vit_b"] != dimensions["vit_l"]]
    trains = [f"parameters that train in mode {m}" for m in ("full", "encoder_decoder", "lora")]
    assert list(differs) == ["image encoder parameters", *trains]


def test_shapes_are_those_of_the_answers(dimensions):
    b = dimensions["vit_b"]
    assert b["cells along a side of the embedding"] * 16 == b["pixels along a side of the image"]
    assert (
        b["pixels along a side of a mask's logits"] == 4 * b["cells along a side of the embedding"]
    )
