"""SAM-mini is a `segment_anything` model: the upstream tools run on it unchanged."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from segment_anything import SamAutomaticMaskGenerator, SamPredictor
from segment_anything.modeling import Sam

from mskseg_mini.architecture import EMBEDDING_DIM, GRID_SIZE, IMAGE_SIZE, build_sam_mini


@pytest.fixture(scope="module")
def sam() -> Sam:
    torch.manual_seed(0)
    return build_sam_mini()


def test_half_precision_weights_fit_in_eight_megabytes(sam: Sam):
    assert sum(value.numel() for value in sam.state_dict().values()) * 2 <= 8_000_000


@torch.no_grad()
def test_the_embedding_is_a_grid_of_eight_pixel_cells(sam: Sam):
    embedding = sam.image_encoder(torch.zeros(1, 3, IMAGE_SIZE, IMAGE_SIZE))
    assert embedding.shape == (1, EMBEDDING_DIM, GRID_SIZE, GRID_SIZE)
    assert IMAGE_SIZE // GRID_SIZE == 8


def test_the_upstream_predictor_runs_on_it(sam: Sam):
    predictor = SamPredictor(sam)
    predictor.set_image(np.full((100, 60, 3), 90, dtype=np.uint8))
    masks, iou, logits = predictor.predict(box=np.array([5, 5, 40, 60]), multimask_output=True)
    assert masks.shape == (3, 100, 60)
    assert masks.dtype == bool
    assert iou.shape == (3,)
    assert logits.shape == (3, 128, 128)


def test_the_upstream_automatic_mask_generator_runs_on_it(sam: Sam):
    generator = SamAutomaticMaskGenerator(sam, points_per_side=2, pred_iou_thresh=-10.0)
    assert isinstance(generator.generate(np.full((64, 64, 3), 90, dtype=np.uint8)), list)


@torch.no_grad()
def test_the_encoder_does_not_depend_on_the_rest_of_the_batch(sam: Sam):
    images = torch.randn(2, 3, IMAGE_SIZE, IMAGE_SIZE, generator=torch.Generator().manual_seed(0))
    together = sam.image_encoder(images)[:1]
    torch.testing.assert_close(together, sam.image_encoder(images[:1]), rtol=1e-3, atol=1e-3)


def test_the_shipped_weights_beat_the_filled_box_on_the_phantom():
    from mskseg.evaluation.averaging import summarise
    from mskseg.evaluation.scoring import score_cases
    from mskseg.models.checkpoints import load_segmenter
    from mskseg.prompts.plans import OracleBox
    from mskseg_phantom import make_phantom

    case = make_phantom("thigh", 17, shape=(192, 192, 4))
    table = score_cases(load_segmenter("sam_vit_mini"), case, prompts=[OracleBox()], progress=False)
    (row,) = summarise(table).to_dict("records")
    assert row["dice"] > row["filled_box_dice"] + 0.05


@pytest.mark.real
def test_the_shipped_weights_beat_the_filled_box_on_a_real_vertebral_body(real_data):
    from mskseg.case import Case
    from mskseg.evaluation.averaging import summarise
    from mskseg.evaluation.scoring import score_cases
    from mskseg.io import load_image, load_label_map
    from mskseg.models.checkpoints import load_segmenter
    from mskseg.prompts.plans import OracleBox

    folder = real_data / "tptbox"
    reference = load_label_map(folder / "sub-mri_seg-subreg_label-6_msk.nii.gz")
    body = reference.with_array(reference.array * (reference.array == 49))
    case = Case("a", load_image(folder / "sub-mri_label-6_T2w.nii.gz"), body)
    table = score_cases(
        load_segmenter("sam_vit_mini"),
        case,
        prompts=[OracleBox()],
        plane="sagittal",
        slice_step=3,
        progress=False,
    )
    (row,) = summarise(table).to_dict("records")
    assert row["dice"] > row["filled_box_dice"]
