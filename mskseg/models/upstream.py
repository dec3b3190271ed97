"""The one place where `segment_anything` is imported: a broken installation is explained here.

Raises
------
mskseg.environment.EnvironmentMismatchError
    On import, if torch and torchvision do not fit each other.
"""

from __future__ import annotations

from mskseg.environment import check_torch_pair

check_torch_pair()

from segment_anything import (  # noqa: E402  (the check must come first)
    SamAutomaticMaskGenerator,
    sam_model_registry,
)
from segment_anything.modeling import (  # noqa: E402
    MaskDecoder,
    PromptEncoder,
    Sam,
    TwoWayTransformer,
)
from segment_anything.modeling.transformer import Attention  # noqa: E402
from segment_anything.utils.transforms import ResizeLongestSide  # noqa: E402

__all__ = [
    "Attention",
    "MaskDecoder",
    "PromptEncoder",
    "ResizeLongestSide",
    "Sam",
    "SamAutomaticMaskGenerator",
    "TwoWayTransformer",
    "sam_model_registry",
]
