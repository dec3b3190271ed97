"""A reader's session with a case: prompts, masks, history and log, without any widget.

The canvas shows it and a notebook can drive it; all coordinates are pixels of the slice, see
`mskseg.volume`. An action that fails leaves everything as it was.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from mskseg.case import Case, CaseSlice
from mskseg.errors import InputError
from mskseg.evaluation.metrics import dice
from mskseg.evaluation.propagation import BOX_COLUMNS, Progress, Propagation, propagate
from mskseg.io import save_nifti
from mskseg.models.segmenter import Segmenter
from mskseg.prompts.boxes import boxes_from_mask
from mskseg.prompts.files import PromptFile, SlicePrompt, read_prompts, write_prompts
from mskseg.prompts.prompt import Prompt
from mskseg.prompts.tracks import refined
from mskseg.volume import Plane

Place = tuple[Plane, int, int]  # plane, slice, label

_NO_PROMPT = Prompt()
_LOG_COLUMNS = (
    *("seconds", "action", "plane", "slice", "tissue", "model", "points", "boxes"),
    *("dice", "predicted_iou", "encode_ms", "decode_ms"),
)


@dataclass(frozen=True, eq=False)
class ScoredMasks:
    """What a model makes of the prompt on screen."""

    masks: NDArray[np.bool_]  # (M, H, W): 3 for a point, highest predicted IoU first; else 1
    predicted_iou: NDArray[np.float32]  # (M,)
    dice: NDArray[np.float64]  # (M,) against the chosen tissue's reference; NaN without one
    encode_ms: float
    decode_ms: float  # 0, as `encode_ms`, of a mask that was propagated to this slice


@dataclass
class Session:
    """Prompts on the slices of a case, and the masks that a model makes of them.

    Of a case without a reference Dice is NaN and the tissue is label 1. The first of the segmenters
    is used until another is chosen. `clock` tells the seconds of the log.
    """

    case: Case
    segmenters: Mapping[str, Segmenter]
    model: str = field(init=False)
    plane: Plane = field(init=False)
    index: int = field(init=False)
    label: int = field(init=False)
    scored: ScoredMasks | None = field(init=False, default=None)
    propagation: Propagation | None = field(init=False, default=None)
    dice_hidden: bool = field(init=False, default=False)  # until those who watch have guessed it
    clock: Callable[[], float] = field(default=time.monotonic, kw_only=True)

    def __post_init__(self) -> None:
        if not self.segmenters:
            raise InputError("expected one segmenter or more, got none; load one first")
        self.model = next(iter(self.segmenters))
        self.plane = self.case.plane
        self.label = self.labels[0]
        self.index = self._fullest()
        self._seen: dict[Plane, int] = {self.plane: self.index}
        self._prompts: dict[Place, Prompt] = {}
        self._chosen: dict[Place, int] = {}
        self._masks: dict[Place, NDArray[np.bool_]] = {}
        self._followed: dict[Place, Prompt] = {}  # what the propagation was asked
        self._corrections: set[Place] = set()  # prompts set where the tissue had been followed
        self._history: list[tuple[Place, Prompt, int]] = []
        self._steps: list[tuple[Any, ...]] = []
        self._started = self.clock()

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
    def prompt(self) -> Prompt:
        """The prompt for this slice and tissue: of length 1, or 0 before the first."""
        return self._prompts.get(self._place, _NO_PROMPT)

    @property
    def counts(self) -> tuple[int, int]:
        """How many points and boxes the prompt has."""
        points, boxes = self.prompt.point_coords, self.prompt.boxes_xyxy
        return 0 if points is None else points.shape[1], 0 if boxes is None else len(boxes)

    @property
    def chosen(self) -> int:
        """Which of the masks of an ambiguous point is taken, from 0."""
        return self._chosen.get(self._place, 0)

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
    def row(self) -> pd.Series | None:
        """The propagation's row for the slice and tissue on screen; None without one."""
        if (self.plane, self.label) not in {place[::2] for place in self._still_asked}:
            return None
        table = self.propagation.table  # type: ignore[union-attr]
        at = (table["label"].to_numpy() == self.label) & (table["slice"].to_numpy() == self.index)
        return table.iloc[int(at.argmax())] if at.any() else None

    @property
    def followed(self) -> set[int]:
        """Labels that are shown as they were propagated."""
        return {label for _, _, label in self._still_asked}

    @property
    def log(self) -> pd.DataFrame:
        """A row for each step: what was done, where, and what came of it."""
        return pd.DataFrame(self._steps, columns=list(_LOG_COLUMNS))

    def add_point(self, x: float, y: float, *, inside: bool = True) -> None:
        """Click at x, y; InputError outside the slice.

        Where the tissue was propagated to, the first point refines the box that was carried there.
        """
        self._apply(self._with_point(x, y, inside), "point")

    def set_box(self, box_xyxy: ArrayLike) -> None:
        """Draw or move the box; InputError if it leaves the slice or has no area."""
        self._apply(self._with_box(box_xyxy), "box")

    def preview(
        self, x: float = 0.0, y: float = 0.0, *, inside: bool = True, box: ArrayLike | None = None
    ) -> NDArray[np.bool_]:
        """Predict what a click at x, y, or this box, would show; no step, and changes nothing."""
        self._check("preview")
        prompt = self._with_point(x, y, inside) if box is None else self._with_box(box)
        mask: NDArray[np.bool_] = self._predict(prompt).masks[0]  # type: ignore[union-attr]
        return mask

    def clear(self) -> None:
        """Take all prompts of this slice and tissue away; can be undone.

        What was followed is shown only as long as one of the prompts that it started from is set.
        """
        self._apply(_NO_PROMPT, "clear")

    def next_mask(self) -> None:
        """Take the next of the three masks of a single point."""
        self.choose_mask(self.chosen + 1)

    def choose_mask(self, number: int) -> None:
        """Take one of the three masks of a single point, counted from 0 and round again."""
        if self.scored is None or len(self.scored.masks) < 2:
            raise InputError("there is one mask only; a single point without a box gives three")
        self._apply(self.prompt, "mask", chosen=number % len(self.scored.masks))

    def toggle_dice(self) -> None:
        """Hide Dice, so that those who watch can guess it first, or show it again."""
        self.dice_hidden = not self.dice_hidden

    def propagate(
        self, *, slices: Sequence[int] | None = None, progress: Progress = False
    ) -> Propagation:
        """Follow what is prompted in this plane through the volume, and show it on every slice.

        `mskseg.evaluation.propagate` by the chosen model; what has points alone gets the box of its
        mask first. A prompt that is set after its tissue was followed is a correction: calling this
        again mends that slice and what follows from there. InputError without a prompt, or if one
        lies outside `slices` (first, last).
        """
        self._check("propagate")
        spacing_mm = self.slice.spacing_mm
        prompts = {
            place: refined(
                prompt,
                Prompt(boxes_xyxy=boxes_from_mask(self._masks[place], spacing_mm=spacing_mm)),
            )
            for place, prompt in self._prompts.items()
            if place[0] == self.plane and len(prompt)
        }
        if not prompts:
            raise InputError("there is no prompt to follow yet; click or draw a box first")
        found = propagate(
            self.segmenters[self.model],
            self.case,
            [self._written(place, prompt) for place, prompt in prompts.items()],
            plane=self.plane,
            slices=slices,
            progress=progress,
        )
        self.propagation, self._followed = found, prompts
        self._prompts |= prompts
        self._chosen |= dict.fromkeys(prompts, 0)
        self._apply(self.prompt, "propagate", remember=False)
        return found

    def undo(self) -> None:
        """Take the last step back, wherever it was; does nothing before the first."""
        if self._history:
            place, prompt, chosen = self._history[-1]
            self._show(*place)
            self._apply(prompt, "undo", chosen=chosen, remember=False)
            self._history.pop()

    def go_to(self, index: int, *, plane: Plane | None = None, label: int | None = None) -> None:
        """Show another slice, maybe of another plane or tissue; InputError if it is not there."""
        plane = plane or self.plane
        last = self.case.image.n_slices(plane) - 1
        if not 0 <= index <= last:
            raise InputError(f"slice {index} is not there; the {plane} slices are 0 to {last}")
        if label not in (None, *self.labels):
            names = ", ".join(f"{k} ({self.case.tissue(k)})" for k in self.labels)
            raise InputError(f"label {label!r} is not there; choose one of {names}")
        self._show(plane, int(index), self.label if label is None else int(label))

    def choose_plane(self, plane: Plane) -> None:
        """Show another plane, at the slice that was seen last there; at first the middle one."""
        self.go_to(self._seen.get(plane, self.case.image.n_slices(plane) // 2), plane=plane)

    def choose_tissue(self, label: int) -> None:
        """Switch to another tissue; InputError if the reference has no such label."""
        self.go_to(self.index, label=label)

    def choose_model(self, name: str) -> None:
        """Give the prompt to another model; InputError if there is none of that name."""
        if name not in self.segmenters:
            raise InputError(f"no model {name!r} here; choose one of {', '.join(self.segmenters)}")
        before, self.model = self.model, name
        try:
            self._apply(self.prompt, "model", chosen=self.chosen, remember=False)
        except Exception:
            self.model = before
            raise

    def save_prompts(self, path: str | Path) -> str:
        """Write all prompts of this plane as JSON; returns their hash. InputError without any."""
        prompts = [
            self._written(place, prompt)
            for place, prompt in sorted(self._prompts.items())
            if place[0] == self.plane and len(prompt)
        ]
        if not prompts:
            raise InputError("there is no prompt to save yet; click or draw a box first")
        sha256 = self.case.image_sha256
        file = PromptFile(plane=self.plane, prompts=tuple(prompts), image_sha256=sha256)
        write_prompts(file, Path(path))
        return file.sha256

    def load_prompts(self, path: str | Path) -> str:
        """Read prompts, predict masks, return the file's hash; InputError if one does not fit."""
        file = read_prompts(Path(path))
        file.check_image(path, self.case.image_sha256, self.case.fingerprint)  # 0.2 wrote that one
        if unknown := sorted({prompt.label for prompt in file.prompts} - set(self.labels)):
            raise InputError(
                f"the prompts of {path} are of label {unknown[0]}, which is not among "
                f"{self.labels} of {self.case.name}; give prompts of these labels"
            )
        plane = file.plane or self.case.plane
        checked = [self._checked_for(prompt, plane) for prompt in file.prompts]  # all, or none
        for entry, prompt in zip(file.prompts, checked, strict=True):
            self._show(plane, entry.slice, entry.label)
            self._apply(prompt, "load")
            if entry.correction:
                self._corrections.add(self._place)
        return file.sha256

    def save_mask(self, path: str | Path, *, this_slice: bool = False) -> None:
        """Write what is on screen, on all slices or `this_slice`, as a NIfTI label map."""
        stack = np.zeros(self.case.image.stack(self.plane).shape, np.uint16)
        if self.propagation is not None:
            followed = self.propagation.label_map.stack(self.plane)
            stack[:] = np.where(np.isin(followed, [*self.followed]), followed, 0)
        for place, prompt in self._prompts.items():
            plane, index, label = place
            if plane == self.plane and len(prompt) and prompt is not self._followed.get(place):
                stack[index][stack[index] == label] = 0
                stack[index][self._masks[place]] = label
        if this_slice:
            here = np.where(stack[self.index] == self.label, self.label, 0)
            stack[:], stack[self.index] = 0, here
        if not stack.any():
            raise InputError("there is no mask to save yet; set a prompt first")
        save_nifti(self.case.image.from_stack(stack, self.plane), path)

    @property
    def _place(self) -> Place:
        return self.plane, self.index, self.label

    @property
    def _still_asked(self) -> list[Place]:
        """Places from which a tissue was followed, and where a prompt is still set."""
        return [place for place in self._followed if len(self._prompts[place])]

    def _check(self, action: str) -> None:
        """Refuse an action by an InputError; a race does."""

    def _written(self, place: Place, prompt: Prompt) -> SlicePrompt:
        _, index, label = place
        correction = place in self._corrections
        return SlicePrompt.of(prompt, slice=index, label=label, correction=correction)

    def _fullest(self) -> int:
        """Find the slice that shows most of the tissue; the middle one without a reference."""
        if self.case.reference is None:
            return self.n_slices // 2
        stack = self.case.reference.stack(self.plane)
        return int(np.argmax((stack == self.label).sum(axis=(1, 2))))

    def _with_point(self, x: float, y: float, inside: bool) -> Prompt:
        before, shape = self.prompt, self.slice.image.shape
        points = [*([] if before.point_coords is None else before.point_coords[0]), (x, y)]
        labels = [*([] if before.point_labels is None else before.point_labels[0]), int(inside)]
        prompt = Prompt.checked(before.boxes_xyxy, [points], [labels], image_shape=shape)
        if (row := self.row) is not None and not np.isnan(row["x0"]):
            box = row[list(BOX_COLUMNS)].to_numpy(np.float64)
            prompt = refined(prompt, Prompt(boxes_xyxy=box[None]))
        return prompt

    def _with_box(self, box_xyxy: ArrayLike) -> Prompt:
        box, before, shape = np.reshape(box_xyxy, (1, -1)), self.prompt, self.slice.image.shape
        return Prompt.checked(box, before.point_coords, before.point_labels, image_shape=shape)

    def _checked_for(self, entry: SlicePrompt, plane: Plane) -> Prompt:
        n_slices, prompt = self.case.image.n_slices(plane), entry.prompt
        if entry.slice >= n_slices or len(prompt) > 1:
            raise InputError(
                f"the prompt of slice {entry.slice} does not fit: there are {n_slices} {plane} "
                "slices, and a tissue has one box on a slice"
            )
        return Prompt.checked(
            prompt.boxes_xyxy,
            prompt.point_coords,
            prompt.point_labels,
            image_shape=self.case.slice(entry.slice, plane).image.shape,
        )

    def _show(self, plane: Plane, index: int, label: int) -> None:
        before = self._place
        self.plane, self.index, self.label = plane, index, label
        try:
            self.scored = self._predict(self.prompt)
        except Exception:
            self.plane, self.index, self.label = before
            raise
        self._seen[plane] = index
        self._masks.pop(self._place, None)
        if self.scored is not None:  # by the model chosen now, which may be another than before
            self._masks[self._place] = self.scored.masks[self.chosen]

    def _apply(
        self, prompt: Prompt, action: str, *, chosen: int = 0, remember: bool = True
    ) -> None:
        """Predict first; only then change anything."""
        self._check(action)
        scored, place = self._predict(prompt), self._place
        if remember:
            self._history.append((place, self.prompt, self.chosen))
        if not len(self.prompt):
            (self._corrections.discard if self.row is None else self._corrections.add)(place)
        self.scored, self._prompts[place], self._chosen[place] = scored, prompt, chosen
        asked = (*place[:2], self.case.tissue(self.label), self.model, *self.counts)
        found: tuple[float, ...] = (np.nan,) * 4
        self._masks[place] = np.zeros(self.slice.image.shape, bool)
        if scored is not None:
            self._masks[place] = scored.masks[chosen]
            ms = scored.encode_ms, scored.decode_ms
            found = scored.dice[chosen], scored.predicted_iou[chosen], *ms
        self._steps.append((self.clock() - self._started, action, *asked, *found))

    def _predict(self, prompt: Prompt) -> ScoredMasks | None:
        if not len(prompt):
            return self._propagated()
        segmenter, reference = self.segmenters[self.model], self.reference
        embedding = segmenter.embed(self.slice.image)
        start = time.perf_counter()
        points = prompt.point_coords
        # A single point may mean a part or the whole.
        ambiguous = prompt.boxes_xyxy is None and points is not None and points.shape[1] == 1
        prediction = segmenter.predict(embedding, prompt, multimask=ambiguous)
        decode_ms = 1000 * (time.perf_counter() - start)
        order = np.argsort(-np.nan_to_num(prediction.predicted_iou[0]), kind="stable")
        masks = prediction.masks[0][order]
        scores = [np.nan if reference is None else dice(reference, mask) for mask in masks]
        estimates = prediction.predicted_iou[0][order]
        return ScoredMasks(masks, estimates, np.array(scores), 1000 * embedding.encode_s, decode_ms)

    def _propagated(self) -> ScoredMasks | None:
        """Show what was propagated to the slice on screen, of any plane; None without it."""
        others = {place[2] for place in self._still_asked if place != self._place}
        if self.propagation is None or self.label not in others:
            return None
        mask = self.propagation.label_map.slice(self.plane, self.index) == self.label
        row, reference = self.row, self.reference
        score = np.nan if reference is None else dice(reference, mask)
        estimate = np.array([np.nan if row is None else row["predicted_iou"]], np.float32)
        return ScoredMasks(mask[None], estimate, np.array([score]), encode_ms=0.0, decode_ms=0.0)
