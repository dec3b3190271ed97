"""Which parameters train in which mode, and that the others stay bit-equal."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch

from mskseg.finetuning.config import FineTuneConfig
from mskseg.finetuning.dataset import SliceDataset
from mskseg.finetuning.machine import join_processes
from mskseg.finetuning.modes import LowRank, count_trainable, merge_low_rank, prepare
from mskseg.finetuning.trainer import Trainer
from mskseg.models.embeddings import EmbeddingCache
from mskseg_studies.model_parts.parts import count_parameters

MODES = ("full", "encoder_decoder", "decoder", "lora")


def heads_left_out(model) -> int:
    """Of the three masks that are not asked for, and of the predicted IoU."""
    decoder = model.mask_decoder
    unused = [*decoder.output_hypernetworks_mlps[1:], decoder.iou_prediction_head]
    return sum(p.numel() for part in unused for p in part.parameters())


def test_trainable_parameters_of_each_mode_add_up_from_the_parts(mini):
    parts = count_parameters(mini).set_index("part")["parameters"]
    decoder = parts["mask decoder"] - heads_left_out(mini.model)
    encoder = parts["image encoder"]
    width = mini.model.prompt_encoder.embed_dim
    counts = {mode: count_trainable(mini, FineTuneConfig(mode=mode)) for mode in MODES}
    assert counts["decoder"] == decoder
    assert counts["encoder_decoder"] == decoder + encoder
    assert counts["full"] == decoder + encoder + 3 * width  # two corners and "no mask"
    convolutions = [m for m in mini.model.image_encoder.modules() if isinstance(m, torch.nn.Conv2d)]
    thin = sum(4 * (len(c.weight) + c.weight[0].numel()) for c in convolutions)
    assert counts["lora"] == decoder + thin


def test_low_rank_terms_of_a_vit_stand_beside_each_third_of_the_fused_qkv(small):
    """Two blocks of width 32: three pairs of (rank, 32) and (32, rank) each."""
    config = FineTuneConfig(mode="lora", lora_rank=2)
    decoder = count_trainable(small, FineTuneConfig(mode="decoder"))
    assert count_trainable(small, config) - decoder == 2 * 3 * (2 * 32 + 32 * 2)


def test_points_train_other_prompt_tokens_than_boxes(mini):
    by_box = prepare(copy.deepcopy(mini.model), FineTuneConfig(mode="full"))
    by_point = prepare(copy.deepcopy(mini.model), FineTuneConfig(mode="full", prompt="point"))
    tokens = {
        name.removeprefix("prompt_encoder.").removesuffix(".weight")
        for name in by_box.keys() ^ by_point.keys()
    }
    assert tokens == {
        "point_embeddings.1", "point_embeddings.2", "point_embeddings.3", "not_a_point_embed",
    }  # fmt: skip


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("prompt", ["box", "point"])
def test_what_is_frozen_stays_bit_equal_and_all_that_trains_moves(
    mode, prompt, small, train, validation, tiny
):
    before = {k: v.clone() for k, v in small.model.state_dict().items()}
    config = replace(tiny, mode=mode, prompt=prompt)
    sets = [SliceDataset.from_cases(cases, config) for cases in (train, validation)]
    processes = join_processes("cpu")
    trainer = Trainer(small, *sets, config, cache=EmbeddingCache(), processes=processes)
    for _ in range(2):  # the second one moves LoRA's first factor, whose other starts at zero
        trainer.train_step()
    merge_low_rank(trainer.segmenter.model)
    after = trainer.segmenter.model.state_dict()
    assert after.keys() == before.keys()
    expected = set(prepare(copy.deepcopy(small.model), config))
    if mode == "lora":
        expected = {n for n in expected if "parametrizations" not in n}
        expected |= {f"image_encoder.blocks.{i}.attn.qkv.weight" for i in (0, 1)}
    moved = {name for name in after if not torch.equal(after[name], before[name])}
    assert moved == expected


@pytest.mark.parametrize("name", ["small", "mini"])
def test_low_rank_terms_start_at_nothing_and_merge_into_plain_weights(name, request):
    segmenter = request.getfixturevalue(name)
    image = np.random.default_rng(0).integers(0, 255, (60, 90), dtype=np.uint8)
    model = copy.deepcopy(segmenter.model)
    trained = prepare(model, FineTuneConfig(mode="lora"))
    tensor = segmenter.preprocessing.image_tensor(np.repeat(image[..., None], 3, 2), model)
    with torch.no_grad():
        start = model.image_encoder(tensor)
        torch.testing.assert_close(start, segmenter.model.image_encoder(tensor))
        for parameter in trained.values():
            parameter.add_(0.01)
        adapted = model.image_encoder(tensor)
        assert not torch.allclose(adapted, start)
        merge_low_rank(model)
        assert model.state_dict().keys() == segmenter.model.state_dict().keys()
        torch.testing.assert_close(model.image_encoder(tensor), adapted)
    assert not any(p.requires_grad for p in model.parameters())


def test_a_low_rank_term_has_the_rank_that_was_asked_for():
    term = LowRank(
        torch.zeros(30, 4, 3, 3),
        rank=2,
        scale=3.0,
        groups=1,
        generator=torch.Generator().manual_seed(0),
    )
    with torch.no_grad():
        term.b.normal_()
        change = term(torch.zeros(30, 4, 3, 3)).flatten(1)
    assert int(torch.linalg.matrix_rank(change)) == 2
