"""``mskseg segment``: from prompts on one slice or several to a label map on the image's grid."""

from __future__ import annotations

import argparse
import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mskseg.cli import many, segment_many
from mskseg.cli.inputs import PLANES, add_image_arguments, add_model_arguments, load_model
from mskseg.cli.outputs import check_not_input, check_writable, shows_progress
from mskseg.environment import check_extra
from mskseg.errors import InputError
from mskseg.input_files import printable

if TYPE_CHECKING:
    from mskseg.case import Case
    from mskseg.models.segmenter import Segmenter
    from mskseg.prompts.files import PromptFile, SlicePrompt
    from mskseg.volume import LabelMap, Plane


def add_to(commands: Any) -> None:
    """Declare the arguments of ``segment``."""
    parser = commands.add_parser(
        "segment",
        help="segment what boxes or points point at, through the volume if asked; a label map",
        description="Segment an image by boxes and points, given here or in a JSON file. The label "
        "map has the image's grid, so that it overlays in any viewer. Not a medical device.",
        epilog='The file: {"plane": "axial", "prompts": [{"slice": 12, "label": 1, "boxes_xyxy": '
        '[[x0, y0, x1, y1]], "point_coords": [[x, y]], "point_labels": [1]}]}. In pixels of the '
        "slice, boxes half-open: the pixel in column 3, row 5 is 3, 5, 4, 6, its centre 3.5, 5.5. "
        "Rows run from the front (axial) or the head (coronal, sagittal), columns from the "
        "patient's right (sagittal: from the front); slices count from the feet, the back or the "
        "left.",
    )
    add_image_arguments(parser)
    parser.add_argument(
        "--prompts",
        type=Path,
        metavar="PROMPTS.json",
        help="see below; a folder of them segments a folder or glob of scans, into a folder",
    )
    parser.add_argument(
        "--box",
        action="append",
        default=[],
        metavar='"SLICE X0 Y0 X1 Y1 [LABEL]"',
        help="a box of a label (1 if none is given); may be given again",
    )
    parser.add_argument(
        "--point",
        action="append",
        default=[],
        metavar='"SLICE X Y [LABEL]"',
        help="a point inside a label, or outside of it where the label has a minus; points refine "
        "the box of that label and slice; may be given again",
    )
    parser.add_argument("--plane", choices=PLANES, help="of the slices; default: as acquired")
    parser.add_argument(
        "--propagate",
        action="store_true",
        help="follow each label from its first prompt up and down until it ends; boxes of a label "
        "on several slices are interpolated between",
    )
    parser.add_argument(
        "--memory",
        action="store_true",
        help="propagate by the memory of a SAM 2 (mskseg[sam2]), not by boxes",
    )
    parser.add_argument(
        "--range", type=int, nargs=2, metavar=("FIRST", "LAST"), help="slices to propagate within"
    )
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="MASK.nii.gz", help="label map to write"
    )
    parser.add_argument(
        "--csv", type=Path, metavar="FILE", help="of a propagation: a row for each label and slice"
    )
    parser.add_argument("--overlay", type=Path, metavar="DIR", help="a PNG of each labelled slice")
    parser.add_argument(
        "--dicom-seg",
        type=Path,
        metavar="FILE.dcm",
        help="the label map of a DICOM series as a DICOM segmentation too (mskseg[dicomseg])",
    )
    add_model_arguments(parser)
    many.add_spreading_arguments(parser)
    parser.set_defaults(command=segment_image)


def segment_image(arguments: argparse.Namespace) -> int:
    """Check the outputs, segment and write; of many scans hand on to `segment_many`."""
    if segment_many.are_many(arguments):
        return segment_many.segment_scans(arguments, segmented)
    check_outputs(arguments)
    from mskseg.io import save_nifti

    model = functools.cache(lambda: load_model(arguments))
    case, prompt_file, plane, label_map, table, ends = segmented(arguments, model)
    segmenter = model()
    if arguments.dicom_seg:  # first, since what the series lacks shows here
        from mskseg.io.dicom_seg import save_dicom_seg

        save_dicom_seg(
            label_map,
            arguments.dicom_seg,
            series=arguments.image,
            echo=arguments.echo,
            kind=arguments.kind,
            model=segmenter.name,
        )
    save_nifti(label_map, arguments.output)
    if arguments.csv:
        from mskseg.evaluation import write_table
        from mskseg.provenance import provenance

        write_table(table, arguments.csv, provenance=provenance(cases=[case], segmenter=segmenter))
    if arguments.overlay:
        draw_overlays(case, label_map, prompt_file, plane, arguments.overlay)
    kind = ", a miniature" if segmenter.miniature else ""
    n_slices = int(label_map.stack(plane).any(axis=(1, 2)).sum())
    labels = ", ".join(map(str, label_map.labels)) or "none"
    print(
        f"{arguments.output}: labels {labels} on {n_slices} {plane} slices "
        f"({segmenter.name}{kind}){ends}"
    )
    return 0


def segmented(
    arguments: argparse.Namespace, model: Callable[[], Segmenter]
) -> segment_many.Segmented:
    """Check the prompts and the image, in this order; then load the model and segment."""
    from mskseg.case import Case
    from mskseg.evaluation.propagation import check_fit
    from mskseg.io import load_image

    prompt_file = read_all_prompts(arguments)
    case = Case(
        subject=printable(arguments.image.name),
        image=load_image(arguments.image, echo=arguments.echo, kind=arguments.kind),
    )
    if arguments.prompts:
        prompt_file.check_image(arguments.prompts, case.image_sha256)
    plane = prompt_file.plane or case.plane
    check_fit(case, prompt_file.prompts, plane)
    table, ends, progress = None, "", shows_progress(arguments)
    if arguments.propagate:
        from mskseg.evaluation import propagate
        from mskseg.prompts import Memory

        found = propagate(
            model(),
            case,
            prompt_file.prompts,
            plane=plane,
            slices=arguments.range,
            plan=Memory() if arguments.memory else None,
            progress=progress,
        )
        label_map, table = found.label_map, found.table
        ends = "".join(f"; label {label}: {said}" for label, said in found.ends.items())
    else:
        label_map = segment_case(model(), case, prompt_file, plane=plane, progress=progress)
    return segment_many.Segmented(case, prompt_file, plane, label_map, table, ends)


def check_outputs(arguments: argparse.Namespace) -> None:
    """Check everything that will be written, and that options come with what they need."""
    if not (arguments.prompts or arguments.box or arguments.point):
        raise InputError("expected prompts, got none; give --prompts FILE, --box or --point")
    if not arguments.propagate and (arguments.range or arguments.csv or arguments.memory):
        raise InputError(
            "--range, --csv and --memory are about a propagation; give --propagate with them"
        )
    if arguments.dicom_seg:
        check_extra("dicomseg")
        if not arguments.image.is_dir():
            raise InputError(
                f"--dicom-seg needs the folder of a DICOM series, got {arguments.image}; leave it "
                "out, or give the series"
            )
    if arguments.overlay and arguments.overlay.exists() and not arguments.overlay.is_dir():
        raise InputError(f"--overlay {arguments.overlay} is a file; give the name of a folder")
    endings = {arguments.output: (".nii.gz", ".nii"), arguments.csv: (".csv",)}
    endings[arguments.dicom_seg] = (".dcm",)
    inputs = list(filter(None, (arguments.image, arguments.prompts, Path(arguments.model))))
    for output in filter(None, endings):
        check_writable(output, suffixes=endings[output])
        check_not_input(output, *inputs)


def read_all_prompts(arguments: argparse.Namespace) -> PromptFile:
    """Join the prompts of the file and of the command line."""
    from mskseg.prompts.files import PromptFile, read_prompts

    read = read_prompts(arguments.prompts) if arguments.prompts else None
    if read and read.plane and arguments.plane not in (None, read.plane):
        raise InputError(
            f"the prompts of {arguments.prompts} are on {read.plane} slices, --plane says "
            f"{arguments.plane}; leave --plane out"
        )
    return PromptFile(
        plane=arguments.plane or (read.plane if read else None),
        prompts=(*(read.prompts if read else ()), *drawn_prompts(arguments)),
        image_sha256=read.image_sha256 if read else None,
    )


def drawn_prompts(arguments: argparse.Namespace) -> list[SlicePrompt]:
    """Read --box and --point; the points of a label on a slice are one prompt, with its box."""
    from mskseg.prompts.files import SlicePrompt

    drawn: dict[tuple[int, int], SlicePrompt] = {}
    texts = [("box", "X0 Y0 X1 Y1", text) for text in arguments.box]
    texts += [("point", "X Y", text) for text in arguments.point]
    for option, form, text in texts:
        words, n = text.split(), len(form.split())
        try:
            index, (label,) = int(words[0]), map(int, words[n + 1 :] or [1])
            numbers, is_box = tuple(map(float, words[1 : n + 1])), option == "box"
            place = index, label if is_box else abs(label)
            before: dict[str, Any] = (
                dict(drawn[place]) if place in drawn else {"slice": index, "label": place[1]}
            )
            more: dict[str, tuple[Any, ...]]
            if is_box:
                more = {"boxes_xyxy": (numbers,)}
            else:
                more = {"point_coords": (numbers,), "point_labels": (int(label > 0),)}
            joined = before | {name: (*before.get(name, ()), *new) for name, new in more.items()}
            drawn[place] = SlicePrompt.model_validate(joined)
        except (ValueError, IndexError) as error:
            known = {4: "five or six", 2: "three or four"}[n]
            raise InputError(
                f'--{option} {text!r}: expected "SLICE {form} [LABEL]", {known} numbers, slice and '
                "label whole, the label from 1 (with a minus: a point outside of it), points with "
                "one box at most; write them in quotes"
            ) from error
    return list(drawn.values())


def segment_case(
    segmenter: Segmenter,
    case: Case,
    prompt_file: PromptFile,
    *,
    plane: Plane,
    progress: bool = False,
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
    for k, group in tqdm(by_slice, unit="slice", disable=not progress):
        prompts = [(prompt.label, prompt.prompt) for prompt in group]
        stack[k] = predict_label_map(segmenter, case.slice(k, plane).image, prompts)
    return LabelMap.from_slices(stack, plane, image=case.image)


def draw_overlays(
    case: Case, label_map: LabelMap, prompt_file: PromptFile, plane: Plane, folder: Path
) -> None:
    """Draw each slice with a mask or a prompt as a PNG: outlines, and the boxes that were given."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt
    import numpy as np

    from mskseg.display import overlay, save_figure
    from mskseg.provenance import provenance

    facts, stack = provenance(cases=[case]), label_map.stack(plane)
    boxes: dict[int, list[tuple[float, ...]]] = {}
    for prompt in prompt_file.prompts:
        boxes.setdefault(prompt.slice, []).extend(prompt.boxes_xyxy)
    labelled = np.flatnonzero(stack.any(axis=(1, 2))).tolist()
    for k in sorted({*boxes, *labelled}):
        shown = case.slice(k, plane)
        ax = overlay(
            shown.image,
            spacing_mm=shown.spacing_mm,
            prediction=stack[k],
            tissues={label: case.tissue(label) for label in label_map.labels},
            boxes_xyxy=boxes.get(k) or None,
            plane=plane,
            title=f"{case.subject}, {plane} slice {k}",
        )
        save_figure(ax, folder / f"{plane}_{k:03d}.png", provenance=facts)
        plt.close("all")
