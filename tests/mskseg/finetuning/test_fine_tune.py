"""A whole fine-tuning: what comes back, what stays, what is saved."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

import mskseg
from mskseg.finetuning.config import FineTuneConfig
from mskseg.finetuning.loop import fine_tune
from mskseg.models.embeddings import EmbeddingCache
from mskseg.models.segmenter import prompts_at_once
from mskseg.models.weights import read_weights

MODES = ("full", "encoder_decoder", "decoder", "lora")


def scores(segmenter, cases) -> float:
    from mskseg.evaluation.averaging import summarise
    from mskseg.evaluation.scoring import score_cases
    from mskseg.prompts.plans import OracleBox

    table = score_cases(segmenter, cases, prompts=OracleBox(), progress=False)
    return float(summarise(table)["dice"].iloc[0])


@pytest.fixture(scope="module")
def tuned(train, validation, tiny):
    """One training for several looks at it."""
    torch.set_num_threads(1)
    segmenter = mskseg.load_segmenter("sam_vit_mini")
    config = replace(tiny, epochs=3, steps_per_epoch=3, learning_rate=2e-3)
    return segmenter, fine_tune(segmenter, train, validation, config, progress=False)


def test_the_best_epoch_is_what_comes_back(tuned, validation):
    """Its validation Dice, measured anew by the tables' own evaluation, is the history's best."""
    _, result = tuned
    history = result.history.set_index("epoch")
    assert history["validation_dice"].idxmax() == result.best_epoch
    best = history["validation_dice"].max()
    assert scores(result.segmenter, validation) == pytest.approx(best, abs=1e-3)


def test_epoch_0_is_the_model_before_any_step(tuned, validation):
    segmenter, result = tuned
    first = result.history.iloc[0]
    assert (first["epoch"], first["step"]) == (0, 0)
    assert np.isnan(first["loss"])
    assert scores(segmenter, validation) == pytest.approx(first["validation_dice"], abs=1e-3)


def test_tuning_helps_on_shapes_like_those_it_saw(tuned):
    _, result = tuned
    dice = result.history["validation_dice"]
    assert dice.max() > dice.iloc[0]
    assert result.history["loss"].iloc[-1] < result.history["loss"].iloc[1]
    assert result.history["step"].tolist() == [0, 3, 6, 9]
    assert result.history["seconds"].is_monotonic_increasing


def test_the_given_segmenter_is_untouched(tuned):
    segmenter, result = tuned
    fresh = mskseg.load_segmenter("sam_vit_mini")
    assert segmenter.fingerprint == fresh.fingerprint
    assert not any(p.requires_grad for p in segmenter.model.parameters())
    assert result.segmenter.fingerprint != fresh.fingerprint


def test_the_result_says_what_it_is(tuned):
    segmenter, result = tuned
    assert result.segmenter.name == "sam_vit_mini, decoder tuned"
    assert result.segmenter.miniature
    assert not result.segmenter.learned_iou
    assert result.base == {"name": "sam_vit_mini", "sha256": segmenter.fingerprint}
    assert result.peak_memory_mb > 1
    assert "validation Dice 0." in repr(result)


def test_saved_weights_load_as_the_same_segmenter(tuned, tmp_path):
    _, result = tuned
    path = tmp_path / "tuned.safetensors"
    result.save(path)
    loaded = mskseg.load_segmenter(path)
    assert loaded.fingerprint == result.segmenter.fingerprint
    assert loaded.name == result.segmenter.name
    assert (loaded.miniature, loaded.learned_iou) == (True, False)
    told = json.loads(read_weights(path)[1]["mskseg.fine_tuning"])
    assert FineTuneConfig(**told["config"]) == result.config
    assert told["base"] == result.base
    assert told["data"] == result.data
    assert [row["epoch"] for row in told["history"]] == [0, 1, 2, 3]


def test_the_iou_estimate_is_kept_only_with_its_loss(mini, train, validation, tiny):
    image = train[0].slice(0).image
    estimates = {}
    for keep in (False, True):
        config = replace(tiny, keep_iou_loss=keep)
        tuned = fine_tune(mini, train, validation, config, progress=False).segmenter
        found = tuned.predict(tuned.embed(image), boxes_xyxy=[5, 5, 30, 30])
        estimates[keep] = float(found.predicted_iou[0, 0])
    assert np.isnan(estimates[False])
    assert 0 < estimates[True] < 1.1


class Counter:
    """Counts the images that an encoder is given."""

    def __init__(self, monkeypatch):
        from mskseg_mini.architecture import ConvImageEncoder

        self.images = self.calls = 0
        real = ConvImageEncoder.forward

        def counted(encoder, x):
            self.images += len(x)
            self.calls += 1
            return real(encoder, x)

        monkeypatch.setattr(ConvImageEncoder, "forward", counted)


def test_decoder_mode_encodes_each_slice_once_whatever_the_epochs(
    mini, train, validation, tiny, monkeypatch
):
    counter = Counter(monkeypatch)
    fine_tune(mini, train, validation, replace(tiny, epochs=3, patience=0), progress=False)
    assert counter.images == 4 + 2  # slices to train on, and to select by
    assert len(mini.cache) == 0  # the given segmenter's own is not filled


def test_trainings_from_one_model_can_share_their_embeddings(
    mini, train, validation, tiny, monkeypatch, tmp_path
):
    cache = EmbeddingCache(tmp_path)
    counter = Counter(monkeypatch)
    for seed in (0, 1):
        fine_tune(mini, train, validation, replace(tiny, seed=seed), progress=False, cache=cache)
    assert counter.images == 6
    assert len(list(tmp_path.rglob("*.safetensors"))) == 6


@pytest.mark.parametrize("mode", ["full", "lora"])
def test_prompts_of_a_slice_share_one_pass_of_the_encoder(
    mode, mini, train, validation, tiny, monkeypatch
):
    counter = Counter(monkeypatch)
    config = replace(tiny, mode=mode, prompts_per_pass=1)  # four passes of the decoder a step
    fine_tune(mini, train, validation, config, progress=False)
    assert counter.images == 2 * 2 + 2 * 2  # two steps of two slices, two epochs of two
    assert counter.calls == 2 + 2 * 2


def test_passes_of_any_size_give_the_same_training(mini, train, validation, tiny):
    losses = []
    for together in (1, 3, None):
        config = replace(tiny, mode="encoder_decoder", prompts_per_pass=together)
        losses.append(
            fine_tune(mini, train, validation, config, progress=False).history["loss"].iloc[1]
        )
    assert losses == pytest.approx([losses[0]] * 3, abs=1e-5)


def test_a_call_takes_fewer_prompts_of_a_large_model():
    of_mini, of_sam = 128 * 32 * 32, 256 * 64 * 64  # numbers of an embedding
    assert (prompts_at_once(of_mini, "cpu"), prompts_at_once(of_sam, "cpu")) == (8, 1)
    assert prompts_at_once(of_sam, "cuda") == 64


def test_it_stops_when_the_validation_dice_no_longer_rises(mini, train, validation, tiny):
    """A rate so small that no mask changes: nothing is better than epoch 0."""
    config = replace(tiny, epochs=9, patience=2, steps_per_epoch=1, learning_rate=1e-12)
    result = fine_tune(mini, train, validation, config, progress=False)
    assert (result.best_epoch, len(result.history), result.stopped) == (0, 3, "converged")
    assert result.segmenter.fingerprint == mini.fingerprint


def test_a_hook_sees_the_history_grow_and_the_bar_can_be_switched_off(
    mini, train, validation, tiny, capsys
):
    seen = []
    config = replace(tiny, epochs=2, steps_per_epoch=1)
    fine_tune(
        mini, train, validation, config, progress=False, on_epoch=lambda h: seen.append(len(h))
    )
    assert seen == [1, 2, 3]
    assert capsys.readouterr() == ("", "")
    fine_tune(mini, train, validation, config)
    assert "validation_dice=0." in capsys.readouterr().err


@pytest.mark.parametrize("options", [
    {"schedule": "cosine"}, {"precision": "bfloat16"},
    {"prompt": "point", "points": 2}, {"mode": "full", "precision": "bfloat16"},
], ids=str)  # fmt: skip
def test_options_train(options, mini, train, validation, tiny):
    result = fine_tune(mini, train, validation, replace(tiny, **options), progress=False)
    assert np.isfinite(result.history["loss"].iloc[1])


def test_the_rate_rises_and_with_cosine_falls():
    from mskseg.finetuning.trainer import learning_rate

    constant = FineTuneConfig(learning_rate=1.0, warm_up=4)
    assert [learning_rate(s, constant, last=100) for s in (0, 1, 3, 50)] == [0.25, 0.5, 1, 1]
    cosine = FineTuneConfig(learning_rate=1.0, warm_up=0, schedule="cosine")
    assert [learning_rate(s, cosine, last=100) for s in (0, 50, 100)] == pytest.approx(
        [1, 0.525, 0.05]
    )
