"""Load SAM-mini to train it on, and write a miniature's weights as the package ships them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mskseg.errors import InputError
from mskseg.models.checkpoints import load_segmenter
from mskseg.models.segmenter import Segmenter
from mskseg.models.upstream import Sam
from mskseg.models.weights import write_safetensors


def load_sam_mini(weights: str | Path) -> Segmenter:
    """Load weights that a training may start from; InputError if they are not SAM-mini's."""
    start = load_segmenter(weights)
    if not start.miniature or start.preprocessing.name != "sam":
        raise InputError(f"{weights} is no SAM-mini; give sam_vit_mini or a file of its kind")
    return start


def export_miniature(sam: Sam, path: Path, *, preprocessing: str, origin: dict[str, Any]) -> None:
    """Write `sam` in half precision as safetensors that `mskseg.load_segmenter` reads.

    Parameters
    ----------
    sam : segment_anything.modeling.Sam
        Built by `build_sam_mini`.
    path : path
        Written atomically.
    preprocessing : {"sam", "medsam"}
        How its images are prepared. MedSAM's recipe trains no predicted IoU, which is noted too.
    origin : dict
        How the weights came about: settings, step, score, what they started from.
    """
    metadata = {
        "mskseg.architecture": "vit_mini",
        "mskseg.preprocessing": preprocessing,
        "mskseg.learned_iou": str(preprocessing == "sam").lower(),
        "mskseg.origin": json.dumps(origin),
    }
    state = sam.state_dict()
    halves = {name: value.detach().half().contiguous().cpu() for name, value in state.items()}
    write_safetensors(halves, path, metadata=metadata)
