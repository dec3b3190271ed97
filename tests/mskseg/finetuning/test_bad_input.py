"""Each thing that can be wrong has one line that says what came, what was expected, what to do."""

from __future__ import annotations

import resource
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
import torch

import mskseg
from mskseg.case import Case, CaseSet
from mskseg.errors import InputError, OutputError
from mskseg.finetuning.config import FineTuneConfig
from mskseg.finetuning.loop import fine_tune
from mskseg.finetuning.result import DivergedError
from mskseg.volume import LabelMap, Volume


def refused(match, *given):
    with pytest.raises(InputError, match=match) as caught:
        fine_tune(*given, progress=False)
    assert "\n" not in str(caught.value)


def test_a_subject_in_both_sets(mini, train, tiny):
    refused("subject 'train 0' in train and in validation", mini, train, train[:1], tiny)


def test_a_training_set_of_one_slice(mini, cases, validation, tiny):
    one = cases("one", n=1, n_slices=1)
    refused(
        "training set has 1 slice with an object.*expected 2 or more", mini, one, validation, tiny
    )


def test_a_validation_set_without_an_object_that_is_large_enough(mini, train, validation, tiny):
    small = Case(
        subject="speck",
        image=validation[0].image,
        reference=LabelMap(np.pad(np.ones((1, 1, 1), np.uint8), [(9, 38), (9, 30), (0, 1)]),
                           validation[0].image.affine),
        tissues=validation.tissues,
    )  # fmt: skip
    speck = CaseSet("speck", [small])
    refused("validation set has no slice with an object large enough", mini, train, speck, tiny)


def test_a_tissue_missing_from_validation_is_said(mini, train, cases, tiny):
    blind = cases("validation", n=1, first=10, labels=(2,))
    with pytest.warns(
        UserWarning, match="shows 1 of the 2 tissues that are trained; muscle cannot"
    ):
        fine_tune(mini, train, blind, tiny, progress=False)


def test_a_validation_set_with_none_of_the_tissues(mini, cases, tiny):
    given = (cases("train", labels=(1,)), cases("validation", n=1, labels=(2,)))
    refused("shows none of the 1 tissues that are trained", mini, *given, tiny)


def test_labels_of_another_grid(train):
    case = train[0]
    other = np.diag([1.0, 1.0, 5.0, 1.0])
    with pytest.raises(InputError, match="grid"):
        Case(subject="a", image=case.image, reference=LabelMap(case.reference.array, other))


def test_a_case_without_labels(mini, train, validation, tiny):
    bare = CaseSet("bare", [Case(subject="bare", image=train[0].image)])
    refused("has no reference", mini, bare, validation, tiny)


def test_a_loss_that_is_not_finite_stops_with_the_slices_named(
    mini, train, validation, tiny, tmp_path
):
    config = replace(tiny, learning_rate=1e30, epochs=3, patience=0)
    with pytest.raises(
        DivergedError, match=r"NaN or infinite at step \d+ \(own data/train"
    ) as caught:
        fine_tune(mini, train, validation, config, folder=tmp_path, progress=False)
    kept = caught.value.result
    assert kept.stopped == "diverged"
    assert kept.best_epoch == 0  # nothing was better than the start, so that is what is kept
    assert kept.segmenter.fingerprint == mini.fingerprint
    assert (tmp_path / "state.pt").is_file()


def test_a_gradient_that_is_not_finite_stops_before_it_moves_a_weight(
    mini, train, validation, tiny, monkeypatch
):
    from mskseg.finetuning import trainer

    real = trainer.backward_in_passes

    def poisoned(embeddings, loss_of, **how):
        def loss(part, encoded):
            value = loss_of(part, encoded)
            value.register_hook(lambda gradient: gradient * float("nan"))
            return value

        return real(embeddings, loss, **how)

    monkeypatch.setattr(trainer, "backward_in_passes", poisoned)
    with pytest.raises(DivergedError, match="at step 1 "):
        fine_tune(mini, train, validation, tiny, progress=False)


def raised(error):
    raise error


@pytest.mark.parametrize(
    "fail",
    [
        lambda: torch.empty(2**52),  # what a CPU says
        lambda: raised(torch.OutOfMemoryError("CUDA out of memory")),
    ],
    ids=["cpu", "cuda"],
)
def test_out_of_memory_names_the_setting_that_lowers_it(
    fail, mini, train, validation, tiny, monkeypatch
):
    from mskseg_mini.architecture import ConvImageEncoder

    def exhausted(encoder, x):
        fail()

    monkeypatch.setattr(ConvImageEncoder, "forward", exhausted)
    config = replace(tiny, mode="full")
    told = (
        "memory ran out with mode full, 2 slices a step; lower it by slices_per_step below 2.*or "
    )
    refused(f"{told}mode decoder", mini, train, validation, config)


def test_another_error_of_torch_is_not_taken_for_memory(mini, train, validation, tiny, monkeypatch):
    from mskseg_mini.architecture import ConvImageEncoder

    def broken(encoder, x):
        raise RuntimeError("shapes do not fit")

    monkeypatch.setattr(ConvImageEncoder, "forward", broken)
    with pytest.raises(RuntimeError, match="shapes do not fit"):
        fine_tune(mini, train, validation, tiny, progress=False)


def test_tuned_weights_are_not_taken_for_another_model(mini, train, validation, tiny, tmp_path):
    path = tmp_path / "tuned.safetensors"
    fine_tune(mini, train, validation, tiny, progress=False).save(path)
    with pytest.raises(InputError, match="holds vit_mini weights, expected vit_b"):
        mskseg.load_segmenter(path, architecture="vit_b")


def test_a_model_of_no_known_architecture_cannot_be_saved(small, train, validation, tiny, tmp_path):
    result = fine_tune(small, train, validation, tiny, progress=False)
    with pytest.raises(InputError, match="none of the architectures vit_b"):
        result.save(tmp_path / "tuned.safetensors")


def test_a_path_of_weights_has_its_ending(mini, train, validation, tiny, tmp_path):
    result = fine_tune(mini, train, validation, tiny, progress=False)
    with pytest.raises(InputError, match=r"that ends in \.safetensors, got .*tuned.pth"):
        result.save(tmp_path / "tuned.pth")


@contextmanager
def files_of_at_most(size: int):
    """No file can grow beyond: the system refuses as it does when a disk is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_disk_that_fills_while_a_checkpoint_is_written(mini, train, validation, tiny, tmp_path):
    config = replace(tiny, epochs=2, patience=0)
    whole = fine_tune(mini, train, validation, config, folder=tmp_path / "whole", progress=False)
    folder = tmp_path / "full"
    seen = []

    def fill(history):
        seen.append((folder / "state.pt").read_bytes())
        if len(seen) == 2:
            resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, resource.RLIM_INFINITY))

    with (
        files_of_at_most(resource.RLIM_INFINITY),
        pytest.raises(OutputError, match=r"cannot write .*state.pt"),
    ):
        fine_tune(mini, train, validation, config, folder=folder, progress=False, on_epoch=fill)
    assert (folder / "state.pt").read_bytes() == seen[-1]
    assert not list(folder.glob(".partial*"))
    resumed = fine_tune(mini, train, validation, config, folder=folder, progress=False)
    assert resumed.segmenter.fingerprint == whole.segmenter.fingerprint


def test_a_disk_that_fills_while_weights_or_embeddings_are_written(
    mini, train, validation, tiny, tmp_path
):
    result = fine_tune(mini, train, validation, tiny, progress=False)
    path = tmp_path / "tuned.safetensors"
    with files_of_at_most(2**10):
        with pytest.raises(OutputError, match=r"cannot write .*tuned.safetensors"):
            result.save(path)
        with pytest.raises(OutputError, match=r"cannot write .*embeddings"):
            fine_tune(mini, train, validation, tiny, folder=tmp_path, progress=False)
    assert not path.exists()


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"mode": "everything"}, "mode is 'everything', expected 'full', 'encoder_decoder', "),
        ({"prompt": "text"}, "prompt is 'text', expected 'box' or 'point'"),
        ({"epochs": 0}, "epochs is 0, expected a number greater than 0"),
        ({"slices_per_step": 2.5}, "slices_per_step is 2.5, expected a valid integer"),
        ({"patience": -1}, "patience is -1, expected a number greater than or equal to 0"),
        ({"learning_rate": 0.0}, "learning_rate is 0.0, expected a number greater than 0"),
        ({"learning_rate": float("nan")}, "learning_rate is nan"),
        ({"jitter_px": -1.0}, "jitter_px is -1.0, expected a number greater than or equal to 0"),
        ({"prompts_per_slice": 0}, "prompts_per_slice is 0, expected"),
        ({"learning_rat": 0.1}, "FineTuneConfig has no setting 'learning_rat'"),
    ],
    ids=str,
)
def test_settings_out_of_range(options, match):
    with pytest.raises(InputError, match=match):
        FineTuneConfig(**options)


def test_an_encoder_without_a_place_for_low_rank_terms(mini):
    from mskseg.finetuning.modes import count_trainable

    mini.model.image_encoder = torch.nn.Identity()
    with pytest.raises(InputError, match="Identity has no fused qkv and no convolution"):
        count_trainable(mini, FineTuneConfig(mode="lora"))


def test_volumes_are_checked_before_training():
    with pytest.raises(InputError, match="NaN"):
        Case(subject="a", image=Volume(np.full((4, 4, 2), np.nan, np.float32), np.eye(4)))
