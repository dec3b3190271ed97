"""Promptable foundation models on musculoskeletal MRI: what they do, and where they fail.

The names below are imported when first used, so that ``import mskseg`` is quick and silent.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mskseg.data.cases import Case, CaseSet, CaseSlice
    from mskseg.data.datasets import load_cases
    from mskseg.data.readers import (
        list_echoes,
        load_echoes,
        load_image,
        load_label_map,
        load_label_names,
        save_nifti,
    )
    from mskseg.data.volume import LabelMap, Volume
    from mskseg.errors import InputError, MsksegError, OutputError
    from mskseg.models.checkpoints import load_segmenter

    __version__: str

_HOMES = {
    "Case": "mskseg.data.cases",
    "CaseSet": "mskseg.data.cases",
    "CaseSlice": "mskseg.data.cases",
    "InputError": "mskseg.errors",
    "LabelMap": "mskseg.data.volume",
    "MsksegError": "mskseg.errors",
    "OutputError": "mskseg.errors",
    "Volume": "mskseg.data.volume",
    "list_echoes": "mskseg.data.readers",
    "load_cases": "mskseg.data.datasets",
    "load_echoes": "mskseg.data.readers",
    "load_image": "mskseg.data.readers",
    "load_label_map": "mskseg.data.readers",
    "load_label_names": "mskseg.data.readers",
    "load_segmenter": "mskseg.models.checkpoints",
    "save_nifti": "mskseg.data.readers",
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
