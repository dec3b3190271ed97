"""The prompts file, of ``mskseg segment`` and of the canvas.

A JSON object::

    {
      "plane": "axial",
      "prompts": [
        {"slice": 12, "label": 1, "boxes_xyxy": [[40, 52, 96, 110]]},
        {"slice": 12, "label": 2, "point_coords": [[70.5, 81.5]], "point_labels": [1]},
        {"slice": 13, "label": 2, "boxes_xyxy": [[41, 50, 97, 108]],
         "point_coords": [[60.5, 70.5]], "point_labels": [0]}
      ]
    }

``plane``
    axial, coronal or sagittal; the acquired plane where it is left out.
``slice``
    Number of the slice, from 0, along the axis of the RAS-reoriented grid.
``label``
    What is written into the mask, 1 to 65535; 1 where it is left out. Several prompts may carry
    one label: it gets what all of them find. Where two labels claim a pixel, the surer one has it.
``boxes_xyxy``
    Boxes x0, y0, x1, y1 in pixels of the slice, half-open: the pixel in column 3 and row 5 alone
    is 3, 5, 4, 6. Each box is a prompt of its own.
``point_coords``, ``point_labels``
    Points x, y (the centre of that pixel is 3.5, 5.5) with 1 for inside and 0 for outside.
    Together they are one prompt, and refine the box where one box is given.
``correction``
    With ``--propagate``: true for a prompt that mends what was followed to its slice, and what
    follows from there. Boxes without it are markers, between which boxes are interpolated; points
    are always corrections, but for those of a label that has no other prompt.
``image_sha256``
    Which image they are for, where that is known: the `image_sha256` of its `Case`.
"""

import hashlib
from pathlib import Path
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from mskseg.errors import InputError
from mskseg.files import write_text
from mskseg.input_files import parse_json, parsed, read_text
from mskseg.prompts.prompt import Prompt

MOST_PROMPTS = 10_000
"""Boxes and points of one file; on two cores SAM-mini answers 10,000 boxes in minutes."""

Finite = Annotated[float, Field(allow_inf_nan=False, strict=True)]
Sign = Annotated[int, Field(ge=0, le=1, strict=True)]


class SlicePrompt(BaseModel):
    """Boxes or points of one label on one slice."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    slice: Annotated[int, Field(ge=0, le=65535, strict=True)]
    label: Annotated[int, Field(ge=1, le=65535, strict=True)] = 1
    boxes_xyxy: tuple[tuple[Finite, Finite, Finite, Finite], ...] = ()
    point_coords: tuple[tuple[Finite, Finite], ...] = ()
    point_labels: tuple[Sign, ...] = ()
    correction: Annotated[bool, Field(strict=True)] = False

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if not self.boxes_xyxy and not self.point_coords:
            raise ValueError("expected boxes_xyxy or point_coords, got neither")
        if len(self.point_coords) != len(self.point_labels):
            raise ValueError(
                f"{len(self.point_coords)} point_coords but {len(self.point_labels)} point_labels;"
                " give each point a 1 (inside) or 0 (outside)"
            )
        if self.point_coords and len(self.boxes_xyxy) > 1:
            raise ValueError("points refine one box; give each box a prompt of its own")
        return self

    @classmethod
    def of(cls, prompt: Prompt, *, slice: int, label: int, correction: bool = False) -> Self:  # noqa: A002  (the field's name)
        """Write down boxes, or the points of one object and its box, if it has one."""
        boxes, points, labels = prompt.boxes_xyxy, prompt.point_coords, prompt.point_labels
        return cls(
            slice=slice,
            label=label,
            boxes_xyxy=() if boxes is None else boxes.tolist(),
            point_coords=() if points is None else points[0].tolist(),
            point_labels=() if labels is None else labels[0].tolist(),
            correction=correction,
        )

    @property
    def prompt(self) -> Prompt:
        """As `Segmenter.predict` takes it: a prompt a box, or one of points and their box."""
        return Prompt(
            boxes_xyxy=np.array(self.boxes_xyxy, np.float64) if self.boxes_xyxy else None,
            point_coords=np.array([self.point_coords], np.float64) if self.point_coords else None,
            point_labels=np.array([self.point_labels], np.int64) if self.point_coords else None,
        )


class PromptFile(BaseModel):
    """All prompts for one image."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    plane: Literal["axial", "coronal", "sagittal"] | None = None
    prompts: Annotated[tuple[SlicePrompt, ...], Field(min_length=1)]
    image_sha256: str | None = None

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        n = sum(len(prompt.boxes_xyxy) + len(prompt.point_coords) for prompt in self.prompts)
        if n > MOST_PROMPTS:
            raise ValueError(f"{n} boxes and points, at most {MOST_PROMPTS} are read; split it")
        return self

    def check_image(self, path: str | Path, *known: str) -> None:
        """Refuse an image other than the prompts are for; `known` are the hashes it goes by."""
        if self.image_sha256 not in (None, *known):
            raise InputError(
                f"the prompts of {path} are of another image (its image_sha256 is "
                f"{str(self.image_sha256)[:12]}, this image's {known[0][:12]}); give the image "
                "that they were drawn on, or take image_sha256 out of the file"
            )

    @property
    def sha256(self) -> str:
        """Hash of image, plane and prompts: the same for two readers only if these are."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()


_FORM = (
    '{"plane": "axial", "prompts": [{"slice": 12, "label": 1, "boxes_xyxy": [[x0, y0, x1, y1]]}]}'
)


def read_prompts(path: Path) -> PromptFile:
    """Read a prompts file; InputError if it is missing, or names its first fault."""
    text = read_text(path)
    with parsed(path, "prompts file", f"expected {_FORM}"):
        try:
            prompts = PromptFile.model_validate_json(text)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            reason = first["msg"].removeprefix("Value error, ")
            raise InputError(
                f"prompts file {path}{', ' + where if where else ''}: {reason}; expected {_FORM}"
            ) from error
        parse_json(text)  # which refuses a key given twice, where pydantic takes the last
    return prompts


def write_prompts(prompts: PromptFile, path: Path) -> None:
    """Write a prompts file, completely or not at all; OutputError if that is not possible."""
    write_text(path, prompts.model_dump_json(indent=1, exclude_none=True))
