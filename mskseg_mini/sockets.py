"""The family of balls in sockets: a head in a hollow body, two thin layers side by side between.

Both layers have nearly the box of the head, and each other's. Coordinates as in
`mskseg_mini.shapes`.
"""

from __future__ import annotations

import math

import torch

from mskseg_mini.joints import draw_layer, draw_rim, draw_shaft, taper
from mskseg_mini.shapes import Draws, Painting, draw_blob, draw_surroundings

HEAD, SOCKET, HEAD_LAYER, SOCKET_LAYER, FLUID = 7, 8, 13, 14, 19  # labels; below are the clutter's


def paint_socket(count: int, *, size: int, generator: torch.Generator) -> Painting:
    """Paint a head on a neck in its socket, with a layer on each and sometimes fluid between."""
    draws, px = Draws(count, generator), 2 / size
    painting, grid = draw_surroundings(draws, size=size, air=0.4)
    centre = (draws.uniform(-0.45, 0.45), draws.uniform(-0.45, 0.45))
    facing, radius = draws.uniform(0, 2 * math.pi), draws.log_uniform(0.1, 0.45)
    head = draw_blob(draws, grid, centre=centre, radius=radius, elongation=1.3, wobble=0.06)
    neck, away = draw_shaft(draws, head, grid, facing=facing)
    whole = head.inside | (neck & (away < draws.uniform(0.5, 4.0) * radius))
    on_head = draw_layer(draws, head, grid, facing=facing, size=size) & ~whole

    share = taper(head, grid, facing=facing, half=draws.uniform(0.8, 2.0))
    surface = draws.log_uniform(1.8, 9) * px  # of the socket: this far outside the head
    thickness = draws.log_uniform(1.8, 6) * px * share
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
    painting.septum = torch.maximum(painting.septum, draw_rim(head, draws, size=size) * ~neck)
    painting.kin[:, SOCKET_LAYER] = HEAD_LAYER
    alike = draws.chance(0.8)[:, 0, 0]
    painting.kin[:, SOCKET] = torch.where(alike, HEAD, SOCKET)
    return painting
