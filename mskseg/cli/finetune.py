"""``mskseg finetune``: tune a model on the reader's own scans, and measure what that changed."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mskseg.cli import inputs, outputs
from mskseg.cli.many import check_labels
from mskseg.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

    from mskseg.case import CaseSet
    from mskseg.finetuning import FineTuneConfig, FineTuneResult
    from mskseg.models.segmenter import Segmenter
    from mskseg.splits import Part

MINIATURE_RATE = 3e-4  # on the phantoms 1e-3 broke what was there faster than it taught
WEIGHTS, SCORES = "tuned.safetensors", "scores.csv"
HISTORY, PICTURE = "history.csv", "before_and_after.png"
_SETTINGS = {  # flag: (type, help); the default is the configuration's own
    "epochs": (int, "at most (default: 35)"),
    "patience": (int, "epochs without a better validation Dice that end it; 0: never (default: 5)"),
    "steps-per-epoch": (int, "default: as many as show each slice once"),
    "slices-per-step": (int, "images of a step, over all processes (default: 4)"),
    "prompts-per-slice": (int, "objects drawn of each image (default: 6)"),
    "learning-rate": (float, "default: 1e-4, of a miniature 3e-4"),
    "jitter-px": (float, "each side of a box moves by up to this at each visit (default: 0)"),
    "slice-step": (int, "train on every N-th labelled slice (default: 1)"),
    "seed": (int, "of the split, and of everything that is drawn (default: 0)"),
}
NO_EVIDENCE = (
    "slabs of the same subjects, no evidence of generalisation: fewer than 3 subjects were given"
)


def add_to(commands: Any) -> None:
    """Declare the arguments of ``finetune``."""
    parser = commands.add_parser(
        "finetune",
        help="tune a model on your own scans; evaluate on held-out subjects",
        description="Split scans by subject, tune a model on some, select the best epoch on "
        "others, and score the model before and after on the rest, with boxes or points taken from "
        "the reference (oracle). Interrupted, it goes on when called again. Not a medical device.",
        epilog="Example: mskseg finetune --images 'scans/*_image.nii.gz' --labels "
        "'scans/*_labels.nii.gz' --subject-pattern 'sub-[0-9]+' --output tuned. Several GPUs: "
        "torchrun --nproc-per-node 2 -m mskseg finetune ... --device cuda",
    )
    parser.add_argument("--images", required=True, metavar="GLOB", help="in quotes")
    parser.add_argument("--labels", required=True, metavar="GLOB", help="label maps, in quotes")
    parser.add_argument(
        "--subject-pattern",
        required=True,
        metavar="REGEX",
        help="finds the subject in each path: its group 'subject', its first group, or all of it",
    )
    parser.add_argument("--output", type=Path, required=True, metavar="DIR")
    inputs.add_scoring_arguments(parser)
    modes = ("full", "encoder_decoder", "decoder", "lora")
    parser.add_argument("--mode", choices=modes, default="decoder", help="what trains")
    for flag, (kind, help_) in _SETTINGS.items():
        parser.add_argument(f"--{flag}", type=kind, metavar="N", help=help_)
    inputs.add_model_arguments(parser)
    outputs.add_quiet(parser)
    parser.set_defaults(command=finetune)


def finetune(arguments: argparse.Namespace) -> int:
    """Check every output and every input, split, tune, score before and after, and write."""
    from mskseg.datasets.layouts import read_globbed
    from mskseg.provenance import sidecar_path

    tables = [arguments.output / name for name in (SCORES, HISTORY)]
    written = [arguments.output / name for name in (WEIGHTS, PICTURE, "training/state.pt")]
    written += [*tables, *map(sidecar_path, tables)]
    for path in written:
        outputs.check_writable(path)

    cases = read_globbed(
        arguments.images,
        arguments.labels,
        subject_pattern=arguments.subject_pattern,
        tissues=inputs.read_label_names(arguments),
    )
    read = [path for scan in cases.scans for path in (scan.image, scan.reference)]
    read += [arguments.label_names, Path(arguments.model)]
    for path in written:
        outputs.check_not_input(path, *filter(None, read))
    segmenter = inputs.load_model(arguments)
    config = configured(arguments, segmenter)
    for case in cases:  # a bad one must not come to light after hours of training
        if case.reference:
            check_labels(case.reference, f"the reference of {case.name}")
    parts, by_slab = split_cases(cases, arguments)
    check_can_report(parts["test"], config)

    from mskseg.finetuning import count_trainable, fine_tune

    first = os.environ.get("RANK", "0") == "0"  # of the processes that torchrun started
    if first:
        print(describe_split(parts, by_slab=by_slab))
        print(f"{segmenter.name}, {config.mode}: {count_trainable(segmenter, config):,} parameters")
    result = fine_tune(
        segmenter,
        parts["train"],
        parts["validation"],
        config,
        folder=arguments.output / "training",
        progress=outputs.shows_progress(arguments),
    )
    if first:
        report(segmenter, result, parts["test"], arguments, by_slab=by_slab)
    return 0


def split_cases(cases: CaseSet, arguments: argparse.Namespace) -> tuple[dict[Part, CaseSet], bool]:
    """Split by subject, a fifth of them each to validate and to test; by slab if there are < 3."""
    from mskseg.finetuning.dataset import split_by_slab

    n = len(cases.subjects)
    if n < 3:
        return split_by_slab(cases, plane=arguments.plane), True
    fifth = max(1, round(n / 5))
    counts: dict[Part, int] = {"train": n - 2 * fifth, "validation": fifth, "test": fifth}
    return dict(cases.split(counts, seed=arguments.seed or 0)), False


def check_can_report(test: CaseSet, config: FineTuneConfig) -> None:
    """Raise InputError if the held-out cases show nothing that a prompt can be made from."""
    from mskseg.finetuning.dataset import SliceDataset

    if not len(SliceDataset.from_cases(test, config)):
        raise InputError(
            f"the held-out scans ({', '.join(test.subjects)}) show no object large enough for a "
            "prompt, so nothing could be scored; give other labels, or another --seed"
        )


def configured(arguments: argparse.Namespace, segmenter: Segmenter) -> FineTuneConfig:
    """Gather the settings that were given; the others keep the configuration's defaults."""
    from mskseg.finetuning import FineTuneConfig

    names = ("mode", "prompt", "plane", "precision", *(f.replace("-", "_") for f in _SETTINGS))
    given = {name: getattr(arguments, name) for name in names}
    if given["learning_rate"] is None and segmenter.miniature:
        given["learning_rate"] = MINIATURE_RATE
    return FineTuneConfig(**{name: value for name, value in given.items() if value is not None})


def describe_split(parts: dict[Part, CaseSet], *, by_slab: bool) -> str:
    """Say who trains, who selects and who is reported."""
    lines = [
        f"{part + ':':<11} {', '.join(parts[part].subjects)} ({len(parts[part])} scans)"
        for part in ("train", "validation", "test")
    ]
    return "\n".join([*lines, *([f"Note: {NO_EVIDENCE}."] if by_slab else [])])


def report(
    segmenter: Segmenter,
    result: FineTuneResult,
    test: CaseSet,
    arguments: argparse.Namespace,
    *,
    by_slab: bool,
) -> None:
    """Score before and after on the held-out cases, write everything, and print the summary."""
    import pandas as pd

    from mskseg.evaluation import score_cases, write_table
    from mskseg.provenance import provenance

    output: Path = arguments.output
    result.save(output / WEIGHTS)  # whatever becomes of the scores
    scores = [
        score_cases(
            model,
            test,
            prompts=inputs.oracle_plan(arguments.prompt, points=result.config.points),
            plane=arguments.plane,
            progress=outputs.shows_progress(arguments),
        )
        for model in (segmenter, result.segmenter)
    ]
    table = pd.concat(scores, ignore_index=True)
    facts = provenance(
        cases=test,
        segmenter=result.segmenter,
        seed=result.config.seed,
        base=result.base["name"],
        base_sha256=result.base["sha256"],
        train_sha256=result.data["train"],
        validation_sha256=result.data["validation"],
        held_out="slabs of the same subjects" if by_slab else "subjects",
    )
    write_table(table, output / SCORES, provenance=facts)
    write_table(result.history, output / HISTORY, provenance=facts)
    draw(segmenter, result, test, arguments, facts=facts)
    print(result)
    print(summary(table, result, by_slab=by_slab))
    names = ", ".join(str(output / name) for name in (WEIGHTS, SCORES, HISTORY, PICTURE))
    print(f"written: {names}")


def summary(table: pd.DataFrame, result: FineTuneResult, *, by_slab: bool) -> str:
    """Lay out each label's mean before and after, with the number of slices beside it."""
    tuned = table["segmenter"] == result.segmenter.name
    before, after = outputs.rows_by_label(table[~tuned]), outputs.rows_by_label(table[tuned])
    rows = before[["label", "tissue", "slices", "filled box"]]
    n = len(table[["dataset", "subject"]].drop_duplicates())
    held_out = f"on {NO_EVIDENCE}" if by_slab else f"on {n} held-out subject{'s' * (n > 1)}"
    return (
        f"{outputs.laid_out(rows.assign(before=before['Dice'], after=after['Dice']))}\n"
        f"Dice {held_out}; prompts: oracle, taken from the reference itself. A score against an "
        "automatic reference is agreement, not accuracy."
    )


def draw(
    segmenter: Segmenter,
    result: FineTuneResult,
    test: CaseSet,
    arguments: argparse.Namespace,
    *,
    facts: dict[str, Any],
) -> None:
    """Draw the fullest slice of the first held-out case with labels, before and after."""
    import matplotlib as mpl

    mpl.use("Agg")
    import numpy as np

    from mskseg.display.overlays import predictions_beside
    from mskseg.display.style import save_figure
    from mskseg.evaluation.metrics import dice
    from mskseg.evaluation.prediction import predict_slice

    case = next(case for case in test if case.labelled_slices(arguments.plane))
    slices = case.slices(arguments.plane, labelled_only=True)
    at = max(slices, key=lambda each: len(np.unique(np.asarray(each.label_map))))
    plan = inputs.oracle_plan(arguments.prompt, points=result.config.points)
    shown = []
    for model in (segmenter, result.segmenter):
        found = predict_slice(model, case, at, plan)
        asked = [each for each in found.values() if len(each.prompt)]
        mean = float(np.mean([dice(each.reference, each.prediction) for each in asked]))
        shown.append((mean, {label: each.prediction for label, each in found.items()}))
    (before, masks_before), (after, masks_after) = shown
    figure = predictions_beside(
        at,
        {f"before: Dice {before:.3f}": masks_before, f"after: Dice {after:.3f}": masks_after},
        tissues={label: case.tissue(label) for label in masks_before},
        title=f"Tuning changed the mean Dice of slice {at.index} of {case.subject} by "
        f"{after - before:+.3f} (mode {result.config.mode})",
    )
    save_figure(figure, arguments.output / PICTURE, provenance=facts)
