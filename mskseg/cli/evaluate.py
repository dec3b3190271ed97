"""``mskseg evaluate``: agreement of a model with a reference, label by label and slice by slice."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mskseg.cli.inputs import (
    add_image_arguments,
    add_model_arguments,
    add_scoring_arguments,
    load_model,
    oracle_plan,
    read_label_names,
)
from mskseg.cli.outputs import check_not_input, check_writable, label_summary
from mskseg.errors import InputError
from mskseg.input_files import printable

if TYPE_CHECKING:
    import pandas as pd

    from mskseg.case import Case
    from mskseg.models.segmenter import Segmenter

MOST_LABELS = 500  # whole-body atlases name about 120
_MARGIN_PX = 4.0  # of the wide box: on a slice of 256 pixels four fifths of what MedSAM saw
_FIRST_COLUMNS = ("label", "tissue", "slice", "dice", "filled_box_dice", "neighbour_box_dice")
_NO_SCORES = dict.fromkeys(
    ("dice", "iou", "hd95_mm", "assd_mm", "filled_box_dice", "predicted_iou", "decode_s"),
    float("nan"),
)


def add_to(commands: Any) -> None:
    """Declare the arguments of ``evaluate``."""
    parser = commands.add_parser(
        "evaluate",
        help="Dice per label and slice against a reference",
        description="Prompt a model with boxes or points taken from the reference (oracle) and "
        "score it against that reference, beside the filled box. Not a medical device.",
    )
    add_image_arguments(parser)
    parser.add_argument(
        "--reference",
        type=Path,
        required=True,
        metavar="LABELS",
        help="label map on the image's grid",
    )
    add_scoring_arguments(parser)
    parser.add_argument("--csv", type=Path, metavar="FILE", help="one row per label and slice")
    add_model_arguments(parser)
    parser.set_defaults(command=evaluate_image)


def evaluate_image(arguments: argparse.Namespace) -> int:
    """Check the output and the inputs, score, write the table and print its summary."""
    if arguments.csv:
        check_writable(arguments.csv, suffixes=(".csv",))
        inputs = (arguments.image, arguments.reference, arguments.label_names,
                  Path(arguments.model))  # fmt: skip
        check_not_input(arguments.csv, *filter(None, inputs))
    from mskseg.case import Case
    from mskseg.io import load_image, load_label_map
    from mskseg.io.itk import segment_names

    case = Case(
        subject=printable(arguments.image.name),
        image=load_image(arguments.image, echo=arguments.echo, kind=arguments.kind),
        reference=load_label_map(arguments.reference),
        tissues=read_label_names(arguments) or segment_names(arguments.reference),
    )
    check_labels(case)
    segmenter = load_model(arguments)

    from mskseg.evaluation import score_cases, write_table
    from mskseg.prompts import NeighbourBox, OracleBox
    from mskseg.provenance import provenance

    oracle = oracle_plan(arguments.prompt)
    table = score_cases(
        segmenter,
        case,
        prompts=[oracle, OracleBox(margin_px=_MARGIN_PX), NeighbourBox()]
        if arguments.prompt == "box"
        else [oracle],
        plane=arguments.plane,
        progress=sys.stderr.isatty(),
    )
    if arguments.csv:
        facts = provenance(cases=[case], segmenter=segmenter)
        write_table(row_per_label_and_slice(table), arguments.csv, provenance=facts)
    print(f"{arguments.image.name}, {table['plane'].iloc[0]} slices; {describe(segmenter)}")
    print(summary(table))
    if arguments.csv:
        print(f"written: {arguments.csv}")
    return 0


def describe(segmenter: Segmenter) -> str:
    """Say which model it is, and whether it is one that others published."""
    from mskseg.datasets.manifest import load_manifest

    if segmenter.miniature:
        kind = "a miniature, not a published model"
    elif segmenter.name in load_manifest().models:
        kind = "as published"
    else:
        kind = "a checkpoint of your own"
    return f"{segmenter.name} ({kind})"


def check_labels(case: Case) -> None:
    """Raise InputError if a label is negative or there are more labels than any atlas names."""
    labels = case.reference.labels if case.reference else ()
    if labels and min(labels) < 0:
        raise InputError(f"the reference holds the label {min(labels)}; expected 0 and above")
    if len(labels) > MOST_LABELS:
        raise InputError(
            f"the reference holds {len(labels)} labels, expected {MOST_LABELS} at most; "
            "is it an image? pass the label map"
        )


def row_per_label_and_slice(table: pd.DataFrame) -> pd.DataFrame:
    """Turn the plans' rows into one for each label and slice: oracle, with the others' Dice."""
    keys, source = ["label", "tissue", "slice"], table["box_source"]
    oracle = table[source == "oracle"].set_index(keys)
    wide = table[source.str.startswith("oracle, margin")].set_index(keys)
    neighbour = table[source.str.startswith("neighbour")].set_index(keys)
    rows = oracle.reindex(oracle.index.union(neighbour.index))
    beyond = neighbour.loc[rows.index.difference(oracle.index)]
    rows.loc[beyond.index] = beyond.assign(
        box_source="oracle", n_prompts=0, predicted_area_mm2=0.0, **_NO_SCORES
    )
    rows["wide_box_dice"] = wide["dice"].where(wide["status"] == "scored")
    rows["neighbour_box_dice"] = neighbour["dice"].where(neighbour["status"] == "scored")
    rows = rows.astype({"n_prompts": int, "n_points": int, "unprompted_px": int}).reset_index()
    return rows[[*_FIRST_COLUMNS, *(c for c in rows.columns if c not in _FIRST_COLUMNS)]]


def summary(table: pd.DataFrame) -> str:
    """Lay out the mean of each label and of all, and say what stands in no mean."""
    prompt = table["prompt"].iloc[0]

    def columns(rows: pd.DataFrame) -> dict[str, float]:
        oracle = rows[rows["box_source"] == "oracle"].iloc[0]
        means = rows.set_index("box_source")["dice"]
        return {
            "slices": oracle["n_pairs"],
            prompt: oracle["dice"],
            "filled box": oracle["filled_box_dice"],
            "wide box": means.filter(like="oracle, margin").max(),
            "neighbour box": means.filter(like="neighbour").max(),
        }

    on_oracle = table["box_source"] == "oracle"
    n_too_small = int((table[on_oracle]["status"] == "too_small").sum())
    wide = f"wide box: {_MARGIN_PX:g} pixels wider on every side, as MedSAM knows them"
    neighbour = "neighbour box: from the prediction of the slice before, from one oracle slice on"
    if n_beyond := int((table["status"] == "beyond_end").sum()):
        neighbour += f"; slices beyond a structure's end, in no mean: {n_beyond}"
    return (
        f"{label_summary(table, columns)}\n"
        f"Dice; {n_too_small} pairs of slice and label too small for a prompt are left out. "
        f"{prompt}: oracle, taken from the reference itself. {wide}. {neighbour}. "
        "A score against an automatic reference is agreement, not accuracy."
    )
