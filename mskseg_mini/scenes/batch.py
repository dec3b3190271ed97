"""Endless synthetic scenes with exact masks: the only images that SAM-mini is trained on.

No medical image and no phantom label map goes in. What does go in, on purpose, are shape families
that MRI has too: rings, stacks, thin bands along a rim or between two bodies, crescents, plates,
balls in sockets, touching look-alikes with thin dark septa.
SAM-mini is therefore zero-shot on images, not on shape priors.

A scene is a map of small integer labels painted object over object (`families.py`), a list of
groups of labels that form one object (a part, a ring, the whole), and an image rendered from it
with random contrast and an MRI-like acquisition, after the idea of SynthSeg (Billot et al. 2023,
doi 10.1016/j.media.2023.102789). Everything is batched, on any device.

It is rendered in steps: mean intensity and texture per label, thin walls, bias field, then in
k-space a blur, a smaller acquired matrix (zero-filled), ghosts and complex noise, then the
magnitude, gamma and the window. Nothing in it is taken from a real scan.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from mskseg_mini.scenes.families import FAMILIES
from mskseg_mini.scenes.painting import Draws, Painting

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


def render(painting: Painting, *, generator: torch.Generator) -> Tensor:
    """Images (B, S, S) float32, whole grey values 0..255, of a painting."""
    count, size, _ = painting.label_maps.shape
    draws = Draws(count, size, generator)
    image = _tissue(draws, painting)
    wall = draws.uniform(0.0, 1.0) * draws.chance(0.5)  # thin walls: dark in half of the scenes
    image = torch.lerp(image, wall.expand_as(image), painting.septum * draws.uniform(0.2, 1.0))
    air = draws.uniform(0.0, 0.03)
    image = torch.where(painting.outside, air, image.clamp_min(0.01))
    image = image * (draws.uniform(0.0, 0.5) * draws.smooth_field(cells=2)).exp()
    image = _acquire(draws, image)
    flat = image.reshape(count, -1)[:, ::7]  # a seventh of the pixels tells the percentile
    top = torch.quantile(flat, 0.995, dim=1)[:, None, None] * draws.log_uniform(0.85, 1.3)
    scaled = (image / top.clamp_min(1e-3)).clamp(0, 1) ** draws.log_uniform(0.6, 1.6)
    return (scaled * 255).round()


def random_texture(draws: Draws) -> Tensor:
    """(B, S, S) noise of zero mean and unit variance whose power falls as a random power law."""
    size = draws.size
    white = torch.randn(draws.count, size, size, generator=draws.generator, device=draws.device)
    ky = torch.fft.fftfreq(size, device=draws.device)[:, None]
    kx = torch.fft.rfftfreq(size, device=draws.device)[None, :]
    stretch = draws.log_uniform(0.4, 2.5)  # streaky textures in x or y
    radius = (ky * stretch) ** 2 + (kx / stretch) ** 2
    spectrum = (radius + 4e-4) ** (-0.5 * draws.uniform(0.3, 2.2))
    texture: Tensor = torch.fft.irfft2(torch.fft.rfft2(white) * spectrum, s=(size, size))
    texture = texture - texture.mean((1, 2), keepdim=True)
    return texture / texture.std((1, 2), keepdim=True).clamp_min(1e-6)


def _tissue(draws: Draws, painting: Painting) -> Tensor:
    labels = painting.label_maps.flatten(1)

    def draw() -> Tensor:
        shape = painting.kin.shape
        return torch.rand(shape, generator=draws.generator, device=draws.device)

    def per_pixel(values: Tensor) -> Tensor:
        return values.gather(1, labels).view(painting.label_maps.shape)

    mean = (0.05 + 0.95 * draw()).gather(1, painting.kin)
    # Look-alikes differ by less than their texture; unrelated labels may come close by chance.
    mean = mean + draws.uniform(0.0, 0.06)[:, 0] * (2 * draw() - 1)
    grain = (0.005 + 0.10 * draw() ** 2).gather(1, painting.kin)
    streaks = (0.5 * (draw() < 0.15) * draw()).gather(1, painting.kin)
    coarse, fine = random_texture(draws), random_texture(draws)
    image = per_pixel(mean) + per_pixel(grain) * coarse
    return image + per_pixel(streaks) * (fine - 1).clamp(0, 1.5)


def _acquire(draws: Draws, image: Tensor) -> Tensor:
    size = image.shape[-1]
    ky = torch.fft.fftfreq(size, device=image.device).abs()[:, None]
    kx = torch.fft.fftfreq(size, device=image.device).abs()[None, :]
    # Acquired matrix: between a fifth of the frame (a small scan, enlarged) and all of it.
    extent = 0.5 * torch.where(draws.chance(0.5), draws.uniform(0.55, 1.0), draws.uniform(0.2, 0.7))
    support = (ky < extent) & (kx < extent * draws.uniform(0.75, 1.3))
    blur = draws.uniform(0.0, 0.9) / extent * 0.5
    taper = torch.exp(-2 * (torch.pi * blur) ** 2 * (ky**2 + kx**2))
    # The signal's scale is about 1; noise is set on the image and spreads over the support.
    sigma = draws.log_uniform(0.004, 0.12) * (0.25 / extent**2).sqrt().clamp(max=2.5)
    noise = torch.randn((2, *image.shape), generator=draws.generator, device=image.device)
    spectrum = torch.fft.fft2(image) * taper
    spectrum = spectrum + torch.fft.fft2(torch.complex(noise[0], noise[1]) * sigma)
    ghost = 1 - draws.uniform(0.0, 0.12) * draws.chance(0.1)
    odd = (torch.arange(size, device=image.device) % 2 == 1)[:, None]
    spectrum = torch.where(odd, spectrum * ghost, spectrum) * support
    magnitude: Tensor = torch.fft.ifft2(spectrum).abs()
    return magnitude
