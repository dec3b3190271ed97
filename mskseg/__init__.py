"""Promptable foundation models on musculoskeletal MRI: what they do, and where they fail.

The names below are imported when first used, so that ``import mskseg`` is quick and silent.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mskseg.case import Case, CaseSet, CaseSlice
    from mskseg.datasets.loading import load_cases
    from mskseg.errors import InputError, MsksegError, OutputError
    from mskseg.io.readers import (
        list_echoes,
        load_echoes,
        load_image,
        load_label_map,
        load_label_names,
        save_nifti,
    )
    from mskseg.models.checkpoints import load_segmenter
    from mskseg.volume import LabelMap, Volume

    __version__: str

_HOMES = {
    "Case": "mskseg.case",
    "CaseSet": "mskseg.case",
    "CaseSlice": "mskseg.case",
    "InputError": "mskseg.errors",
    "LabelMap": "mskseg.volume",
    "MsksegError": "mskseg.errors",
    "OutputError": "mskseg.errors",
    "Volume": "mskseg.volume",
    "list_echoes": "mskseg.io.readers",
    "load_cases": "mskseg.datasets.loading",
    "load_echoes": "mskseg.io.readers",
    "load_image": "mskseg.io.readers",
    "load_label_map": "mskseg.io.readers",
    "load_label_names": "mskseg.io.readers",
    "load_segmenter": "mskseg.models.checkpoints",
    "save_nifti": "mskseg.io.readers",
}

__all__ = [
    "Case",
    "CaseSet",
    "CaseSlice",
    "InputError",
    "LabelMap",
    "MsksegError",
    "OutputError",
    "Volume",
    "__version__",
    "list_echoes",
    "load_cases",
    "load_echoes",
    "load_image",
    "load_label_map",
    "load_label_names",
    "load_segmenter",
    "save_nifti",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return _version()
    if name not in _HOMES:
        raise AttributeError(f"module 'mskseg' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("mskseg")
    except PackageNotFoundError:  # a source tree on the path that was never installed
        return "0+unknown"


def __dir__() -> list[str]:
    return __all__
