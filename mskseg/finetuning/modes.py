"""Which parameters train in which mode, and low-rank adaptation of the image encoder.

=================  =============  ==============  ============  ================================
mode               image encoder  prompt encoder  mask decoder  who
=================  =============  ==============  ============  ================================
full               trains         trains          trains        Hoyer 2024
encoder_decoder    trains         frozen          trains        MedSAM (Ma 2024), Casali 2025
decoder            frozen         frozen          trains        Casali 2025's cheaper choice
lora               low rank       frozen          trains        Hu et al. 2021, LoRA
=================  =============  ==============  ============  ================================

**What no gradient reaches stays frozen, and is not counted**: the heads of the other three masks,
that of the predicted IoU unless its loss is kept, and what the prompt encoder has for prompts that
are not given; weight decay alone would shrink them. TinyViT's batch norms stay too: few slices a
step would spoil them. After tuning, three masks for an ambiguous point mean little.

**LoRA** adds a product of two thin matrices to a frozen weight, ``W + alpha/r B A``, r being the
rank, B starting at zero: in a ViT, and in TinyViT, to each block's fused ``qkv``. SAM-mini's
encoder has no attention; there it is each convolution's weight, reshaped to (channels out, channels
in x rows x columns), which the tables say. When tuning ends the product is added to the weight, so
that what is saved is a plain SAM.
"""

import copy
import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from mskseg.errors import InputError
from mskseg.finetuning.config import FineTuneConfig, Mode
from mskseg.models.segmenter import Segmenter
from mskseg.models.upstream import Sam

_PARTS: dict[Mode, tuple[str, ...]] = {
    "full": ("image_encoder.", "prompt_encoder.", "mask_decoder."),
    "encoder_decoder": ("image_encoder.", "mask_decoder."),
    "decoder": ("mask_decoder.",),
    "lora": ("mask_decoder.",),
}


class LowRank(nn.Module):
    """A trainable term of low rank beside a frozen weight, zero at first.

    `groups` equal parts of the rows get matrices each, in turn within each of `heads` blocks.
    """

    def __init__(
        self,
        weight: Tensor,
        *,
        rank: int,
        scale: float,
        groups: int,
        generator: torch.Generator,
        heads: int = 1,
    ) -> None:
        super().__init__()
        rows, columns = len(weight), weight[0].numel()
        self.scale, self.heads = scale, heads
        reach = 1 / math.sqrt(columns)  # as a fresh linear layer
        start = torch.rand((groups, rank, columns), generator=generator)
        self.a = nn.Parameter(((2 * start - 1) * reach).to(weight.device))
        self.b = nn.Parameter(torch.zeros(groups, rows // groups, rank, device=weight.device))

    def forward(self, weight: Tensor) -> Tensor:
        """Add the term to the weight."""
        groups, rows, _ = self.b.shape
        product = (self.b @ self.a).reshape(groups, self.heads, rows // self.heads, -1)
        return weight + self.scale * product.transpose(0, 1).reshape(weight.shape)


def prepare(model: Sam, config: FineTuneConfig) -> dict[str, nn.Parameter]:
    """Freeze and thaw parameters, in place; return those that train (InputError if none can)."""
    model.requires_grad_(False)
    if config.mode == "lora":
        _add_low_rank(model.image_encoder, config)
    parts, left_out = _PARTS[config.mode], _unreached(config)
    for name, parameter in model.named_parameters():
        low_rank = ".parametrizations.weight.0." in name
        parameter.requires_grad_(
            low_rank or (name.startswith(parts) and not name.startswith(left_out))
        )
    return {name: p for name, p in model.named_parameters() if p.requires_grad}


def count_trainable(segmenter: Segmenter, config: FineTuneConfig) -> int:
    """Count the parameters that a tuning would train; the segmenter stays as it is."""
    trained = prepare(copy.deepcopy(segmenter.model), config)
    return sum(parameter.numel() for parameter in trained.values())


def merge_low_rank(model: Sam) -> None:
    """Add the low-rank terms to their weights for good; the model is a plain one again."""
    for module in list(model.image_encoder.modules()):
        if parametrize.is_parametrized(module, "weight"):
            parametrize.remove_parametrizations(module, "weight", leave_parametrized=True)
    model.requires_grad_(False)


def _unreached(config: FineTuneConfig) -> tuple[str, ...]:
    """Name the parameters, by how they begin, that the loss gives no gradient."""
    heads = tuple(f"mask_decoder.output_hypernetworks_mlps.{i}." for i in (1, 2, 3))
    iou = () if config.keep_iou_loss else ("mask_decoder.iou_prediction_head.",)
    # 0 and 1 stand for a negative and a positive point, 2 and 3 for a box's corners; points without
    # a box are followed by a padding token, `not_a_point_embed`.
    kinds = (0, 1) if config.prompt == "box" else (0, 2, 3)
    prompts = [f"prompt_encoder.point_embeddings.{kind}." for kind in kinds]
    if config.prompt == "box":
        prompts.append("prompt_encoder.not_a_point_embed.")
    return (*heads, *iou, *prompts, "prompt_encoder.mask_downscaling.")


def _add_low_rank(encoder: nn.Module, config: FineTuneConfig) -> None:
    generator = torch.Generator().manual_seed(config.seed)
    adapted = list(_adapted(encoder))
    if not adapted:
        raise InputError(
            f"the image encoder {type(encoder).__name__} has no fused qkv and no convolution for "
            "low-rank terms; choose mode decoder or encoder_decoder"
        )
    for module, groups, heads in adapted:
        weight: Tensor = module.weight  # type: ignore[assignment]
        term = LowRank(
            weight,
            rank=config.lora_rank,
            scale=config.lora_alpha / config.lora_rank,
            groups=groups,
            generator=generator,
            heads=heads,
        )
        parametrize.register_parametrization(module, "weight", term)


def _adapted(encoder: nn.Module) -> Iterator[tuple[nn.Module, int, int]]:
    """Find the layers for low-rank terms, fused qkv or convolutions, with parts and blocks."""
    blocks: list[Any] = [block for block in encoder.modules() if hasattr(block, "qkv")]
    fused = [block for block in blocks if isinstance(block.qkv, nn.Linear)]
    for block in fused:
        # TinyViT's attention, which alone says `key_dim`, has the rows of each head together.
        yield block.qkv, 3, block.num_heads if hasattr(block, "key_dim") else 1
    if not fused:
        yield from ((layer, 1, 1) for layer in encoder.modules() if isinstance(layer, nn.Conv2d))
