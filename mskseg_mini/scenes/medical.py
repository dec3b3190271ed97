"""Synthetic scenes of another domain than MRI, for `medsam_vit_mini`: CT-like and endoscopy-like.

CT-like: a body in air with organs of near-constant, similar greys, low-contrast lesions inside
them, bright bones, gas, correlated noise and streaks. Endoscopy-like: a lit tube with folds,
vessels, highlights and polyps that show by their shading. Nothing here is taken from a real image.
Coordinates as in `mskseg_mini.scenes.painting`.
"""

import math

import torch
from torch import Tensor

from mskseg_mini.scenes.batch import SceneBatch, random_texture
from mskseg_mini.scenes.painting import (
    MAX_LABELS,
    Blob,
    Draws,
    Grid,
    Painting,
    draw_blob,
    warped_grid,
)

CT_SHARE = 0.6  # of scenes; the rest are endoscopy-like
LUMA = (0.299, 0.587, 0.114)  # from red, green and blue to the grey that a model is given
FAT, MUSCLE, BONE, GAS = 1, 2, 3, 4  # labels of a CT-like scene that are no objects, or one each
ORGANS, LESIONS, MAX_ORGANS = 8, 24, 9  # first labels; three lesions may lie in an organ
POLYPS, LUMEN = 8, 1


def random_medical_scenes(
    count: int, *, generator: torch.Generator, size: int = 256, min_area_px: int = 20
) -> SceneBatch:
    """Draw `count` scenes of `size` pixels a side; smaller objects are not asked for."""
    draw = torch.rand(count, generator=generator, device=generator.device)
    n_ct = int((draw < CT_SHARE).sum())
    made = [
        paint(Draws(n, size, generator))
        for paint, n in ((ct_like, n_ct), (endoscopy_like, count - n_ct))
        if n
    ]
    painting = Painting.joined([painting for _, painting in made])
    images = (torch.cat([image for image, _ in made]).clamp(0, 1) * 255).round()
    weights = painting.weights * (painting.visible_px() >= min_area_px)
    padding = torch.zeros_like(painting.outside)
    return SceneBatch(images, painting.label_maps, painting.groups, weights, padding)


def ct_like(draws: Draws) -> tuple[Tensor, Painting]:
    """Draw bodies with organs, lesions, bones and gas: images (B, S, S) from 0 to 1, and labels."""
    painting, grid = Painting.blank(draws), warped_grid(draws)
    centre, radius = draws.position(0.08), draws.uniform(0.6, 0.9)
    body = draw_blob(draws, grid, centre=centre, radius=radius, elongation=1.4, wobble=0.06)
    painting.paint(body.inside, FAT)
    painting.paint(body.rho < draws.uniform(0.8, 0.96), MUSCLE)
    cavity = body.rho < draws.uniform(0.7, 0.8)
    # Within the window: fat dark, soft tissue in the middle, bone white.
    means = torch.zeros((draws.count, MAX_LABELS), device=draws.device)
    means[:, FAT] = draws.uniform(0.08, 0.2)[:, 0, 0]
    means[:, MUSCLE] = draws.uniform(0.42, 0.52)[:, 0, 0]
    means[:, BONE] = draws.uniform(0.85, 1.1)[:, 0, 0]
    for k in range(draws.integer(4, MAX_ORGANS)):
        _paint_organ(draws, painting, grid, means, number=k, cavity=cavity)
    _paint_gas_and_bones(draws, painting, grid, body=body, cavity=cavity)
    painting.outside = ~body.inside
    image = means.gather(1, painting.label_maps.flatten(1)).view_as(painting.label_maps)
    return _scanned(draws, image), painting


def _paint_organ(
    draws: Draws, painting: Painting, grid: Grid, means: Tensor, *, number: int, cavity: Tensor
) -> None:
    """Paint an organ, with up to three lesions whose grey is close to its own."""
    organ = ORGANS + number
    centre, radius = draws.position(0.55), draws.log_uniform(0.06, 0.4)
    blob = draw_blob(draws, grid, centre=centre, radius=radius, wobble=0.25)
    inside = blob.inside & cavity
    painting.paint(inside, organ)
    means[:, organ] = draws.uniform(0.42, 0.75)[:, 0, 0]
    lesions = [LESIONS + 3 * number + k for k in range(3)]
    for lesion in lesions:
        _paint_lesion(draws, painting, grid, blob, label=lesion, within=inside)
        contrast = draws.uniform(0.05, 0.18)[:, 0, 0]
        darker = draws.chance(0.75)[:, 0, 0]
        means[:, lesion] = means[:, organ] + torch.where(darker, -contrast, contrast)
    painting.add_group(number, [organ, *lesions])


def _paint_lesion(
    draws: Draws, painting: Painting, grid: Grid, organ: Blob, *, label: int, within: Tensor
) -> None:
    """Paint a lesion in most organs; larger organs have larger ones."""
    reach = organ.radius * 0.7
    x, y = organ.centre
    centre = (x + reach * draws.uniform(-1, 1), y + reach * draws.uniform(-1, 1))
    radius = organ.radius * draws.log_uniform(0.12, 0.5)
    lesion = draw_blob(draws, grid, centre=centre, radius=radius, elongation=1.6, wobble=0.3)
    painting.paint(lesion.inside & within & draws.chance(0.35), label)
    painting.add_group(MAX_ORGANS + label - LESIONS, [label], weight=1.5)


def _paint_gas_and_bones(
    draws: Draws, painting: Painting, grid: Grid, *, body: Blob, cavity: Tensor
) -> None:
    """Paint lungs or bowel gas, asked for rarely; a vertebra and ribs, which are context only."""
    lungs = draws.chance(0.3)
    offset = draws.uniform(0.25, 0.4)
    mirrored = (grid[0].abs(), grid[1])
    centre = (offset, draws.uniform(-0.2, 0.2))
    radius = torch.where(lungs, draws.uniform(0.2, 0.35), draws.uniform(0.03, 0.1))
    gas = draw_blob(draws, mirrored, centre=centre, radius=radius, elongation=1.8)
    painting.paint(gas.inside & cavity & (lungs | draws.chance(0.4)), GAS)
    centre = (draws.uniform(-0.05, 0.05), draws.uniform(0.35, 0.5))
    radius = draws.uniform(0.08, 0.15)
    vertebra = draw_blob(draws, grid, centre=centre, radius=radius, elongation=1.3)
    painting.paint(vertebra.inside & body.inside, BONE)
    spokes = (draws.integer(8, 16) * torch.atan2(grid[1], grid[0])).cos()
    ribs = (spokes > draws.uniform(0.6, 0.85)) & (body.rho > 0.82) & (body.rho < 0.88)
    painting.paint(ribs & draws.chance(0.6), BONE)
    painting.add_group(63, [GAS], weight=0.2)


def _scanned(draws: Draws, image: Tensor) -> Tensor:
    """Add what a scanner adds: streaks from a dense spot, a soft kernel, correlated noise."""
    axis = draws.axis()
    x, y = axis - draws.uniform(-0.5, 0.5), axis[:, None] - draws.uniform(-0.5, 0.5)
    angle, distance = torch.atan2(y, x), (x * x + y * y).sqrt()
    waves = sum((k * angle + draws.uniform(0, 2 * math.pi)).cos() for k in (6, 10, 17, 29))
    streaks = waves / (1 + 6 * distance) * draws.uniform(0.02, 0.12) * draws.chance(0.3)
    image = torch.where(image > 0, image + streaks, image)
    noise = draws.log_uniform(0.006, 0.05) * random_texture(draws)
    return _blurred(image, draws.uniform(0.3, 1.2)) + noise


def _blurred(image: Tensor, sigma_px: Tensor) -> Tensor:
    """Blur by a Gaussian of `sigma_px` (B, 1, 1)."""
    size = image.shape[-1]
    ky = torch.fft.fftfreq(size, device=image.device)[:, None]
    kx = torch.fft.rfftfreq(size, device=image.device)
    taper = torch.exp(-2 * (torch.pi * sigma_px) ** 2 * (ky**2 + kx**2))
    blurred: Tensor = torch.fft.irfft2(torch.fft.rfft2(image) * taper, s=(size, size))
    return blurred


def endoscopy_like(draws: Draws) -> tuple[Tensor, Painting]:
    """Draw lit tubes with polyps: images (B, S, S) from 0 to 1, and labels."""
    painting, grid = Painting.blank(draws), warped_grid(draws)
    x, y = grid[0] - draws.uniform(-0.5, 0.5), grid[1] - draws.uniform(-0.5, 0.5)
    depth = (x * x + y * y).sqrt()  # 0 at the far end of the tube
    lumen = depth < draws.uniform(0.05, 0.25)
    painting.paint(lumen & draws.chance(0.7), LUMEN)
    painting.add_group(63, [LUMEN], weight=0.3)
    folds = (draws.uniform(6, 14) * depth.clamp_min(0.05).log() + draws.uniform(0, 6)).sin()
    height = 0.03 * draws.uniform(0.2, 1) * folds + 0.05 * draws.smooth_field(cells=5)
    albedo = torch.ones_like(height)
    for k in range(draws.integer(1, 4)):
        bump, tint = _paint_polyp(draws, painting, grid, label=POLYPS + k, group=k)
        height, albedo = height + bump, albedo * tint
    image = _lit(draws, height, albedo, depth=depth, lumen=painting.label_maps == LUMEN)
    return image, painting


def _paint_polyp(
    draws: Draws, painting: Painting, grid: Grid, *, label: int, group: int
) -> tuple[Tensor, Tensor]:
    """Paint a polyp; give its height and how it tints the wall."""
    centre, radius = draws.position(0.7), draws.log_uniform(0.06, 0.35)
    blob = draw_blob(draws, grid, centre=centre, radius=radius, elongation=1.7, wobble=0.2)
    painting.paint(blob.inside, label)
    painting.add_group(group, [label])
    dome = (1 - blob.rho**2).clamp_min(0).sqrt() * blob.radius * draws.uniform(0.3, 1.0)
    tint = torch.where(blob.inside, draws.uniform(0.85, 1.12), 1.0)
    return dome, tint


def _lit(draws: Draws, height: Tensor, albedo: Tensor, *, depth: Tensor, lumen: Tensor) -> Tensor:
    """Shade the wall by its slope towards the light, add vessels, highlights and the vignette."""
    slope_y, slope_x = (g * draws.size / 2 for g in torch.gradient(height, dim=(1, 2)))
    direction = draws.uniform(0, 2 * math.pi)
    facing = slope_x * direction.cos() + slope_y * direction.sin()
    steepness = (slope_x**2 + slope_y**2).sqrt()
    shade = (1 - draws.uniform(0.1, 0.5) * facing) / (1 + draws.uniform(0.1, 0.5) * steepness)
    falloff = (depth / draws.uniform(0.3, 0.9)).clamp(max=1.5) ** draws.uniform(0.4, 1.2)
    vessels = torch.exp(-((draws.smooth_field(cells=9) / 0.05) ** 2))
    wall = albedo * (1 - draws.uniform(0, 0.15) * vessels) * shade.clamp(0, 2) * falloff
    wall = torch.where(lumen, wall * 0.3, wall) * draws.uniform(0.6, 1.1)
    shine = shade * (1 + 0.25 * draws.smooth_field(cells=24))
    bright = torch.sigmoid((shine - draws.uniform(1.3, 1.7)) * 30)
    # Mucosa is red: little green, less blue; a highlight is white.
    colours = (draws.uniform(0.7, 1.0), draws.uniform(0.3, 0.55), draws.uniform(0.2, 0.5))
    grey = torch.zeros_like(wall)
    for share, colour in zip(LUMA, colours, strict=True):
        grey = grey + share * torch.lerp(wall * colour, torch.ones_like(wall), bright)
    image = grey * draws.uniform(1.0, 1.6)
    axis = draws.axis()
    radius = (axis**2 + axis[:, None] ** 2).sqrt()  # from the middle of the lens
    image = image * (1 - draws.uniform(0, 0.4) * radius**2).clamp_min(0)
    image = _blurred(image, draws.uniform(0.3, 1.5))
    image = image + draws.log_uniform(0.004, 0.02) * random_texture(draws)
    return torch.where((radius > draws.uniform(0.95, 1.5)) & draws.chance(0.5), 0.0, image)
