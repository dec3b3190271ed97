"""The architecture of SAM-mini: a small image encoder beside SAM's own prompt side.

Everything but the image encoder is `segment_anything.modeling`, so `SamPredictor` and
`SamAutomaticMaskGenerator` run on it unchanged. The encoder is convolutional: on two cores and with
hours, not GPU-months, to train, a residual network learns edges sooner than a plain ViT does.
"""

import torch
from torch import Tensor, nn

from mskseg.models.checkpoints import PIXEL_MEAN, PIXEL_STD, Architecture
from mskseg.models.upstream import MaskDecoder, PromptEncoder, Sam, TwoWayTransformer

IMAGE_SIZE = 256  # pixels a side of the square frame that the encoder sees
GRID_SIZE = 32  # cells a side of the embedding: 8 px a cell, so that 3 px cartilage leaves a trace
EMBEDDING_DIM = 128  # half of SAM's 256: the 256-wide decoder alone would fill the 8 MB


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions around a shortcut; starts as identity, since its last norm is zero."""

    def __init__(self, channels_in: int, channels_out: int, *, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels_out, 3, stride, 1, bias=False)
        self.norm1 = _norm(channels_out)
        self.conv2 = nn.Conv2d(channels_out, channels_out, 3, 1, 1, bias=False)
        self.norm2 = _norm(channels_out)
        nn.init.zeros_(self.norm2.weight)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or channels_in != channels_out:
            self.shortcut = nn.Sequential(
                nn.AvgPool2d(stride) if stride != 1 else nn.Identity(),
                nn.Conv2d(channels_in, channels_out, 1, bias=False),
            )

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C_in, H, W) to (B, C_out, H / stride, W / stride)."""
        y = torch.relu(self.norm1(self.conv1(x)))
        return torch.relu(self.shortcut(x) + self.norm2(self.conv2(y)))


class ConvImageEncoder(nn.Module):
    """A residual pyramid whose scales 4, 8, 16 and 32 are fused into one map at 8 px a cell."""

    def __init__(
        self,
        *,
        widths: tuple[int, int, int, int] = (64, 96, 144, 144),  # channels at each of the scales
        depths: tuple[int, int, int, int] = (3, 4, 3, 2),  # residual blocks there
    ) -> None:
        super().__init__()
        self.img_size = IMAGE_SIZE  # read by segment_anything's predictor
        self.coarsest_px = 32  # a frame of another size has to be a multiple of this
        stem_width = widths[0] // 2
        self.stem = nn.Sequential(
            nn.Conv2d(3, stem_width, 5, 2, 2, bias=False), _norm(stem_width), nn.ReLU()
        )
        stages, channels = [], stem_width
        for width, depth in zip(widths, depths, strict=True):
            blocks = [ResidualBlock(channels, width, stride=2)]
            blocks += [ResidualBlock(width, width) for _ in range(depth - 1)]
            stages.append(nn.Sequential(*blocks))
            channels = width
        self.stages = nn.ModuleList(stages)
        # The finest scale keeps its sub-cell detail: 2x2 neighbours become channels.
        self.laterals = nn.ModuleList(
            [nn.Conv2d(widths[0] * 4, EMBEDDING_DIM, 1)]
            + [nn.Conv2d(width, EMBEDDING_DIM, 1) for width in widths[1:]]
        )
        self.fuse = ResidualBlock(EMBEDDING_DIM, EMBEDDING_DIM)
        self.neck = nn.Sequential(nn.Conv2d(EMBEDDING_DIM, EMBEDDING_DIM, 1), _norm(EMBEDDING_DIM))

    def forward(self, x: Tensor) -> Tensor:
        """Encode (B, 3, S, S), normalised, into (B, 128, S / 8, S / 8)."""
        x = self.stem(x)
        features = []
        for stage in self.stages:
            x = stage(x)
            features.append(x)
        fine, middle, coarse, coarsest = features
        top = self.laterals[2](coarse) + _twice(self.laterals[3](coarsest))
        fused = self.laterals[1](middle) + _twice(top)
        fused = fused + self.laterals[0](nn.functional.pixel_unshuffle(fine, 2))
        return self.neck(self.fuse(fused))  # type: ignore[no-any-return]


def build_sam_mini() -> Sam:
    """Build SAM-mini with fresh weights: 256 px frame, 32x32 grid, 128x128 low-resolution masks."""
    sam = Sam(
        image_encoder=ConvImageEncoder(),
        prompt_encoder=PromptEncoder(
            embed_dim=EMBEDDING_DIM,
            image_embedding_size=(GRID_SIZE, GRID_SIZE),
            input_image_size=(IMAGE_SIZE, IMAGE_SIZE),
            mask_in_chans=16,
        ),
        mask_decoder=MaskDecoder(
            num_multimask_outputs=3,
            transformer=TwoWayTransformer(
                depth=2, embedding_dim=EMBEDDING_DIM, mlp_dim=512, num_heads=4
            ),
            transformer_dim=EMBEDDING_DIM,
            iou_head_depth=3,
            iou_head_hidden_dim=128,
        ),
        pixel_mean=list(PIXEL_MEAN),
        pixel_std=list(PIXEL_STD),
    )
    return sam.eval()


def _norm(channels: int) -> nn.GroupNorm:
    return nn.GroupNorm(8, channels)  # independent of the batch: the same in training and use


def _twice(x: Tensor) -> Tensor:
    return nn.functional.interpolate(x, scale_factor=2.0, mode="nearest")


SAM_MINI = Architecture(build_sam_mini, prompt_frame="model", miniature=True)
"""What `load_segmenter` knows as "vit_mini"."""
