"""``mskseg evaluate``: agreement of a model with a reference, label by label and slice by slice."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mskseg.cli import inputs, many, outputs

if TYPE_CHECKING:
    import pandas as pd

    from mskseg.datasets.scans import ScanFiles
    from mskseg.models.segmenter import Segmenter

_MARGIN_PX = 4.0  # of the wide box: on a slice of 256 pixels four fifths of what MedSAM saw
_FIRST_COLUMNS = ("label", "tissue", "slice", "dice", "filled_box_dice", "neighbour_box_dice")


def add_to(commands: Any) -> None:
    """Declare the arguments of ``evaluate``."""
    parser = commands.add_parser(
        "evaluate",
        help="Dice per label and slice against a reference",
        description="Prompt a model with boxes or points taken from the reference (oracle) and "
        "score it against that reference, beside the filled box: one scan, or a folder or a glob "
        "in quotes. Not a medical device.",
        epilog="Examples: mskseg evaluate thigh.nii.gz --reference labels.nii.gz --csv dice.csv; "
        "mskseg evaluate imagesTs --reference labelsTs --model lite_medsam --output scores",
    )
    inputs.add_image_arguments(parser)
    parser.add_argument(
        "--reference",
        type=Path,
        metavar="LABELS",
        help="label map on the image's grid, or a folder or glob of them; default: those of IMAGE, "
        "if it is a BIDS or nnU-Net folder",
    )
    inputs.add_scoring_arguments(parser)
    many.add_many_arguments(parser)
    inputs.add_model_arguments(parser)
    parser.set_defaults(command=evaluate_scans, html=None)


def evaluate_scans(arguments: argparse.Namespace) -> int:
    """Check the output and the inputs, score scan by scan, write the tables and print the means."""
    scans = many.list_scans(arguments)
    many.check_outputs(arguments, scans.values(), Path(arguments.model))
    model, alone = many.Model(arguments), len(scans) == 1

    def score(scan: ScanFiles, _: many.Files) -> many.Result:
        from mskseg.evaluation import score_cases
        from mskseg.prompts import NeighbourBox, OracleBox

        case = many.load_case(scan, arguments)
        oracle = inputs.oracle_plan(arguments.prompt)
        table = score_cases(
            model(),
            case,
            prompts=[oracle, OracleBox(margin_px=_MARGIN_PX), NeighbourBox()]
            if arguments.prompt == "box"
            else [oracle],
            plane=arguments.plane,
            progress=alone and outputs.shows_progress(arguments),
        )
        return many.Result(row_per_label_and_slice(table), case)

    tables, failed, facts = many.score_each(scans, score, arguments, model=model)
    import pandas as pd

    table = pd.concat(tables.values(), ignore_index=True)
    what = arguments.image.name if len(scans) == 1 else f"{len(tables)} scans"
    planes = " and ".join(table["plane"].unique())
    text = f"{what}, {planes} slices; {describe(model())}\n{summary(table)}"
    many.report(tables, failed, facts, arguments, text)
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


def row_per_label_and_slice(table: pd.DataFrame) -> pd.DataFrame:
    """Turn the plans' rows into one for each label and slice: oracle, with the others' Dice."""
    from mskseg.evaluation.scoring import SCORES

    keys, source = ["label", "tissue", "slice"], table["box_source"]
    oracle = table[source == "oracle"].set_index(keys)
    wide = table[source.str.startswith("oracle, margin")].set_index(keys)
    neighbour = table[source.str.startswith("neighbour")].set_index(keys)
    rows = oracle.reindex(oracle.index.union(neighbour.index))
    beyond = neighbour.loc[rows.index.difference(oracle.index)]
    rows.loc[beyond.index] = beyond.assign(
        box_source="oracle",
        n_prompts=0,
        predicted_area_mm2=0.0,
        **dict.fromkeys((*SCORES, "predicted_iou", "decode_s"), float("nan")),
    )
    rows["wide_box_dice"] = wide["dice"].where(wide["status"] == "scored")
    rows["neighbour_box_dice"] = neighbour["dice"].where(neighbour["status"] == "scored")
    rows = rows.astype({"n_prompts": int, "n_points": int, "unprompted_px": int}).reset_index()
    return rows[[*_FIRST_COLUMNS, *(c for c in rows.columns if c not in _FIRST_COLUMNS)]]


def summary(table: pd.DataFrame) -> str:
    """Lay out the mean of each label and of all, and say what stands in no mean."""
    prompt = table["prompt"].iloc[0]
    rows = outputs.rows_by_label(table).drop(columns=["tool", "missing"]).dropna(axis=1, how="all")
    n_too_small = int((table["status"] == "too_small").sum())
    return (
        f"{outputs.laid_out(rows.rename(columns={'Dice': prompt}))}\n"
        f"{prompt}: Dice, oracle, taken from the reference itself; {n_too_small} pairs of slice "
        f"and label too small for a prompt are left out. Wide box: {_MARGIN_PX:g} pixels wider on "
        "every side, as MedSAM knows them. Neighbour box: from the prediction of the slice before, "
        "from one oracle slice on; beyond: slices beyond a structure's end, in no mean. "
        f"{outputs.NOTE}"
    )
