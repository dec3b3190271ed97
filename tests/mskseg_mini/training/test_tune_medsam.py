"""The tuning of `medsam_vit_mini`, as Ma 2024 tunes SAM, and what came of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import mskseg
from mskseg.errors import InputError
from mskseg.finetuning.losses import dice_and_entropy
from mskseg_mini.training.held_out import MEDICAL_REPORT_SEED, score_medical_scenes
from mskseg_mini.training.tune_medsam import (
    MedSamConfig,
    MedSamTuning,
    medsam_input,
    shifted_boxes,
)

TINY = MedSamConfig(steps=2, scenes=1, boxes=2, evaluate_every=2, held_out_scenes=1, warm_up=1)


def square() -> torch.Tensor:
    mask = torch.zeros(1, 64, 64, dtype=torch.bool)
    mask[:, 20:30, 40:60] = True
    return mask


def test_images_are_prepared_as_the_segmenter_prepares_them():
    """Minimum to 0, maximum to 1, three equal channels: parity with the published script's way."""
    segmenter = mskseg.load_segmenter("sam_vit_mini")
    image = np.random.default_rng(0).integers(30, 200, (256, 256), dtype=np.uint8)
    from mskseg.models.preprocessing import MedSamPreprocessing

    rgb = np.repeat(image[..., None], 3, axis=2)
    expected = MedSamPreprocessing(256, "model").image_tensor(rgb, segmenter.model)
    got = medsam_input(torch.from_numpy(image.astype(np.float32))[None])
    assert got.min() == 0
    assert got.max() == 1
    # The script's spline cuts to 8 bit, which may lose one grey value.
    torch.testing.assert_close(got, expected, atol=2 / 170, rtol=0)


@pytest.mark.parametrize(
    ("most_px", "share", "limits"),
    [(5.0, 0.1, [2.0, 1.0, 2.0, 1.0]), (1.5, 1.0, [1.5] * 4), (9.0, 1.0, [9.0, 9.0, 4.0, 9.0])],
)
def test_boxes_move_outwards_only_up_to_the_limits_and_the_frame(most_px, share, limits):
    masks = square().expand(300, -1, -1)
    boxes = shifted_boxes(
        masks, most_px=most_px, share=share, generator=torch.Generator().manual_seed(0)
    )
    outwards = (boxes - torch.tensor([40.0, 20, 60, 30])) * torch.tensor([-1.0, -1, 1, 1])
    assert (outwards >= 0).all()
    assert (outwards <= torch.tensor(limits) + 1e-4).all()
    torch.testing.assert_close(outwards.amax(0), torch.tensor(limits), rtol=0.05, atol=0)


def test_the_loss_is_dice_plus_cross_entropy_without_weights():
    mask, logits = square().float(), torch.zeros(1, 64, 64)
    share = float(mask.mean())
    dice_loss = 1 - 2 * 0.5 * share / (0.25 + share)
    assert float(dice_and_entropy(logits, mask)) == pytest.approx(dice_loss + np.log(2), abs=1e-4)
    assert float(dice_and_entropy((mask - 0.5) * 60, mask)) == pytest.approx(0, abs=1e-3)


def test_the_prompt_encoder_stays_as_it_was_and_the_rest_moves(tmp_path: Path):
    run = MedSamTuning(TINY, tmp_path, weights="sam_vit_mini")
    before = {name: value.clone() for name, value in run.sam.named_parameters()}
    run.advance()
    moved = {
        name.split(".")[0]
        for name, value in run.sam.named_parameters()
        if not torch.equal(value, before[name])
    }
    assert moved == {"image_encoder", "mask_decoder"}


def test_an_interrupted_tuning_ends_with_the_weights_of_an_uninterrupted_one(tmp_path: Path):
    whole = MedSamTuning(TINY, tmp_path / "whole", weights="sam_vit_mini")
    for _ in range(2):
        whole.advance()
    part = MedSamTuning(TINY, tmp_path / "part", weights="sam_vit_mini")
    part.advance()
    part.save(0.5)
    resumed = MedSamTuning(TINY, tmp_path / "part", weights="sam_vit_mini")
    assert resumed.resume()
    resumed.advance()
    for name, value in whole.sam.state_dict().items():
        torch.testing.assert_close(resumed.sam.state_dict()[name], value, msg=name)


def test_a_checkpoint_of_other_settings_is_refused(tmp_path: Path):
    MedSamTuning(TINY, tmp_path, weights="sam_vit_mini").save(0.5)
    other = MedSamTuning(replace(TINY, steps=3), tmp_path, weights="sam_vit_mini")
    with pytest.raises(InputError, match=r"made with \{'steps': 2\}, other than asked now"):
        other.resume()


def test_only_sam_mini_is_tuned(tmp_path: Path):
    with pytest.raises(InputError, match="expected weights of SAM-mini"):
        MedSamTuning(TINY, tmp_path, weights="medsam_vit_mini")


def test_a_run_writes_weights_that_load_without_being_told_more(tmp_path: Path):
    MedSamTuning(TINY, tmp_path, weights="sam_vit_mini").run()
    path = tmp_path / "medsam_vit_mini.safetensors"
    assert path.stat().st_size <= 8_000_000
    segmenter = mskseg.load_segmenter(path)
    assert segmenter.preprocessing.name == "medsam"
    assert segmenter.miniature
    header, start, end = (tmp_path / "log.csv").read_text(encoding="utf-8").splitlines()
    assert header == "step,seconds,loss,held_out_dice"
    assert [line.split(",")[0] for line in (start, end)] == ["0", "2"]


def test_the_shipped_sibling_gives_no_iou_and_squashes():
    medsam = mskseg.load_segmenter("medsam_vit_mini")
    assert (medsam.miniature, medsam.preprocessing.name) == (True, "medsam")
    image = np.random.default_rng(0).integers(0, 255, (60, 90), dtype=np.uint8)
    prediction = medsam.predict(medsam.embed(image), boxes_xyxy=[10, 10, 50, 40])
    assert np.isnan(prediction.predicted_iou).all()
    assert prediction.masks.shape == (1, 1, 60, 90)


@pytest.mark.slow
def test_the_shipped_sibling_beats_sam_mini_on_its_own_domain():
    """Each with its own preprocessing, tight boxes, scenes that selected neither."""
    sam, medsam = (
        score_medical_scenes(mskseg.load_segmenter(name), scenes=128, seed=MEDICAL_REPORT_SEED)
        for name in ("sam_vit_mini", "medsam_vit_mini")
    )
    assert medsam >= sam + 0.03
