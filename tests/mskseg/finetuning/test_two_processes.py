"""Two processes on the CPU (gloo), as torchrun starts them, train as one does."""

from __future__ import annotations

from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
from support import tuning_cases
from support.processes import TORCHRUN, run_python

from mskseg.errors import InputError
from mskseg.finetuning.loop import fine_tune
from mskseg.finetuning.machine import join_processes

SCRIPT = """
import importlib.util, os, sys
import torch
spec = importlib.util.spec_from_file_location("shapes", sys.argv[1])
shapes = importlib.util.module_from_spec(spec)
spec.loader.exec_module(shapes)
import mskseg
from mskseg.finetuning import FineTuneConfig, fine_tune

torch.set_num_threads(1)
config = FineTuneConfig(**eval(sys.argv[3]))
result = fine_tune(
    mskseg.load_segmenter("sam_vit_mini"), shapes.draw_uneven_set(),
    shapes.draw_set("validation", n=1, first=10), config,
    folder=sys.argv[2], progress=False,
)
torch.save(
    {"loss": result.history["loss"].tolist(), "dice": result.history["validation_dice"].tolist(),
     "weights": result.segmenter.model.state_dict()},
    f"{sys.argv[2]}/rank{os.environ['RANK']}.pt",
)
"""


@pytest.fixture(scope="module")
def config(tiny):
    return replace(tiny, mode="full", epochs=2, patience=0, jitter_px=2.0, prompts_per_slice=None)


@pytest.fixture(scope="module")
def ranks(config, tmp_path_factory):
    folder = tmp_path_factory.mktemp("ranks")
    script = folder / "tune.py"
    script.write_text(SCRIPT)
    run_python(*TORCHRUN, script, tuning_cases.__file__, folder, repr(asdict(config)))
    return [torch.load(folder / f"rank{rank}.pt", weights_only=True) for rank in range(2)]


@pytest.mark.slow
def test_two_processes_have_the_losses_of_one_with_the_same_step(
    ranks, config, uneven, validation, mini
):
    one = fine_tune(mini, uneven, validation, config, progress=False)
    for rank in ranks:
        np.testing.assert_allclose(rank["loss"], one.history["loss"], rtol=1e-4)
        np.testing.assert_allclose(rank["dice"], one.history["validation_dice"], atol=2e-3)


@pytest.mark.slow
def test_both_processes_end_with_the_same_weights(ranks):
    first, second = (rank["weights"] for rank in ranks)
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_more_processes_than_slices_a_step_are_refused(mini, train, validation, tiny, monkeypatch):
    from types import SimpleNamespace

    from mskseg.finetuning import loop

    monkeypatch.setattr(loop, "join_processes", lambda device: SimpleNamespace(world_size=4))
    with pytest.raises(InputError, match="for each of 4 processes, got slices_per_step 2; pass 4"):
        fine_tune(mini, train, validation, tiny, progress=False)


def test_without_torchrun_there_is_one_process():
    processes = join_processes("cpu")
    assert (processes.world_size, processes.is_first, processes.device.type) == (1, True, "cpu")
