"""One scan or many in a call: which, one after the other, what is done already, what failed."""

from __future__ import annotations

import argparse
import functools
import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import mskseg
from mskseg.cli import inputs, outputs
from mskseg.errors import InputError, MsksegError, OutputError
from mskseg.input_files import printable

if TYPE_CHECKING:
    import pandas as pd

    from mskseg.case import Case
    from mskseg.datasets.scans import ScanFiles
    from mskseg.models.segmenter import Segmenter
    from mskseg.volume import LabelMap

MOST_LABELS = 500  # whole-body atlases name about 120
_SETTINGS = ("prompt", "plane", "echo", "kind")  # which with the files and the model decide a table


def add_many_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what is written of one scan or many, and how many go on."""
    parser.add_argument("--csv", type=Path, metavar="FILE", help="one row per label and slice")
    parser.add_argument(
        "--output",
        type=Path,
        metavar="DIR",
        help="a table for each scan, kept for the next call with the same inputs and model, and "
        "summary.csv",
    )
    parser.add_argument(
        "--subject-pattern",
        metavar="REGEX",
        help="pairs the files of several scans, as in `finetune` (default: by their names)",
    )
    parser.add_argument(
        "--part",
        type=_part,
        default=(1, 1),
        metavar="I/N",
        help="the I-th of N parts of the scans (default: all); a call without it then sums up",
    )
    parser.add_argument("--fail-fast", action="store_true", help="stop at the first bad scan")
    parser.add_argument("--json", action="store_true", help="print JSON in place of text")
    outputs.add_quiet(parser)


def _part(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d+)/(\d+)", text)
    i, n = (int(found[1]), int(found[2])) if found else (0, 0)
    if not 1 <= i <= n:
        raise argparse.ArgumentTypeError(f"{text!r} is no part, expected one such as 2/8")
    return i, n


def list_scans(arguments: argparse.Namespace) -> dict[str, ScanFiles]:
    """Pair images and label maps; named by their files, or where two are alike by all known."""
    from mskseg.datasets.layouts import read_globbed
    from mskseg.datasets.layouts.base import bare_name

    scans = read_globbed(
        arguments.image and str(arguments.image),
        str(arguments.reference),
        subject_pattern=arguments.subject_pattern,
        tissues=inputs.read_label_names(arguments),
    ).scans
    names = [printable(bare_name(scan.image)) for scan in scans]
    if len(set(names)) < len(names) or Path(outputs.SUMMARY).stem in names:
        names = [scan.name.replace("/", "_") for scan in scans]
    return dict(zip(names, scans, strict=True))


def check_outputs(
    arguments: argparse.Namespace, scans: Iterable[ScanFiles], *more_inputs: Path
) -> None:
    """Check before the work that what is to be written can be, and is no input."""
    read = [*more_inputs, *(path for scan in scans for path in _files(scan))]
    read += [arguments.label_names] if arguments.label_names else []
    summary = arguments.output and arguments.output / outputs.SUMMARY
    for path, suffix in ((arguments.csv, ".csv"), (summary, ".csv"), (arguments.html, ".html")):
        if path:
            outputs.check_not_input(outputs.check_writable(path, suffixes=(suffix,)), *read)


def _files(scan: ScanFiles) -> list[Path]:
    return [scan.image, cast(Path, scan.reference)]  # `read_globbed` gave both


def load_case(scan: ScanFiles, arguments: argparse.Namespace) -> Case:
    """Read a scan, of a label map alone as its own image; InputError if the files are bad."""
    from mskseg.case import Case
    from mskseg.datasets.scans import described
    from mskseg.io import load_image
    from mskseg.io.itk import segment_names
    from mskseg.volume import Volume

    _, path = _files(scan)
    reference = read_label_map(path)
    image = Volume(reference.array, reference.affine, nifti_forms=reference.nifti_forms)
    if scan.image != path:
        image = load_image(scan.image, echo=arguments.echo, kind=arguments.kind)
    known = described(scan) | {"tissues": scan.tissues or segment_names(path)}
    return Case(image=image, reference=reference, **known)


def read_label_map(path: Path) -> LabelMap:
    """Read a label map; InputError if a label is negative or there are more than atlases name."""
    from mskseg.io import load_label_map

    label_map = load_label_map(path)
    check_labels(label_map, path)
    return label_map


def check_labels(label_map: LabelMap, what: object) -> None:
    """Raise InputError if a label is negative or there are more labels than any atlas names."""
    labels = label_map.labels
    if labels and min(labels) < 0:
        raise InputError(f"{what} holds the label {min(labels)}; expected 0 and above")
    if len(labels) > MOST_LABELS:
        raise InputError(
            f"{what} holds {len(labels)} labels, expected {MOST_LABELS} at most; is it an image? "
            "pass the label map"
        )


def score_each(
    scans: Mapping[str, ScanFiles],
    score: Callable[[ScanFiles], tuple[pd.DataFrame, Case]],
    arguments: argparse.Namespace,
    *,
    model: Callable[[], Segmenter] | None = None,
    more_inputs: Callable[[ScanFiles], Iterable[Path]] = lambda _: (),
    **notes: str,
) -> tuple[dict[str, pd.DataFrame], dict[str, str], dict[str, Any]]:
    """Score scan after scan; the tables by name of the scan, why others failed, the provenance.

    `more_inputs` are the files beyond its own that a scan's table depends on. A single scan that
    fails raises.
    """
    import pandas as pd
    from tqdm.auto import tqdm

    from mskseg.evaluation import write_table
    from mskseg.provenance import provenance

    i, n = arguments.part
    chosen = list(scans.items())[i - 1 :: n]
    if not chosen:
        raise InputError(f"part {i}/{n} of {len(scans)} scans holds none; take {len(scans)} parts")
    alone = len(scans) == 1
    if model and not alone:
        model()  # a wrong one is no fault of every scan
    tables: dict[str, pd.DataFrame] = {}
    failed: dict[str, str] = {}
    keys: list[str] = []
    cases: list[Case] | None = None
    for name, scan in tqdm(
        chosen, unit="scan", disable=alone or not outputs.shows_progress(arguments)
    ):
        path = arguments.output and arguments.output / f"{name}.csv"
        files = [*_files(scan), *more_inputs(scan)]
        key = functools.cache(functools.partial(_key, scan, files, arguments, model, notes))
        try:
            if not (path and _is_kept(path, key)):
                table, case = score(scan)
                cases = [case] if alone else None
                if path:
                    facts = provenance(cases=[case], segmenter=model and model(), key=key())
                    write_table(table, path, provenance=facts | notes)
            # What is new is read back too, so that its digits are those of what is kept.
            tables[name] = _read(path) if path else table
            keys.append(key())
        except Exception as error:  # whatever is wrong with one scan
            if arguments.fail_fast or alone or isinstance(error, OutputError):
                raise
            expected = isinstance(error, MsksegError | OSError | MemoryError)
            kind = "" if expected else f"unexpected {type(error).__name__}: "
            failed[name] = kind + " ".join(str(error).split())
    if not tables:
        name, reason = next(iter(failed.items()))
        raise InputError(f"all of {len(failed)} scans failed, the first is {name}: {reason}")
    digest = hashlib.sha256("".join(keys).encode()).hexdigest()
    facts = provenance(cases=cases, segmenter=model and model(), inputs_sha256=digest) | notes
    if arguments.csv:
        write_table(pd.concat(tables.values()), arguments.csv, provenance=facts)
    return tables, failed, facts


def report(
    tables: Mapping[str, pd.DataFrame],
    failed: Mapping[str, str],
    facts: Mapping[str, Any],
    arguments: argparse.Namespace,
    text: str,
) -> None:
    """Print the text, before it a row for each of several scans, or JSON; write the summary.

    InputError, after all that, if scans failed.
    """
    import pandas as pd

    from mskseg.evaluation import write_table

    rows = [outputs.measures(table).assign(scan=name) for name, table in tables.items()]
    lost = [pd.DataFrame([{"scan": name, "failed": why}]) for name, why in failed.items()]
    counts = ("n_pairs", "empty", "n_beyond_end", "n_too_small", "n_missing")
    scans = pd.concat([*rows, *lost]).astype(dict.fromkeys(counts, "Int64"))
    scans = scans[
        [n for n in ("scan", "segmenter", *outputs.MEASURES, *counts, "failed") if n in scans]
    ]
    written = [arguments.csv] if arguments.csv else []
    if arguments.output and arguments.part == (1, 1):
        written.append(arguments.output / outputs.SUMMARY)
        write_table(scans, written[-1], provenance=facts)
    if arguments.json:
        table = pd.concat(tables.values())
        found = {"scans": scans, "labels": outputs.measures(table, by=["label", "tissue"])}
        found["mean"] = outputs.measures(table)
        as_json = {what: each.to_json(orient="records") for what, each in found.items()}
        print(json.dumps({what: json.loads(text) for what, text in as_json.items()}, indent=1))
    else:
        if len(scans) > len(rows[0]):
            shown = scans.drop(columns="failed", errors="ignore").fillna({"segmenter": "failed"})
            print(outputs.laid_out(shown.rename(columns=outputs.MEASURES)), end="\n\n")
        print("\n".join([text, *(f"written: {path}" for path in written)]))
    if failed:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in failed.items())
        n = len(failed) + len(tables)
        raise InputError(f"{len(failed)} of {n} scans failed, the others are done: {reasons}")


def _key(
    scan: ScanFiles,
    paths: Iterable[Path],
    arguments: argparse.Namespace,
    model: Callable[[], Segmenter] | None,
    notes: Mapping[str, str],
) -> str:
    """Digest what the table of a scan depends on: files, names, model, settings, version."""
    settings = [getattr(arguments, name, None) for name in _SETTINGS]
    names = [mskseg.__version__, model and model().fingerprint, scan.name, scan.tissues, notes]
    digest = hashlib.sha256(repr([*settings, *names]).encode())
    for file in (file for path in paths for file in outputs.files_of(path) if file.is_file()):
        with file.open("rb") as opened:
            digest.update(hashlib.file_digest(opened, "sha256").digest())
    return digest.hexdigest()


def _is_kept(path: Path, key: Callable[[], str]) -> bool:
    from mskseg.provenance import read_provenance

    try:
        return path.exists() and bool(read_provenance(path).get("key") == key())
    except InputError:  # edited since, or of somebody else
        return False


def _read(path: Path) -> pd.DataFrame:
    import pandas as pd

    as_text = {"subject": str, "sequence": str}  # "007" stays
    return pd.read_csv(path, dtype=as_text, keep_default_na=False, na_values=[""])
