"""From a name in the manifest, or a file, to a model with its weights: `load_segmenter`."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from mskseg.datasets.fetching import fetch, matches
from mskseg.datasets.manifest import load_manifest
from mskseg.errors import InputError, did_you_mean
from mskseg.input_files import user_path
from mskseg.models.embeddings import EmbeddingCache
from mskseg.models.preprocessing import Preprocessing, PromptFrame, preprocessings
from mskseg.models.segmenter import PROMPT_KINDS, Follow, Precision, Segmenter
from mskseg.models.upstream import Sam, sam_model_registry
from mskseg.models.weights import read_weights, with_published_names, write_safetensors
from mskseg.registry import load_offer, offers

PIXEL_MEAN = (123.675, 116.28, 103.53)  # SAM's: ImageNet statistics on the 0..255 scale
PIXEL_STD = (58.395, 57.12, 57.375)

_GROUP = "mskseg.architectures"
_WITHOUT_IOU = ("medsam", "lite_medsam")  # preprocessings whose recipes train without the IoU loss


@dataclass(frozen=True)
class Architecture:
    """A network that checkpoints fit into."""

    build: Callable[[], Sam]  # with fresh weights
    prompt_frame: PromptFrame = "upstream"  # see `mskseg.models.preprocessing`
    miniature: bool = False  # whether it is one of our small stand-ins
    prompt_kinds: frozenset[str] = PROMPT_KINDS  # that its authors trained it with
    landmark: str = ""  # a tensor without which nothing is compared: building it takes a package
    # Renames a checkpoint's tensors to the network's; what is of another network stays as it is.
    rename: Callable[[Mapping[str, Tensor]], dict[str, Tensor]] = with_published_names
    memory_prefix: str = ""  # of tensors kept as `Sam.memory_weights`: an image needs none of them
    preprocessings: tuple[str, ...] = ()  # that it runs with; any without
    follow: Follow | None = None  # see `mskseg.models.segmenter`

    def memory_keys(self, named: Iterable[str]) -> list[str]:
        """Pick the names of the tensors of its memory."""
        return [key for key in named if self.memory_prefix and key.startswith(self.memory_prefix)]


@cache
def architectures() -> Mapping[str, Architecture]:
    """List all known architectures by name: SAM's own, then those that other packages offer."""
    published = {
        name: Architecture(sam_model_registry[name]) for name in ("vit_b", "vit_l", "vit_h")
    }
    return published | {name: load_offer(_GROUP, name) for name in offers(_GROUP)}


def load_segmenter(
    name_or_file: str | Path,
    *,
    architecture: str | None = None,
    preprocessing: str | None = None,
    device: str | torch.device = "auto",
    precision: Precision = "float32",
    cache: EmbeddingCache | None = None,
) -> Segmenter:
    """Load a promptable model by its name in the manifest, or from a checkpoint of your own.

    Parameters
    ----------
    name_or_file : str or path-like
        A name under `models` in ``data_manifest.yaml`` ("sam_vit_mini", "sam_vit_b", ...; fetched
        into the cache if it can be and is not there), or a file: a PyTorch state dictionary
        (``.pth``, also as trainers wrap it: ``{"model": ...}``, "module." in front) or safetensors,
        under the published names or those of a Hugging Face ``SamModel`` or ``Sam2Model``; of one
        in parts, any part.
    architecture : {"vit_b", "vit_mini", "lite_medsam", "sam2_tiny", ...}, optional
        Needed for a file of your own, unless `save_weights` wrote it; not taken with a name.
    preprocessing : {"sam", "medsam", "lite_medsam", "sam2", "medsam2"}, optional
        For a file of your own, unless it says so itself. Not taken with a name: a published model
        under the other's preprocessing is another model.
    device : str or torch.device
        Where it runs; "auto" is cuda, then mps, then cpu. Weights are read on the CPU first.
    precision : {"float32", "bfloat16"}
        Of the image encoder; see `Segmenter`.
    cache : EmbeddingCache, optional
        Pass one with a folder to keep embeddings on disk; by default they stay in memory.

    Returns
    -------
    Segmenter

    Raises
    ------
    InputError
        For an unknown name, a missing file, a file that is not a checkpoint, runs code when loaded,
        is truncated or belongs to another architecture, a device that is not there, and a model
        whose package is not installed.
    """
    if not isinstance(name_or_file, str | Path):
        raise InputError(
            f"a model is named by its name or file, got {type(name_or_file).__name__}; "
            "`mskseg models list` shows the names"
        )
    models = load_manifest().models
    entry, path = models.get(str(name_or_file)), user_path(name_or_file)
    if entry is not None:
        if architecture is not None or preprocessing is not None:
            raise InputError(
                f"{name_or_file} has its own architecture and preprocessing; leave both out, or "
                "give the file instead of the name"
            )
        path = fetch(str(name_or_file))["weights"]
        weights, _ = read_weights(path)
        about = _About(
            str(name_or_file), entry.architecture, entry.preprocessing, entry.learned_iou
        )
    elif path.is_file():
        weights, metadata = read_weights(path)
        about = _about_file(path, metadata, architecture, preprocessing)
    else:
        raise InputError(
            f"{name_or_file} is neither a model's name nor a file; choose one of "
            f"{', '.join(sorted(models)) or 'none'}, or give the path of a checkpoint"
            f"{did_you_mean(str(name_or_file), models)}"
        )
    network = _known_architecture(about.architecture, path)
    preprocess = _known_preprocessing(about.preprocessing, path)
    model = _fill(weights, about.architecture, path)
    if network.preprocessings and about.preprocessing not in network.preprocessings:
        raise InputError(
            f"{path} is a {about.architecture}, expected preprocessing "
            f"{' or '.join(network.preprocessings)}, got {about.preprocessing}; name one of these"
        )
    segmenter = Segmenter(
        model,
        preprocess(model.image_encoder.img_size, network.prompt_frame),
        name=about.name,
        device=device,
        miniature=network.miniature,
        learned_iou=about.learned_iou,
        prompt_kinds=network.prompt_kinds,
        precision=precision,
        cache=cache,
        follow=network.follow,
    )
    own_px = str(segmenter.preprocessing.image_size)
    if about.image_px not in ("", own_px):
        raise InputError(
            f"{path} is of a frame of {about.image_px[:20]} px, expected {own_px}, that of "
            f"{about.architecture}; tune it at that size"
        )
    return segmenter


def save_weights(
    segmenter: Segmenter,
    path: str | Path,
    *,
    architecture: str,
    facts: Mapping[str, str] | None = None,
) -> None:
    """Write weights as safetensors that `load_segmenter` reads by their path alone.

    `architecture` is one of `architectures` (else InputError). `facts` go into the file's metadata
    too; of these "mskseg.name" is what the model is called when it is loaded, instead of the file's
    name. The file is written completely or not at all; OutputError if it cannot be.
    """
    _known_architecture(architecture, path)
    metadata = {
        "mskseg.architecture": architecture,
        "mskseg.preprocessing": segmenter.preprocessing.name,
        "mskseg.learned_iou": str(segmenter.learned_iou).lower(),
        "mskseg.image_size": str(segmenter.preprocessing.image_size),
        **(facts or {}),
    }
    named = segmenter.model.state_dict() | getattr(segmenter.model, "memory_weights", {})
    weights = {k: v.detach().cpu().contiguous() for k, v in named.items()}
    write_safetensors(weights, path, metadata=metadata)


def architecture_of(segmenter: Segmenter) -> str:
    """Find the architecture whose tensors a segmenter's model has; InputError if there is none."""
    weights, image_size = segmenter.model.state_dict(), segmenter.preprocessing.image_size
    found = next(_recognise(weights, image_size), None)
    if found is None:
        raise InputError(
            f"{segmenter.name} is none of the architectures {', '.join(architectures())}, so its "
            "file could not be loaded again; start from one of these"
        )
    return found


@dataclass(frozen=True)
class _About:
    """What a checkpoint is: by its manifest entry, or by its metadata and the caller."""

    name: str
    architecture: str
    preprocessing: str
    learned_iou: bool = True
    image_px: str = ""


def _about_file(
    path: Path, metadata: Mapping[str, str], architecture: str | None, preprocessing: str | None
) -> _About:
    architecture = architecture or metadata.get("mskseg.architecture")
    preprocessing = preprocessing or metadata.get("mskseg.preprocessing")
    if architecture is None:
        raise InputError(
            f"{path} does not say what it is; name its architecture, one of "
            f"{', '.join(architectures())}"
        )
    _known_architecture(architecture, path)
    preprocessing = _known_preprocessing(preprocessing, path).name
    learned_iou = metadata.get("mskseg.learned_iou", str(preprocessing not in _WITHOUT_IOU).lower())
    return _About(
        _own_name(path, metadata.get("mskseg.name", path.stem), architecture, preprocessing),
        architecture,
        preprocessing,
        learned_iou=learned_iou == "true",
        image_px=metadata.get("mskseg.image_size", ""),
    )


def _own_name(path: Path, name: str, architecture: str, preprocessing: str) -> str:
    """Keep the name of a published model for its very file, used as it is published."""
    entry = load_manifest().models.get(name)
    if entry is None:
        return name
    same_recipe = (entry.architecture, entry.preprocessing) == (architecture, preprocessing)
    return name if same_recipe and matches(path, entry.weights) else f"{name} (own file)"


def _known_architecture(name: str, path: str | Path) -> Architecture:
    if name not in architectures():
        raise InputError(
            f"architecture {name!r} of {path} is unknown; choose one of "
            f"{', '.join(architectures())}"
        )
    return architectures()[name]


def _known_preprocessing(name: str | None, path: Path) -> type[Preprocessing]:
    if name is None or name not in preprocessings():
        raise InputError(
            f"expected a preprocessing for {path}, got {name!r}; choose one of "
            f"{', '.join(preprocessings())}"
        )
    return preprocessings()[name]


def _fill(weights: dict[str, Tensor], architecture: str, path: Path) -> Sam:
    """Put the weights into the architecture, which is built empty: nothing is initialised twice."""
    known = architectures()[architecture]
    # To build without numbers ("meta") imports torch's compiler: seconds, for a miniature in vain.
    with torch.random.fork_rng(devices=[]), torch.device("cpu" if known.miniature else "meta"):
        model = known.build()
    named = known.rename(weights)
    memory = {key: named.pop(key) for key in known.memory_keys(named)}
    check_weights(named, model.state_dict(), architecture, path)
    real = {k: v.float() if v.is_floating_point() else v for k, v in named.items()}
    model.load_state_dict(real, assign=True)
    model.memory_weights = memory
    model.pixel_mean = torch.tensor(PIXEL_MEAN).view(-1, 1, 1)
    model.pixel_std = torch.tensor(PIXEL_STD).view(-1, 1, 1)
    return model.requires_grad_(False)


def check_weights(
    weights: Mapping[str, Tensor], expected: Mapping[str, Tensor], architecture: str, path: Path
) -> None:
    """Compare a file's tensors with the architecture's; InputError names the first that differs."""
    common = expected.keys() & weights.keys()
    differing = [key for key in common if weights[key].shape != expected[key].shape]
    for key in sorted(common):
        kinds = [t.is_floating_point() for t in (weights[key], expected[key])]
        if kinds[0] != kinds[1]:
            raise InputError(
                f"{path} is no {architecture} checkpoint: {key} is of {weights[key].dtype}, "
                f"expected {expected[key].dtype}; save the weights as floating-point numbers"
            )
    missing = sorted(expected.keys() - weights.keys())
    unknown = sorted(weights.keys() - expected.keys())
    if not (differing or missing or unknown):
        return
    if found := " or ".join(_recognise(weights)):
        raise InputError(
            f"{path} holds {found} weights, expected {architecture}; name {found} instead"
        )
    if differing:
        key = min(differing)
        what = f"{key} has shape {tuple(weights[key].shape)}, expected {tuple(expected[key].shape)}"
    elif not common:
        what = (
            f"none of its {len(unknown)} tensors is called as there: it holds {unknown[0]}, "
            f"expected {missing[0]}"
        )
    elif missing:
        what = f"{len(missing)} of {len(expected)} tensors are missing, the first is {missing[0]}"
        what += f", and it holds {unknown[0]}, which is not known" if unknown else ""
    else:
        what = f"{len(unknown)} tensors are not part of it, the first is {unknown[0]}"
    raise InputError(f"{path} is no {architecture} checkpoint: {what}; check the file and its name")


def _recognise(weights: Mapping[str, Tensor], image_size: int | None = None) -> Iterator[str]:
    """Find the architectures that all tensors fit, and the frame if it is known."""
    for name, known in architectures().items():
        named = known.rename(weights)
        if known.landmark and known.landmark not in named:
            continue
        with torch.device("meta"):
            model = known.build()
        expected = model.state_dict()
        own = named.keys() - known.memory_keys(named)
        fits = own == expected.keys() and all(named[k].shape == expected[k].shape for k in own)
        if fits and image_size in (None, model.image_encoder.img_size):
            yield name
