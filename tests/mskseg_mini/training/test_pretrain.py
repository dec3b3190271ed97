from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from mskseg.errors import InputError
from mskseg.models.checkpoints import load_segmenter
from mskseg.models.weights import read_weights
from mskseg_mini.training.pretrain import Pretraining
from mskseg_mini.training.pretrain_step import PretrainConfig, drawn_rounds, warm_start_loss

TINY = PretrainConfig(
    steps=2,
    warm_steps=1,
    scenes=1,
    prompts=2,
    second_round=1.0,
    evaluate_every=2,
    held_out_batches=1,
)


@pytest.mark.parametrize("patch_share", [0.0, 1.0])
def test_an_interrupted_training_ends_with_the_weights_of_an_uninterrupted_one(
    tmp_path: Path, patch_share: float
):
    config = replace(TINY, patch_share=patch_share)
    whole = Pretraining(config, tmp_path / "whole")
    for _ in range(2):
        whole.advance()
    interrupted = Pretraining(config, tmp_path / "part")
    interrupted.advance()
    interrupted.save(0.5)
    resumed = Pretraining(config, tmp_path / "part")
    assert resumed.resume()
    assert (resumed.step, resumed.best) == (1, 0.5)
    resumed.advance()
    for part in ("sam", "average"):
        kept = getattr(resumed, part).state_dict()
        for name, value in getattr(whole, part).state_dict().items():
            torch.testing.assert_close(kept[name], value, msg=name)


def test_a_checkpoint_of_other_settings_is_refused(tmp_path: Path):
    Pretraining(TINY, tmp_path).save(0.5)
    other = Pretraining(replace(TINY, steps=3), tmp_path)
    with pytest.raises(InputError, match=r"made with \{'steps': 2\}, other than asked now"):
        other.resume()


def test_a_training_goes_on_only_from_the_weights_that_it_began_with(tmp_path: Path):
    run = Pretraining(TINY, tmp_path)
    run.start_from("sam_vit_mini")
    run.save(0.5)
    with pytest.raises(InputError, match=r"made with \{'from': '\w{64}'\}, other than asked now"):
        Pretraining(TINY, tmp_path).resume()
    again = Pretraining(TINY, tmp_path)
    again.start_from("sam_vit_mini")
    assert again.resume()


def test_only_sam_mini_is_trained_on(tmp_path: Path):
    with pytest.raises(InputError, match="expected weights of SAM-mini, got medsam_vit_mini"):
        Pretraining(TINY, tmp_path).start_from("medsam_vit_mini")


def test_what_a_training_starts_from_stays_where_nothing_better_comes(tmp_path: Path, monkeypatch):
    scores = iter([0.7, 0.6])
    monkeypatch.setattr(Pretraining, "evaluate", lambda *_, **__: next(scores))
    run = Pretraining(TINY, tmp_path)
    run.start_from("sam_vit_mini")
    run.run()
    shipped = load_segmenter("sam_vit_mini")
    kept, metadata = read_weights(tmp_path / "sam_vit_mini.safetensors")
    for name, value in shipped.model.state_dict().items():
        assert torch.equal(kept[name].float(), value), name
    origin = json.loads(metadata["mskseg.origin"])
    assert (origin["step"], origin["warm_steps"]) == (0, 0)
    assert origin["from"] == shipped.fingerprint


@pytest.mark.parametrize("name", ["steps", "warm_up", "evaluate_every"])
def test_settings_that_make_no_training_are_refused(name: str):
    with pytest.raises(InputError, match=f"{name} is 0, expected a number greater than 0"):
        replace(TINY, **{name: 0})


def test_embeddings_are_not_pulled_towards_zero(tmp_path: Path):
    run = Pretraining(TINY, tmp_path)
    pulled, free = (group["params"] for group in run.optimiser.param_groups)
    assert any(p is run.sam.prompt_encoder.no_mask_embed.weight for p in free)
    assert all(p.ndim > 1 for p in pulled)
    assert len(pulled) + len(free) == len(list(run.sam.parameters()))


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
    run = Pretraining(replace(TINY, weight_decay=0.0, prompts=16), tmp_path)
    before = {name: value.clone() for name, value in run.sam.named_parameters()}
    for _ in range(2):
        run.advance()
    still = {name for name, value in run.sam.named_parameters() if torch.equal(value, before[name])}
    # Of three masks for a point only the best learns, and none may be the third's in two steps.
    assert all("output_hypernetworks_mlps.3" in name for name in still)


def test_as_many_corrections_are_trained_as_the_settings_say(tmp_path: Path):
    config = replace(TINY, corrections=3)
    generator = torch.Generator().manual_seed(0)
    rounds = {drawn_rounds(config, generator) for _ in range(50)}
    assert rounds == {2, 3, 4}
    assert {drawn_rounds(TINY, generator) for _ in range(5)} == {2}
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
    Pretraining(TINY, tmp_path).run()
    weights = load_file(tmp_path / "sam_vit_mini.safetensors")
    assert all(value.dtype == torch.float16 for value in weights.values())
    assert (tmp_path / "sam_vit_mini.safetensors").stat().st_size <= 8_000_000
    segmenter = load_segmenter(tmp_path / "sam_vit_mini.safetensors")  # no architecture needed
    assert segmenter.miniature
    header, _, row = (tmp_path / "log.csv").read_text(encoding="utf-8").splitlines()
    assert header.split(",") == ["step", "seconds", "loss", "box", "point", "filled_box"]
    assert row.startswith("2,")
    assert (tmp_path / "state.pt").exists()
