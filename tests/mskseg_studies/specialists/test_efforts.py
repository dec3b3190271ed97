"""What each training was given, in one table."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
from torch import nn

from mskseg.finetuning.config import FineTuneConfig
from mskseg.finetuning.result import FineTuneResult
from mskseg_studies.specialists.config import SpecialistConfig
from mskseg_studies.specialists.efforts import effort_table
from mskseg_studies.specialists.nnunet.config import NnunetConfig
from mskseg_studies.specialists.nnunet.exporting import Labels
from mskseg_studies.specialists.nnunet.running import NnunetRun
from mskseg_studies.specialists.specialist import HISTORY, Specialist


def test_steps_are_those_done_and_those_kept(tmp_path):
    epochs = pd.DataFrame({"epoch": [0, 1, 2], "step": [0, 20, 40], "validation_dice": [0, 1, 0]})
    tuning = FineTuneResult(
        segmenter=SimpleNamespace(name="SAM"),
        history=epochs,
        best_epoch=1,
        trainable_parameters=5,
        seconds=7.0,
        peak_memory_mb=1.0,
        stopped="all epochs",
        config=FineTuneConfig(learning_rate=3e-4, slices_per_step=2, prompts_per_slice=None),
        base={},
        data={},
    )
    history = pd.DataFrame([(10, 1.0, 0.8, 2.0), (15, 1.0, 0.6, 3.0)], columns=list(HISTORY))
    config = SpecialistConfig(steps=15, prompt="none")
    specialist = Specialist(nn.Identity(), config, {3: "disc"}, history=history)
    lines = [f"mskseg: epoch {n} of 2, loss 0.5, pseudo Dice 0.1\n" for n in (1, 2)]
    (tmp_path / "log.txt").write_text("".join(lines), encoding="utf-8")
    run = NnunetRun(tmp_path, NnunetConfig(iterations_per_epoch=6), Labels((3,), {3: "disc"}))

    table = effort_table([tuning, specialist, run])
    assert list(table.index) == ["SAM", "U-Net, automatic", "nnU-Net 2d (12 iterations)"]
    assert table["steps"].tolist() == [40, 15, 12]
    assert table["kept_step"].tolist() == [20, 10, 12]
    assert table["each_step"].tolist() == [
        "2 slices, all objects of each",
        "8 slices",
        "as many patches as planned",
    ]
    assert table["start"].tolist() == ["pretrained", "random", "random"]
    np.testing.assert_equal(table["seconds"].tolist(), [7.0, 3.0, np.nan])
