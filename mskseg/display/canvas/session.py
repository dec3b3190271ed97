"""A reader's session with a case: prompts, answers, history and log, without any widget.

The canvas shows it and a notebook can drive it; all coordinates are pixels of the slice, see
`mskseg.volume`. An action that fails leaves everything as it was.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from mskseg.case import Case, CaseSlice
from mskseg.display.canvas.asking import (
    Answer,
    Inside,
    Place,
    Prompts,
    answered,
    as_file,
    from_file,
    log_row,
)
from mskseg.errors import InputError
from mskseg.io.readers import save_nifti
from mskseg.models.segmenter import Segmenter
from mskseg.prompts import check_boxes, check_points
from mskseg.prompts.files import read_prompts, write_prompts
from mskseg.volume import LabelMap, Plane


@dataclass
class Session:
    """Prompts on the slices of a case, and what a model answers.

    Parameters
    ----------
    case : Case
        With a reference, or without: then Dice is NaN and the tissue is label 1.
    segmenters : mapping of str to Segmenter
        The first is used until another is chosen.
    """

    case: Case
    segmenters: Mapping[str, Segmenter]
    model: str = field(init=False)
    plane: Plane = field(init=False)
    index: int = field(init=False)
    label: int = field(init=False)
    answer: Answer | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        if not self.segmenters:
            raise InputError("no model came, expected one segmenter or more")
        self.model = next(iter(self.segmenters))
        self.plane = self.case.plane
        self.label = self.labels[0]
        self.index = self._fullest()
        self._prompts: dict[Place, Prompts] = {}
        self._masks: dict[Place, NDArray[np.bool_]] = {}
        self._past: list[tuple[Place, Prompts]] = []
        self._steps: list[dict[str, Any]] = []
        self._started = time.monotonic()

    @property
    def labels(self) -> tuple[int, ...]:
        """Tissues that can be chosen."""
        return (1,) if self.case.reference is None else tuple(self.case.reference.labels)

    @property
    def n_slices(self) -> int:
        """Slices of the plane."""
        return self.case.image.n_slices(self.plane)

    @property
    def slice(self) -> CaseSlice:
        """The slice on screen."""
        return self.case.slice(self.index, self.plane)

    @property
    def prompts(self) -> Prompts:
        """What was asked here."""
        return self._prompts.get(self._place, Prompts())

    @property
    def mask(self) -> NDArray[np.bool_] | None:
        """Chosen mask (H, W) of the slice on screen, None before the first prompt."""
        return self._masks.get(self._place)

    @property
    def reference(self) -> NDArray[np.bool_] | None:
        """Reference (H, W) of the chosen tissue, None without one."""
        label_map = self.slice.label_map
        return None if label_map is None else np.asarray(label_map == self.label)

    @property
    def log(self) -> pd.DataFrame:
        """A row for each step: what was done, where, and what came of it."""
        return pd.DataFrame(self._steps, columns=_LOG_COLUMNS)

    def add_point(self, x: float, y: float, *, inside: bool = True) -> None:
        """Click at x, y; InputError outside the slice."""
        check_points(np.array([[x, y]], dtype=float), self.slice.image.shape)
        label: Inside = 1 if inside else 0
        points = (*self.prompts.points, (float(x), float(y), label))
        self._ask(replace(self.prompts, points=points, chosen=0), "point")

    def set_box(self, box_xyxy: ArrayLike) -> None:
        """Draw or move the box; InputError if it is none of the slice, or of no area."""
        (box,) = check_boxes(np.reshape(box_xyxy, (-1, 4)), self.slice.image.shape).tolist()
        self._ask(replace(self.prompts, box_xyxy=tuple(box), chosen=0), "box")

    def clear(self) -> None:
        """Take all prompts of this slice and tissue away; can be undone."""
        self._ask(Prompts(), "clear")

    def next_mask(self) -> None:
        """Take the next of the three masks of a single point."""
        self.choose_mask(self.prompts.chosen + 1)

    def choose_mask(self, number: int) -> None:
        """Take one of the three masks of a single point, counted from 0 and round again."""
        if self.answer is None or len(self.answer.masks) < 2:
            raise InputError("there is one mask only; a single point without a box gives three")
        self._ask(replace(self.prompts, chosen=number % len(self.answer.masks)), "mask")

    def undo(self) -> None:
        """Take the last step back, wherever it was; does nothing before the first."""
        if self._past:
            place, before = self._past[-1]
            self._go(*place)
            self._ask(before, "undo", remember=False)
            self._past.pop()

    def go_to(self, index: int) -> None:
        """Show another slice; InputError if there is none of that number."""
        if not 0 <= index < self.n_slices:
            raise InputError(
                f"slice {index} is not there; the {self.plane} slices are 0 to {self.n_slices - 1}"
            )
        self._go(self.plane, int(index), self.label)

    def choose_plane(self, plane: Plane) -> None:
        """Show another plane, at its middle slice."""
        n_slices = self.case.image.n_slices(plane)
        self._go(plane, n_slices // 2, self.label)

    def choose_tissue(self, label: int) -> None:
        """Ask for another tissue; InputError if the reference has no such label."""
        if label not in self.labels:
            raise InputError(f"label {label} is not there; choose one of {self.labels}")
        self._go(self.plane, self.index, int(label))

    def choose_model(self, name: str) -> None:
        """Ask another model the same; InputError if there is none of that name."""
        if name not in self.segmenters:
            raise InputError(f"no model {name!r} here; choose one of {', '.join(self.segmenters)}")
        before, self.model = self.model, name
        try:
            self._ask(self.prompts, "model", remember=False)
        except Exception:
            self.model = before
            raise

    def save_prompts(self, path: str | Path) -> str:
        """Write all prompts of this plane as JSON; returns their hash. InputError without any."""
        file = as_file(self.case, self.plane, self._prompts)
        write_prompts(file, Path(path))
        return file.sha256

    def load_prompts(self, path: str | Path) -> str:
        """Read prompts, answer them, and return their hash.

        Raises
        ------
        InputError
            If the file is none, is of another image, or has prompts that do not fit or are of a
            label that is not in the reference.
        """
        file = read_prompts(Path(path))
        if file.image_sha256 not in (None, self.case.fingerprint):
            raise InputError(
                f"the prompts of {path} are of another image than {self.case.name}; load the image "
                "that they were drawn on"
            )
        if unknown := sorted({one.label for one in file.prompts} - set(self.labels)):
            raise InputError(
                f"the prompts of {path} are of label {unknown[0]}, which is not among "
                f"{self.labels} of {self.case.name}; give prompts of these labels"
            )
        plane = file.plane or self.case.plane
        ready = [(one, from_file(self.case, plane, one)) for one in file.prompts]  # all, or none
        for one, prompts in ready:
            self._go(plane, one.slice, one.label)
            self._ask(prompts, "load")
        return file.sha256

    def save_mask(self, path: str | Path, *, this_slice: bool = False) -> None:
        """Write masks of this plane as one label map on the image's own grid.

        Parameters
        ----------
        path : path-like
            NIfTI, written completely or not at all.
        this_slice : bool
            Only what is on screen; by default all that was gathered, of every tissue and slice.

        Raises
        ------
        InputError
            If there is no mask yet.
        OutputError
            If the file cannot be written.
        """
        wanted = {self._place} if this_slice else set(self._masks)
        gathered = {
            place: mask
            for place, mask in self._masks.items()
            if place in wanted and place[0] == self.plane and mask.any()
        }
        if not gathered:
            raise InputError("no mask was made yet; set a prompt first")
        stack = np.zeros(self.case.image.stack(self.plane).shape, np.uint16)
        for (_, index, label), mask in gathered.items():
            stack[index][mask] = label
        grid = self.case.image
        save_nifti(LabelMap(grid.from_stack(stack, self.plane).array, grid.affine), path)

    @property
    def _place(self) -> Place:
        return self.plane, self.index, self.label

    def _go(self, plane: Plane, index: int, label: int) -> None:
        before = self._place
        self.plane, self.index, self.label = plane, index, label
        try:
            self.answer = self._answered(self.prompts)
        except Exception:
            self.plane, self.index, self.label = before
            raise
        if self.answer is not None:  # by the model chosen now, which may be another than before
            self._masks[self._place] = self.answer.masks[self.prompts.chosen]

    def _ask(self, prompts: Prompts, action: str, *, remember: bool = True) -> None:
        """Answer first; only then change anything."""
        answer = self._answered(prompts)
        if remember:
            self._past.append((self._place, self.prompts))
        self.answer = answer
        self._prompts[self._place] = prompts
        self._masks[self._place] = (
            np.zeros(self.slice.image.shape, bool)
            if answer is None
            else answer.masks[prompts.chosen]
        )
        self._steps.append(self._step(action, prompts, answer))

    def _answered(self, prompts: Prompts) -> Answer | None:
        segmenter = self.segmenters[self.model]
        return answered(segmenter, self.slice, prompts, reference=self.reference)

    def _step(self, action: str, prompts: Prompts, answer: Answer | None) -> dict[str, Any]:
        return {
            "seconds": time.monotonic() - self._started,
            "action": action,
            "plane": self.plane,
            "slice": self.index,
            "tissue": self.case.tissue(self.label),
            "model": self.model,
        } | log_row(prompts, answer)

    def _fullest(self) -> int:
        """Slice that shows most of the tissue; the middle one without a reference."""
        if self.case.reference is None:
            return self.n_slices // 2
        stack = self.case.reference.stack(self.plane)
        return int(np.argmax([np.count_nonzero(each == self.label) for each in stack]))


_LOG_COLUMNS = [
    "seconds",
    "action",
    "plane",
    "slice",
    "tissue",
    "model",
    "points",
    "boxes",
    "dice",
    "predicted_iou",
    "encode_ms",
    "decode_ms",
]
