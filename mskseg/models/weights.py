"""Files of weights: read without running anything they may contain, written whole or not."""

import pickle
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from mskseg.errors import InputError, naming
from mskseg.files import written_atomically
from mskseg.input_files import check_regular, reason_of

_MOST_MB = 16_000.0  # ViT-H with its optimiser takes 7,700
_ZIP_MAGIC = b"PK\x03\x04"  # torch.save since 1.6
_PICKLE_MAGIC = b"\x80"  # torch.save before
# As training scripts save them: MedSAM's, Lightning, micro-sam's (torch_em).
_WRAPPERS = ("model", "state_dict", "model_state_dict", "model_state", "net", "weights")
# What DistributedDataParallel, torch.compile and others put into names, at any place.
_WRAPPED = {"module", "_orig_mod", "_forward_module", "_fsdp_wrapped_module",
            "_checkpoint_wrapped_module"}  # fmt: skip
_PARTS = ("image_encoder.", "prompt_encoder.", "mask_decoder.", "vision_encoder.",
          "shared_image_embedding.")  # fmt: skip
_PART = re.compile(r"(.+)-\d{5}-of-(?!0+\.)(\d{5})(\.\w+)")  # of a checkpoint in several files
_BUFFERS = ("pixel_mean", "pixel_std")  # SAM's constants, which are not read

# Names of a Hugging Face `SamModel` (`facebook/sam-vit-base`, `wanglab/medsam-vit-base`) and those
# of SAM's authors, applied from the first to the last; what none of them matches is called alike.
_MLP = r"(iou_prediction_head|output_hypernetworks_mlps\.\d)"
_NAMES = (
    (r"^vision_encoder\.layers\.", "image_encoder.blocks."),
    (r"^vision_encoder\.", "image_encoder."),
    (r"\.patch_embed\.projection\.", ".patch_embed.proj."),
    (r"\.neck\.conv1\.", ".neck.0."),
    (r"\.neck\.layer_norm1\.", ".neck.1."),
    (r"\.neck\.conv2\.", ".neck.2."),
    (r"\.neck\.layer_norm2\.", ".neck.3."),
    (
        r"^(shared_image_embedding|prompt_encoder\.shared_embedding)\.positional_embedding$",
        "prompt_encoder.pe_layer.positional_encoding_gaussian_matrix",
    ),
    (r"\.point_embed\.", ".point_embeddings."),
    (r"\.mask_embed\.conv1\.", ".mask_downscaling.0."),
    (r"\.mask_embed\.layer_norm1\.", ".mask_downscaling.1."),
    (r"\.mask_embed\.conv2\.", ".mask_downscaling.3."),
    (r"\.mask_embed\.layer_norm2\.", ".mask_downscaling.4."),
    (r"\.mask_embed\.conv3\.", ".mask_downscaling.6."),
    (r"\.upscale_conv1\.", ".output_upscaling.0."),
    (r"\.upscale_layer_norm\.", ".output_upscaling.1."),
    (r"\.upscale_conv2\.", ".output_upscaling.3."),
    (rf"\.{_MLP}\.proj_out\.", r".\1.layers.2."),
    (rf"\.{_MLP}\.layers\.0\.", r".\1.layers.1."),
    (rf"\.{_MLP}\.proj_in\.", r".\1.layers.0."),
    (r"\.layer_norm", ".norm"),
)


def read_weights(path: str | Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Read tensors by name, on the CPU, and the metadata of safetensors.

    The kind of file is read from its first bytes, not from its suffix: safetensors, or what
    `torch.save` wrote: a state dictionary, bare or as "model", "state_dict", "model_state", ... of
    another dictionary. What all names begin with, such as "sam.", and what wrappers put into them,
    such as "module.", is left out. Of a checkpoint in parts ("...-00001-of-00003.safetensors") all
    are read. InputError if the file or a part is missing, unreadable, truncated, larger than 16 GB
    packed or unpacked, not a checkpoint, or would run code; and if a tensor is no plain one of
    real, finite numbers.
    """
    path, weights, metadata = Path(path), dict[str, Tensor](), dict[str, str]()
    if (parts := _PART.fullmatch(path.name)) is None:
        return _read_file(path)
    stem, count, suffix = parts.groups()
    for number in range(1, int(count) + 1):
        part = path.with_name(f"{stem}-{number:05d}-of-{count}{suffix}")
        if not part.is_file():
            raise InputError(f"{part} is missing, expected all {int(count)} parts; fetch it too")
        of_part, said = _read_file(part)
        weights, metadata = weights | of_part, metadata | said
    return weights, {"mskseg.name": stem} | metadata


def _read_file(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    with naming(path):
        check_regular(path, most_mb=_MOST_MB)
    try:
        with path.open("rb") as file:
            start = file.read(9)
    except OSError as error:
        raise InputError(
            f"cannot read {path}: {error.strerror}; give the path of a checkpoint"
        ) from error
    metadata: dict[str, str] = {}
    if start[8:9] == b"{":  # first: the length before it may begin as a pickle does
        weights, metadata = _read_safetensors(path)
    elif start.startswith((_ZIP_MAGIC, _PICKLE_MAGIC)):
        weights = _state_dict(read_pickle(path), path)
    else:
        what = "is empty" if not start else "is neither a PyTorch checkpoint nor safetensors"
        raise InputError(f"{path} {what}; give a .pth or .safetensors file with a model's weights")
    with naming(path):
        for name, tensor in weights.items():
            _check_tensor(name, tensor)
        return _plain_names(weights), metadata


def _check_tensor(name: str, tensor: Tensor) -> None:
    """Refuse what holds no numbers that a model computes with; InputError names the tensor."""
    kind = ""
    if tensor.layout != torch.strided or tensor.is_quantized:
        kind = "sparse or quantised"
    elif tensor.device.type == "meta":
        kind = "empty (of the meta device)"
    elif tensor.is_complex() or tensor.dtype == torch.bool:
        kind = str(tensor.dtype).removeprefix("torch.")
    elif tensor.is_floating_point() and not tensor.float().isfinite().all():
        n = int((~tensor.float().isfinite()).sum())
        raise InputError(
            f"{n} of {tensor.numel()} values of {name} are NaN or infinite, expected finite "
            "weights; the training diverged: give a checkpoint from before"
        )
    if kind:
        raise InputError(f"{name} is {kind}, expected a plain tensor of real numbers; convert it")


def _plain_names(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Leave out what wrappers put into names, then what all names begin with."""
    plain: dict[str, Tensor] = {}
    for key, tensor in weights.items():
        name = ".".join(part for part in key.split(".") if part not in _WRAPPED)
        if name in plain:
            raise InputError(f"holds {name} twice, once as {key}; keep the weights of one model")
        plain[name] = tensor
    while all("." in name and not name.startswith(_PARTS) for name in plain):
        fronts = {name.partition(".")[0] for name in plain}
        if len(fronts) > 1:
            break
        plain = {name.partition(".")[2]: tensor for name, tensor in plain.items()}
    return {name: tensor for name, tensor in plain.items() if name not in _BUFFERS}


def write_safetensors(
    tensors: Mapping[str, Tensor], path: str | Path, *, metadata: Mapping[str, str]
) -> None:
    """Write tensors completely or not at all; OutputError if the file cannot be written."""
    with written_atomically(path) as temporary:
        try:
            save_file(dict(tensors), temporary, metadata=dict(metadata))
        except SafetensorError as error:  # how it says that the disk is full
            raise OSError(str(error)) from error


def read_pickle(path: Path) -> Any:
    """Read what `torch.save` wrote, if it is tensors and numbers; InputError as `read_weights`."""
    with naming(path):
        check_regular(path, most_mb=_MOST_MB)
    try:
        if zipfile.is_zipfile(path):
            _check_stored(path)
        # What a number of numpy is pickled with, such as a best score: numbers run no code.
        scalar = np.float64(0).__reduce__()[0]
        dtypes = [getattr(np.dtypes, name) for name in np.dtypes.__all__ if name != "ObjectDType"]
        harmless = [scalar, (scalar, "numpy.core.multiarray.scalar"), np.dtype, *dtypes]
        with torch.serialization.safe_globals(harmless):
            return torch.load(path, map_location="cpu", weights_only=True)
    except InputError:
        raise
    except pickle.UnpicklingError as error:
        refused = "weights_only" in str(error) or "Weights only" in str(error)
        if refused and "Unsupported operand" not in str(error):
            named = re.search(r"GLOBAL (\S+)", str(error))
            raise InputError(
                f"{path} holds Python objects that could run code when loaded"
                f"{f', the first is {named[1]}' if named else ''}, expected tensors only; save its "
                "state_dict() as safetensors where you trust it"
            ) from error
        raise _damaged(path, error) from error
    except Exception as error:  # whatever damaged bytes lead torch to
        raise _damaged(path, error) from error


def _check_stored(path: Path) -> None:
    """Refuse an archive that unpacks to more than it holds: torch stores its parts as they are."""
    with zipfile.ZipFile(path) as archive:
        unpacked = sum(part.file_size for part in archive.infolist())
    if unpacked > path.stat().st_size:
        raise InputError(
            f"{path} unpacks from {path.stat().st_size / 1e6:,.1f} to {unpacked / 1e6:,.1f} MB, "
            "expected parts stored as torch.save writes them; save it again"
        )


def _read_safetensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    try:
        with safe_open(path, framework="pt") as file:
            # A safetensors file is not iterable, so keys() is no slip.
            weights = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
            return weights, file.metadata() or {}
    except Exception as error:  # as above
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> InputError:
    size = path.stat().st_size
    return InputError(
        f"{path} is damaged or truncated ({size} bytes), or no checkpoint ({reason_of(error)}); "
        "fetch it again, or save model.state_dict()"
    )


def _state_dict(loaded: Any, path: Path) -> dict[str, Tensor]:
    while isinstance(loaded, dict) and not any(isinstance(v, Tensor) for v in loaded.values()):
        inner = next((loaded[w] for w in _WRAPPERS if isinstance(loaded.get(w), dict)), None)
        if inner is None:
            break
        loaded = inner
    if not isinstance(loaded, dict) or not loaded:
        raise InputError(
            f"{path} holds a {type(loaded).__name__}, expected tensors by name; save "
            "model.state_dict()"
        )
    other = [key for key, value in loaded.items() if not isinstance(value, Tensor)]
    if other:
        raise InputError(
            f"{path} holds more than tensors, the first is {other[0]!r}, expected tensors by name, "
            f"or {', '.join(_WRAPPERS)} with them; save model.state_dict()"
        )
    return {str(key): value for key, value in loaded.items()}


def with_published_names(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename the tensors of a `SamModel`; those of any other checkpoint keep their names."""
    is_sam_2 = "mask_decoder.obj_score_token.weight" in weights
    if is_sam_2 or not any(name.startswith("vision_encoder.") for name in weights):
        return dict(weights)
    # "layers.0" is the second layer of a head only where the first is called proj_in.
    all_new = any(".proj_in." in name for name in weights)
    names = [pair for pair in _NAMES if all_new or _MLP not in pair[0]]
    renamed = {name: name for name in weights}
    for pattern, replacement in names:
        renamed = {key: re.sub(pattern, replacement, name) for key, name in renamed.items()}
    return {renamed[key]: tensor for key, tensor in weights.items()}
