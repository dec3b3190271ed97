"""One class for boxes, points and masks, from mask, canvas or file to the decoder."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mskseg.errors import InputError
from mskseg.prompts.checks import check_boxes, check_numbers, check_points, plain_array


@dataclass(frozen=True, eq=False)
class Prompt:
    """N prompts about one slice, in continuous pixels of that slice.

    A prompt is a box, P points, an earlier mask, or any of them together. What is given agrees in
    N; without anything N is 0. Building one checks nothing, `Prompt.checked` does, and
    `Segmenter.predict` checks whatever it is given.
    """

    # (N, 4) x0, y0, x1, y1, half-open: the pixel in column 3, row 5 alone is 3, 5, 4, 6.
    boxes_xyxy: NDArray[np.float64] | None = None
    point_coords: NDArray[np.float64] | None = None  # (N, P, 2) x, y; that pixel: (3.5, 5.5)
    point_labels: NDArray[np.int64] | None = None  # (N, P) 1 inside the object, 0 outside
    mask_logits: NDArray[np.float32] | None = None  # (N, h, w) of an earlier prediction

    def __len__(self) -> int:
        arrays = (self.boxes_xyxy, self.point_coords, self.mask_logits)
        return next((len(array) for array in arrays if array is not None), 0)

    def __getitem__(self, rows: slice) -> Self:
        arrays = vars(self).values()
        return type(self)(*(None if array is None else array[rows] for array in arrays))

    def __repr__(self) -> str:
        given = {name: array for name, array in vars(self).items() if array is not None}
        shapes = ", ".join(f"{name} {array.shape}" for name, array in given.items())
        return f"Prompt({shapes or 'none'})"

    @classmethod
    def joined(cls, prompts: Sequence[Self]) -> Self:
        """Join prompts of one kind about one slice, in order, for one decoder call."""
        given = [prompt for prompt in prompts if len(prompt)] or list(prompts[:1])
        return cls(*(_joined([getattr(p, field.name) for p in given]) for field in fields(cls)))

    @classmethod
    def checked(
        cls,
        boxes_xyxy: ArrayLike | None = None,
        point_coords: ArrayLike | None = None,
        point_labels: ArrayLike | None = None,
        mask_logits: ArrayLike | None = None,
        *,
        image_shape: tuple[int, int],
        mask_shape: tuple[int, int] | None = None,
    ) -> Self:
        """Validate boxes, points and masks against a slice and bring them to arrays.

        Arguments are as in `Segmenter.predict`; `image_shape` (H, W) is the slice's, `mask_shape`
        (h, w) that of the model's low-resolution masks. InputError without any prompt, for shapes
        that do not agree, coordinates outside the slice, inverted boxes, NaN, or labels other than
        0 and 1.
        """
        boxes = None if boxes_xyxy is None else check_boxes(boxes_xyxy, image_shape)
        points, labels = _checked_points(point_coords, point_labels, image_shape)
        masks = None if mask_logits is None else _checked_masks(mask_logits, mask_shape)
        kinds = {"boxes": boxes, "points": points, "mask logits": masks}
        counts = {kind: len(array) for kind, array in kinds.items() if array is not None}
        if not counts:
            raise InputError(
                "expected a prompt, got none; pass boxes_xyxy, point_coords or mask_logits"
            )
        if len(set(counts.values())) > 1:
            listed = ", ".join(f"{kind} for {count}" for kind, count in counts.items())
            raise InputError(
                f"expected each kind of prompt for the same number of objects, got {listed}"
            )
        return cls(boxes, points, labels, masks)


def _joined(arrays: list[NDArray[Any] | None]) -> NDArray[Any] | None:
    given = [array for array in arrays if array is not None]
    if not given:
        return None
    if len(given) < len(arrays) or len({array.shape[1:] for array in given}) > 1:
        raise InputError(
            "expected prompts of one kind with equally many points each, got different ones; "
            "predict them one after the other"
        )
    return np.concatenate(given)


def _checked_points(
    point_coords: ArrayLike | None, point_labels: ArrayLike | None, image_shape: tuple[int, int]
) -> tuple[NDArray[np.float64] | None, NDArray[np.int64] | None]:
    if point_coords is None and point_labels is None:
        return None, None
    if point_coords is None or point_labels is None:
        raise InputError(
            "expected point_coords together with point_labels, got one of them; "
            "pass both, with a label for each point"
        )
    coords, labels = (
        check_numbers(point_coords, "points"),
        plain_array(point_labels, "point labels"),
    )
    if coords.ndim == 2 and labels.ndim == 1:
        coords, labels = coords[None], labels[None]
    if coords.ndim != 3 or coords.shape[2] != 2 or coords.shape[:2] != labels.shape:
        raise InputError(
            "expected points (N, P, 2) with labels (N, P), or (P, 2) with (P,); "
            f"got points of shape {coords.shape} with labels of shape {labels.shape}"
        )
    if coords.shape[1] == 0:
        raise InputError("expected one point or more in each prompt, got a prompt without points")
    if not np.isin(labels, (0, 1)).all():
        raise InputError("expected point labels 1 (inside the object) or 0 (outside), got others")
    check_points(coords.reshape(-1, 2), image_shape)
    return coords, labels.astype(np.int64)


def _checked_masks(
    mask_logits: ArrayLike, mask_shape: tuple[int, int] | None
) -> NDArray[np.float32]:
    masks = check_numbers(mask_logits, "mask logits")
    if masks.ndim == 2:
        masks = masks[None]
    if masks.ndim != 3 or (mask_shape is not None and masks.shape[1:] != mask_shape):
        expected = "h, w" if mask_shape is None else f"{mask_shape[0]}, {mask_shape[1]}"
        raise InputError(
            f"expected mask logits of shape (N, {expected}), got {masks.shape}; "
            "feed back one mask a prompt, as in low_res_logits[:, 0]"
        )
    return masks.astype(np.float32)
