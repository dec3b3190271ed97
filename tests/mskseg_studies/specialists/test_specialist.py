"""U-Net and DeepLabV3+: what they learn in a few steps, in the table of all models."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from mskseg.errors import InputError
from mskseg.evaluation.averaging import summarise
from mskseg.evaluation.scoring import COLUMNS, score_cases, score_label_maps
from mskseg.evaluation.tables import volume_table
from mskseg.prompts import Prompt, fill_boxes
from mskseg.prompts.plans import OracleBox
from mskseg.volume import LabelMap
from mskseg_studies.calibration import checked_probabilities
from mskseg_studies.specialists.config import SpecialistConfig
from mskseg_studies.specialists.networks import (
    box_frames,
    build_network,
    image_frame,
    label_frame,
    out_of_frame,
)
from mskseg_studies.specialists.training import (
    Samples,
    draw_batch,
    gather_samples,
    specialist_loss,
    train_specialist,
)

SMALL = SpecialistConfig(
    encoder="mobilenet_v2", frame_px=64, steps=40, batch_size=8, validate_every=20, rotate_deg=0
)


def random_numbers(seed):
    return {
        "generator": torch.Generator().manual_seed(seed),
        "rng": np.random.default_rng(seed),
    }


@pytest.fixture(scope="module")
def parts(shapes):
    people = [shapes.drawn_case(f"s{seed}", seed=seed) for seed in range(5)]
    return people[:3], people[3:4], people[4:]


@pytest.fixture(scope="module")
def boxed(parts):
    return train_specialist(*parts[:2], replace(SMALL, steps=100))


@pytest.fixture(scope="module")
def automatic(parts):
    config = replace(SMALL, prompt="none", steps=80)
    return train_specialist(*parts[:2], config)


def test_with_a_box_it_beats_the_box(boxed, parts):
    table = score_cases(boxed, parts[2], prompts=OracleBox(), progress=False)
    assert tuple(table.columns) == COLUMNS
    (row,) = summarise(table).to_dict("records")
    assert row["segmenter"] == "U-Net, box channel"
    assert row["dice"] > row["filled_box_dice"] > 0.6
    assert table["predicted_iou"].isna().all()


def test_it_says_what_it_learned_from_and_how(boxed):
    assert list(boxed.history["step"]) == [20, 40, 60, 80, 100]
    assert set(boxed.history) == {"step", "loss", "validation_dice", "seconds"}
    assert boxed.labels == {3: "disc", 7: "triangle"}
    assert boxed.data == "3 subjects of own data unknown"
    assert boxed.miniature


def test_automatic_label_maps_lie_on_the_cases_grid_in_its_labels(automatic, parts):
    (case,) = parts[2]
    found = automatic.segment(parts[2], progress=False)
    label_map = found.label_maps[case.name]
    assert label_map.shape == case.image.shape
    assert np.array_equal(label_map.affine, case.image.affine)
    assert set(label_map.labels) <= {3, 7}
    table = score_label_maps(automatic, parts[2], found.label_maps, progress=False)
    assert volume_table(table).set_index("label")["volume_dice"].mean() > 0.6


def test_probabilities_sum_to_one_and_agree_with_the_label_map(automatic, parts):
    (case,) = parts[2]
    found = automatic.segment(parts[2], progress=False)
    probabilities = found.probabilities(case.name)
    assert probabilities.shape == (3, *case.image.shape)
    np.testing.assert_allclose(probabilities.sum(axis=0), 1, atol=1e-4)
    winners = np.array((0, *found.labels))[probabilities.argmax(axis=0)]
    assert np.array_equal(winners, found.label_maps[case.name].array)


def test_the_same_seed_gives_the_same_specialist(parts):
    config = replace(SMALL, steps=2, validate_every=1)
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first = train_specialist(*parts[:2], config)
    assert torch.equal(torch.get_rng_state(), before), "the caller's random state was touched"
    again = train_specialist(*parts[:2], config)
    other = train_specialist(*parts[:2], replace(config, seed=1))
    assert first.fingerprint == again.fingerprint != other.fingerprint


def test_deeplab_trains_too(parts):
    config = replace(SMALL, architecture="deeplabv3plus", steps=2)
    trained = train_specialist(*parts[:2], config)
    assert trained.name == "DeepLabV3+, box channel"
    table = score_cases(trained, parts[2], prompts=OracleBox(), progress=False)
    assert table["dice"].notna().all()


# prompts and errors


def test_a_box_specialist_takes_boxes_only(boxed, parts):
    frame = boxed.embed(next(parts[2][0].slices()).image)
    shape = frame.shape
    nothing = Prompt.checked(np.empty((0, 4)), image_shape=shape)
    assert boxed.predict(frame, nothing).masks.shape == (0, 1, 48, 48)
    with pytest.raises(InputError, match="boxes only"):
        boxed.predict(frame, Prompt.checked(None, [[[4.0, 4.0]]], [[1]], image_shape=shape))
    with pytest.raises(InputError, match="outside"):
        boxed.predict(frame, Prompt(boxes_xyxy=np.array([[4.0, 4.0, 60.0, 20.0]])))
    with pytest.raises(InputError, match="needs a box"):
        boxed.segment(parts[2])


def test_an_automatic_specialist_takes_no_box(automatic, parts):
    frame = automatic.embed(next(parts[2][0].slices()).image)
    with pytest.raises(InputError, match="takes no prompt"):
        automatic.predict(frame, Prompt.checked([4, 4, 20, 20], image_shape=frame.shape))


def test_a_subject_in_both_sets_is_refused(parts):
    with pytest.raises(InputError, match="'s0' in train and in validation"):
        train_specialist(parts[0], parts[0][:1], SMALL)


@pytest.mark.parametrize("prompt", ["box", "none"])
def test_validation_without_a_learned_label_is_refused(parts, prompt):
    config = replace(SMALL, prompt=prompt, steps=1)
    (case,) = parts[1]
    others = np.where(case.reference.array > 0, 9, 0).astype(np.uint8)
    strange = replace(case, reference=LabelMap(others, case.image.affine), tissues={9: "kite"})
    with pytest.raises(InputError, match="validation cases shows a label that is learned"):
        train_specialist(parts[0], [strange], config)


def test_an_empty_validation_set_is_not_called_training(parts):
    with pytest.raises(InputError, match="of the validation cases"):
        train_specialist(parts[0], [], SMALL)


def test_a_diverged_training_stops_and_names_the_step(parts):
    config = replace(SMALL, learning_rate=1e30, steps=5, validate_every=5)
    with pytest.raises(InputError, match=r"the loss became \w+ at step \d of 5"):
        train_specialist(*parts[:2], config)


def test_a_network_that_broke_in_the_last_step_is_not_given_back(parts):
    config = replace(SMALL, learning_rate=1e30, steps=1)
    with pytest.raises(InputError, match="validation Dice became nan at step 1 of 1"):
        train_specialist(*parts[:2], config)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"architecture": "vgg"}, "architecture is 'vgg', expected 'unet' or 'deeplabv3plus'"),
        ({"frame_px": 100}, "multiple of 32"),
        ({"batch_size": 1}, "batch_size is 1, expected a number greater than or equal to 2"),
        ({"steps": 0}, "steps is 0"),
    ],
)
def test_a_configuration_that_cannot_work_is_refused(wrong, said):
    with pytest.raises(InputError, match=said):
        SpecialistConfig(**wrong)


def test_an_unknown_encoder_is_refused():
    with pytest.raises(InputError, match="'resnet17' cannot be used"):
        build_network(SpecialistConfig(encoder="resnet17"), n_labels=1)


# probabilities


def test_probabilities_that_do_not_sum_to_one_are_refused():
    half = np.full((3, 2, 2, 2), 0.25)
    with pytest.raises(InputError, match=r"of s1 sum to 0.75 in a voxel, expected 1"):
        checked_probabilities(half, shape=half.shape, what="s1")


def test_logits_and_other_shapes_are_no_probabilities():
    logits = np.stack([np.full((2, 2), -1.0), np.full((2, 2), 2.0)])
    with pytest.raises(InputError, match="not logits"):
        checked_probabilities(logits, shape=logits.shape, what="s1")
    with pytest.raises(InputError, match=r"shape \(2, 2, 2\), expected \(3, 2, 2\)"):
        checked_probabilities(logits, shape=(3, 2, 2), what="s1")


# the frame


def test_a_slice_goes_into_the_frame_and_back_in_place():
    mask = np.zeros((30, 40), np.uint8)
    mask[10:20, 24:36] = 1
    framed = image_frame(mask * 255, 128)
    back = out_of_frame(framed[None, None], (30, 40))[0, 0].numpy() > 0
    assert (back != mask).mean() < 0.02
    flipped = image_frame(np.ascontiguousarray(mask[:, ::-1]) * 255, 128)
    other = out_of_frame(flipped[None, None], (30, 40))[0, 0].numpy() > 0
    assert np.array_equal(other[:, ::-1], back)


def test_labels_and_boxes_agree_in_the_frame():
    mask = np.zeros((32, 32), np.int64)
    mask[8:16, 20:28] = 1
    box = torch.tensor([[20.0, 8.0, 28.0, 16.0]])
    assert torch.equal(box_frames(box, (32, 32), 64)[0].long(), label_frame(mask, 64))


def test_box_channel_is_the_filled_box_of_the_frame():
    boxes = np.array([[3.2, 8.6, 27.5, 15.4], [0, 0, 32, 32], [30.4, 1.5, 31.6, 3]])
    filled = [fill_boxes(box, (32, 32)) for box in boxes]
    assert np.array_equal(box_frames(torch.tensor(boxes).float(), (32, 32), 32).numpy(), filled)


@pytest.mark.parametrize("corner", [0.0, 0.3, 20.6, 47.0])
def test_a_box_thinner_than_a_pixel_of_the_frame_is_one_pixel(corner):
    box = torch.tensor([[corner, corner, corner + 0.9, corner + 0.9]])
    (channel,) = box_frames(box, (48, 48), 32)
    at = int((corner + 0.45) * 32 / 48)
    assert channel.nonzero().tolist() == [[at, at]]


@pytest.mark.parametrize("corner", [0, 21, 46])
def test_a_box_of_two_pixels_never_becomes_an_empty_channel(corner):
    config = replace(SMALL, frame_px=32, scale=0.1, rotate_deg=10, batch_size=256)
    target = torch.zeros(1, 32, 32, dtype=torch.int64)
    target[0, corner * 32 // 48, corner * 32 // 48] = 1
    samples = Samples(
        images=torch.zeros(1, 32, 32),
        labels=target,
        shapes=[(48, 48)],
        objects=torch.tensor([[0, 1]]),
        boxes_xyxy=torch.tensor([[corner, corner, corner + 2, corner + 2]]).float(),
        components=target,
    )
    inputs, _ = draw_batch(samples, config, **random_numbers(0))
    assert (inputs[:, 1].sum((1, 2)) > 0).all()


def test_nothing_outside_the_slice_is_labelled():
    framed = label_frame(np.ones((20, 40), np.int64), 64)
    assert int(framed.sum()) == 32 * 64


def test_a_batch_holds_an_object_inside_its_box(parts):
    config = replace(SMALL, jitter_px=0, scale=0, batch_size=16)
    samples = gather_samples(parts[0], (3, 7), config)
    inputs, targets = draw_batch(samples, config, **random_numbers(0))
    assert inputs.shape == (16, 2, 64, 64)
    assert (targets.sum((1, 2)) > 0).all()
    assert (inputs[:, 1][targets == 1] == 1).all()


def test_augmentation_moves_image_box_and_object_together(parts):
    config = replace(SMALL, jitter_px=0, scale=0.3, rotate_deg=30, contrast=0, batch_size=32)
    samples = gather_samples(parts[0], (3, 7), config)
    inputs, targets = draw_batch(samples, config, **random_numbers(0))
    inside, outside = inputs[:, 0][targets == 1], inputs[:, 0][targets == 0]
    assert inside.mean() > outside.mean() + 0.5
    assert inputs[:, 1][targets == 1].mean() > 0.97


def test_the_loss_of_a_perfect_answer_is_near_0():
    targets = torch.zeros(2, 8, 8, dtype=torch.int64)
    targets[:, 2:5, 2:5] = 1
    one = (targets[:, None] * 2 - 1) * 30.0
    both = torch.cat([-one, one], dim=1)
    for logits in (one, both):
        assert float(specialist_loss(logits, targets)) < 0.01
        assert float(specialist_loss(-logits, targets)) > 10
