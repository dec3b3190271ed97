"""``mskseg segment``: prompts from a file, a label map on the image's own grid."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mskseg.cli.inputs import add_image_arguments, add_model_arguments, load_model
from mskseg.cli.outputs import check_not_input, check_writable
from mskseg.errors import InputError
from mskseg.input_files import printable

if TYPE_CHECKING:
    from mskseg.case import Case
    from mskseg.models.segmenter import Segmenter
    from mskseg.prompts.files import PromptFile
    from mskseg.volume import LabelMap, Plane


def add_to(commands: Any) -> None:
    """Declare the arguments of ``segment``."""
    parser = commands.add_parser(
        "segment",
        help="segment what boxes or points in a file point at; write a label map",
        description="Segment an image by the boxes and points of a JSON file. The label map has "
        "the image's grid, so that it overlays in any viewer. Not a medical device.",
        epilog='The file: {"plane": "axial", "prompts": [{"slice": 12, "label": 1, "boxes_xyxy": '
        '[[x0, y0, x1, y1]], "point_coords": [[x, y]], "point_labels": [1]}]}. In pixels of the '
        "slice, boxes half-open: the pixel in column 3, row 5 is 3, 5, 4, 6, its centre 3.5, 5.5. "
        "Rows run from the front (axial) or the head (coronal, sagittal), columns from the "
        "patient's right (sagittal: from the front); slices count from the feet, the back or the "
        "left.",
    )
    add_image_arguments(parser)
    parser.add_argument(
        "--prompts", type=Path, required=True, metavar="PROMPTS.json", help="see below"
    )
    parser.add_argument(
        "--output", type=Path, required=True, metavar="MASK.nii.gz", help="label map to write"
    )
    add_model_arguments(parser)
    parser.set_defaults(command=segment_image)


def segment_image(arguments: argparse.Namespace) -> int:
    """Check the output, the prompts and the image, in this order; then segment and write."""
    from mskseg.case import Case
    from mskseg.io import load_image, save_nifti
    from mskseg.prompts.files import read_prompts

    output = check_writable(arguments.output, suffixes=(".nii.gz", ".nii"))
    check_not_input(output, arguments.image, arguments.prompts, Path(arguments.model))
    prompt_file = read_prompts(arguments.prompts)
    case = Case(
        subject=printable(arguments.image.name),
        image=load_image(arguments.image, echo=arguments.echo, kind=arguments.kind),
    )
    prompt_file.check_image(arguments.prompts, case.image_sha256)
    plane = prompt_file.plane or case.plane
    check_fit(prompt_file, case, plane)
    segmenter = load_model(arguments)
    label_map = segment_case(segmenter, case, prompt_file, plane=plane)
    save_nifti(label_map, output)
    kind = ", a miniature" if segmenter.miniature else ""
    n_slices = len({prompt.slice for prompt in prompt_file.prompts})
    labels = ", ".join(map(str, label_map.labels)) or "none"
    print(f"{output}: labels {labels} on {n_slices} {plane} slices ({segmenter.name}{kind})")
    return 0


def check_fit(prompt_file: PromptFile, case: Case, plane: Plane) -> None:
    """Check every prompt against its slice; an InputError names the prompt by its number."""
    from mskseg.prompts import check_boxes, check_points

    for number, prompt in enumerate(prompt_file.prompts):
        try:
            shape = case.slice(prompt.slice, plane).image.shape
            if prompt.boxes_xyxy:
                check_boxes(prompt.boxes_xyxy, shape)
            if prompt.point_coords:
                check_points(prompt.point_coords, shape)
        except InputError as error:
            raise InputError(f"prompt {number} (slice {prompt.slice}): {error}") from error


def segment_case(
    segmenter: Segmenter, case: Case, prompt_file: PromptFile, *, plane: Plane
) -> LabelMap:
    """Paint the mask of every prompt on the image's grid; the surer of two labels has a pixel."""
    from itertools import groupby

    import numpy as np
    from tqdm.auto import tqdm

    from mskseg.models.segmenter import predict_label_map
    from mskseg.volume import LabelMap

    dtype = np.uint8 if max(prompt.label for prompt in prompt_file.prompts) < 256 else np.uint16
    stack = np.zeros(case.image.stack(plane).shape, dtype)
    ordered = sorted(prompt_file.prompts, key=lambda prompt: prompt.slice)
    by_slice = [(k, list(group)) for k, group in groupby(ordered, lambda prompt: prompt.slice)]
    for k, group in tqdm(by_slice, unit="slice", disable=not sys.stderr.isatty()):
        prompts = [(prompt.label, prompt.prompt) for prompt in group]
        stack[k] = predict_label_map(segmenter, case.slice(k, plane).image, prompts)
    painted = case.image.from_stack(stack, plane)
    return LabelMap(painted.array, painted.affine, nifti_forms=painted.nifti_forms)
