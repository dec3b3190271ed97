"""``mskseg segment`` of a folder or glob of scans by a folder of prompts; the loop is `many`'s."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from mskseg.cli import many, outputs
from mskseg.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

    from mskseg.case import Case
    from mskseg.datasets.scans import ScanFiles
    from mskseg.models.segmenter import Segmenter
    from mskseg.prompts.files import PromptFile
    from mskseg.volume import LabelMap, Plane

_OF_ONE = ("box", "point", "overlay", "dicom_seg")  # options that make no sense for many scans
_OF_MANY = ("subject_pattern", "workers", "scheduler", "part", "fail_fast", "json")


class Segmented(NamedTuple):
    """One scan, what was asked of it and what was found; the last two of a propagation alone."""

    case: Case
    prompt_file: PromptFile
    plane: Plane
    label_map: LabelMap
    table: pd.DataFrame | None
    ends: str  # where and why a propagation ended


def are_many(arguments: argparse.Namespace) -> bool:
    """Whether a folder of prompts asks for many scans; InputError for options that do not fit."""
    several = bool(arguments.prompts and arguments.prompts.is_dir())
    for name in _OF_ONE if several else _OF_MANY:
        if getattr(arguments, name, None) not in (None, [], False, (1, 1)):
            number, form = ("one scan", "a file") if several else ("many scans", "a folder")
            raise InputError(
                f"--{name.replace('_', '-')} is for {number}; leave it out or give --prompts {form}"
            )
    return several


def segment_scans(
    arguments: argparse.Namespace,
    segmented: Callable[[argparse.Namespace, Callable[[], Segmenter]], Segmented],
) -> int:
    """Pair scans and prompts, check the output, segment scan by scan, write and print."""
    import pandas as pd

    from mskseg.cli.evaluate import describe

    prompts = pair_prompts(arguments)
    scans = many.by_name(prompts)
    check_folder(arguments, prompts)
    model = many.Model(arguments)

    def segment(scan: ScanFiles, more: many.Files) -> many.Result:
        own = {"image": scan.image, "prompts": more["prompts"]}
        found = segmented(argparse.Namespace(**{**vars(arguments), **own, "quiet": True}), model)
        table = row_per_label_and_slice(found).assign(segmenter=model().name)
        return many.Result(table, found.case, found.label_map)

    tables, failed, facts = many.score_each(
        scans,
        segment,
        arguments,
        model=model,
        more_inputs=lambda scan: {"prompts": prompts[scan]},
    )
    rows = outputs.laid_out(volumes(pd.concat(tables.values()), by=["label"]))
    text = f"{len(tables)} scans; {describe(model())}\n{rows}\nlabel maps: {arguments.output}"
    many.report(tables, failed, facts, arguments, text, measures=volumes)
    return 0


def pair_prompts(arguments: argparse.Namespace) -> dict[ScanFiles, Path]:
    """Find the prompts of each scan; InputError where one has none or several, or they no scan."""
    from mskseg.case import CaseDescription
    from mskseg.datasets.layouts.nifti import list_files, pair_files
    from mskseg.datasets.scans import scan_files

    images = list_files(str(arguments.image), "images", masks=False)
    files = list_files(str(arguments.prompts), "prompts", suffixes=(".json",))
    if files[0].is_dir():
        raise InputError(f"{files[0]} holds no prompts, expected a JSON file for each scan")
    pairs = pair_files(images, files, arguments.subject_pattern, what="prompts files")
    used = {file for _, file, _ in pairs}
    if unused := [file for file in files if file not in used]:
        raise InputError(
            f"{unused[0]} has no scan, as {len(unused)} of {len(files)} prompts files; call it as "
            "its scan, or move it away"
        )
    template = CaseDescription(subject="")
    return {
        scan_files(template, named, image=image, reference=None): file
        for image, file, named in pairs
    }


def check_folder(arguments: argparse.Namespace, prompts: dict[ScanFiles, Path]) -> None:
    """Check that the output is a folder of its own, and that the tables can be written."""
    folder = arguments.output
    if not arguments.propagate and (arguments.range or arguments.memory):
        raise InputError("--range and --memory are about a propagation; give --propagate too")
    if folder.suffix in (".gz", ".nii"):
        raise InputError(f"--output {folder} names a file, expected a folder for many label maps")
    inputs = {path.resolve() for scan, file in prompts.items() for path in (scan.image, file)}
    if folder.resolve() in inputs | {path.parent for path in inputs}:
        raise InputError(f"--output {folder} holds the inputs; choose another folder")
    for path in (folder / outputs.SUMMARY, arguments.csv):
        if path:
            outputs.check_writable(path, suffixes=(".csv",))
            outputs.check_not_input(path, *prompts.values(), Path(arguments.model))


def row_per_label_and_slice(found: Segmented) -> pd.DataFrame:
    """Lay out what was found: of a propagation its table, else a row for each prompted slice."""
    import pandas as pd

    case, plane, label_map, table = found.case, found.plane, found.label_map, found.table
    asked = sorted({(prompt.label, prompt.slice) for prompt in found.prompt_file.prompts})
    pixel_mm2 = math.prod(case.slice(asked[0][1], plane).spacing_mm)
    if table is None:
        areas = [int((label_map.slice(plane, k) == label).sum()) * pixel_mm2 for label, k in asked]
        table = pd.DataFrame(asked, columns=["label", "slice"])
        table = table.assign(area_mm2=areas, reason="prompt")
    return table.assign(
        volume_ml=table["area_mm2"] / pixel_mm2 * math.prod(case.image.spacing_mm) / 1000,
        tissue=table["label"].map(case.tissue),
        subject=case.subject,
        plane=plane,
    )


def volumes(table: pd.DataFrame, *, by: Sequence[str] = ()) -> pd.DataFrame:
    """Add up volumes and count masks, a label on a slice each, of a model and group."""
    masks = table.assign(n_masks=table["area_mm2"] > 0)
    sums = masks.groupby([*by, "segmenter"], sort=True)[["n_masks", "volume_ml"]].sum()
    return sums.reset_index()
