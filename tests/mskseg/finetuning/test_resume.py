"""An interrupted training ends with the weights of an uninterrupted one, whatever killed it."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import pandas as pd
import pytest
import torch
from support import tuning_cases
from support.processes import run_python

import mskseg
from mskseg.errors import InputError
from mskseg.finetuning.loop import fine_tune

# One process reads the libraries; two children of it train, one after the other, and are killed.
SCRIPT = """
import importlib.util, os, signal, sys
from pathlib import Path
import torch
spec = importlib.util.spec_from_file_location("shapes", sys.argv[1])
shapes = importlib.util.module_from_spec(spec)
spec.loader.exec_module(shapes)
import mskseg
from mskseg.finetuning import FineTuneConfig, fine_tune

torch.set_num_threads(1)
config = FineTuneConfig(**eval(sys.argv[3]))
real_save, saved = torch.save, []

def killed_half_way(state, path):
    saved.append(path)
    real_save(state, path)
    if len(saved) == 3:  # of epoch 2
        os.truncate(path, os.path.getsize(path) // 2)
        os.kill(os.getpid(), signal.SIGKILL)

def train(folder, on_epoch):
    fine_tune(
        mskseg.load_segmenter("sam_vit_mini"), shapes.draw_set("train"),
        shapes.draw_set("validation", n=1, first=10), config, folder=folder,
        progress=False, on_epoch=on_epoch,
    )

if (child := os.fork()) == 0:
    torch.save = killed_half_way
    train(Path(sys.argv[2], "while writing"), None)
    os._exit(1)
assert os.waitpid(child, 0)[1] == signal.SIGKILL

reading, writing = os.pipe()
if (child := os.fork()) == 0:
    train(Path(sys.argv[2], "between epochs"), lambda history: os.write(writing, b"."))
    os._exit(1)
for epoch in (0, 1):
    os.read(reading, 1)
os.kill(child, signal.SIGKILL)  # wherever it is
assert os.waitpid(child, 0)[1] == signal.SIGKILL
"""


@pytest.fixture(scope="module")
def config(tiny):
    return replace(tiny, mode="lora", epochs=4, patience=0, jitter_px=2.0)


@pytest.fixture(scope="module")
def uninterrupted(config, train, validation):
    torch.set_num_threads(1)
    return fine_tune(
        mskseg.load_segmenter("sam_vit_mini"), train, validation, config, progress=False
    )


@pytest.fixture(scope="module")
def killed(config, tmp_path_factory) -> Path:
    """Folder of the two trainings that were killed."""
    folder = tmp_path_factory.mktemp("killed")
    run_python("-c", SCRIPT, tuning_cases.__file__, folder, repr(asdict(config)))
    return folder


@pytest.mark.parametrize("how", ["between epochs", "while writing"])
def test_a_killed_training_resumes_to_the_same_weights(
    how, killed, config, uninterrupted, train, validation
):
    folder = killed / how
    state = torch.load(folder / "state.pt", weights_only=True)
    assert 1 <= len(state["rows"]) - 1 < config.epochs
    steps = []
    resumed = fine_tune(
        mskseg.load_segmenter("sam_vit_mini"), train, validation, config, folder=folder,
        progress=False, on_epoch=lambda history: steps.append(int(history["step"].iloc[-1])),
    )  # fmt: skip
    done = len(state["rows"]) - 1
    assert steps == [2 * k for k in range(done, config.epochs + 1)]  # it did not start anew
    assert resumed.best_epoch == uninterrupted.best_epoch
    for name, value in uninterrupted.segmenter.model.state_dict().items():
        assert torch.equal(resumed.segmenter.model.state_dict()[name], value), name
    columns = ["epoch", "step", "loss", "validation_dice"]
    pd.testing.assert_frame_equal(resumed.history[columns], uninterrupted.history[columns])


def test_a_training_that_is_done_gives_its_result_again_at_once(
    tmp_path, mini, train, validation, tiny, monkeypatch
):
    first = fine_tune(mini, train, validation, tiny, folder=tmp_path, progress=False)
    monkeypatch.setattr(torch.optim.AdamW, "step", None)
    shown = []
    again = fine_tune(
        mini, train, validation, tiny, folder=tmp_path, progress=False, on_epoch=shown.append
    )
    (history,) = shown
    pd.testing.assert_frame_equal(history, first.history)
    assert again.segmenter.fingerprint == first.segmenter.fingerprint
    pd.testing.assert_frame_equal(again.history, first.history)
    assert again.seconds == first.seconds


def test_a_state_of_other_settings_data_or_weights_is_refused(
    tmp_path, mini, small, train, validation, cases, tiny
):
    fine_tune(mini, train, validation, tiny, folder=tmp_path, progress=False)
    with pytest.raises(InputError, match=r"seed 0, now 5; pass the same to resume it"):
        fine_tune(mini, train, validation, replace(tiny, seed=5), folder=tmp_path, progress=False)
    with pytest.raises(InputError, match="other training or validation data"):
        fine_tune(mini, cases("train", first=3), validation, tiny, folder=tmp_path, progress=False)
    with pytest.raises(InputError, match=r"other weights \(sam_vit_mini, now small\)"):
        fine_tune(small, train, validation, tiny, folder=tmp_path, progress=False)


def test_a_damaged_state_is_named(tmp_path, mini, train, validation, tiny):
    (tmp_path / "state.pt").write_bytes(b"half a")
    with pytest.raises(InputError, match=r"state.pt is damaged, or not the state of a fine-tuning"):
        fine_tune(mini, train, validation, tiny, folder=tmp_path, progress=False)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("format", None),
        ("config", "decoder"),
        ("base", []),
        ("rows", "many"),
        ("rows", []),
        ("rows", [{"epoch": 0}]),
        ("weights", {}),
        ("weights", {"a": torch.zeros(3)}),
        ("best_weights", {"a": torch.zeros(3)}),
        ("optimiser", {"state": 3}),
        ("best_dice", ...),
    ],
)
def test_a_state_of_another_form_is_named(
    tmp_path, mini, train, validation, tiny, trained_state, key, value
):
    changed = {k: v for k, v in trained_state.items() if k != key or value is not ...}
    torch.save({**changed, **({} if value is ... else {key: value})}, tmp_path / "state.pt")
    with pytest.raises(
        InputError, match=r"state\.pt (is|was) .*; delete it to start anew"
    ) as caught:
        fine_tune(mini, train, validation, tiny, folder=tmp_path, progress=False)
    assert "\n" not in str(caught.value)


@pytest.fixture(scope="module")
def trained_state(tmp_path_factory, train, validation, tiny):
    folder = tmp_path_factory.mktemp("state")
    fine_tune(
        mskseg.load_segmenter("sam_vit_mini"),
        train,
        validation,
        tiny,
        folder=folder,
        progress=False,
    )
    return torch.load(folder / "state.pt", weights_only=True)
