"""What all layouts share: the fields of the manifest, names taken apart, half a folder refused."""

import re
from collections.abc import Collection, Iterable
from pathlib import Path, PurePosixPath
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from mskseg.case import CaseDescription
from mskseg.datasets.scans import ScanFiles
from mskseg.errors import InputError
from mskseg.io.reading import image_suffix

NAME_PARTS = ("subject", "sequence", "side", "visit", "site")
"""Groups that a pattern may capture; what it captures becomes that attribute of the `Case`."""

_SHOWN = 3


def _stays_inside(path: str) -> str:
    pure = PurePosixPath(path)
    if pure.is_absolute() or ".." in pure.parts or "\\" in path or re.match(r"[A-Za-z]:", path):
        raise ValueError(f"{path!r} may leave the data set's folder; give a path below it")
    return path


def _captures_subject(pattern: str) -> str:
    try:
        groups = set(re.compile(pattern).groupindex)
    except re.error as error:
        raise ValueError(f"{pattern!r} is not a regular expression: {error}") from error
    unknown = sorted(groups - set(NAME_PARTS))
    if "subject" not in groups or unknown:
        raise ValueError(
            f"{pattern!r} must have a group (?P<subject>...) and may have "
            f"{', '.join(NAME_PARTS[1:])}; it has {', '.join(sorted(groups)) or 'none'}"
        )
    return pattern


InsidePath = Annotated[str, Field(min_length=1), AfterValidator(_stays_inside)]
NamePattern = Annotated[str, AfterValidator(_captures_subject)]


class BaseLayout(BaseModel):
    """How a data set's files lie in its folder, by paths relative to it that cannot leave it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def list_scans(self, folder: Path, template: CaseDescription) -> list[ScanFiles]:
        """List the scans of a folder by their names alone; InputError if it is half there."""
        raise NotImplementedError


def natural(text: str) -> list[tuple[int, str]]:
    """Order names so that 10 comes after 9: a key for `sorted`."""
    pieces = re.split(r"(\d+)", text)
    return [(int(piece), "") if piece.isdigit() else (-1, piece) for piece in pieces]


def visible_paths(folder: Path, pattern: str) -> list[Path]:
    """Find paths by a glob, in natural order, without hidden ones such as Apple's ``._N.mha``."""
    found = [path for path in folder.glob(pattern) if not path.name.startswith(".")]
    return sorted(found, key=lambda path: natural(str(path)))


def bare_name(path: Path) -> str:
    """Name of a file without its ending, where ``.nii.gz`` is one ending."""
    return path.name[: len(path.name) - len(image_suffix(path))]


def named_parts(pattern: str, text: str, *, path: Path) -> dict[str, str]:
    """Take a name apart by a pattern's groups, if not empty; InputError if it does not fit."""
    found = re.fullmatch(pattern, text)
    if found is None or not found["subject"]:
        raise InputError(
            f"{path} does not say whose it is: its name {text!r} is not of the form {pattern!r}; "
            "rename the file or correct the pattern"
        )
    return {part: value for part, value in found.groupdict().items() if value}


def check_complete(
    folder: Path, dataset: str, *, images: Collection[Path], missing: Iterable[Path]
) -> None:
    """Refuse a folder without images, or where files are missing that should be there."""
    if not images:
        raise InputError(
            f"{folder} holds no image of {dataset} in the layout that is expected; see its entry "
            "in data_manifest.yaml and put the folder right"
        )
    lacking = sorted(missing, key=lambda path: natural(str(path)))
    if lacking:
        first = ", ".join(str(path.relative_to(folder)) for path in lacking[:_SHOWN])
        more = ", ..." if len(lacking) > _SHOWN else ""
        raise InputError(
            f"{folder} is only half there: {len(lacking)} files of {dataset} are missing "
            f"({first}{more}); complete it, or move away what belongs to them"
        )
