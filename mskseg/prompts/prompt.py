"""Check the prompts of one call: shapes, counts and ranges, before anything is decoded."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mskseg.errors import InputError
from mskseg.prompts.checks import check_boxes, check_numbers, check_points


@dataclass(frozen=True, eq=False)
class Prompts:
    """N checked prompts, still in continuous pixels of the original slice.

    Attributes
    ----------
    n : int
        Number of prompts.
    boxes_xyxy : (N, 4) float64 or None
    point_coords : (N, P, 2) float64 or None
    point_labels : (N, P) int64 or None
    mask_logits : (N, h, w) float32 or None
    """

    n: int
    boxes_xyxy: NDArray[np.float64] | None
    point_coords: NDArray[np.float64] | None
    point_labels: NDArray[np.int64] | None
    mask_logits: NDArray[np.float32] | None

    def part(self, chunk: slice) -> Prompts:
        """Give the prompts of `chunk`, a slice with start and stop within 0..n."""
        return Prompts(
            n=chunk.stop - chunk.start,
            boxes_xyxy=None if self.boxes_xyxy is None else self.boxes_xyxy[chunk],
            point_coords=None if self.point_coords is None else self.point_coords[chunk],
            point_labels=None if self.point_labels is None else self.point_labels[chunk],
            mask_logits=None if self.mask_logits is None else self.mask_logits[chunk],
        )


def check_prompts(
    boxes_xyxy: ArrayLike | None,
    point_coords: ArrayLike | None,
    point_labels: ArrayLike | None,
    mask_logits: ArrayLike | None,
    *,
    image_shape: tuple[int, int],
    mask_shape: tuple[int, int],
) -> Prompts:
    """Bring what a caller gave to arrays with N in front.

    Parameters
    ----------
    boxes_xyxy, point_coords, point_labels, mask_logits
        As `Segmenter.predict` takes them.
    image_shape : (H, W)
        Of the original slice.
    mask_shape : (h, w)
        Of the model's low-resolution masks.

    Raises
    ------
    InputError
        See `Segmenter.predict`.
    """
    boxes = None if boxes_xyxy is None else check_boxes(boxes_xyxy, image_shape)
    points, labels = _points(point_coords, point_labels, image_shape)
    masks = None if mask_logits is None else _masks(mask_logits, mask_shape)
    counts = {
        kind: len(array)
        for kind, array in (("boxes", boxes), ("points", points), ("mask logits", masks))
        if array is not None
    }
    if not counts:
        raise InputError("no prompt came; give boxes_xyxy, point_coords or mask_logits")
    if len(set(counts.values())) > 1:
        listed = ", ".join(f"{kind} for {count}" for kind, count in counts.items())
        raise InputError(f"{listed} prompts came; give each kind for the same number of prompts")
    return Prompts(next(iter(counts.values())), boxes, points, labels, masks)


def _points(
    point_coords: ArrayLike | None, point_labels: ArrayLike | None, image_shape: tuple[int, int]
) -> tuple[NDArray[np.float64] | None, NDArray[np.int64] | None]:
    if point_coords is None and point_labels is None:
        return None, None
    if point_coords is None or point_labels is None:
        raise InputError("points came without labels or the reverse; give both, a label per point")
    coords, labels = check_numbers(point_coords, "points"), np.asarray(point_labels)
    if coords.ndim == 2 and labels.ndim == 1:
        coords, labels = coords[None], labels[None]
    if coords.ndim != 3 or coords.shape[2] != 2 or coords.shape[:2] != labels.shape:
        raise InputError(
            f"points of shape {coords.shape} came with labels of shape {labels.shape}; "
            "expected (N, P, 2) with (N, P), or (P, 2) with (P,)"
        )
    if coords.shape[1] == 0:
        raise InputError("a prompt without points came; give each prompt one point or more")
    if not np.isin(labels, (0, 1)).all():
        raise InputError("point labels other than 0 and 1 came; 1 is inside the object, 0 outside")
    check_points(coords.reshape(-1, 2), image_shape)
    return coords, labels.astype(np.int64)


def _masks(mask_logits: ArrayLike, mask_shape: tuple[int, int]) -> NDArray[np.float32]:
    masks = check_numbers(mask_logits, "mask logits")
    if masks.ndim == 2:
        masks = masks[None]
    if masks.ndim != 3 or masks.shape[1:] != mask_shape:
        raise InputError(
            f"mask logits of shape {masks.shape} came, expected (N, {mask_shape[0]}, "
            f"{mask_shape[1]}); feed back one mask a prompt, as in low_res_logits[:, 0]"
        )
    return masks.astype(np.float32)
