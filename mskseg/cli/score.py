"""``mskseg score``: label maps of any tools against a reference, in the table of ``evaluate``."""

from __future__ import annotations

import argparse
import io
from base64 import b64encode
from collections.abc import Mapping
from html import escape
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import mskseg
from mskseg.cli import inputs, many, outputs
from mskseg.errors import InputError
from mskseg.input_files import printable

if TYPE_CHECKING:
    import pandas as pd

    from mskseg.case import Case
    from mskseg.datasets.scans import ScanFiles
    from mskseg.volume import Plane

_N_WORST, _APART = 6, 4  # slices on the page, of one scan not nearer than this


class Tool(NamedTuple):
    """What made the label maps, as a table names it."""

    name: str
    miniature: bool = False


def add_to(commands: Any) -> None:
    """Declare the arguments of ``score``."""
    parser = commands.add_parser(
        "score",
        help="Dice, surface distances and volumes of any tool's label maps",
        description="Score label maps that any tools made (nnU-Net, TotalSegmentator, ...) against "
        "a reference, slice by slice as `evaluate` does, beside the filled box. Not a medical "
        "device.",
        epilog="Examples: mskseg score mask.nii.gz --reference labels.nii.gz; mskseg score "
        "nnunet=out_nnunet sam=out_sam --reference labelsTs --image imagesTs --html page.html",
    )
    parser.add_argument(
        "predictions",
        nargs="+",
        metavar="[NAME=]PREDICTION",
        help="of each tool a label map with the reference's values, or a folder or glob of them",
    )
    parser.add_argument(
        "--reference", type=Path, required=True, metavar="LABELS", help="a file, folder or glob"
    )
    parser.add_argument("--image", type=Path, metavar="SCAN", help="what the page shows; likewise")
    parser.add_argument(
        "--html", type=Path, metavar="FILE", help="page of the tools side by side, worst slices too"
    )
    inputs.add_label_arguments(parser)
    many.add_many_arguments(parser)
    parser.set_defaults(command=score_predictions, echo=None, kind=None)


def score_predictions(arguments: argparse.Namespace) -> int:
    """Pair the files, check the outputs, score scan by scan, write and print."""
    import pandas as pd

    from mskseg.evaluation import score_label_maps

    scans = many.list_scans(arguments)
    shown = {scan.reference: name for name, scan in reversed(scans.items())}  # one channel of each
    scans = {name: scan for name, scan in scans.items() if shown[scan.reference] == name}
    tools = pair_predictions(arguments, [cast(Path, scan.reference) for scan in scans.values()])

    def predictions(scan: ScanFiles) -> dict[str, Path]:
        reference = cast(Path, scan.reference)
        return {tool: found[reference] for tool, found in tools.items() if reference in found}

    names = list(tools)

    def score(scan: ScanFiles, paths: many.Files) -> many.Result:
        case, plane = many.load_case(scan, arguments), arguments.plane
        found = {tool: many.read_label_map(path) for tool, path in paths.items()}
        maps = {tool: {case.name: found[tool]} if tool in found else {} for tool in names}
        tables = [
            score_label_maps(Tool(tool), case, maps[tool], plane=plane, progress=False)
            for tool in names
        ]
        return many.Result(pd.concat(tables, ignore_index=True), case)

    many.check_outputs(
        arguments, scans.values(), *(path for t in tools.values() for path in t.values())
    )
    tables, failed, facts = many.score_each(
        scans,
        score,
        arguments,
        more_inputs=predictions,
        tools=", ".join(tools),
    )
    table = pd.concat([each.assign(scan=n) for n, each in tables.items()], ignore_index=True)
    known = table.groupby(["scan", "label"])["area_mm2"].transform("max") > 0
    note = f"Filled box: of the reference's own boxes, no model. {outputs.NOTE}"
    if unknown := sorted(set(table[~known]["label"]) - set(table[known]["label"])):
        note += f" Not in the reference, so not scored: labels {', '.join(map(str, unknown))}."
    rows = outputs.rows_by_label(table)
    if arguments.html:
        figures = []
        for name, plane, index in worst_slices(table[known]):
            here = table[known & (table[["scan", "slice"]] == [name, index]).all(axis=1)]
            png = draw(many.load_case(scans[name], arguments), predictions(scans[name]), here)
            title, data = escape(f"{name}, {plane} slice {index}"), b64encode(png).decode()
            source = f"data:image/png;base64,{data}"
            figures.append(f'<h3>{title}</h3><img alt="{title}" src="{source}">')
        write_page(arguments.html, rows, figures, note=note, n=len(tables))
    many.report(tables, failed, facts, arguments, f"{outputs.laid_out(rows)}\n{note}")
    return 0


def pair_predictions(
    arguments: argparse.Namespace, references: list[Path]
) -> dict[str, dict[Path, Path]]:
    """Find each tool's label map for each of the reference; a tool may lack some.

    Without NAME= the file or its folder names the tool.
    """
    from mskseg.datasets.layouts.base import bare_name
    from mskseg.datasets.layouts.nifti import list_files, pair_files

    tools: dict[str, dict[Path, Path]] = {}
    for text in arguments.predictions:
        name, equals, path = text.partition("=")
        if not equals or Path(text).exists():
            given = Path(text)
            path, name = text, given.parent.name if "*" in given.name else bare_name(given)
        if name in tools:
            raise InputError(f"two predictions are called {name!r}; name them, as a=PATH b=PATH")
        files = list_files(path, f"label maps of {name}")
        pairs = pair_files(files, references, arguments.subject_pattern)
        tools[printable(name)] = {reference: file for file, reference, _ in pairs}
        if len(tools[name]) < len(pairs):
            raise InputError(f"{name} has two label maps for one of the reference; expected one")
    return tools


def worst_slices(table: pd.DataFrame) -> list[tuple[str, Plane, int]]:
    """Find scan, plane and index of the slices with the largest wrong area of a tool."""
    keys = ["scan", "plane", "slice"]
    wrong = table["area_mm2"] + table["predicted_area_mm2"] - 2 * table["overlap_mm2"]
    areas = table.assign(wrong=wrong).groupby([*keys, "segmenter"])["wrong"].sum()
    worst: list[tuple[str, Plane, int]] = []
    for at in areas[areas > 0].groupby(level=keys).max().sort_values(ascending=False).index:
        near = (at[:2] == other[:2] and abs(at[2] - other[2]) < _APART for other in worst)
        if len(worst) < _N_WORST and not any(near):
            worst.append(at)
    return worst


def draw(case: Case, predictions: Mapping[str, Path], rows: pd.DataFrame) -> bytes:
    """Draw each tool's outlines on the slice that the rows are of; a PNG."""
    import matplotlib as mpl

    mpl.use("Agg")
    import numpy as np
    from matplotlib import pyplot as plt

    from mskseg.display.overlays import predictions_beside
    from mskseg.evaluation.averaging import IN_THE_MEAN
    from mskseg.volume import on_grid_of

    plane, index = rows[["plane", "slice"]].iloc[0]
    at, labels = case.slice(index, plane), sorted(set(rows["label"]))
    shown = {}
    for tool, of_tool in rows.groupby("segmenter"):
        dice = of_tool[of_tool["status"].isin(IN_THE_MEAN)]["dice"].mean()
        on_slice = np.zeros(at.image.shape, int)
        if tool in predictions:
            label_map = on_grid_of(case.image, many.read_label_map(predictions[tool]))
            on_slice = label_map.slice(plane, index)
        shown[f"{tool}: Dice {dice:.3f}"] = np.where(np.isin(on_slice, labels), on_slice, 0)
    buffer = io.BytesIO()
    with mpl.rc_context({"text.parse_math": False}):  # names may hold a $
        every = case.reference.labels if case.reference else ()  # so each keeps its colour
        tissues = {label: case.tissue(label) for label in every}
        figure = predictions_beside(at, shown, tissues=tissues, title="")
        figure.savefig(buffer, format="png", dpi=110, bbox_inches="tight")
    plt.close(figure)
    return buffer.getvalue()


def write_page(path: Path, rows: pd.DataFrame, figures: list[str], *, note: str, n: int) -> None:
    """Write the page of the tools' means and the drawn slices; it loads nothing."""
    from mskseg.files import write_text
    from mskseg.workbook.pages import content_policy, packaged

    means_first = rows.sort_values("label", key=lambda label: label != "", kind="stable")
    page = Template(packaged("score.html")).substitute(
        policy=content_policy(),
        n=n,
        note=escape(note),
        table=means_first.to_html(index=False, border=0, float_format="{:.3f}".format, na_rep="-"),
        figures="\n".join(figures),
        version=mskseg.__version__,
    )
    write_text(path, page)
