"""The sizes of SAM 2.1, and MedSAM2, which is the smallest of them in a smaller frame."""

from functools import partial
from typing import Any

from mskseg.environment import check_torch_pair, package_version
from mskseg.errors import InputError
from mskseg.models.checkpoints import Architecture
from mskseg.models.upstream import Sam
from mskseg_networks.sam2.names import MEMORY, our_names

_OLDEST = 5  # major version of transformers


def sam2_architecture(image_size: int, **hiera: Any) -> Architecture:
    """Describe a size by fields of `transformers.Sam2HieraDetConfig`; see `build_sam2`."""
    return Architecture(
        partial(build_sam2, image_size, **hiera),
        landmark="mask_decoder.obj_score_token.weight",
        rename=our_names,
        memory_prefix=MEMORY,
        preprocessings=("sam2", "medsam2"),
        follow=_follow,
    )


def _follow(*arguments: Any, **options: Any) -> list[dict[int, Any]]:
    from mskseg_networks.sam2.labels import follow_labels  # here: it imports the evaluation

    return follow_labels(*arguments, **options)


def build_sam2(image_size: int, **hiera: Any) -> Sam:
    """Build the network with fresh weights; InputError without a recent `transformers`.

    `hiera` are fields of `transformers.Sam2HieraDetConfig`: widths, depths, heads and windows of
    the image encoder. The rest is the same in all sizes.
    """
    check_torch_pair()  # transformers may import torchvision
    version = package_version("transformers")
    needed = f"SAM 2 needs transformers {_OLDEST} or newer, got {version or 'none'}"
    install = "run: python -m pip install 'mskseg[sam2]'"
    if version is None or int(version.partition(".")[0]) < _OLDEST:
        raise InputError(f"{needed}; {install}")
    try:
        from mskseg_networks.sam2 import network
    except ImportError as error:
        raise InputError(f"{needed}, which cannot be imported ({error}); {install}") from error
    return network.build(network.video_config(image_size, **hiera))


_TINY = {
    "hidden_size": 96,
    "embed_dim_per_stage": [96, 192, 384, 768],
    "num_attention_heads_per_stage": [1, 2, 4, 8],
    "blocks_per_stage": [1, 2, 7, 2],
    "global_attention_blocks": [5, 7, 9],
}

SAM2_TINY = sam2_architecture(1024, **_TINY)
SAM2_SMALL = sam2_architecture(
    1024, **_TINY | {"blocks_per_stage": [1, 2, 11, 2], "global_attention_blocks": [7, 10, 13]}
)
SAM2_BASE_PLUS = sam2_architecture(
    1024,
    hidden_size=112,
    embed_dim_per_stage=[112, 224, 448, 896],
    num_attention_heads=2,
    num_attention_heads_per_stage=[2, 4, 8, 16],
    blocks_per_stage=[2, 3, 16, 3],
    global_attention_blocks=[12, 16, 20],
    window_positional_embedding_background_size=[14, 14],
)
SAM2_LARGE = sam2_architecture(
    1024,
    hidden_size=144,
    embed_dim_per_stage=[144, 288, 576, 1152],
    num_attention_heads=2,
    num_attention_heads_per_stage=[2, 4, 8, 16],
    blocks_per_stage=[2, 6, 36, 4],
    global_attention_blocks=[23, 33, 43],
    window_size_per_stage=[8, 4, 16, 8],
)
MEDSAM2 = sam2_architecture(512, **_TINY)
"""SAM 2.1's tiny size at 512 px; the tensors are of the same shapes."""
