"""The origin of a table or figure: version, command, data, weights, seed and machine.

Every CSV of this project has it in a sidecar, ``dice.csv.provenance.json``, every PNG in its own
metadata. `read_provenance` reads both.
"""

import hashlib
import json
import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from mskseg.case import Case, CaseSet
from mskseg.environment import package_version
from mskseg.errors import InputError
from mskseg.input_files import read_text

PNG_KEY = "mskseg provenance"  # the PNG text field that holds the provenance as JSON

_PACKAGES = ("numpy", "scipy", "pandas", "torch", "segment-anything", "matplotlib")


class Fingerprinted(Protocol):
    """A model with a name and the sha256 of its weights and preprocessing."""

    @property
    def name(self) -> str: ...  # noqa: D102

    @property
    def fingerprint(self) -> str: ...  # noqa: D102


def provenance(
    *,
    command: str | None = None,
    cases: CaseSet | Iterable[Case] | None = None,
    segmenter: Fingerprinted | None = None,
    tuned: Iterable[Fingerprinted] = (),
    seed: int | None = None,
    **notes: str | int | float | bool | None,
) -> dict[str, Any]:
    """Gather the provenance of a result, of values that JSON can hold.

    `command` is by default the command line of this process, the program without its folder. Of
    `cases` names and sha256 go in, and the sha256 of their split; of `segmenter`, and of the
    further models that were `tuned` for the result, name, sha256, device and whether it is a
    miniature. `notes` are further facts, as ``prompts="oracle boxes"``. No user name, host name or
    folder of this machine is gathered.
    """
    return {
        "mskseg": package_version("mskseg"),
        "commit": git_commit(),
        "written": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": command or shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
        "data": None if cases is None else _data(cases),
        "segmenter": None if segmenter is None else _model(segmenter),
        "tuned": [_model(model) for model in tuned],
        "seed": seed,
        **notes,
        "hardware": _hardware(),
        "python": platform.python_version(),
        "packages": {name: package_version(name) for name in _PACKAGES},
    }


def sidecar_path(path: str | os.PathLike[str]) -> Path:
    """Name the sidecar of a file: ``<path>.provenance.json``."""
    target = Path(path)
    return target.with_name(f"{target.name}.provenance.json")


def sidecar_text(facts: Mapping[str, Any], *, content: bytes) -> str:
    """Write provenance as JSON, tied to a file by the sha256 of its content.

    A file that was edited or exchanged later does not pass under the old provenance.
    """
    tied = {**facts, "sha256": hashlib.sha256(content).hexdigest()}
    return json.dumps(tied, indent=2, ensure_ascii=False) + "\n"


def read_provenance(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read the provenance of a PNG, or of a file with a sidecar; InputError if it changed since."""
    if Path(path).suffix.lower() == ".png":
        return _png_provenance(path)
    try:
        facts: dict[str, Any] = dict(json.loads(read_text(sidecar_path(path))))
        found = hashlib.sha256(Path(path).read_bytes()).hexdigest()
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise InputError(
            f"{path} has no readable provenance beside it, expected {sidecar_path(path).name}; "
            "write tables with `write_table`"
        ) from error
    if facts.get("sha256") != found:
        raise InputError(
            f"{path} was changed after its provenance was written (sha256 {found[:12]}..., "
            f"expected {str(facts.get('sha256'))[:12]}...); write it anew"
        )
    return facts


def git_commit() -> str | None:
    """Look up the commit of this checkout, "+changes" where files differ; None if there is none."""
    # Only a tracked file proves that the repository is ours: `.venv` may lie inside another one.
    if _git("ls-files", "--error-unmatch", Path(__file__).name) is None:
        return None
    commit = _git("rev-parse", "HEAD")
    return f"{commit}+changes" if commit and _git("status", "--porcelain", "..") else commit


def _hardware() -> dict[str, Any]:
    """Describe processor, cores and system, and the GPU if torch is loaded and has one."""
    facts: dict[str, Any] = {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
    }
    torch = sys.modules.get("torch")  # not imported for this: it takes seconds
    if torch is not None and torch.cuda.is_available():
        facts["gpu"] = torch.cuda.get_device_name()
    return facts


def _data(cases: CaseSet | Iterable[Case]) -> dict[str, Any]:
    # One case at a time: a set may read each only when it is iterated to.
    rows = [(c.dataset, c.subject, c.reference_provenance, c.fingerprint) for c in cases]
    datasets, subjects, references, fingerprints = zip(*rows, strict=True) if rows else ((),) * 4
    return {
        "datasets": sorted(set(datasets)),
        "subjects": sorted(set(subjects)),
        "references": sorted(set(references)),
        "n_cases": len(rows),
        "sha256": hashlib.sha256("".join(sorted(fingerprints)).encode()).hexdigest(),
        "split_sha256": getattr(cases, "split_sha256", None),
    }


def _model(segmenter: Fingerprinted) -> dict[str, Any]:
    return {
        "name": segmenter.name,
        "sha256": segmenter.fingerprint,
        "miniature": getattr(segmenter, "miniature", None),
        "device": str(getattr(segmenter, "device", "unknown")),
    }


def _git(*arguments: str) -> str | None:
    try:
        output = subprocess.check_output(
            ["git", *arguments],
            cwd=Path(__file__).parent,
            stderr=subprocess.DEVNULL,
            encoding="utf-8",
            timeout=10,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return output.strip()


def _processor() -> str:
    """Name the processor; `platform.processor` is empty or just "x86_64" on Linux."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, "") or platform.processor() or platform.machine()


def _png_provenance(path: str | os.PathLike[str]) -> dict[str, Any]:
    from PIL import Image

    try:
        with Image.open(path) as image:
            facts: dict[str, Any] = json.loads(image.info[PNG_KEY])
    except Exception as error:  # whatever the bytes lead PIL and json to
        raise InputError(
            f"{path} carries no provenance, expected a PNG with the field {PNG_KEY!r}; "
            "write figures with `save_figure`"
        ) from error
    return facts
