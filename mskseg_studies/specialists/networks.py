"""U-Net and DeepLabV3+ of segmentation-models-pytorch, without pretrained weights."""

from __future__ import annotations

import warnings
from typing import Any

import torch
from torch import nn

from mskseg.errors import InputError
from mskseg_studies.specialists.config import SpecialistConfig

# Half of the package's own, since a decoder costs most of the time on a CPU; but its last stages
# are wider, for 15 tissues do not go through 8 features.
_UNET_DECODER = (128, 64, 48, 32, 32)
_DEEPLAB_DECODER = 64


def build_network(config: SpecialistConfig, *, n_channels: int, n_outputs: int) -> nn.Module:
    """Build a network (B, n_channels, S, S) -> logits (B, n_outputs, S, S), drawn from the seed.

    Raises
    ------
    InputError
        If the encoder is unknown.
    """
    smp = _package()
    how: dict[str, Any] = {
        "encoder_name": config.encoder,
        "encoder_weights": None,
        "in_channels": n_channels,
        "classes": n_outputs,
    }
    with torch.random.fork_rng(devices=[]):  # the caller's random state stays as it is
        torch.manual_seed(config.seed)
        try:
            if config.architecture == "unet":
                network = smp.Unet(decoder_channels=_UNET_DECODER, **how)
            else:
                network = smp.DeepLabV3Plus(decoder_channels=_DEEPLAB_DECODER, **how)
        except (KeyError, ValueError) as error:
            raise InputError(
                f"the encoder {config.encoder!r} cannot be used ({error}); choose resnet18 or "
                "mobilenet_v2"
            ) from error
    built: nn.Module = network.to(memory_format=torch.channels_last)
    return built


def n_channels_and_outputs(config: SpecialistConfig, *, n_labels: int) -> tuple[int, int]:
    """Count channels and outputs: image and box to one object, or image to all labels."""
    return (2, 1) if config.prompt == "box" else (1, n_labels + 1)


def _package() -> Any:
    with warnings.catch_warnings():
        # It imports timm, which uses a name that torch deprecates: nothing that a reader can mend.
        warnings.simplefilter("ignore", FutureWarning)
        import segmentation_models_pytorch as smp
    return smp
