"""Fine-tuning of a promptable segmenter on labelled scans.

>>> config = FineTuneConfig(mode="decoder", epochs=5)
>>> config.mode, config.epochs
('decoder', 5)

With it, ``result = fine_tune(segmenter, train, validation, config)`` tunes, and
``result.save("tuned.safetensors")`` writes what `mskseg.load_segmenter` reads.
"""

from mskseg.finetuning.config import FineTuneConfig as FineTuneConfig
from mskseg.finetuning.loop import fine_tune as fine_tune
from mskseg.finetuning.modes import count_trainable as count_trainable
from mskseg.finetuning.result import DivergedError as DivergedError
from mskseg.finetuning.result import FineTuneResult as FineTuneResult
