"""The soft tissue around a knee: skin, fat, muscles, vessels, tendons, ligaments and fluid."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from mskseg_phantom.anatomies import knee_atlas as atlas
from mskseg_phantom.anatomies.knee import EXTENT_MM, KneeSubject
from mskseg_phantom.anatomies.knee_atlas import Column, Frame, column_distance, lean
from mskseg_phantom.drawing.canvas import Canvas
from mskseg_phantom.drawing.fields import RandomField, random_fields, ridge
from mskseg_phantom.drawing.solids import Index, capsule_distance
from mskseg_phantom.tissue import FloatArray, Tissue

_SKIN_MM, _FASCIA_MM = 1.7, 0.9
_SEPTUM_MM = 1.1
_FAR = np.float32(1e3)


@dataclass(frozen=True, eq=False)
class Texture:
    """Random fields of one plane, each (n_u, n_v) float32 with standard deviation 1."""

    wave: FloatArray
    streak: FloatArray
    grain: FloatArray

    def at(self, index: Index) -> Texture:
        """Return the part within a window."""
        return Texture(self.wave[index], self.streak[index], self.grain[index])


def texture_fields(rng: np.random.Generator) -> dict[str, RandomField]:
    """Draw the random fields of one subject, named as in `Texture`."""
    wave = random_fields(rng, EXTENT_MM, {"wave": (9.0, 16.0)})
    streak = (2.0, 12.0, 7.0, rng.uniform(1.2, 1.9))
    return wave | random_fields(rng, EXTENT_MM, {"streak": streak, "grain": (1.3, 4.0)})


def trabeculae(texture: Texture) -> FloatArray:
    """Share of marrow that is trabecular bone, (n_u, n_v): more where the fields are high."""
    field = texture.grain + np.float32(0.5) * texture.streak
    share = np.float32(0.08) + np.float32(0.045) * field + np.clip(field - 2.2, 0, 1)
    clipped: FloatArray = np.clip(share, 0, 0.9)
    return clipped


class SoftTissue:
    """All but bone, cartilage and menisci; the patella's articular ridge lies at (l, a, s)."""

    def __init__(self, subject: KneeSubject, patella: tuple[float, float, float]) -> None:
        self._subject = subject
        flexion = float(np.tan(subject.flexion_rad))
        self._tendons = _extensor_tendons(patella, flexion)
        self._pouch = _pouch(patella, flexion, subject.effusion)

    def paint(self, canvas: Canvas, frame: Frame, texture: Texture) -> None:
        """Paint one plane; bones, cartilage and menisci come on top."""
        self._envelope(canvas, frame, texture)
        self._muscles(canvas, frame, texture)
        for column in atlas.CORDS:
            self._column(canvas, frame, column, texture, leaning=True)
        self._column(canvas, frame, self._pouch, texture, leaning=False)
        for column in self._tendons:
            self._column(canvas, frame, column, texture, leaning=False)
        self._cruciates(canvas, frame, texture)

    def _envelope(self, canvas: Canvas, frame: Frame, texture: Texture) -> None:
        """Air, skin, subcutaneous fat and fascia; what the fascia holds is fat at first."""
        fat = self._subject.fat_mm / self._subject.size
        found = column_distance(atlas.FASCIA, frame, reach=2.2 * fat + 6)
        if found is None:
            return
        index, outside = found
        part, texture = frame.cut(index), texture.at(index)
        # Subcutaneous fat is thin in front of the patella, thick behind and medially.
        behind = np.clip(-part.a / 60, -0.6, 1)
        front = np.exp(-(((part.s - 20) / 40) ** 2)) * np.clip(part.a / 60, 0, 1)
        thick = np.asarray(fat * (1 + 0.35 * behind - 0.45 * front - 0.004 * part.l), np.float32)
        depth = thick + _SKIN_MM - outside
        inner = outside + np.float32(0.5) * texture.wave
        wavy = texture.streak + texture.wave
        fibres = np.clip(0.05 + 0.03 * texture.grain + 0.4 * ridge(wavy, 0.10), 0, 0.9)
        canvas.paint(depth > 0, Tissue.SKIN, index=index)
        canvas.paint(depth > _SKIN_MM, Tissue.FAT, admixture=fibres, index=index)
        canvas.paint((inner < 0) & (depth > _SKIN_MM), Tissue.FIBROUS, index=index)
        strands = np.clip(0.12 + 0.06 * texture.grain + 0.35 * ridge(wavy, 0.16), 0, 0.9)
        canvas.paint(inner < -_FASCIA_MM, Tissue.FAT, admixture=strands, index=index)

    def _muscles(self, canvas: Canvas, frame: Frame, texture: Texture) -> None:
        """Muscles grow into each other until a septum of fat is left."""
        first, second = (np.full(canvas.tissue.shape, _FAR) for _ in range(2))
        for column in atlas.MUSCLES:
            found = column_distance(column, frame, grow=self._subject.bulk, reach=4.0)
            if found is None:
                continue
            index, distance = found
            second[index] = np.minimum(second[index], np.maximum(first[index], distance))
            first[index] = np.minimum(first[index], distance)
        septum = np.float32(_SEPTUM_MM) * np.clip(1 + 0.5 * texture.wave, 0.3, 3)
        flesh = first + np.float32(1.3) * texture.wave < 0
        flesh &= (second - first > septum) & (canvas.tissue == Tissue.FAT)
        fascia = column_distance(atlas.FASCIA, frame, reach=0.0)
        deep = np.zeros_like(flesh)
        if fascia is not None:
            deep[fascia[0]] = fascia[1] < -1.5
        fat = np.float32(self._subject.muscle_fat)
        streaks = fat * (1 + 0.4 * texture.grain) + 4 * fat * ridge(texture.streak, 0.2)
        canvas.paint(flesh & deep, Tissue.MUSCLE, admixture=np.clip(streaks, 0, 0.8))

    def _column(
        self, canvas: Canvas, frame: Frame, column: Column, texture: Texture, *, leaning: bool
    ) -> None:
        found = column_distance(column, frame, leaning=leaning)
        if found is not None:
            index, distance = found
            inside = distance + np.float32(0.25) * texture.wave[index] < 0
            inside &= canvas.tissue[index] > Tissue.AIR
            canvas.paint(inside, column.tissue, index=index)

    def _cruciates(self, canvas: Canvas, frame: Frame, texture: Texture) -> None:
        """Two bundles of fibres in the notch, with synovium and fluid between the fibres."""
        index = frame.window((-32, 24), (-18, 36))
        part, part_texture = frame.cut(index), texture.at(index)
        points = (np.full((1, 1), frame.l, dtype=np.float32), part.a, part.s)
        for path, radius in atlas.CRUCIATES:
            pieces = [capsule_distance(points, *ends, (radius, radius)) for ends in pairwise(path)]
            inside = np.min(pieces, axis=0) + np.float32(0.4) * part_texture.wave < 0
            between = 0.14 + 0.05 * part_texture.streak + 0.04 * part_texture.grain
            canvas.paint(inside, Tissue.LIGAMENT, admixture=np.clip(between, 0, 0.4), index=index)


def _extensor_tendons(patella: tuple[float, float, float], flexion: float) -> tuple[Column, ...]:
    """Quadriceps tendon above the patella and patellar tendon below it."""
    l, a, s = patella
    top = 48.0 + float(lean(np.array([95.0]), flexion)[0])
    above = ((s + 12, l, a + 11, 15, 3.0), (s + 22, l, a + 8.5, 15, 3.2), (95.0, l - 1, top, 13, 3))
    below = ((-42.0, 3, 27.0, 10, 1.8), (-30.0, 3, 29.5, 11, 2.4), (s - 13, l, a + 8.5, 12, 2.4))
    return tuple(Column.of(*rows, tissue=Tissue.FIBROUS) for rows in (above, below))


def _pouch(patella: tuple[float, float, float], flexion: float, effusion: float) -> Column:
    """Fluid of the suprapatellar pouch, a crescent behind the quadriceps tendon."""
    l, a, s = patella
    high, half = float(lean(np.array([68.0]), flexion)[0]), 0.7 + 3.0 * effusion
    return Column.of(
        (s + 12, l, a + 0.5, 14, 0.5),
        (s + 17, l, a + 0.5, 15, 0.8 * half),
        (s + 22, l, 0.5 * (a + 0.5 + 43 + high), 15, half),
        (s + 28, l - 1, 43 + high, 13, 0.8 * half),
        (s + 37, l - 1, 43.5 + high, 7, 0.4),
        tissue=Tissue.SYNOVIAL,
    )
