"""One scan or many in a call: which, one after the other, what is done already, what failed."""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import mskseg
from mskseg.cli import cluster, inputs, outputs
from mskseg.errors import InputError, MsksegError, OutputError
from mskseg.input_files import printable

if TYPE_CHECKING:
    import pandas as pd

    from mskseg.case import Case
    from mskseg.datasets.scans import ScanFiles
    from mskseg.models.segmenter import Segmenter
    from mskseg.volume import LabelMap

MOST_LABELS = 500  # whole-body atlases name about 120
# Which with the files and the model decide a table.
_SETTINGS = ("prompt", "plane", "echo", "kind", "propagate", "range", "memory")
_COUNTS = ("n_pairs", "empty", "n_beyond_end", "n_too_small", "n_missing", "n_masks")
Files = Mapping[str, Path]


class Result(NamedTuple):
    """What a command makes of a scan."""

    table: pd.DataFrame
    case: Case
    label_map: LabelMap | None = None  # kept beside the table


class Done(NamedTuple):
    """A scan's table as it is kept, what it depends on, and the provenance of what is new."""

    table: pd.DataFrame
    key: str
    facts: dict[str, Any]
    notes: tuple[str, ...]  # warnings


class Model:
    """The model that the arguments name, loaded when first asked for, once in each process."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self._arguments = arguments
        self._loaded: Segmenter | None = None

    def __call__(self) -> Segmenter:
        """Give the model."""
        if self._loaded is None:
            self._loaded = inputs.load_model(self._arguments)
        return self._loaded

    def __reduce__(self) -> tuple[type[Model], tuple[argparse.Namespace]]:
        return Model, (self._arguments,)


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
    add_spreading_arguments(parser)


def add_spreading_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare which of many scans, on how many processes, and what is said of them."""
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
    cluster.add_arguments(parser)
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
    """Pair images and label maps, see `by_name`."""
    from mskseg.datasets.layouts import read_globbed

    image = arguments.image and str(arguments.image)
    return by_name(
        read_globbed(
            image,
            str(arguments.reference or image),
            subject_pattern=arguments.subject_pattern,
            tissues=inputs.read_label_names(arguments),
        ).scans
    )


def by_name(scans: Iterable[ScanFiles]) -> dict[str, ScanFiles]:
    """Name scans by their files, or where two are alike by all that is known."""
    from mskseg.datasets.layouts.base import bare_name

    scans = list(scans)
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
    return [scan.image, *([scan.reference] if scan.reference else [])]


def load_case(scan: ScanFiles, arguments: argparse.Namespace) -> Case:
    """Read a scan, of a label map alone as its own image; InputError if the files are bad."""
    from mskseg.case import Case
    from mskseg.datasets.scans import described
    from mskseg.io import load_image
    from mskseg.io.itk import segment_names
    from mskseg.volume import Volume

    path = cast(Path, scan.reference)  # `read_globbed` gave it
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


@dataclass(frozen=True)
class Job:
    """How one scan after the other is scored and kept, in whichever process."""

    score: Callable[[ScanFiles, Files], Result]
    arguments: argparse.Namespace
    model: Callable[[], Segmenter] | None
    notes: Mapping[str, str]
    command: str

    def __call__(self, name: str, scan: ScanFiles, more: Files) -> Done:
        """Score a scan, or read what is kept of it; its warnings go into the result."""
        from mskseg.evaluation import write_table
        from mskseg.io import save_nifti
        from mskseg.provenance import provenance

        facts: dict[str, Any] = {}
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("default")
            output, key = self.arguments.output, self._key(scan, more)
            path, mask = (output and output / f"{name}{end}" for end in (".csv", ".nii.gz"))
            if not (output and _is_kept(path, mask, key)):
                table, case, label_map = self.score(scan, more)
                model = self.model and self.model()
                facts = provenance(command=self.command, cases=[case], segmenter=model, key=key)
                if label_map:
                    save_nifti(label_map, mask)
                    facts["label_map_sha256"] = _sha256(mask)
                if output:
                    write_table(table, path, provenance={**facts, **self.notes})
                if model:  # no other scan has the same slices
                    from mskseg.models.embeddings import EmbeddingCache

                    model.cache = EmbeddingCache()
        # What is new is read back too, so that its digits are those of what is kept.
        kept = _read(path) if output else table
        return Done(kept, key, facts, tuple(str(note.message) for note in caught))

    def _key(self, scan: ScanFiles, more: Files) -> str:
        """Digest what the table depends on: files, names, model, settings, version."""
        settings = [getattr(self.arguments, name, None) for name in _SETTINGS]
        model = self.model and self.model().fingerprint
        names = [mskseg.__version__, model, scan.name, scan.tissues, self.notes]
        digest = hashlib.sha256(repr([*settings, *names]).encode())
        for path in (*_files(scan), *more.values()):
            for file in filter(Path.is_file, outputs.files_of(path)):
                digest.update(_sha256(file).encode())
        return digest.hexdigest()


def score_each(
    scans: Mapping[str, ScanFiles],
    score: Callable[[ScanFiles, Files], Result],
    arguments: argparse.Namespace,
    *,
    model: Callable[[], Segmenter] | None = None,
    more_inputs: Callable[[ScanFiles], Files] = lambda _: {},
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
    chosen = dict(list(scans.items())[i - 1 :: n])
    if not chosen:
        raise InputError(f"part {i}/{n} of {len(scans)} scans holds none; take {len(scans)} parts")
    alone = len(scans) == 1
    done: dict[str, Done] = {}
    failed: dict[str, str] = {}
    job = Job(score, arguments, model, notes, provenance()["command"])
    todo = {name: (scan, more_inputs(scan)) for name, scan in chosen.items()}
    with cluster.connected(arguments, len(todo)) as client:
        if model and not alone:
            model()  # a wrong one is no fault of every scan
        made = cluster.spread(client, job, todo)
        shown = not alone and outputs.shows_progress(arguments)
        for name, result in tqdm(made, total=len(todo), unit="scan", disable=not shown):
            try:
                done[name] = result()
            except Exception as error:  # whatever is wrong with one scan
                if arguments.fail_fast or alone or isinstance(error, OutputError):
                    raise
                expected = isinstance(error, MsksegError | OSError | MemoryError)
                kind = "" if expected else f"unexpected {type(error).__name__}: "
                failed[name] = kind + " ".join(str(error).split())
    if not done:
        name, reason = next(iter(failed.items()))
        raise InputError(f"all of {len(failed)} scans failed, the first is {name}: {reason}")
    done = {name: done[name] for name in todo if name in done}  # in order, whoever was first
    failed = {name: failed[name] for name in todo if name in failed}
    for text in dict.fromkeys(note for each in done.values() for note in each.notes):
        warnings.warn(text, stacklevel=2)
    digest = hashlib.sha256("".join(each.key for each in done.values()).encode()).hexdigest()
    facts = provenance(segmenter=model and model(), inputs_sha256=digest) | notes
    new = [each.facts for each in done.values() if each.facts]
    if new:  # the device may be a worker's
        facts |= {what: new[0][what] for what in ("segmenter", *(["data"] if alone else []))}
    tables = {name: each.table for name, each in done.items()}
    if arguments.csv:
        write_table(pd.concat(tables.values()), arguments.csv, provenance=facts)
    return tables, failed, facts


def report(
    tables: Mapping[str, pd.DataFrame],
    failed: Mapping[str, str],
    facts: Mapping[str, Any],
    arguments: argparse.Namespace,
    text: str,
    *,
    measures: Callable[..., pd.DataFrame] = outputs.measures,
) -> None:
    """Print the text, before it a row for each of several scans, or JSON; write the summary.

    `measures` makes that row of a scan's table. InputError, after all that, if scans failed.
    """
    import pandas as pd

    from mskseg.evaluation import write_table

    rows = [measures(table).assign(scan=name) for name, table in tables.items()]
    lost = [pd.DataFrame([{"scan": name, "failed": why}]) for name, why in failed.items()]
    counts = [n for n in _COUNTS if n in rows[0]]
    scans = pd.concat([*rows, *lost]).astype(dict.fromkeys(counts, "Int64"))
    columns = ("scan", "segmenter", *outputs.MEASURES, "volume_ml", *counts, "failed")
    scans = scans[[name for name in columns if name in scans]]
    written = [arguments.csv] if arguments.csv else []
    if arguments.output and arguments.part == (1, 1):
        written.append(arguments.output / outputs.SUMMARY)
        write_table(scans, written[-1], provenance=facts)
    if arguments.json:
        table = pd.concat(tables.values())
        found = {"scans": scans, "labels": measures(table, by=["label", "tissue"])}
        found["mean" if measures is outputs.measures else "sum"] = measures(table)
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


def _is_kept(path: Path, mask: Path, key: str) -> bool:
    from mskseg.provenance import read_provenance

    try:
        facts = read_provenance(path) if path.exists() else {}
        same = facts.get("label_map_sha256") in (None, mask.is_file() and _sha256(mask))
        return same and bool(facts.get("key") == key)
    except InputError:  # edited since, or of somebody else
        return False


def _sha256(path: Path) -> str:
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _read(path: Path) -> pd.DataFrame:
    import pandas as pd

    as_text = {"subject": str, "sequence": str}  # "007" stays
    return pd.read_csv(path, dtype=as_text, keep_default_na=False, na_values=[""])
