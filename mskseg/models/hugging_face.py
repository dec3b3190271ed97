"""Tensors of a Hugging Face `SamModel` under the names that SAM's authors gave them.

`facebook/sam-vit-base` and `wanglab/medsam-vit-base` hold the published numbers, under other names.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from torch import Tensor

_MLP = r"(iou_prediction_head|output_hypernetworks_mlps\.\d)"
# Applied from the first to the last; what none of them matches has one name on both sides.
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


def with_published_names(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename the tensors of a `SamModel`; those of any other checkpoint keep their names."""
    if not any(name.startswith("vision_encoder.") for name in weights):
        return dict(weights)
    # "layers.0" is the second layer of a head only where the first is called proj_in.
    all_new = any(".proj_in." in name for name in weights)
    names = [pair for pair in _NAMES if all_new or _MLP not in pair[0]]
    return {_published(name, names): tensor for name, tensor in weights.items()}


def _published(name: str, names: list[tuple[str, str]]) -> str:
    for pattern, replacement in names:
        name = re.sub(pattern, replacement, name)
    return name
