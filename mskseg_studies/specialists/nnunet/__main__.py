"""Train an nnU-Net until its validation Dice stops rising; write its curve and its scores.

    python -m mskseg_studies.specialists.nnunet phantom_thigh --folder runs --hours 6 &

The same command goes on with a run that was interrupted or whose hours were over; with --curve it
only writes the learning curve of what there is, also while another process trains.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from mskseg.errors import MsksegError
from mskseg_studies.specialists.nnunet.config import NnunetConfig
from mskseg_studies.specialists.nnunet.long_run import write_curve, write_scores
from mskseg_studies.specialists.nnunet.running import prepare_nnunet, train_nnunet
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
    config = NnunetConfig.long(
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


if __name__ == "__main__":
    sys.exit(main())
