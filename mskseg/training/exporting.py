"""Write a miniature's weights as the package ships them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mskseg.models.upstream import Sam
from mskseg.models.weights import write_safetensors


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
