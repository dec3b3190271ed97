from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from mskseg.errors import InputError
from mskseg.models.checkpoints import load_segmenter
from mskseg.training.pretrain import pretrain
from mskseg.training.pretraining import PretrainConfig, Pretraining, _drawn_rounds
from mskseg.training.warm_start import warm_start_loss

TINY = PretrainConfig(
    steps=2,
    warm_steps=1,
    scenes=1,
    prompts=2,
    second_round=1.0,
    evaluate_every=2,
    held_out_batches=1,
)


def test_an_interrupted_training_ends_with_the_weights_of_an_uninterrupted_one(tmp_path: Path):
    whole = Pretraining(TINY, tmp_path / "whole")
    for _ in range(2):
        whole.advance()
    interrupted = Pretraining(TINY, tmp_path / "part")
    interrupted.advance()
    interrupted.save(0.5)
    resumed = Pretraining(TINY, tmp_path / "part")
    assert resumed.resume()
    assert resumed.step == 1
    resumed.advance()
    for name, value in whole.sam.state_dict().items():
        torch.testing.assert_close(resumed.sam.state_dict()[name], value, msg=name)


def test_a_checkpoint_of_other_settings_is_refused(tmp_path: Path):
    Pretraining(TINY, tmp_path).save(0.5)
    other = Pretraining(replace(TINY, steps=3), tmp_path)
    with pytest.raises(InputError, match=r"made with \{'steps': 2\}, other than asked now"):
        other.resume()


def test_the_best_average_is_kept_not_the_last(tmp_path: Path):
    run = Pretraining(TINY, tmp_path)
    run.save(0.5)
    best = (tmp_path / "sam_vit_mini.safetensors").read_bytes()
    run.advance()
    run.save(0.4)
    assert (tmp_path / "sam_vit_mini.safetensors").read_bytes() == best
    run.save(0.6)
    assert (tmp_path / "sam_vit_mini.safetensors").read_bytes() != best


def test_every_part_of_the_model_is_trained(tmp_path: Path):
    run = Pretraining(TINY, tmp_path)
    before = {name: value.clone() for name, value in run.sam.named_parameters()}
    for _ in range(2):
        run.advance()
    moved = {
        name.split(".")[0]
        for name, value in run.sam.named_parameters()
        if not torch.equal(value, before[name])
    }
    assert moved == {"image_encoder", "prompt_encoder", "mask_decoder"}


def test_as_many_corrections_are_trained_as_the_settings_say(tmp_path: Path):
    config = replace(TINY, corrections=3)
    generator = torch.Generator().manual_seed(0)
    rounds = {_drawn_rounds(config, generator) for _ in range(50)}
    assert rounds == {2, 3, 4}
    assert {_drawn_rounds(TINY, generator) for _ in range(5)} == {2}
    assert math.isfinite(Pretraining(config, tmp_path).advance())


def test_warm_start_learns_ellipses_without_an_image(tmp_path: Path):
    run = Pretraining(TINY, tmp_path)
    optimiser = torch.optim.AdamW(run.sam.parameters(), lr=1e-3)

    def loss() -> torch.Tensor:
        return warm_start_loss(run.sam, count=2, generator=torch.Generator().manual_seed(9))

    before = float(loss().detach())
    for _ in range(25):
        optimiser.zero_grad()
        loss().backward()
        optimiser.step()
    assert float(loss().detach()) < before - 0.2


def test_a_run_writes_half_precision_weights_a_log_and_a_checkpoint(tmp_path: Path):
    pretrain(TINY, tmp_path)
    weights = load_file(tmp_path / "sam_vit_mini.safetensors")
    assert all(value.dtype == torch.float16 for value in weights.values())
    assert (tmp_path / "sam_vit_mini.safetensors").stat().st_size <= 8_000_000
    segmenter = load_segmenter(tmp_path / "sam_vit_mini.safetensors")  # no architecture needed
    assert segmenter.miniature
    header, row = (tmp_path / "log.csv").read_text(encoding="utf-8").splitlines()
    assert header.split(",") == ["step", "seconds", "loss", "box", "point", "filled_box"]
    assert row.startswith("2,")
    header, row = (tmp_path / "timings.csv").read_text(encoding="utf-8").splitlines()
    times = dict(zip(header.split(","), map(float, row.split(",")), strict=True))
    shares = [value for name, value in times.items() if name.endswith("_share")]
    assert {"scenes_share", "encoder_share", "decoder_share", "update_share"} <= times.keys()
    assert sum(shares) == pytest.approx(1, abs=1e-3)
    assert times["steps_a_second"] > 0
    assert (tmp_path / "state.pt").exists()
