"""Render a painted label map the way an MR scanner might show it, with random contrast.

Order of the steps: mean intensity and texture per label, thin walls, bias field, then in k-space a
blur, a smaller acquired matrix (zero-filled), ghosts and complex noise, then the magnitude, gamma
and the window. Nothing here is taken from a real scan.
"""

import torch
from torch import Tensor

from mskseg_mini.scenes.painting import Draws, Painting


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
