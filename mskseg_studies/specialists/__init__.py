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
    from mskseg_studies.specialists.arms import arm_means, score_arms
    from mskseg_studies.specialists.comparing import (
        crossings,
        score_families,
        score_model,
        score_test_sets,
    )
    from mskseg_studies.specialists.config import SpecialistConfig
    from mskseg_studies.specialists.efforts import effort_table
    from mskseg_studies.specialists.loading import load_specialist
    from mskseg_studies.specialists.nnunet.config import NnunetConfig
    from mskseg_studies.specialists.nnunet.running import NnunetRun, run_key, train_nnunet
    from mskseg_studies.specialists.specialist import Specialist
    from mskseg_studies.specialists.training import train_specialist
    from mskseg_studies.specialists.volumes import Predictions, checked_probabilities

_NAMES = {
    "mskseg_studies.specialists.arms": ("arm_means", "score_arms"),
    "mskseg_studies.specialists.comparing": (
        "crossings",
        "score_families",
        "score_model",
        "score_test_sets",
    ),
    "mskseg_studies.specialists.config": ("SpecialistConfig",),
    "mskseg_studies.specialists.efforts": ("effort_table",),
    "mskseg_studies.specialists.loading": ("load_specialist",),
    "mskseg_studies.specialists.nnunet.config": ("NnunetConfig",),
    "mskseg_studies.specialists.nnunet.running": ("NnunetRun", "run_key", "train_nnunet"),
    "mskseg_studies.specialists.specialist": ("Specialist",),
    "mskseg_studies.specialists.training": ("train_specialist",),
    "mskseg_studies.specialists.volumes": ("Predictions", "checked_probabilities"),
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
        raise AttributeError(f"module 'mskseg_studies.specialists' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
