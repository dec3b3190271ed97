from __future__ import annotations

import pytest
import torch

from mskseg_mini.scenes import SceneBatch
from mskseg_mini.scenes.medical import (
    BONE,
    FAT,
    LESIONS,
    MUSCLE,
    ORGANS,
    POLYPS,
    ct_like,
    endoscopy_like,
    random_medical_scenes,
)
from mskseg_mini.scenes.painting import Draws


def draw(seed: int, count: int = 6, size: int = 96) -> SceneBatch:
    return random_medical_scenes(count, generator=torch.Generator().manual_seed(seed), size=size)


def test_the_same_seed_gives_the_same_scenes_and_another_seed_others():
    first, again, other = draw(3), draw(3), draw(4)
    assert torch.equal(first.images, again.images)
    assert torch.equal(first.label_maps, again.label_maps)
    assert not torch.equal(first.images, other.images)


def test_images_are_whole_grey_values_that_use_the_range():
    images = draw(0, count=12).images
    assert torch.equal(images, images.round())
    assert images.min() >= 0
    assert images.max() <= 255
    assert (images.flatten(1).std(1) > 5).all()


def test_objects_too_small_to_see_are_never_asked_for_and_most_scenes_have_several():
    scenes = random_medical_scenes(
        12, generator=torch.Generator().manual_seed(5), size=96, min_area_px=40
    )
    scene, group = scenes.weights.nonzero().T
    assert scenes.masks(scene, group).flatten(1).sum(1).min() >= 40
    assert (scenes.weights > 0).sum(1).float().median() >= 2


def test_ct_like_tissue_is_ordered_as_in_a_soft_tissue_window():
    image, painting = ct_like(Draws(8, 128, torch.Generator().manual_seed(1)))
    fat, muscle, bone = (float(image[painting.label_maps == k].mean()) for k in (FAT, MUSCLE, BONE))
    assert float(image[painting.outside].mean()) < fat < muscle < bone
    assert fat < 0.3 < muscle < 0.6
    assert bone > 0.75


def _lesions_of(organ: int) -> list[int]:
    return [LESIONS + 3 * (organ - ORGANS) + k for k in range(3)]


def test_a_lesion_lies_in_its_organ_and_differs_little_from_it():
    image, painting = ct_like(Draws(16, 128, torch.Generator().manual_seed(2)))
    contrasts, enclosed = [], []
    for scene in range(16):
        labels = painting.label_maps[scene]
        for lesion in [k for k in labels.unique().tolist() if k >= LESIONS]:
            organ = ORGANS + (lesion - LESIONS) // 3
            inside, around = labels == lesion, labels == organ
            near = torch.nn.functional.max_pool2d(inside[None].float(), 3, 1, 1)[0].bool()
            own = torch.isin(labels, torch.tensor([organ, *_lesions_of(organ)]))
            enclosed.append(float(own[near & ~inside].float().mean()))
            if inside.sum() >= 40 and around.sum() >= 40:
                step = image[scene][inside].mean() - image[scene][around].mean()
                contrasts.append(abs(float(step)))
    assert len(contrasts) >= 5
    assert sorted(enclosed)[len(enclosed) // 2] > 0.6  # many reach its rim
    assert max(contrasts) < 0.3
    assert sorted(contrasts)[len(contrasts) // 2] > 0.03


def test_a_polyp_shows_by_its_shading_and_the_lumen_is_dark():
    image, painting = endoscopy_like(Draws(12, 128, torch.Generator().manual_seed(3)))
    polyps = painting.label_maps >= POLYPS
    assert polyps.flatten(1).any(1).all()
    slope = torch.stack(torch.gradient(image, dim=(1, 2))).square().sum(0).sqrt()
    rim = torch.nn.functional.max_pool2d(polyps.float(), 5, 1, 2).bool() & ~polyps
    assert slope[rim].mean() > 1.3 * slope[~rim & ~polyps].mean()
    assert image[painting.label_maps == 1].mean() < 0.7 * image[painting.label_maps == 0].mean()


@pytest.mark.parametrize("count", [1, 2])
def test_few_scenes_may_all_be_of_one_kind(count):
    assert len(draw(0, count=count).images) == count
