"""What makes a thigh irregular: warped outlines, uneven septa, fatty streaks, fibres in fat."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mskseg_phantom.shapes import FloatArray, PlaneGrid, RandomField
from mskseg_phantom.thigh import PLAN, ThighSubject

_SLOW_WARP_MM, _QUICK_WARP_MM = 2.4, 0.45
_FASCIA_WAVE_MM = 0.9
_FIBRE_LAYER_MM = 6.5  # distance between the fibrous layers of the subcutaneous fat: assumed


@dataclass(frozen=True, eq=False)
class PointTexture:
    """Texture at some points, each (n,) float32 with mean 0 and standard deviation 1."""

    septum: FloatArray
    streaks: tuple[FloatArray, FloatArray]
    patches: FloatArray
    grain: FloatArray


class ThighTexture:
    """The random fields of one subject.

    Parameters
    ----------
    subject : ThighSubject
        How fatty its muscles are.
    rng : numpy.random.Generator
        Draws all fields.
    half_mm : (float, float, float)
        Half the size of the region they cover.
    """

    def __init__(
        self, subject: ThighSubject, rng: np.random.Generator, half_mm: tuple[float, float, float]
    ) -> None:
        self._subject = subject
        self._slow = _pair(rng, half_mm, (22.0, 40.0))
        self._quick = _pair(rng, half_mm, (7.0, 16.0))
        self._wave = RandomField(rng, half_mm, pitch_mm=(16.0, 40.0))
        self._septum = RandomField(rng, half_mm, pitch_mm=(11.0, 18.0))
        angles = rng.uniform(0, np.pi, 2)
        self._streaks = tuple(
            RandomField(rng, half_mm, pitch_mm=(1.8, 14.0), stretch=9.0, angle=float(angle))
            for angle in angles
        )
        self._patches = RandomField(rng, half_mm, pitch_mm=(7.0, 20.0))
        self._grain = RandomField(rng, half_mm, pitch_mm=(2.2, 6.0))
        self._direction = rng.integers(0, 2, len(PLAN))

    def warped(
        self, u: FloatArray, v: FloatArray, grid: PlaneGrid, z_mm: float
    ) -> tuple[FloatArray, FloatArray]:
        """Displace the points of a plane, (n_u, n_v) each, by a few millimetres."""
        moved = []
        for points, slow, quick in zip((u, v), self._slow, self._quick, strict=True):
            shift = np.float32(_SLOW_WARP_MM) * slow.plane(grid, z_mm)
            moved.append(points + shift + np.float32(_QUICK_WARP_MM) * quick.plane(grid, z_mm))
        return moved[0], moved[1]

    def fascia_wave_mm(self, grid: PlaneGrid, z_mm: float) -> FloatArray:
        """How far the fascia leaves its smooth outline, (n_u, n_v)."""
        return np.float32(_FASCIA_WAVE_MM) * self._wave.plane(grid, z_mm)

    def at(self, where: NDArray[np.bool_], grid: PlaneGrid, z_mm: float) -> PointTexture:
        """Texture at the points of a plane where `where` is true."""
        first, second = (field.plane(grid, z_mm)[where] for field in self._streaks)
        septum, patches, grain = (
            field.plane(grid, z_mm)[where] for field in (self._septum, self._patches, self._grain)
        )
        return PointTexture(septum, (first, second), patches, grain)

    def fibres(self, depth_mm: FloatArray, grid: PlaneGrid, z_mm: float) -> FloatArray:
        """Share of fibres in subcutaneous fat, 0 to 1: thin layers along the skin, in patches."""
        undulation = self._septum.plane(grid, z_mm) + np.float32(0.8) * self._quick[0].plane(
            grid, z_mm
        )
        layer = np.sin(depth_mm * np.float32(np.pi / _FIBRE_LAYER_MM) + undulation)
        patches = np.clip(self._patches.plane(grid, z_mm) - np.float32(0.1), 0, 1)
        grain = np.float32(0.04) * self._grain.plane(grid, z_mm)
        share = np.float32(0.06) + grain + np.float32(0.6) * patches * _ridge(layer, 0.16)
        clipped: FloatArray = np.clip(share, 0, 1)
        return clipped

    def muscle_fat(self, texture: PointTexture, nearest: NDArray[np.uint8]) -> FloatArray:
        """Fat fraction of muscle, (n,): diffuse by lobe, grainy, with streaks in patches.

        Parameters
        ----------
        texture : PointTexture
            At the points.
        nearest : (n,) uint8
            Lobe of the plan that each point belongs to.
        """
        subject = self._subject
        first, second = texture.streaks
        streak = np.where(self._direction[nearest] == 0, first, second)
        threshold = np.float32(1.0 - 1.3 * subject.streaks)
        allowed = np.clip((texture.patches - threshold) * np.float32(1.5), 0, 1)
        diffuse = subject.muscle_fat[nearest] * (1 + np.float32(0.35) * texture.grain)
        grain = np.float32(0.02) * texture.grain
        streaked = np.float32(subject.streak_peak) * _ridge(streak, subject.streak_width) * allowed
        share = diffuse + grain + streaked
        clipped: FloatArray = np.clip(share, 0, 0.85)
        return clipped


def _pair(
    rng: np.random.Generator, half_mm: tuple[float, float, float], pitch_mm: tuple[float, float]
) -> tuple[RandomField, RandomField]:
    return (
        RandomField(rng, half_mm, pitch_mm=pitch_mm),
        RandomField(rng, half_mm, pitch_mm=pitch_mm),
    )


def _ridge(field: FloatArray, width: float) -> FloatArray:
    """1 where a smooth field crosses zero, falling off to both sides: thin curved lines."""
    ridge: FloatArray = np.exp(-((field / np.float32(width)) ** 2))
    return ridge
