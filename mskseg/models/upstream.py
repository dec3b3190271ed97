"""The one place where `segment_anything` is imported: a broken installation is explained here.

Importing raises `mskseg.environment.EnvironmentMismatchError` if torch and torchvision do not fit
each other.
"""

from mskseg.environment import check_torch_pair

check_torch_pair()

import os
from typing import Any

# ruff: noqa: E402  (the check must come first)
from segment_anything import SamAutomaticMaskGenerator as SamAutomaticMaskGenerator
from segment_anything import sam_model_registry as sam_model_registry
from segment_anything.modeling import MaskDecoder as MaskDecoder
from segment_anything.modeling import PromptEncoder as PromptEncoder
from segment_anything.modeling import Sam as Sam
from segment_anything.modeling import TwoWayTransformer as TwoWayTransformer
from segment_anything.modeling.image_encoder import get_rel_pos as get_rel_pos
from segment_anything.modeling.transformer import Attention as Attention
from segment_anything.utils.amg import build_point_grid as build_point_grid
from segment_anything.utils.transforms import ResizeLongestSide as ResizeLongestSide

AS_PUBLISHED = bool(os.environ.get("MSKSEG_AS_PUBLISHED"))
"""Whether models are computed by their authors' code alone, which is slower."""


def is_upstream(part: Any, name: str, module: str) -> bool:
    """Whether a part of a model is of a class of SAM's authors, or of a copy of their package."""
    of = type(part)
    return of.__name__ == name and of.__module__.endswith(f"segment_anything.modeling.{module}")
