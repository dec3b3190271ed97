"""Fine-tuning of a promptable segmenter on labelled scans.

>>> config = FineTuneConfig(mode="decoder", epochs=5)            # doctest: +SKIP
>>> result = fine_tune(segmenter, train, validation, config)     # doctest: +SKIP
>>> result.save("tuned.safetensors")                             # doctest: +SKIP
>>> segmenter = mskseg.load_segmenter("tuned.safetensors")       # doctest: +SKIP

`config` what is asked, `modes` which parameters train, `samples` slices and prompts, `frames` the
target in the decoder's frame, `questions` prompts as tensors, `encoding` embeddings, `tuning` one
step, `loop` the epochs, `checkpoints` resuming, `result` what comes back.
"""

from __future__ import annotations

from mskseg.finetuning.config import FineTuneConfig
from mskseg.finetuning.loop import fine_tune
from mskseg.finetuning.modes import count_trainable
from mskseg.finetuning.result import DivergedError, FineTuneResult, read_tuning

__all__ = [
    "DivergedError",
    "FineTuneConfig",
    "FineTuneResult",
    "count_trainable",
    "fine_tune",
    "read_tuning",
]
