"""Models trained for one task: U-Net, DeepLabV3+ and nnU-Net, with a box or without.

>>> config = SpecialistConfig(prompt="box")                      # doctest: +SKIP
>>> specialist = train_specialist(train, validation, config)     # doctest: +SKIP
>>> score_cases(specialist, test, prompts=OracleBox())           # doctest: +SKIP
>>> run = train_nnunet(train, validation, NnunetConfig(), folder="runs/2d")   # doctest: +SKIP
>>> score_label_maps(run, test, run.predict(test).label_maps)    # doctest: +SKIP

`config` what is asked, `networks` the architectures, `frames` slices in and out of the network,
`samples` and `training` how it learns, `specialist` what comes back, `loading` what was saved,
`volumes` label maps with probabilities, `comparing`, `arms` and `efforts` models side by side,
`nnunet` the real nnU-Net v2.

The names are imported when they are first used: nnU-Net's own process needs few of them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mskseg.specialists.arms import arm_means, score_arms
    from mskseg.specialists.comparing import (
        crossings,
        score_families,
        score_model,
        score_test_sets,
    )
    from mskseg.specialists.config import SpecialistConfig
    from mskseg.specialists.efforts import effort_table
    from mskseg.specialists.loading import load_specialist
    from mskseg.specialists.nnunet.config import NnunetConfig
    from mskseg.specialists.nnunet.running import NnunetRun, run_key, train_nnunet
    from mskseg.specialists.specialist import Specialist
    from mskseg.specialists.training import train_specialist
    from mskseg.specialists.volumes import Predictions, checked_probabilities

_NAMES = {
    "mskseg.specialists.arms": ("arm_means", "score_arms"),
    "mskseg.specialists.comparing": (
        "crossings",
        "score_families",
        "score_model",
        "score_test_sets",
    ),
    "mskseg.specialists.config": ("SpecialistConfig",),
    "mskseg.specialists.efforts": ("effort_table",),
    "mskseg.specialists.loading": ("load_specialist",),
    "mskseg.specialists.nnunet.config": ("NnunetConfig",),
    "mskseg.specialists.nnunet.running": ("NnunetRun", "run_key", "train_nnunet"),
    "mskseg.specialists.specialist": ("Specialist",),
    "mskseg.specialists.training": ("train_specialist",),
    "mskseg.specialists.volumes": ("Predictions", "checked_probabilities"),
}
_HOMES = {name: module for module, names in _NAMES.items() for name in names}

__all__ = [
    "NnunetConfig",
    "NnunetRun",
    "Predictions",
    "Specialist",
    "SpecialistConfig",
    "arm_means",
    "checked_probabilities",
    "crossings",
    "effort_table",
    "load_specialist",
    "run_key",
    "score_arms",
    "score_families",
    "score_model",
    "score_test_sets",
    "train_nnunet",
    "train_specialist",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'mskseg.specialists' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
