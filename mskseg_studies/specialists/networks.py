"""U-Net and DeepLabV3+, and how slices get into their square frame and masks out of it.

The networks are those of segmentation-models-pytorch, without pretrained weights.
"""

import warnings
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from mskseg.errors import InputError
from mskseg_studies.specialists.config import SpecialistConfig

# Half of the package's own, since a decoder costs most of the time on a CPU; but its last stages
# are wider, for 15 tissues do not go through 8 features.
_UNET_DECODER = (128, 64, 48, 32, 32)
_DEEPLAB_DECODER = 64


def build_network(config: SpecialistConfig, *, n_labels: int) -> nn.Module:
    """Build a network, its weights drawn from the seed: image, and box, to logits (B, K, S, S)."""
    with warnings.catch_warnings():
        # It imports timm, which uses a name that torch deprecates: nothing that a reader can mend.
        warnings.simplefilter("ignore", FutureWarning)
        import segmentation_models_pytorch as smp
    with_box = config.prompt == "box"
    unet = config.architecture == "unet"
    build, features = (smp.Unet, _UNET_DECODER) if unet else (smp.DeepLabV3Plus, _DEEPLAB_DECODER)
    with torch.random.fork_rng(devices=[]):  # the caller's random state stays as it is
        torch.manual_seed(config.seed)
        try:
            network: nn.Module = build(
                config.encoder,
                encoder_weights=None,
                decoder_channels=features,
                in_channels=2 if with_box else 1,
                classes=1 if with_box else n_labels + 1,
            )
        except (KeyError, ValueError) as error:
            raise InputError(
                f"the encoder {config.encoder!r} cannot be used ({error}); choose resnet18 or "
                "mobilenet_v2"
            ) from error
    return network.to(memory_format=torch.channels_last)


def image_frame(image: NDArray[Any], size: int) -> Tensor:
    """Resize a slice (H, W) uint8 into the upper left of a frame, float32 of about -1 to 1."""
    height, width = image.shape
    side = max(height, width)
    padded = torch.zeros(1, 1, side, side)
    padded[0, 0, :height, :width] = torch.from_numpy(np.ascontiguousarray(image)).float()
    small = functional.interpolate(padded, (size, size), mode="bilinear", antialias=True)
    return small[0, 0] / 127.5 - 1


def label_frame(label_map: NDArray[Any], size: int) -> Tensor:
    """Take the nearest label for each pixel of the frame: (H, W) integers -> (size, size) int64."""
    height, width = label_map.shape
    centres = (np.arange(size) + 0.5) * max(height, width) / size
    rows, columns = np.minimum(centres.astype(int), height - 1), centres.astype(int)
    taken = label_map[np.ix_(rows, np.minimum(columns, width - 1))].astype(np.int64)
    taken[centres >= height] = 0
    taken[:, centres >= width] = 0
    return torch.from_numpy(taken)


def box_frames(boxes_xyxy: Tensor, shape: tuple[int, int], size: int) -> Tensor:
    """Fill boxes (N, 4), in pixels of the slice, as masks (N, size, size) float32 of the frame.

    A pixel is inside if its centre is, as in `fill_boxes`; a box without any centre in its width or
    height is one pixel wide or high there, the one that its own centre lies in.
    """
    scaled = boxes_xyxy * (size / max(shape))
    first, end = (scaled[:, :2] - 0.5).ceil(), (scaled[:, 2:] - 0.5).ceil()
    middle = ((scaled[:, :2] + scaled[:, 2:]) / 2).floor().clamp(0, size - 1)
    thin = end <= first
    first, end = torch.where(thin, middle, first), torch.where(thin, middle + 1, end)
    pixels = torch.arange(size)
    inside_x = (pixels >= first[:, :1]) & (pixels < end[:, :1])
    inside_y = (pixels >= first[:, 1:]) & (pixels < end[:, 1:])
    return (inside_y[:, :, None] & inside_x[:, None, :]).float()


def out_of_frame(logits: Tensor, shape: tuple[int, int]) -> Tensor:
    """Resize logits (N, C, size, size) to slices (N, C, H, W)."""
    side = max(shape)
    large = functional.interpolate(logits, (side, side), mode="bilinear", align_corners=False)
    return large[..., : shape[0], : shape[1]]
