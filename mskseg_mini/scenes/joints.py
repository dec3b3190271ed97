"""The families of thin layers between bodies: joints, and balls in sockets.

**Joints**: two or three heads on shafts. A layer of two to seven pixels along a long arc has nearly
the box of the head that it covers; what tells the two apart is that the shaft leaves the box.
**Sockets**: a head in a hollow body, two thin layers side by side between. Both layers have nearly
the box of the head, and each other's. Coordinates as in `mskseg_mini.scenes.painting`.
"""

import math

import torch
from torch import Tensor

from mskseg_mini.scenes.painting import Blob, Draws, Grid, Painting, draw_blob, draw_surroundings

HEADS, LAYERS, WEDGES = 7, 13, 19  # first labels of a joint; below are the clutter's
HEAD, SOCKET, HEAD_LAYER, SOCKET_LAYER, FLUID = 7, 8, 13, 14, 19  # labels of a socket


def paint_joint(draws: Draws) -> Painting:
    """Paint heads on shafts that face each other across thin layers, with wedges between."""
    painting, grid = draw_surroundings(draws, air=0.4)
    centre = draws.position(0.35)
    axis, gap = draws.uniform(0, 2 * math.pi), draws.log_uniform(4, 26) * draws.px
    for side in range(2):
        _paint_bone(draws, painting, grid, index=side, place=(centre, axis, gap))
    _paint_small_head(draws, painting, grid, centre=centre)
    for k in range(2):
        _paint_wedge(draws, painting, grid, index=k, place=(centre, axis))
    painting.outside &= painting.label_maps < HEADS
    painting.kin[:, LAYERS : LAYERS + 6] = LAYERS
    return painting


def _paint_bone(
    draws: Draws, painting: Painting, grid: Grid, *, index: int, place: tuple[Grid, Tensor, Tensor]
) -> None:
    """Paint a head that touches the joint's plane from one side, its shaft, its layer."""
    (x, y), axis, gap = place
    facing = axis + math.pi * index + draws.uniform(-0.3, 0.3)
    radius = draws.log_uniform(0.14, 0.5)
    reach = radius + gap / 2
    centre = (x - reach * facing.cos(), y - reach * facing.sin())
    head = draw_blob(draws, grid, centre=centre, radius=radius, elongation=1.5, wobble=0.12)
    shaft, away = draw_shaft(draws, head, grid, facing=facing)
    whole = head.inside | (shaft & (away < draws.uniform(0.5, 4.0) * radius))
    layer = draw_layer(draws, head, grid, facing=facing) & ~whole
    painting.paint(layer, LAYERS + index)
    painting.paint(whole, HEADS + index)
    painting.add_group(index, [HEADS + index], weight=0.7)
    painting.add_group(3 + index, [LAYERS + index], weight=1.3)
    painting.septum = torch.maximum(painting.septum, draw_rim(head, draws) * ~shaft)
    alike = draws.chance(0.8)[:, 0, 0]
    painting.kin[:, HEADS + index] = torch.where(alike, HEADS, HEADS + index)


def draw_shaft(draws: Draws, head: Blob, grid: Grid, *, facing: Tensor) -> tuple[Tensor, Tensor]:
    """Draw the shaft behind the head: an endless bool (B, S, S), and the way along it."""
    dx, dy = grid[0] - head.centre[0], grid[1] - head.centre[1]
    away = -(dx * facing.cos() + dy * facing.sin())
    across = (dy * facing.cos() - dx * facing.sin()).abs()
    flare = draws.uniform(0.0, 0.5) * (away / head.radius).clamp(0, 2)
    width = (draws.uniform(0.5, 0.9) - 0.4 * flare).clamp_min(0.2)
    return (away > 0) & (across < head.radius * width), away


def draw_layer(draws: Draws, head: Blob, grid: Grid, *, facing: Tensor) -> Tensor:
    """Layer outside the head towards `facing`, thinning out at both ends, sometimes cut short."""
    share = taper(head, grid, facing=facing, half=draws.uniform(0.35, 2.2))
    return head.shell(draws.log_uniform(1.8, 7) * draws.px * share)


def taper(head: Blob, grid: Grid, *, facing: Tensor, half: Tensor) -> Tensor:
    """Share of a layer's thickness (B, S, S): 1 towards `facing`, 0 from `half` radians on."""
    angle = torch.atan2(grid[1] - head.centre[1], grid[0] - head.centre[0]) - facing
    angle = torch.atan2(angle.sin(), angle.cos())
    return (1 - (angle / half) ** 2).clamp_min(0) ** 0.35


def draw_rim(head: Blob, draws: Draws) -> Tensor:
    """Give the thin wall on the outline, 0..1: dark or bright as the scene's septa are."""
    width = draws.uniform(0.5, 2.0) * draws.px / head.radius
    return torch.exp(-(((head.rho - 1) / width) ** 2)) * draws.chance(0.6)


def _paint_small_head(draws: Draws, painting: Painting, grid: Grid, *, centre: Grid) -> None:
    """Paint a small body in front of the joint with its own layer towards it."""
    angle, reach = draws.uniform(0, 2 * math.pi), draws.uniform(0.3, 0.7)
    place = (centre[0] + reach * angle.cos(), centre[1] + reach * angle.sin())
    radius = draws.log_uniform(0.06, 0.2)
    head = draw_blob(draws, grid, centre=place, radius=radius, elongation=2.5)
    shown = draws.chance(0.7)
    layer = draw_layer(draws, head, grid, facing=angle + math.pi)
    free = painting.label_maps < HEADS
    painting.paint(layer & shown & free, LAYERS + 2)
    painting.paint(head.inside & shown & free, HEADS + 2)
    painting.add_group(2, [HEADS + 2], weight=0.7)
    painting.add_group(5, [LAYERS + 2], weight=1.3)


def _paint_wedge(
    draws: Draws, painting: Painting, grid: Grid, *, index: int, place: tuple[Grid, Tensor]
) -> None:
    """Paint a flat triangle in the plane of the joint, thick outside and thin inside."""
    (x, y), axis = place
    side = draws.uniform(0.1, 0.4) * (1 if index else -1)
    centre = (x - side * axis.sin(), y + side * axis.cos())
    dx, dy = grid[0] - centre[0], grid[1] - centre[1]
    outward = (dy * axis.cos() - dx * axis.sin()) * (1 if index else -1)
    across = (dx * axis.cos() + dy * axis.sin()).abs()
    length, thick = draws.log_uniform(8, 40) * draws.px, draws.log_uniform(2, 9) * draws.px
    share = (outward / length + 0.5).clamp(0, 1)  # 0 at the inner tip, 1 at the outer edge
    wedge = (outward.abs() < length / 2) & (across < thick * share) & draws.chance(0.7)
    painting.paint(wedge & (painting.label_maps < HEADS), WEDGES + index)
    painting.add_group(6 + index, [WEDGES + index])


def paint_socket(draws: Draws) -> Painting:
    """Paint a head on a neck in its socket, with a layer on each and sometimes fluid between."""
    painting, grid = draw_surroundings(draws, air=0.4)
    centre = draws.position(0.45)
    facing, radius = draws.uniform(0, 2 * math.pi), draws.log_uniform(0.1, 0.45)
    head = draw_blob(draws, grid, centre=centre, radius=radius, elongation=1.3, wobble=0.06)
    neck, away = draw_shaft(draws, head, grid, facing=facing)
    whole = head.inside | (neck & (away < draws.uniform(0.5, 4.0) * radius))
    on_head = draw_layer(draws, head, grid, facing=facing) & ~whole

    share = taper(head, grid, facing=facing, half=draws.uniform(0.8, 2.0))
    surface = draws.log_uniform(1.8, 9) * draws.px  # of the socket: this far outside the head
    thickness = draws.log_uniform(1.8, 6) * draws.px * share
    in_socket = head.shell(surface + thickness) & ~head.shell(surface)
    body = head.shell(surface + draws.log_uniform(0.1, 0.6) * share)

    painting.paint(body & ~whole, SOCKET)
    painting.paint(head.shell(surface) & (share > 0) & ~whole, FLUID)
    painting.paint(in_socket & (share > 0) & ~whole, SOCKET_LAYER)
    painting.paint(on_head, HEAD_LAYER)
    painting.paint(whole, HEAD)
    painting.outside &= painting.label_maps < HEAD
    for index, (label, weight) in enumerate(
        [(HEAD, 0.7), (SOCKET, 0.7), (HEAD_LAYER, 1.3), (SOCKET_LAYER, 1.3)]
    ):
        painting.add_group(index, [label], weight=weight)
    painting.septum = torch.maximum(painting.septum, draw_rim(head, draws) * ~neck)
    painting.kin[:, SOCKET_LAYER] = HEAD_LAYER
    alike = draws.chance(0.8)[:, 0, 0]
    painting.kin[:, SOCKET] = torch.where(alike, HEAD, SOCKET)
    return painting
