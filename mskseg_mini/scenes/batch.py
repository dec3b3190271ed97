"""Endless synthetic scenes with exact masks: the only images that SAM-mini is trained on.

No medical image and no phantom label map goes in. What does go in, on purpose, are shape families
that MRI has too: rings, stacks, thin bands along a rim or between two bodies, crescents, plates,
balls in sockets, touching look-alikes with thin dark septa.
SAM-mini is therefore zero-shot on images, not on shape priors.

A scene is a map of small integer labels painted object over object (`families.py`), a list of
groups of labels that form one object (a part, a ring, the whole), and an image rendered from it
with random contrast and an MRI-like acquisition (`rendering.py`), after the idea of SynthSeg
(Billot et al. 2023, doi 10.1016/j.media.2023.102789). Everything is batched, on any device.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from mskseg_mini.scenes.families import FAMILIES
from mskseg_mini.scenes.painting import Draws, Painting
from mskseg_mini.scenes.rendering import render

SCENES_VERSION = 3  # to be raised when a seed gives other scenes; the assessment notes it

FAMILY_WEIGHTS = {
    "objects": 0.18,
    "limb": 0.28,
    "stack": 0.12,
    "joint": 0.16,
    "socket": 0.08,
    "plates": 0.18,
}


@dataclass(frozen=True)
class SceneBatch:
    """Scenes of one batch."""

    images: Tensor  # (B, S, S) float32, grey values in 0..255, whole numbers as in 8-bit images
    label_maps: Tensor  # (B, S, S) int64, painted labels; 0 is background
    groups: Tensor  # (B, G, L) bool: does label l belong to object g of scene b? Rows may be empty
    weights: Tensor  # (B, G) float32, how often to ask for an object; 0 if it shows too few pixels
    padding: Tensor  # (B, S, S) bool, strips that stand for the padding of a slice not square

    def masks(self, scene: Tensor, group: Tensor) -> Tensor:
        """Masks of objects `group` (N,) of scenes `scene` (N,): (N, S, S) bool."""
        membership = self.groups[scene, group]
        labels = self.label_maps[scene]
        return membership.gather(1, labels.flatten(1)).view_as(labels)

    def draw_objects(
        self, per_scene: int, *, generator: torch.Generator, again: bool = False
    ) -> tuple[Tensor, Tensor]:
        """Draw up to `per_scene` objects of each scene, by their weights.

        Unless an object may be drawn `again`, a scene with few objects gives fewer. Returns the
        scene of each, (N,) int64, and their masks, (N, S, S) bool, none of them empty.
        """
        weights = self.weights + 1e-9  # a scene without objects draws nothing that shows
        group = torch.multinomial(weights, per_scene, replacement=again, generator=generator)
        scene = torch.arange(len(group), device=group.device).repeat_interleave(per_scene)
        shown = self.weights.gather(1, group).flatten() > 0
        scene, group = scene[shown], group.flatten()[shown]
        return scene, self.masks(scene, group)


def random_scenes(
    count: int,
    *,
    generator: torch.Generator,
    size: int = 256,
    min_area_px: int = 20,
    padded_share: float = 0.0,
) -> SceneBatch:
    """Draw `count` scenes of `size` pixels a side, on the generator's device.

    Objects that show fewer than `min_area_px` pixels are not asked for; a `padded_share` of the
    scenes loses a strip at the bottom or right, up to half of the frame.
    """
    names = list(FAMILY_WEIGHTS)
    chances = torch.tensor(list(FAMILY_WEIGHTS.values()), device=generator.device)
    family = torch.multinomial(chances, count, replacement=True, generator=generator)
    paintings = [
        FAMILIES[name](Draws(int((family == i).sum()), size, generator))
        for i, name in enumerate(names)
        if bool((family == i).any())
    ]
    painting = Painting.joined(paintings)
    images = render(painting, generator=generator)
    padding = torch.zeros_like(painting.outside)
    if padded_share:  # strips at the right or the bottom
        draws = Draws(count, size, generator)
        kept = torch.where(draws.chance(padded_share), draws.uniform(0.5, 1.0), 1.0) * size
        beyond = torch.arange(size, device=draws.device) >= kept  # (B, 1, S)
        padding = torch.where(draws.chance(0.5), beyond, beyond.transpose(1, 2))
        painting.label_maps.masked_fill_(padding, 0)
    visible = painting.visible_px()
    # Slivers of what others hide teach little: they are asked for less often.
    share = (visible / 150).clamp(0.2, 1.0)
    weights = painting.weights * share * (visible >= min_area_px)
    return SceneBatch(images, painting.label_maps, painting.groups, weights, padding)
