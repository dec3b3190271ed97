"""What several commands read: the image, the names of its labels, the model, the prompts."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from mskseg.errors import InputError

if TYPE_CHECKING:
    from mskseg.models.segmenter import Segmenter
    from mskseg.prompts import OracleBox, OraclePoint

PLANES = ("axial", "coronal", "sagittal")
_TABLES = "of ITK-SNAP, 3D Slicer, FreeSurfer, nnU-Net (dataset.json), BIDS, CSV, TSV or JSON"


def add_image_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the image, and which one of a DICOM folder."""
    parser.add_argument("image", type=Path, metavar="IMAGE", help="NIfTI, NRRD, MHA, DICOM folder")
    parser.add_argument(
        "--echo", type=float, metavar="MS", help="echo time of a DICOM series that holds several"
    )
    parser.add_argument(
        "--kind", metavar="NAME", help="of a DICOM series that holds several: magnitude, water, ..."
    )


def add_scoring_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the prompts taken from a reference, the plane and the names of the labels."""
    parser.add_argument(
        "--prompt",
        choices=("box", "point"),
        default="box",
        help="box (default) or the central point of each component",
    )
    add_label_arguments(parser)


def add_label_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the plane and the names of the labels."""
    parser.add_argument(
        "--plane", choices=PLANES, help="default: as acquired (axial, if spacings are equal)"
    )
    parser.add_argument("--label-names", type=Path, metavar="FILE", help=_TABLES)


def add_model_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare ``--model``, what a checkpoint file leaves open, the device and the precision."""
    parser.add_argument(
        "--model",
        default="sam_vit_mini",
        metavar="NAME|FILE",
        help="a name of `mskseg models list`, or a checkpoint (default: sam_vit_mini, a miniature)",
    )
    parser.add_argument(
        "--architecture",
        metavar="NAME",
        help="of a checkpoint file: vit_b, vit_l, vit_h, vit_mini, lite_medsam, sam2_tiny, ...",
    )
    parser.add_argument(
        "--preprocessing",
        metavar="NAME",
        help="of a checkpoint file that does not name its own: sam, medsam, lite_medsam, sam2, ...",
    )
    add_device(parser)
    parser.add_argument(
        "--precision",
        choices=("float32", "bfloat16"),
        default="float32",
        help="bfloat16 gains time on a recent GPU and moves masks a little",
    )


def add_device(parser: argparse.ArgumentParser, default: str | None = "auto") -> None:
    """Declare ``--device``; notebooks have a default of their own."""
    parser.add_argument(
        "--device",
        default=default,
        metavar="NAME",
        help="auto (default: cuda, else mps, else cpu), cpu, cuda, mps",
    )


def at_least_1(text: str) -> int:
    """Read a whole number of 1 or more, for argparse."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is no whole number of 1 or more")
    return int(text)


def load_model(arguments: argparse.Namespace) -> Segmenter:
    """Load the model that the arguments name; nothing is downloaded unasked."""
    from mskseg.datasets.manifest import load_manifest
    from mskseg.models.checkpoints import load_segmenter

    if arguments.model in load_manifest().models:
        check_model_is_here(arguments.model)
    return load_segmenter(
        arguments.model,
        architecture=arguments.architecture,
        preprocessing=arguments.preprocessing,
        device=arguments.device,
        precision=arguments.precision,
    )


def check_model_is_here(name: str) -> None:
    """Raise InputError if the weights of a manifest's model are not in the cache."""
    from mskseg.datasets.fetching import is_fetched
    from mskseg.datasets.manifest import load_manifest

    if not is_fetched(name):
        n_bytes = load_manifest().models[name].weights.bytes
        size = f" ({n_bytes / 1e6:.0f} MB)" if n_bytes else ""
        raise InputError(f"{name} is not here yet{size}; get it with `mskseg models fetch {name}`")


def read_label_names(arguments: argparse.Namespace) -> dict[int, str]:
    """Read ``--label-names``; empty if none was given."""
    from mskseg.io import load_label_names

    return load_label_names(arguments.label_names) if arguments.label_names else {}


def oracle_plan(prompt: str, *, points: int = 1) -> OracleBox | OraclePoint:
    """Choose the plan that takes "box" or "point" prompts from the reference."""
    from mskseg.prompts import OracleBox, OraclePoint

    return OracleBox() if prompt == "box" else OraclePoint(points)
