"""Train an nnU-Net until its validation Dice stops rising; write its curve and its scores.

    python -m mskseg_studies.specialists.nnunet phantom_thigh --folder runs --hours 6 &

The same command goes on with a run that was interrupted or whose hours were over; with --curve it
only writes the learning curve of what there is, also while another process trains.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from mskseg.case import Case
from mskseg.errors import MsksegError
from mskseg.evaluation.scoring import score_label_maps
from mskseg.evaluation.tables import volume_table, write_table
from mskseg.provenance import provenance
from mskseg_studies.specialists.nnunet.config import NnunetConfig
from mskseg_studies.specialists.nnunet.running import (
    NnunetRun,
    learning_curve,
    prepare_nnunet,
    train_nnunet,
)
from mskseg_studies.specialists.people import load_people


def build_parser() -> argparse.ArgumentParser:
    """Declare the arguments; the defaults are sized for two cores."""
    first, *_ = (__doc__ or "").splitlines()
    parser = argparse.ArgumentParser("python -m mskseg_studies.specialists.nnunet", None, first)
    parser.add_argument("dataset", help="of the manifest, with a split; see `mskseg data list`")
    parser.add_argument("--configuration", choices=("2d", "3d_fullres"), default="2d")
    parser.add_argument("--folder", type=Path, default=Path("output/nnunet"), help="of the runs")
    parser.add_argument("--results", type=Path, default=Path("results"), help="of the tables")
    parser.add_argument("--hours", type=float, default=6.0, help="of training, all calls together")
    parser.add_argument("--patch", type=int, nargs=2, default=(128, 128), metavar="PIXELS")
    parser.add_argument("--features", type=int, default=16, help="of the first stage")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--curve", action="store_true", help="write the curve, and train nothing")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Train or go on, and write the tables; 2 with one line on stderr on bad input."""
    given = build_parser().parse_args(argv)
    config = NnunetConfig.short(
        given.configuration,
        hours=given.hours,
        patch=given.patch,
        features=given.features,
        seed=given.seed,
    )
    try:
        train, validation = (load_people(given.dataset, p) for p in ("train", "validation"))
        if given.curve:
            run = prepare_nnunet(train, validation, config, folder=given.folder)
        else:
            test = load_people(given.dataset, "test")
            run = train_nnunet(train, validation, config, folder=given.folder)
            write_scores(run, {"validation": validation, "test": test}, given.results)
        print(write_curve(run, [*train, *validation], given.results))  # noqa: T201  the answer
    except MsksegError as error:
        print(f"nnunet: {error}", file=sys.stderr)  # noqa: T201  the reason, in one line
        return 2
    return 0


def write_curve(run: NnunetRun, cases: Sequence[Case], folder: Path) -> Path:
    """Write the curve so far; `cases` are those that it trains and is validated on."""
    dataset = cases[0].dataset
    path = folder / f"07_nnunet_curve_{dataset}_{run.config.configuration}.csv"
    write_table(learning_curve(run, dataset), path, provenance=_facts(run, cases))
    return path


def write_scores(run: NnunetRun, parts: Mapping[str, Sequence[Case]], folder: Path) -> Path:
    """Predict parts of a data set and write the Dice of each volume and tissue."""
    cases = [case for part in parts.values() for case in part]
    found = run.predict(cases).label_maps
    tables = [
        volume_table(score_label_maps(run, part, found, progress=False)).assign(part=name)
        for name, part in parts.items()
    ]
    path = folder / f"07_nnunet_scores_{cases[0].dataset}_{run.config.configuration}.csv"
    write_table(pd.concat(tables), path, provenance=_facts(run, cases))
    return path


def _facts(run: NnunetRun, cases: Sequence[Case]) -> dict[str, Any]:
    config = run.config
    return provenance(
        command=f"python -m mskseg_studies.specialists.nnunet {cases[0].dataset}",
        cases=cases,
        tuned=[run] if run.has_weights else [],
        seed=config.seed,
        converged=run.converged,
        rule=f"mean over {config.plateau_iterations} iterations rises by less than "
        f"{config.plateau_gain:g}",
        patch=str(config.patch_size),
        features=config.base_features,
    )


if __name__ == "__main__":
    sys.exit(main())
