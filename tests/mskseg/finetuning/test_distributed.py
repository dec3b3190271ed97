"""Several processes train one model: two on the CPU, as torchrun starts them."""

from __future__ import annotations

import pytest
import torch
from support.processes import TORCHRUN, run_python

from mskseg.finetuning.machine import join_processes

SCRIPT = """
import sys
from pathlib import Path
import torch
from mskseg.finetuning.machine import join_processes
from mskseg_mini.training.pretrain import Pretraining
from mskseg_mini.training.pretrain_step import PretrainConfig

torch.set_num_threads(1)
folder = Path(sys.argv[1])
processes = join_processes("cpu")
config = PretrainConfig(steps=2, warm_steps=1, scenes=1, prompts=1, patch_share=1.0)
run = Pretraining(config, folder, processes=processes)
run.begin()
losses = [run.advance() for _ in range(2)]
run.save(0.5)
again = Pretraining(config, folder, processes=processes)
torch.distributed.barrier()
assert again.resume()
torch.save(
    {
        "losses": losses,
        "sam": run.sam.state_dict(),
        "average": run.average.state_dict(),
        "generator": run.generator.get_state(),
        "resumed_generator": again.generator.get_state(),
        "start": torch.load(folder / "state.pt", weights_only=True)["step"],
    },
    folder / f"rank{processes.rank}.pt",
)
"""


@pytest.fixture(scope="module")
def ranks(tmp_path_factory: pytest.TempPathFactory) -> list[dict]:
    folder = tmp_path_factory.mktemp("distributed")
    script = folder / "train.py"
    script.write_text(SCRIPT)
    run_python(*TORCHRUN, script, folder)
    return [torch.load(folder / f"rank{rank}.pt", weights_only=True) for rank in range(2)]


@pytest.mark.slow
def test_two_processes_keep_the_same_weights_though_they_see_other_scenes(ranks):
    first, second = ranks
    for part in ("sam", "average"):
        for name, value in first[part].items():
            assert torch.equal(value, second[part][name]), name
    assert first["losses"] != second["losses"]


@pytest.mark.slow
def test_each_process_resumes_with_its_own_random_state(ranks):
    for rank in ranks:
        assert torch.equal(rank["generator"], rank["resumed_generator"])
    assert not torch.equal(ranks[0]["generator"], ranks[1]["generator"])


def test_without_torchrun_there_is_one_process():
    processes = join_processes("cpu")
    assert (processes.world_size, processes.is_first, processes.device.type) == (1, True, "cpu")
