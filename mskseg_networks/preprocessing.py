"""Slices and prompts as LiteMedSAM, SAM 2 and MedSAM2 take them; each as its authors' code does.

===============  =============================  ==========================  =======================
kind             LiteMedSAM                     SAM 2                       MedSAM2
===============  =============================  ==========================  =======================
size             longest side to 256, means of  both sides to 1024,         both sides to 512,
                 areas on 8 bit                 bilinear, not rounded       cubic, 8 bit
intensities      minimum to 0, maximum to 1     ImageNet's mean, deviation  as SAM 2
padding          zeros right and below          none                        none
probability      sigmoid of upsampled logits    as LiteMedSAM               as LiteMedSAM
===============  =============================  ==========================  =======================

The half pixel of `mskseg.models.preprocessing` is theirs, too. LiteMedSAM's code cuts the scaled
indices to whole numbers besides, another part of a pixel of its frame to the upper left: with these
boxes, and no others, its masks equal those of its authors' code (a test on real slices holds both).
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn import functional

from mskseg.environment import check_extra
from mskseg.models.preprocessing import (
    MaskPair,
    MedSamPreprocessing,
    Preprocessing,
    Size,
    as_input,
    stretched,
)
from mskseg.models.upstream import Sam

_IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))  # mean and deviation of values in [0, 1]


@dataclass(frozen=True)
class LiteMedSamPreprocessing(Preprocessing):
    """LiteMedSAM's, as its published inference script does it (`CVPR24_LiteMedSAM_infer.py`)."""

    name: ClassVar[str] = "lite_medsam"

    def image_tensor(self, image: NDArray[np.uint8], sam: Sam) -> Tensor:
        """Resize by areas, stretch minimum and maximum to 0 and 1, pad by zeros."""
        try:
            import cv2  # with whose filter it was trained; other area filters round elsewhere
        except ImportError:
            check_extra("lite")
            raise
        height, width = self.input_size(image.shape[:2])
        resized = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
        pad = ((0, self.image_size - height), (0, self.image_size - width), (0, 0))
        return as_input(np.pad(stretched(resized), pad), sam)

    def boxes(self, boxes_xyxy: NDArray[np.float64], original_size: Size) -> NDArray[np.float64]:
        """Convert half-open boxes ``(N, 4)`` to whole indices of the model's frame, as upstream."""
        indices = super().boxes(boxes_xyxy, original_size)
        return np.trunc(indices) if self.prompt_frame == "upstream" else indices

    def _scale(self, original_size: Size) -> NDArray[np.float64]:
        """One ratio for both axes, whatever the shorter side is rounded to."""
        return np.full(2, self.image_size / max(original_size))

    def upsample(self, low_res_logits: Tensor, original_size: Size, sam: Sam) -> MaskPair:  # noqa: ARG002
        """Cut the padding off the logits, which have the frame's size; upsample; then sigmoid."""
        height, width = self.input_size(original_size)
        logits = functional.interpolate(
            low_res_logits[..., :height, :width],
            original_size,
            mode="bilinear",
            align_corners=False,
        )
        probabilities = torch.sigmoid(logits)
        return probabilities > 0.5, probabilities


@dataclass(frozen=True)
class Sam2Preprocessing(MedSamPreprocessing):
    """SAM 2's, as its `SAM2ImagePredictor` does it: squashed as by MedSAM, nothing else alike."""

    name: ClassVar[str] = "sam2"

    def image_tensor(self, image: NDArray[np.uint8], sam: Sam) -> Tensor:
        """Squash (bilinear, antialiased, not rounded) and normalise by mean and deviation."""
        pixels = torch.as_tensor(image).permute(2, 0, 1)[None].float().div(255)
        squashed = functional.interpolate(
            pixels, (self.image_size,) * 2, mode="bilinear", antialias=True
        )
        return _standardised(squashed, sam)

    def upsample(self, low_res_logits: Tensor, original_size: Size, sam: Sam) -> MaskPair:
        """Upsample the logits straight to the slice; then sigmoid."""
        logits = functional.interpolate(
            low_res_logits, original_size, mode="bilinear", align_corners=False
        )
        return logits > sam.mask_threshold, torch.sigmoid(logits)


@dataclass(frozen=True)
class MedSam2Preprocessing(Sam2Preprocessing):
    """MedSAM2's, as its published inference script does it (`medsam2_infer_3D_CT.py`)."""

    name: ClassVar[str] = "medsam2"

    def image_tensor(self, image: NDArray[np.uint8], sam: Sam) -> Tensor:
        """Squash 8 bit by Pillow's cubic filter, normalise by mean and deviation."""
        squashed = np.array(Image.fromarray(image).resize((self.image_size,) * 2))
        return _standardised(torch.as_tensor(squashed).permute(2, 0, 1)[None].float() / 255, sam)


def _standardised(pixels: Tensor, sam: Sam) -> Tensor:
    mean, deviation = (torch.tensor(each).view(-1, 1, 1) for each in _IMAGENET)
    return ((pixels - mean) / deviation).to(sam.device)
