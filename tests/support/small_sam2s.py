"""A SAM 2 of the classes of `transformers`, small, with seeded weights under which masks vary."""

from __future__ import annotations

from importlib.util import find_spec

import pytest
import torch

from mskseg.models import checkpoints
from mskseg.models.checkpoints import Architecture, architectures
from mskseg.models.segmenter import Segmenter
from mskseg_networks.sam2.architecture import build_sam2, sam2_architecture

SMALL = {
    "hidden_size": 16,
    "embed_dim_per_stage": [16, 32, 64, 128],
    "num_attention_heads_per_stage": [1, 2, 4, 8],
    "blocks_per_stage": [1, 1, 2, 1],
    "global_attention_blocks": [3],
}
FRAME = 128
# The same for the configuration files of the authors' package.
SMALL_FOR_AUTHORS = {
    "image_size": FRAME,
    "image_encoder.trunk.embed_dim": 16,
    "image_encoder.trunk.stages": "[1,1,2,1]",
    "image_encoder.trunk.global_att_blocks": "[3]",
    "image_encoder.neck.backbone_channel_list": "[128,64,32,16]",
}


def liven(model: torch.nn.Module, seed: int = 0) -> torch.nn.Module:
    """Give fresh weights that zeros and small numbers leave no trace of anything."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.ndim < 2 and not name.endswith((".bias", "scale")):
                continue  # weights of norms
            inputs = parameter[0].numel() if parameter.ndim > 1 else 25
            spread = min(0.3, inputs**-0.5)
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * spread)
        for name, parameter in model.named_parameters():
            if "pred_obj_score_head" in name and name.endswith(("proj_out.bias", "layers.2.bias")):
                parameter.fill_(3.0)  # the object is seen
    return model.eval()


@pytest.fixture(scope="session")
def needs_transformers() -> None:
    if find_spec("transformers") is None:
        pytest.skip("no transformers here: python -m pip install 'mskseg[sam2]'")


@pytest.fixture(scope="session")
def video_model(needs_transformers):
    """`transformers`' own model of the small size, with its memory."""
    from transformers import Sam2VideoModel

    model = liven(Sam2VideoModel(build_sam2(FRAME, **SMALL).video_config))
    # One and the same in every published checkpoint, drawn twice in a fresh model.
    prompts = model.prompt_encoder.shared_embedding
    model.shared_image_embedding.positional_embedding.copy_(prompts.positional_embedding)
    return model


@pytest.fixture
def small_sam2_known(monkeypatch: pytest.MonkeyPatch) -> Architecture:
    """Make "sam2_test" a known architecture."""
    known = sam2_architecture(FRAME, **SMALL)
    everything = {**architectures(), "sam2_test": known}
    monkeypatch.setattr(checkpoints, "architectures", lambda: everything)
    return known


@pytest.fixture
def sam2_file(video_model, tmp_path):
    """Its checkpoint, in the form of `transformers`."""
    path = tmp_path / "small_sam2.pt"
    torch.save(video_model.state_dict(), path)
    return path


@pytest.fixture
def small_sam2(small_sam2_known, sam2_file) -> Segmenter:
    return checkpoints.load_segmenter(
        sam2_file, architecture="sam2_test", preprocessing="sam2", device="cpu"
    )
