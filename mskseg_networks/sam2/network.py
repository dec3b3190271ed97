"""SAM 2's networks from `transformers`, as the three parts that the rest of mskseg works on.

Importing this imports `transformers`, which takes seconds; `mskseg_networks.sam2.architecture` does
so when a model is built, and not before.
"""

import copy
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import Sam2HieraDetConfig, Sam2VideoConfig, Sam2VideoModel, Sam2VisionConfig
from transformers.models.sam2_video.modeling_sam2_video import (
    Sam2VideoMaskDecoder,
    Sam2VideoPromptEncoder,
)

from mskseg.errors import InputError
from mskseg.models.upstream import Sam
from mskseg_networks.sam2.names import MEMORY, names_of_transformers

_STRIDES = (4, 8, 16)  # pixels of the frame a cell of each scale, from fine to coarse
_MOST_LOGIT = 32.0  # of masks that are given back, as the authors' predictor cuts them


def video_config(image_size: int, **hiera: Any) -> Sam2VideoConfig:
    """Describe SAM 2.1 with a Hiera of these widths and depths, for a square frame."""
    grids = [[image_size // stride] * 2 for stride in _STRIDES]
    widths = hiera["embed_dim_per_stage"]
    vision = Sam2VisionConfig(
        backbone_config=Sam2HieraDetConfig(image_size=[image_size] * 2, **hiera),
        backbone_channel_list=widths[::-1],
        backbone_feature_sizes=grids,
    )
    return Sam2VideoConfig(
        vision_config=vision,
        prompt_encoder_config={"image_size": image_size},
        image_size=image_size,
        memory_attention_rope_feat_sizes=grids[-1],
    )


class ImageEncoder(nn.Module):
    """Hiera and its pyramid; the three scales travel as one tensor, so that they are cached as one.

    A cell of the coarse scale has its own 256 channels, then the 4 x 64 of the middle scale and the
    16 x 32 of the fine one that lie within it: (B, 1024, S / 16, S / 16).
    """

    fixed_frame = True

    def __init__(self, published: Sam2VideoModel, image_size: int) -> None:
        super().__init__()
        self.img_size = image_size
        self.backbone = published.vision_encoder.backbone
        self.neck = published.vision_encoder.neck
        self.conv_s0 = published.mask_decoder.conv_s0
        self.conv_s1 = published.mask_decoder.conv_s1

    def forward(self, images: Tensor) -> Tensor:
        """Encode (B, 3, S, S), normalised."""
        stages = self.backbone(images).intermediate_hidden_states
        _, coarse, middle, fine = self.neck(stages)[0]
        fine = functional.pixel_unshuffle(self.conv_s0(fine), 4)
        return torch.cat([coarse, functional.pixel_unshuffle(self.conv_s1(middle), 2), fine], 1)


def scales(features: Tensor) -> list[Tensor]:
    """Take the three scales apart, fine to coarse: 32, 64 and 256 channels."""
    coarse, middle, fine = torch.split(features, [256, 256, 512], dim=1)
    return [functional.pixel_shuffle(fine, 4), functional.pixel_shuffle(middle, 2), coarse]


class PromptEncoder(Sam2VideoPromptEncoder):  # type: ignore[misc]
    """Takes what SAM's prompt encoder takes."""

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.embed_dim: int = self.hidden_size  # as SAM's calls it

    def forward(
        self, points: tuple[Tensor, Tensor] | None, boxes: Tensor | None, masks: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Encode points (N, P, 2) with labels (N, P), boxes (N, 4) and masks (N, 1, 4 h, 4 w)."""
        given = next(each for each in (boxes, points and points[0], masks) if each is not None)
        tokens = [given.new_zeros(len(given), 0, self.hidden_size)]
        if points is not None:
            coords, labels = points
            tokens.append(self._embed_points(coords[None], labels[None], pad=boxes is None)[0])
        if boxes is not None:
            tokens.append(self._embed_boxes(boxes[None])[0])
        dense = self.no_mask_embed.weight.view(1, -1, 1, 1)
        dense = dense.expand(len(given), -1, *self.image_embedding_size)
        if masks is not None:
            dense = self.mask_embed(masks.clamp(-_MOST_LOGIT, _MOST_LOGIT))
        return torch.cat(tokens, dim=1), dense

    def get_dense_pe(self) -> Tensor:
        """Encode the positions in the image: (1, C, h, w)."""
        height, width = self.image_embedding_size
        like = self.shared_embedding.positional_embedding
        y, x = ((torch.arange(n).to(like) + 0.5) / n for n in (height, width))
        places = torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1)
        encoded: Tensor = self.shared_embedding(places)
        return encoded.permute(2, 0, 1)[None]


class MaskDecoder(Sam2VideoMaskDecoder):  # type: ignore[misc]
    """Takes what SAM's mask decoder takes, and the three scales as one tensor."""

    def __init__(self, config: Any, no_memory_embedding: nn.Parameter) -> None:
        super().__init__(config)
        self.no_memory_embedding = no_memory_embedding
        del self.conv_s0, self.conv_s1  # the image encoder's: once for each image, not each prompt

    def forward(
        self,
        image_embeddings: Tensor,
        image_pe: Tensor,
        sparse_prompt_embeddings: Tensor,
        dense_prompt_embeddings: Tensor,
        multimask_output: bool,
    ) -> tuple[Tensor, Tensor]:
        """Decode N prompts of one image, or of one image each: logits and predicted IoU."""
        n = len(sparse_prompt_embeddings)
        *fine, coarse = (scale.expand(n, -1, -1, -1) for scale in scales(image_embeddings))
        logits, predicted_iou, *_ = super().forward(
            image_embeddings=coarse + self.no_memory_embedding.view(1, -1, 1, 1),
            image_positional_embeddings=image_pe.expand(n, -1, -1, -1),
            sparse_prompt_embeddings=sparse_prompt_embeddings[:, None],
            dense_prompt_embeddings=dense_prompt_embeddings,
            multimask_output=multimask_output,
            high_resolution_features=fine,
        )
        return logits[:, 0], predicted_iou[:, 0]


def build(config: Sam2VideoConfig) -> Sam:
    """Build the parts for images with fresh weights; the memory's are left to `with_memory`."""
    published, size = Sam2VideoModel(config), config.image_size
    prompt_encoder = PromptEncoder(config.prompt_encoder_config)
    decoder = MaskDecoder(config.mask_decoder_config, published.no_memory_embedding)
    sam = Sam(ImageEncoder(published, size), prompt_encoder, decoder, [0.0] * 3, [1.0] * 3)
    sam.video_config = config
    return sam.eval()


def with_memory(sam: Sam, *, name: str, key: str) -> Sam2VideoModel:
    """Build the network that follows objects, over the weights of a loaded `Sam`, once for a `key`.

    InputError, which names the model, if the weights of the memory are not those of SAM 2.
    """
    kept: tuple[str, Any] = getattr(sam, "video", ("", None))
    if kept[0] != key:
        kept = sam.video = (key, _video(sam, name=name))  # in a tuple: no part of its weights
    return kept[1]


def _video(sam: Sam, *, name: str) -> Sam2VideoModel:
    memory: Mapping[str, Tensor] = sam.memory_weights
    config = copy.deepcopy(sam.video_config)
    # Two parts came with 2.1; a file of 2.0 has neither.
    occlusion = f"{MEMORY}occlusion_spatial_embedding_parameter"
    pointers = f"{MEMORY}temporal_positional_encoding_projection_layer.weight"
    config.enable_occlusion_spatial_embedding = occlusion in memory
    config.enable_temporal_pos_encoding_for_object_pointers = pointers in memory
    with torch.random.fork_rng(devices=[]):
        video = Sam2VideoModel(config).eval()
    own = {key: tensor.float() for key, tensor in memory.items()}
    weights, expected = names_of_transformers(sam.state_dict() | own), video.state_dict()
    for key in sorted(expected.keys() | weights.keys()):
        got, wanted = (of[key].shape if key in of else None for of in (weights, expected))
        if got != wanted:
            said = ["missing" if shape is None else tuple(shape) for shape in (got, wanted)]
            raise InputError(
                f"the memory of {name} does not fit: {key} is {said[0]}, expected {said[1]}; "
                "give the published checkpoint, or leave out --memory"
            )
    video.load_state_dict(weights, assign=True)
    return video.requires_grad_(False).to(sam.device)
