"""Files of weights: read without running anything they may contain, written whole or not."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from mskseg.errors import InputError
from mskseg.files import written_atomically

_ZIP_MAGIC = b"PK\x03\x04"  # torch.save since 1.6
_PICKLE_MAGIC = b"\x80"  # torch.save before
# What torch.load raises on damaged bytes, assertions of its own included.
_DAMAGED = (
    RuntimeError, EOFError, OSError, ValueError, KeyError, IndexError, TypeError, AttributeError,
    AssertionError,
)  # fmt: skip
_WRAPPERS = ("model", "state_dict", "model_state_dict")  # as training scripts save them


def read_weights(path: str | Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Read tensors by name, on the CPU, and the metadata of safetensors.

    The kind of file is read from its first bytes, not from its suffix: safetensors, or what
    `torch.save` wrote: a state dictionary, bare or as "model", "state_dict" or "model_state_dict"
    of another dictionary, with or without "module." in front of each name. A pickle that would run
    code is refused. InputError if the file is missing, unreadable, truncated, not a checkpoint, or
    would run code.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            start = file.read(9)
    except OSError as error:
        raise InputError(
            f"cannot read {path}: {error.strerror}; give the path of a checkpoint"
        ) from error
    if start[8:9] == b"{":  # first: the length before it may begin as a pickle does
        return _read_safetensors(path)
    if start.startswith((_ZIP_MAGIC, _PICKLE_MAGIC)):
        return _state_dict(_read_pickle(path), path), {}
    what = "is empty" if not start else "is neither a PyTorch checkpoint nor safetensors"
    raise InputError(f"{path} {what}; give a .pth or .safetensors file with a model's weights")


def write_safetensors(
    tensors: Mapping[str, Tensor], path: str | Path, *, metadata: Mapping[str, str]
) -> None:
    """Write tensors completely or not at all; OutputError if the file cannot be written."""
    with written_atomically(path) as temporary:
        try:
            save_file(dict(tensors), temporary, metadata=dict(metadata))
        except SafetensorError as error:  # how it says that the disk is full
            raise OSError(str(error)) from error


def _read_pickle(path: Path) -> Any:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if "weights_only" in str(error) or "Weights only" in str(error):
            raise InputError(
                f"{path} holds Python objects that could run code when loaded, expected tensors "
                "only; save its state_dict() as safetensors where you trust it"
            ) from error
        raise _damaged(path) from error
    except _DAMAGED as error:
        raise _damaged(path) from error


def _read_safetensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    try:
        with safe_open(path, framework="pt") as file:
            # A safetensors file is not iterable, so keys() is no slip.
            weights = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
            return weights, file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise _damaged(path) from error


def _damaged(path: Path) -> InputError:
    size = path.stat().st_size
    return InputError(
        f"{path} is damaged or truncated ({size} bytes), expected a complete checkpoint; "
        "fetch it again"
    )


def _state_dict(loaded: Any, path: Path) -> dict[str, Tensor]:
    if isinstance(loaded, dict):
        for wrapper in _WRAPPERS:
            if isinstance(loaded.get(wrapper), dict):
                loaded = loaded[wrapper]
                break
    if not isinstance(loaded, dict) or not loaded:
        raise InputError(
            f"{path} holds a {type(loaded).__name__}, expected tensors by name; save "
            "model.state_dict()"
        )
    other = [key for key, value in loaded.items() if not isinstance(value, Tensor)]
    if other:
        raise InputError(
            f"{path} holds more than tensors, the first is {other[0]!r}, expected tensors by "
            "name; save model.state_dict()"
        )
    return {str(key).removeprefix("module."): value for key, value in loaded.items()}
