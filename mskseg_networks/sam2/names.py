"""Names of SAM 2's tensors: its authors' and those of `transformers`, to those of our `Sam`.

`transformers` calls most layers otherwise than the authors do; ours are its names, sorted into the
three parts that fine-tuning freezes and thaws. What only the memory needs begins with "memory.".
"""

import re
from collections.abc import Iterable, Mapping

from torch import Tensor, cat

MEMORY = "memory."
"""How the tensors begin that follow an object from slice to slice; an image needs none of them."""

# Applied from the first to the last, so that each line sees what those above it made.
_OF_THE_AUTHORS = (
    (r"^image_encoder\.trunk\.", "vision_encoder.backbone."),
    (r"^image_encoder\.neck\.convs\.(\d)\.conv\.", r"vision_encoder.neck.convs.\1."),
    (r"\.patch_embed\.proj\.", ".patch_embed.projection."),
    (r"(blocks\.\d+\.mlp|transformer\.layers\.\d\.mlp)\.layers\.0\.", r"\1.proj_in."),
    (r"(blocks\.\d+\.mlp|transformer\.layers\.\d\.mlp)\.layers\.1\.", r"\1.proj_out."),
    (r"^sam_(prompt_encoder|mask_decoder)\.", r"\1."),
    (r"^obj_ptr_proj\.", "object_pointer_proj."),
    (r"(_head|_mlps\.\d|object_pointer_proj)\.layers\.0\.", r"\1.proj_in."),
    (r"(_head|_mlps\.\d|object_pointer_proj)\.layers\.2\.", r"\1.proj_out."),
    (r"(_head|_mlps\.\d|object_pointer_proj)\.layers\.1\.", r"\1.layers.0."),
    (r"\.pe_layer\.positional_encoding_gaussian_matrix$", ".shared_embedding.positional_embedding"),
    (r"\.mask_downscaling\.0\.", ".mask_embed.conv1."),
    (r"\.mask_downscaling\.1\.", ".mask_embed.layer_norm1."),
    (r"\.mask_downscaling\.3\.", ".mask_embed.conv2."),
    (r"\.mask_downscaling\.4\.", ".mask_embed.layer_norm2."),
    (r"\.mask_downscaling\.6\.", ".mask_embed.conv3."),
    (r"\.output_upscaling\.0\.", ".upscale_conv1."),
    (r"\.output_upscaling\.1\.", ".upscale_layer_norm."),
    (r"\.output_upscaling\.3\.", ".upscale_conv2."),
    (r"^(mask_decoder|memory_attention)(.*)\.out_proj\.", r"\1\2.o_proj."),
    (r"^no_mem_embed$", "no_memory_embedding"),
    (r"^no_mem_pos_enc$", "no_memory_positional_encoding"),
    (r"^maskmem_tpos_enc$", "memory_temporal_positional_encoding"),
    (r"^no_obj_ptr$", "no_object_pointer"),
    (r"^no_obj_embed_spatial$", "occlusion_spatial_embedding_parameter"),
    (r"^obj_ptr_tpos_proj\.", "temporal_positional_encoding_projection_layer."),
    (r"^memory_encoder\.out_proj\.", "memory_encoder.projection."),
    (r"\.pix_feat_proj\.", ".feature_projection."),
    (r"\.mask_downsampler\.encoder\.12\.", ".mask_downsampler.final_conv."),
    (r"\.fuser\.", ".memory_fuser."),
    (r"\.gamma$", ".scale"),
    (r"\.dwconv\.", ".depthwise_conv."),
    (r"\.pwconv", ".pointwise_conv"),
    (r"\.norm(\d?)\.", r".layer_norm\1."),
    (r"\.norm_final_attn\.", ".layer_norm_final_attn."),
)
# Between `transformers` and ours; read from right to left on the way back.
_PARTS = (
    ("mask_decoder.conv_s", "image_encoder.conv_s"),
    ("vision_encoder.", "image_encoder."),
    ("no_memory_embedding", "mask_decoder.no_memory_embedding"),
)
_OURS = ("image_encoder.", "prompt_encoder.", "mask_decoder.", MEMORY)


def our_names(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename a checkpoint of either form; what is no SAM 2 keeps its names."""
    if "sam_mask_decoder.obj_score_token.weight" in weights:
        weights = _of_transformers(weights)
    if "vision_encoder.backbone.pos_embed" not in weights:
        return dict(weights)
    named = {}
    for name, tensor in weights.items():
        moved = _moved(name, _PARTS)
        named[moved if moved.startswith(_OURS) else MEMORY + moved] = tensor
    # The same numbers once more, where the file has them.
    named.pop(f"{MEMORY}shared_image_embedding.positional_embedding", None)
    return named


def names_of_transformers(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Undo `our_names` for a `Sam2VideoModel`."""
    back = [(ours, theirs) for theirs, ours in _PARTS]
    named = {_moved(name, back).removeprefix(MEMORY): weights[name] for name in weights}
    shared = named["prompt_encoder.shared_embedding.positional_embedding"]
    return named | {"shared_image_embedding.positional_embedding": shared}


def _moved(name: str, parts: Iterable[tuple[str, str]]) -> str:
    """Exchange what a name begins with: the first of the parts that fits."""
    for before, after in parts:
        if name.startswith(before):
            return after + name.removeprefix(before)
    return name


def _of_transformers(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename the authors' tensors; the four embeddings of points become one."""
    points = [f"sam_prompt_encoder.point_embeddings.{kind}.weight" for kind in range(4)]
    renamed = {_renamed(name): tensor for name, tensor in weights.items() if name not in points}
    if all(name in weights for name in points):
        renamed["prompt_encoder.point_embed.weight"] = cat([weights[name] for name in points])
    return renamed


def _renamed(name: str) -> str:
    for pattern, replacement in _OF_THE_AUTHORS:
        name = re.sub(pattern, replacement, name)
    # Of each step down a convolution, a norm and an activation are counted: 0 1 2, 3 4 5, ...
    if step := re.match(r"(.*\.mask_downsampler)\.encoder\.(\d+)\.(.*)", name):
        layer, kind = divmod(int(step[2]), 3)
        name = f"{step[1]}.layers.{layer}.{('conv', 'layer_norm')[kind]}.{step[3]}"
    return name
