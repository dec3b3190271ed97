from __future__ import annotations

import pytest
import torch

from mskseg_mini.scenes import SceneBatch, random_scenes
from mskseg_mini.scenes.families import FAMILIES
from mskseg_mini.scenes.painting import Draws


def draw(seed: int, count: int = 4, size: int = 96) -> SceneBatch:
    return random_scenes(count, generator=torch.Generator().manual_seed(seed), size=size)


def test_the_same_seed_gives_the_same_scenes_and_another_seed_others():
    first, again, other = draw(3), draw(3), draw(4)
    assert torch.equal(first.images, again.images)
    assert torch.equal(first.label_maps, again.label_maps)
    assert not torch.equal(first.images, other.images)


def test_images_are_whole_grey_values_that_use_the_range():
    images = draw(0, count=8).images
    assert torch.equal(images, images.round())
    assert images.min() >= 0
    assert images.max() <= 255
    assert (images.flatten(1).std(1) > 5).all()


def test_masks_are_the_pixels_of_their_groups_labels():
    scenes = draw(1)
    scene = torch.tensor([0, 1, 2, 3])
    group = scenes.weights.argmax(1)
    masks = scenes.masks(scene, group)
    for i in range(4):
        labels = scenes.groups[i, group[i]].nonzero()[:, 0]
        assert torch.equal(masks[i], torch.isin(scenes.label_maps[i], labels))
        assert masks[i].sum() >= 20


def test_objects_too_small_to_see_are_never_asked_for():
    generator = torch.Generator().manual_seed(5)
    scenes = random_scenes(6, generator=generator, size=96, min_area_px=50)
    scene, group = scenes.weights.nonzero().T
    assert scenes.masks(scene, group).flatten(1).sum(1).min() >= 50


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_every_family_paints_several_objects_with_labels_in_range(family):
    generator = torch.Generator().manual_seed(2)
    painting = FAMILIES[family](Draws(3, 96, generator))
    highest = painting.label_maps.amax((1, 2))
    assert (highest < painting.kin.shape[1]).all()
    assert all(len(labels.unique()) > 4 for labels in painting.label_maps)


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_nothing_that_is_asked_for_is_shown_as_air(family):
    painting = FAMILIES[family](Draws(6, 96, torch.Generator().manual_seed(7)))
    asked = (painting.groups & (painting.weights > 0)[..., None]).any(1)
    shown = asked.gather(1, painting.label_maps.flatten(1)).view_as(painting.outside)
    assert shown.any()
    assert not (shown & painting.outside).any()


def test_no_object_reaches_into_the_padding():
    generator = torch.Generator().manual_seed(8)
    scenes = random_scenes(8, generator=generator, size=96, padded_share=1.0)
    share = scenes.padding.flatten(1).float().mean(1)
    assert ((share >= 0) & (share <= 0.5)).all()
    assert share.max() > 0.1
    scene, masks = scenes.draw_objects(8, generator=generator)
    assert not (masks & scenes.padding[scene]).any()
    assert masks.flatten(1).sum(1).min() >= 20


def test_objects_are_drawn_once_each_unless_again_is_allowed():
    scenes = draw(9, count=2)
    generator = torch.Generator().manual_seed(0)
    scene, masks = scenes.draw_objects(40, generator=generator)
    assert len(masks) == int((scenes.weights > 0).sum())
    different = {(int(i), one.numpy().tobytes()) for i, one in zip(scene, masks, strict=True)}
    assert len(different) > 0.9 * len(masks)  # a part may show as much as its whole
    again, _ = scenes.draw_objects(40, generator=generator, again=True)
    assert len(again) == 80


def test_edges_in_the_image_lie_where_the_labels_change():
    """The image's gradient is larger at label borders than inside: no shift between the two."""
    scenes = draw(11, count=16, size=128)
    step = (scenes.images[:, :, 1:] - scenes.images[:, :, :-1]).abs()
    border = scenes.label_maps[:, :, 1:] != scenes.label_maps[:, :, :-1]

    def contrast(shift: int) -> float:
        moved = torch.roll(border, shift, dims=2)
        return float(step[moved].mean() / step[~moved].mean())

    assert contrast(0) > 1.3
    assert contrast(0) > max(contrast(-2), contrast(2))
    assert abs(contrast(-1) - contrast(1)) < 0.15 * contrast(0)  # symmetric: no half-pixel shift
