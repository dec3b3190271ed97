"""Plans that take their prompts from the reference; see `mskseg.prompts.plans`."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from mskseg import prompts
from mskseg.errors import InputError
from mskseg.prompts.checks import bounding_slices
from mskseg.prompts.label_prompts import BoolMask, LabelPrompts, PromptKind


class OraclePlan(Protocol):
    """A plan that takes the prompts of every slice from its reference."""

    @property
    def prompt(self) -> PromptKind:
        """Kind of prompt the segmenter gets."""

    @property
    def box_source(self) -> str:
        """Where the prompts come from, as tables and figures name it."""

    def prompts_for(
        self,
        mask: BoolMask,
        *,
        spacing_mm: tuple[float, float],
        min_area_mm2: float,
        key: tuple[str | int, ...],
    ) -> LabelPrompts:
        """Prompts for the components of `mask`.

        Parameters
        ----------
        mask : (H, W) bool
            The reference of one label on one slice.
        spacing_mm : (2,) float
            Row and column spacing, in mm.
        min_area_mm2 : float
            Components below get no prompt.
        key : tuple of str and int
            Names the mask (case, slice, label): what is random is drawn from the seed and this.

        Returns
        -------
        LabelPrompts
            One prompt per component, maybe none.
        """


@dataclass(frozen=True)
class OracleBox:
    """A box per component of the reference.

    Attributes
    ----------
    jitter_px : float
        Each side moves on its own, uniformly within plus or minus this many pixels; 0: tight.
    margin_px : float
        Added on every side before the jitter: people draw boxes too large rather than too small.
    seed : int
        Of the jitter. A box's jitter depends on the seed, the case, the slice and the label alone,
        so it is the same whatever else is scored in the same call.
    """

    jitter_px: float = 0.0
    margin_px: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        check_pixels(self.jitter_px, name="jitter_px")
        check_pixels(self.margin_px, name="margin_px")

    @property
    def prompt(self) -> PromptKind:
        """Kind of prompt: "box"."""
        return "box"

    @property
    def box_source(self) -> str:
        """The word "oracle", with margin, jitter and a seed other than 0 named."""
        parts = ["oracle"]
        if self.margin_px:
            parts.append(f"margin {self.margin_px:g} px")
        if self.jitter_px:
            parts.append(f"jitter {self.jitter_px:g} px")
            parts += [f"seed {self.seed}"] if self.seed else []
        return ", ".join(parts)

    def prompts_for(
        self,
        mask: BoolMask,
        *,
        spacing_mm: tuple[float, float],
        min_area_mm2: float,
        key: tuple[str | int, ...],
    ) -> LabelPrompts:
        """Boxes for the components of `mask`; see `OraclePlan.prompts_for`."""
        boxes = prompts.boxes_from_mask(mask, spacing_mm=spacing_mm, min_area_mm2=min_area_mm2)
        if len(boxes) and self.margin_px:
            boxes = prompts.pad_boxes(boxes, pixels=self.margin_px, shape=mask.shape)
        if len(boxes) and self.jitter_px:
            rng = _generator(self.seed, key)
            boxes = prompts.jitter_boxes(boxes, shape=mask.shape, rng=rng, pixels=self.jitter_px)
        return LabelPrompts(boxes)


@dataclass(frozen=True)
class OraclePoint:
    """One or more points per component of the reference.

    Attributes
    ----------
    n : int
        Points per component: the first is the most central one, where a reader would click; the
        others are drawn at random inside the component.
    seed : int
        Of the random points.
    """

    n: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        if self.n < 1:
            raise InputError(f"OraclePoint got n={self.n}, expected 1 point or more per component")

    @property
    def prompt(self) -> PromptKind:
        """Kind of prompt: "point"."""
        return "point"

    @property
    def box_source(self) -> str:
        """The word "oracle", with the number of points if it is not 1, and a seed other than 0."""
        parts = ["oracle"]
        if self.n > 1:
            parts.append(f"{self.n} points")
            parts += [f"seed {self.seed}"] if self.seed else []
        return ", ".join(parts)

    def prompts_for(
        self,
        mask: BoolMask,
        *,
        spacing_mm: tuple[float, float],
        min_area_mm2: float,
        key: tuple[str | int, ...],
    ) -> LabelPrompts:
        """Points for the components of `mask`; see `OraclePlan.prompts_for`."""
        # Within its bounding box: the depth of every pixel is searched there, not in the slice.
        rows, columns = bounding_slices(mask)
        box, corner = mask[rows, columns], np.array([columns.start, rows.start])
        how: dict[str, Any] = {"spacing_mm": spacing_mm, "min_area_mm2": min_area_mm2}
        components, count = prompts.label_components(box, **how) if box.size else (box, 0)
        boxes = prompts.boxes_from_mask(box, **how) if count else np.empty((0, 4))
        rng = _generator(self.seed, key)
        points = np.empty((count, self.n, 2))
        for number in range(count):
            component = components == number + 1
            points[number, 0] = prompts.central_point(component, spacing_mm=spacing_mm)
            if self.n > 1:
                points[number, 1:] = prompts.random_points(component, self.n - 1, rng=rng)
        inside = np.ones((count, self.n), dtype=np.int64)
        return LabelPrompts(boxes + np.tile(corner, 2), points + corner, inside)


def check_pixels(value: float, *, name: str) -> None:
    """Refuse a number of pixels below 0 (InputError)."""
    if not 0 <= value < np.inf:
        raise InputError(f"{name} is {value}, expected 0 or more pixels; 0 switches it off")


def _generator(seed: int, key: tuple[str | int, ...]) -> np.random.Generator:
    # crc32: the `hash` of a str differs between runs
    words = (part if isinstance(part, int) else zlib.crc32(part.encode()) for part in key)
    return np.random.default_rng([seed, *words])
