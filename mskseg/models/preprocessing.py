"""Turn slices and prompts into a model's input as its authors' code does, exactly.

All take half-open continuous pixels of the original slice (see `mskseg.volume`) and give what the
upstream code would have given its model for the same region. They differ in everything else:

============  =====================================  ==========================================
kind          SAM (`SamPreprocessing`)               MedSAM (`MedSamPreprocessing`)
============  =====================================  ==========================================
size          longest side to S, bilinear on 8 bit   both sides to S, cubic, cut to 8 bit
intensities   ImageNet mean and standard deviation   minimum to 0, maximum to 1
padding       zeros right and below                  none (the slice is squashed)
probability   sigmoid of the upsampled logits        upsampled sigmoid of the logits
mask          upsampled logit > 0                    probability > 0.5
============  =====================================  ==========================================

S is 1024, and 256 for the miniatures. What other models do is in `mskseg_networks.preprocessing`.

**Half a pixel.** Upstream prompts are pixel *indices* and a box's maxima are *inclusive*; SAM's
prompt encoder then adds 0.5 to reach the pixel's centre. A point's index is its continuous
coordinate - 0.5, a box's largest index is its half-open maximum - 1. The published code takes
these indices in the original slice and scales them afterwards (``prompt_frame="upstream"``), so
its prompts sit up to one original pixel towards the upper left once a slice is enlarged: by
(1 - 1/s)/2 of a pixel for a point, (1 - 1/s) for a box's far side, s being the scale. The
published models are run that way, since anything else would not be comparable. The miniatures are
ours and take ``prompt_frame="model"``: scaled first, then turned into indices of the model's
frame, the same at every scale and exactly equivariant to mirroring. At s = 1 the two agree.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn import functional

from mskseg.errors import InputError
from mskseg.models.upstream import Sam
from mskseg.registry import load_offer, offers

PromptFrame = Literal["upstream", "model"]
Size = tuple[int, int]
MaskPair = tuple[Tensor, Tensor]
_GROUP = "mskseg.preprocessings"


@dataclass(frozen=True)
class Preprocessing(ABC):
    """The way into the model's frame and back."""

    name: ClassVar[str]  # in the manifest
    image_size: int  # side S in pixels of the square frame that the image encoder takes
    prompt_frame: PromptFrame = "upstream"  # where coordinates become indices: "Half a pixel"

    def input_size(self, original_size: Size) -> Size:
        """Scale (height, width) so that the longest side is S; InputError if nothing is left."""
        scale = self.image_size / max(original_size)
        height, width = (int(side * scale + 0.5) for side in original_size)
        if min(height, width) < 1:
            raise InputError(
                f"a slice of {original_size[0]} x {original_size[1]} pixels is too narrow: at a "
                f"longest side of {self.image_size} nothing is left of the other; crop it"
            )
        return height, width

    @abstractmethod
    def image_tensor(self, image: NDArray[np.uint8], sam: Sam) -> Tensor:
        """Turn ``(H, W, 3) uint8`` into the encoder's ``(1, 3, S, S) float32``."""

    @abstractmethod
    def upsample(self, low_res_logits: Tensor, original_size: Size, sam: Sam) -> MaskPair:
        """Bring ``(N, M, h, w)`` logits to masks (bool) and probabilities ``(N, M, H, W)``."""

    def points(self, point_coords: NDArray[np.float64], original_size: Size) -> NDArray[np.float64]:
        """Convert continuous points ``(..., 2)`` to pixel indices of the model's frame."""
        return self._indices(point_coords, 0.5, original_size)

    def boxes(self, boxes_xyxy: NDArray[np.float64], original_size: Size) -> NDArray[np.float64]:
        """Convert half-open boxes ``(N, 4)`` to indices of the model's frame, maxima inclusive."""
        corners = boxes_xyxy.reshape(-1, 2, 2)
        first = self._indices(corners[:, 0], 0.0, original_size)
        last = self._indices(corners[:, 1], 1.0, original_size)
        # A box narrower than a pixel has its last index before its first: both become its middle.
        middle = (first + last) / 2
        return np.concatenate([np.minimum(first, middle), np.maximum(last, middle)], axis=1)

    def _indices(
        self, xy: NDArray[np.float64], offset: float, original_size: Size
    ) -> NDArray[np.float64]:
        scale = self._scale(original_size)
        if self.prompt_frame == "upstream":
            return (xy - offset) * scale
        return xy * scale - offset

    def _scale(self, original_size: Size) -> NDArray[np.float64]:
        height, width = self.input_size(original_size)
        return np.array([width / original_size[1], height / original_size[0]])


@dataclass(frozen=True)
class SamPreprocessing(Preprocessing):
    """`segment_anything.SamPredictor`'s: bit-equal input, the same prompts, the same masks."""

    name: ClassVar[str] = "sam"

    def image_tensor(self, image: NDArray[np.uint8], sam: Sam) -> Tensor:
        """Resize (bilinear, antialiased), normalise by mean and deviation, pad by zeros."""
        size = self.input_size(image.shape[:2])[::-1]
        resized = np.array(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR))
        pixels = torch.as_tensor(resized, device=sam.device).permute(2, 0, 1).contiguous()
        tensor: Tensor = sam.preprocess(pixels[None])
        return tensor

    def upsample(self, low_res_logits: Tensor, original_size: Size, sam: Sam) -> MaskPair:
        """Upsample the logits to the frame, cut the padding, resize to the slice; then sigmoid."""
        input_size = self.input_size(original_size)
        logits: Tensor = sam.postprocess_masks(low_res_logits, input_size, original_size)
        return logits > sam.mask_threshold, torch.sigmoid(logits)


@dataclass(frozen=True)
class MedSamPreprocessing(Preprocessing):
    """MedSAM's, as its published inference script does it (`MedSAM_Inference.py`)."""

    name: ClassVar[str] = "medsam"

    def input_size(self, original_size: Size) -> Size:  # noqa: ARG002  (the interface's)
        """Stretch both sides to S, whatever the aspect."""
        return self.image_size, self.image_size

    def image_tensor(self, image: NDArray[np.uint8], sam: Sam) -> Tensor:
        """Squash by cubic splines, cut to 8 bit, stretch minimum and maximum to 0 and 1."""
        from skimage import transform  # here: it is slow to import and only MedSAM needs it

        # All three channels go through the spline, also those of a grey slice: its rounding, and
        # with it the cut to 8 bit, depends on them.
        size = (self.image_size, self.image_size)
        resize: Any = transform.resize  # scikit-image does not say its types
        squashed = resize(image, size, order=3, preserve_range=True, anti_aliasing=True).astype(
            np.uint8
        )
        return as_input(stretched(squashed), sam)

    def upsample(
        self,
        low_res_logits: Tensor,
        original_size: Size,
        sam: Sam,  # noqa: ARG002
    ) -> MaskPair:
        """Take the sigmoid at low resolution, then upsample it straight to the slice."""
        probabilities = functional.interpolate(
            torch.sigmoid(low_res_logits), original_size, mode="bilinear", align_corners=False
        )
        return probabilities > 0.5, probabilities


@cache
def preprocessings() -> Mapping[str, type[Preprocessing]]:
    """List all by name: SAM's and MedSAM's, then those that other packages offer."""
    own = {kind.name: kind for kind in (SamPreprocessing, MedSamPreprocessing)}
    return own | {name: load_offer(_GROUP, name) for name in offers(_GROUP)}


def stretched(image: NDArray[Any]) -> NDArray[np.float64]:
    """Stretch the minimum of all channels to 0 and their maximum to 1."""
    low, high = int(image.min()), int(image.max())
    return (image - low) / max(high - low, 1e-8)


def as_input(image: NDArray[np.float64], sam: Sam) -> Tensor:
    """Turn (S, S, 3) into (1, 3, S, S) float32 on the model's device."""
    return torch.tensor(image, device=sam.device).float().permute(2, 0, 1)[None]


def as_rgb_uint8(image: NDArray[Any]) -> NDArray[np.uint8]:
    """Bring a slice, (H, W) of any real dtype or (H, W, 3) uint8, to ``(H, W, 3) uint8``.

    8-bit values are taken as they are; others are stretched from their own minimum and maximum,
    slice by slice: window first where slices are compared. InputError for what is no finite slice.
    """
    image = np.asarray(image)
    is_rgb = image.ndim == 3 and image.shape[2] == 3 and image.dtype == np.uint8
    if image.size == 0 or not (image.ndim == 2 or is_rgb):
        raise InputError(
            "expected an image (H, W) of any real dtype or (H, W, 3) uint8, got shape "
            f"{image.shape} and dtype {image.dtype}; pass one slice at a time"
        )
    if is_rgb:
        return np.ascontiguousarray(image)
    return np.repeat(_grey_uint8(image)[:, :, None], 3, axis=2)


def _grey_uint8(image: NDArray[Any]) -> NDArray[np.uint8]:
    if image.dtype == np.uint8:
        return image.astype(np.uint8, copy=False)
    if image.dtype.kind not in "biuf":
        raise InputError(f"expected an image of real numbers, got dtype {image.dtype}")
    values = image.astype(np.float64)
    n_bad = int(np.count_nonzero(~np.isfinite(values)))
    if n_bad:
        raise InputError(
            f"the image holds {n_bad} NaN or infinite pixels; replace them before embedding"
        )
    low, high = values.min(), values.max()
    if high == low:
        return np.zeros(image.shape, np.uint8)
    grey: NDArray[np.uint8] = np.round((values - low) / (high - low) * 255).astype(np.uint8)
    return grey
