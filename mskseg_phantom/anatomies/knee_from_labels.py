"""A knee from a real label map: its labels become tissue, and soft tissue is drawn around them."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from mskseg.errors import InputError
from mskseg.volume import LabelMap
from mskseg_phantom.anatomies.knee import sample_subject
from mskseg_phantom.anatomies.knee_atlas import PATELLA_CENTRE, Frame
from mskseg_phantom.anatomies.knee_body import AXES
from mskseg_phantom.anatomies.knee_soft import SoftTissue, Texture, texture_fields, trabeculae
from mskseg_phantom.drawing.canvas import Body, Canvas
from mskseg_phantom.drawing.fields import PlaneGrid, on_plane
from mskseg_phantom.tissue import Tissue

_CORTEX_MM = 0.8
_FLUID_GAP_MM = 1.0  # a narrower gap between cartilages or menisci holds fluid, not fat
_PATELLA_RIDGE_A = 44.0  # where no patella is labelled


def tissue_of_name(name: str) -> Tissue:
    """Tissue of a label, by words of its name; what is neither cartilage nor meniscus is bone."""
    for word, tissue in (
        ("cartilage", Tissue.CARTILAGE),
        ("menisc", Tissue.MENISCUS),
        ("ligament", Tissue.LIGAMENT),
        ("tendon", Tissue.FIBROUS),
        ("muscle", Tissue.MUSCLE),
        ("fat", Tissue.FAT),
    ):
        if word in name.lower():
            return tissue
    return Tissue.MARROW


class LabelMapKnee(Body):
    """A right knee whose labelled tissues come from a label map; the labels stay as they are.

    The body axes are u to the front, v to the head and z to the patient's right, from the middle
    of the map, which may lie obliquely. What it does not label is drawn as in the procedural knee.
    Raises InputError if a label has no name in `tissues`, or there is no cartilage.
    """

    axes = AXES

    def __init__(
        self,
        label_map: LabelMap,
        tissues: Mapping[int, str],
        rng: np.random.Generator,
    ) -> None:
        unnamed = sorted(set(label_map.labels) - set(tissues))
        if unnamed:
            raise InputError(
                f"expected a name for every label of the label map, got none for {unnamed}; "
                "pass them in `tissues`"
            )
        self._tissues = dict(tissues)
        upright = label_map.reoriented("RAS")
        self._map = LabelMap(upright.array.astype(np.uint8), upright.affine)
        self._content = self._tissue_codes()
        centre = self._map.affine @ [*((np.array(self._map.shape) - 1) / 2), 1]
        self.centre_mm = (float(centre[0]), float(centre[1]), float(centre[2]))
        across, front, up = (
            n * step for n, step in zip(self._map.shape, self._map.spacing_mm, strict=True)
        )
        self.extent_mm = (front, up, across)
        self.subject = replace(  # its soft tissue, for a knee of size 1 that is not turned
            sample_subject(rng),
            side="right",
            size=1.0,
            width=1.0,
            flexion_rad=0.0,
            yaw=0.0,
            roll=0.0,
            centre_mm=self._joint_mm(),
        )
        self._fields = texture_fields(rng)
        self._soft = SoftTissue(self.subject, self._patella())

    def plane(self, grid: PlaneGrid, z_mm: float) -> Canvas:
        """Draw what lies at the points of `grid` at `z_mm` (0 is the middle, more is right)."""
        front, up, right = self.subject.centre_mm
        a, s = (grid.u_mm - np.float32(front))[:, None], (grid.v_mm - np.float32(up))[None]
        frame = Frame(z_mm - right, a, s)
        texture = Texture(**on_plane(self._fields, grid, z_mm))
        canvas = Canvas.empty(grid.shape)
        self._soft.paint(canvas, frame, texture)
        content, label = self._sampled(grid, z_mm)
        canvas.tissue[content > 0] = content[content > 0]
        canvas.admixture[content > 0] = trabeculae(texture)[content > 0]
        canvas.label[...] = label
        return canvas

    def _sampled(self, grid: PlaneGrid, z_mm: float) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Tissue and label of the nearest voxel, 0 where the map says nothing."""
        inverse = np.linalg.inv(self._map.affine)
        middle = np.add(self.centre_mm, (z_mm, 0, 0))
        start = inverse[:3, :3] @ middle + inverse[:3, 3]
        index, within = [], np.ones(grid.shape, dtype=bool)
        for row, first, n in zip(inverse[:3, :3], start, self._map.shape, strict=True):
            position = first + row[1] * grid.u_mm[:, None] + row[2] * grid.v_mm[None]
            nearest = np.rint(position).astype(np.intp)
            within &= (nearest >= 0) & (nearest < n)
            index.append(np.clip(nearest, 0, n - 1))
        content, label = self._content[tuple(index)], self._map.array[tuple(index)]
        return np.where(within, content, 0), np.where(within, label, 0)

    def _tissue_codes(self) -> NDArray[np.uint8]:
        """Tissue of every voxel: bones get a cortex, narrow gaps in the joint get fluid."""
        table = np.zeros(256, dtype=np.uint8)
        for label, name in self._tissues.items():
            table[label] = tissue_of_name(name)
        codes = table[self._map.array]
        if not (codes == Tissue.CARTILAGE).any():
            raise InputError("expected a label map of a knee with cartilage, got no cartilage")
        bone = (codes == Tissue.MARROW).astype(np.uint8)
        inner = ndimage.minimum_filter(bone, [self._odd(_CORTEX_MM, axis) for axis in range(3)])
        codes[(bone == 1) & (inner == 0)] = Tissue.CORTEX
        soft = np.isin(codes, (Tissue.CARTILAGE, Tissue.MENISCUS)).astype(np.uint8)
        for axis in (1, 2):
            size = [1, 1, 1]
            size[axis] = self._odd(_FLUID_GAP_MM / 2, axis)
            closed = ndimage.grey_closing(soft, size)
            codes[(closed == 1) & (codes == 0)] = Tissue.SYNOVIAL
        return codes

    def _odd(self, half_mm: float, axis: int) -> int:
        """Voxels of a window that reaches so far to both sides, at least one."""
        return 2 * max(1, round(half_mm / self._map.spacing_mm[axis])) + 1

    def _positions(self, word: str) -> NDArray[np.float64]:
        """Body coordinates (u, v, z) of the voxels whose label's name holds a word."""
        labels = [label for label, name in self._tissues.items() if word in name.lower()]
        voxels = np.argwhere(np.isin(self._map.array, labels))
        world = voxels @ self._map.affine[:3, :3].T + self._map.affine[:3, 3]
        return (world - self.centre_mm)[:, (1, 2, 0)].astype(np.float64)

    def _joint_mm(self) -> tuple[float, float, float]:
        """Middle of the joint line: of the tibial cartilage, or else of all cartilage."""
        positions = self._positions("tibial cartilage")
        if not len(positions):
            positions = self._positions("cartilage")
        u, v, z = positions.mean(axis=0)
        return float(u), float(v), float(z)

    def _patella(self) -> tuple[float, float, float]:
        """Where the patella's articular ridge lies, (l, a, s)."""
        positions = self._positions("patella")
        if not len(positions):
            return PATELLA_CENTRE[0], _PATELLA_RIDGE_A, PATELLA_CENTRE[1]
        u, v, z = positions.T - np.array(self.subject.centre_mm)[:, None]
        return float(z.mean()), float(np.percentile(u, 5)), float(v.mean())
