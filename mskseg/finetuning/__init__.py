"""Fine-tuning of a promptable segmenter on labelled scans.

>>> config = FineTuneConfig(mode="decoder", epochs=5)
>>> config.mode, config.epochs
('decoder', 5)

With it, ``result = fine_tune(segmenter, train, validation, config)`` tunes, and
``result.save("tuned.safetensors")`` writes what `mskseg.load_segmenter` reads.

`config` the settings, `modes` which parameters train, `dataset` slices and the prompts drawn for
them, `prompt_tokens` a prompt on its way into the decoder, `losses`, `trainer` one step and the
validation, `loop` the epochs, `checkpoint` resuming, `result` the tuned model, `machine` several
processes, and memory.
"""

from mskseg.finetuning.config import FineTuneConfig as FineTuneConfig
from mskseg.finetuning.loop import fine_tune as fine_tune
from mskseg.finetuning.modes import count_trainable as count_trainable
from mskseg.finetuning.result import DivergedError as DivergedError
from mskseg.finetuning.result import FineTuneResult as FineTuneResult
from mskseg.finetuning.result import read_tuning as read_tuning
