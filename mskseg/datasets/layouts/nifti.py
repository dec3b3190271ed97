"""Label maps as NIfTI: beside images or folders of DICOM; or a reader's own, paired by paths."""

import glob
import json
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from pydantic import PositiveInt

from mskseg.case import CaseDescription
from mskseg.datasets.layouts.base import (
    NAME_PARTS,
    BaseLayout,
    InsidePath,
    NamePattern,
    bare_name,
    check_complete,
    named_parts,
    natural,
    visible_paths,
)
from mskseg.datasets.layouts.bids import are_bids, bids_parts, list_bids
from mskseg.datasets.layouts.nnunet import NnunetLayout
from mskseg.datasets.scans import LazyCaseSet, ScanFiles, scan_files
from mskseg.errors import InputError
from mskseg.input_files import parsed, printable, read_text, user_path
from mskseg.io.itk import ITK_SUFFIXES
from mskseg.io.reading import NIFTI_SUFFIXES, image_suffix

# nnU-Net's images have the number of a channel behind the name of their labels.
_FILE_NAME = r"(?P<subject>[^/]+?)(?:_0000)?(?:\.seg)?(?:\.nii\.gz|\.\w+)?$"
_PATTERN_S = 10.0  # for a search that takes a millisecond a path
_MOST_MB = 100.0  # of a list of scans with all that is known about each


class NiftiPairsLayout(BaseLayout):
    """A label map for each image, found by its name; several images may share one."""

    kind: Literal["nifti_pairs"] = "nifti_pairs"
    images: InsidePath = "images/*.nii.gz"  # glob below the folder
    # `name` is the image's file name without its ending; so can `subject` and the other groups of
    # the pattern stand in braces.
    labels: InsidePath = "labels/{name}.nii.gz"
    # Of the image's path below the folder, without its ending, with slashes.
    pattern: NamePattern = r"(?:.*/)?(?P<subject>[^/]+)"

    def list_scans(self, folder: Path, template: CaseDescription) -> list[ScanFiles]:
        """List the scans, see `BaseLayout`."""
        found = [path for path in visible_paths(folder, self.images) if path.is_file()]
        scans = [self._scan(folder, image, template) for image in found]
        labels = {scan.reference for scan in scans if scan.reference is not None}
        missing = [path for path in labels if not path.is_file()]
        missing += _without_image(folder, labels, self)
        check_complete(folder, template.dataset, images=[s.image for s in scans], missing=missing)
        return scans

    def _scan(self, folder: Path, image: Path, template: CaseDescription) -> ScanFiles:
        inside = image.relative_to(folder).with_name(bare_name(image)).as_posix()
        name_parts = named_parts(self.pattern, inside, path=image)
        label = label_path(self.labels, name=bare_name(image), name_parts=name_parts)
        return scan_files(template, name_parts, image=image, reference=folder / label)


def label_path(template: str, *, name: str, name_parts: dict[str, str]) -> str:
    """Fill in where the label map of an image is; InputError if the template asks for more."""
    try:
        return template.format_map({"name": name, **name_parts})
    except (KeyError, ValueError, IndexError) as error:
        raise InputError(
            f"the path of label maps {template!r} asks for {error}, and the name of {name!r} "
            f"gives name, {', '.join(name_parts)}; correct the layout"
        ) from error


def _without_image(folder: Path, labels: set[Path], layout: NiftiPairsLayout) -> list[Path]:
    """List the images that label maps in a folder of their own lack."""
    where, _, form = layout.labels.rpartition("/")
    plain = where and "{" not in where and form.startswith("{name}")
    images, _, wildcard = layout.images.rpartition("/")
    if not plain or "*" in images or where == images or not wildcard.startswith("*"):
        return []
    alone = set(visible_paths(folder / where, form.replace("{name}", "*"))) - labels
    ending = form.removeprefix("{name}")
    return [
        folder / images / wildcard.replace("*", path.name.removesuffix(ending), 1) for path in alone
    ]


class DicomNiftiLayout(BaseLayout):
    """A folder of DICOM files for each scan, and its label map as NIfTI."""

    kind: Literal["dicom_nifti"] = "dicom_nifti"
    images: InsidePath = "dicoms/*"  # glob of the folders; each holds one series
    labels: InsidePath = "labels/{name}.nii.gz"  # `name` is the folder's
    # Of the DICOM folder's path below the data set's folder, with slashes.
    pattern: NamePattern = r"(?:.*/)?(?P<subject>[^/]+)"
    echoes: PositiveInt = 1  # each becomes a case of its own, with the same label map
    # Glob of JSON files with `images: [{scan_id, subject_id, timepoint}]`, where the name of a scan
    # does not tell whose it is; `timepoint` becomes the visit.
    subjects: InsidePath | None = None

    def list_scans(self, folder: Path, template: CaseDescription) -> list[ScanFiles]:
        """List the scans, see `BaseLayout`."""
        owners = _owners(folder, self.subjects) if self.subjects else None
        scans: list[ScanFiles] = []
        for series in (path for path in visible_paths(folder, self.images) if path.is_dir()):
            inside = series.relative_to(folder).as_posix()
            name_parts = named_parts(self.pattern, inside, path=series)
            label = folder / label_path(self.labels, name=series.name, name_parts=name_parts)
            if owners is not None and series.name not in owners:
                raise InputError(
                    f"{series} is in no file {self.subjects}; it is not known whose scan it is"
                )
            name_parts |= owners[series.name] if owners else {}
            base, several = name_parts.get("sequence", template.sequence), self.echoes > 1
            for number in range(self.echoes):
                named = {"sequence": f"{base} echo {number + 1}"} if several else {}
                scans.append(
                    scan_files(
                        template,
                        name_parts | named,
                        image=series,
                        reference=label,
                        echo=number if several else None,
                    )
                )
        missing = {s.reference for s in scans if s.reference and not s.reference.is_file()}
        missing |= {s.image / "*.dcm" for s in scans if not any(s.image.iterdir())}
        check_complete(folder, template.dataset, images=[s.image for s in scans], missing=missing)
        return scans


def _owners(folder: Path, pattern: str) -> dict[str, dict[str, str]]:
    """Whose scan it is, by the scan's name, from lists of scans in JSON."""
    owners: dict[str, dict[str, str]] = {}
    for path in sorted(folder.glob(pattern)):
        with parsed(path, "list of scans with scan_id and subject_id", "get the file again"):
            for scan in json.loads(read_text(path, most_mb=_MOST_MB))["images"]:
                visit = {"visit": str(scan["timepoint"])} if "timepoint" in scan else {}
                owners[str(scan["scan_id"])] = {"subject": str(scan["subject_id"]), **visit}
    if not owners:
        raise InputError(
            f"{folder} is only half there: no file {pattern}, which says whose scan each is; "
            "without it two scans of one person could come into two parts of a split"
        )
    return owners


def read_globbed(
    images: str | None,
    labels: str,
    *,
    subject_pattern: str | None = None,
    tissues: Mapping[int, str] | None = None,
) -> LazyCaseSet:
    """Pair the images of a glob with the label maps of another by a pattern searched in each path.

    The subject is the pattern's group ``subject``, else its first group, else all that it matches.
    A label map belongs to the images that agree with it in every named group that both have. For
    globs and what pairs without a pattern see `list_files` and `pair_files`; without `images` the
    label maps stand for them. Both may be one folder, of BIDS or of nnU-Net's raw data.
    """
    template = CaseDescription(subject="", tissues=tissues or {})
    if images == labels and is_nnunet(user_path(labels)) and subject_pattern is None:
        return LazyCaseSet("own data", NnunetLayout().list_scans(user_path(labels), template))
    label_files = list_files(labels, "labels")
    image_files = list_files(images, "images", masks=False) if images else label_files
    known = {path.resolve() for path in label_files}
    if images and (both := [path for path in image_files if path.resolve() in known]):
        if len(image_files) == len(label_files) == 1:
            raise InputError(f"{both[0]} is image and label map at once; give two files")
        raise InputError(
            f"{len(both)} files are matched by both globs, the first is {both[0]}; write a glob "
            "for the images that leaves the label maps out"
        )
    scans = []
    for path, reference, name_parts in pair_files(image_files, label_files, subject_pattern):
        named = {"sequence": bare_name(path), **name_parts}
        scans.append(scan_files(template, named, image=path, reference=reference))
    return LazyCaseSet("own data", scans)


def is_nnunet(folder: Path) -> bool:
    """Whether a folder is one of nnU-Net's raw data."""
    return (folder / "dataset.json").is_file() and (folder / "imagesTr").is_dir()


def pair_files(
    files: Sequence[Path],
    label_files: Sequence[Path],
    subject_pattern: str | None,
    *,
    what: str = "label maps",
) -> list[tuple[Path, Path, dict[str, str]]]:
    """Give each file its label map and what its path says, see `read_globbed`.

    Without a pattern one file and one label map are a pair; of several those of one name, in BIDS
    of the same entities.
    """
    if subject_pattern is None and len(files) == len(label_files) == 1:
        named = {"subject": printable(files[0].name), "sequence": "unknown"}
        return [(files[0], label_files[0], named)]
    try:
        pattern = re.compile(_FILE_NAME if subject_pattern is None else subject_pattern)
    except re.error as error:
        raise InputError(
            f"the subject pattern {subject_pattern!r} is not a regular expression: {error}; "
            "try 'sub-[0-9]+'"
        ) from error
    paths = [*files, *label_files]
    if subject_pattern is None and are_bids(paths):
        parts = {path: bids_parts(path) for path in paths}
    else:
        _check_ends(pattern.pattern, paths)
        parts = {path: _name_parts_of(pattern, path) for path in paths}
    references = {path: parts[path] for path in label_files}
    pairs = []
    for path in files:
        named = {key: value for key, value in parts[path].items() if key in NAME_PARTS}
        pairs.append((path, _label_of(path, parts[path], references, what), named))
    return pairs


def _check_ends(pattern: str, paths: Sequence[Path]) -> None:
    """Search in a process that can be ended: a repeat within a repeat may go on for ever."""
    searched = "import json, re, sys; p, t = json.load(sys.stdin); [re.search(p, x) for x in t]"
    given = json.dumps([pattern, [path.as_posix() for path in paths]])
    try:
        subprocess.run(
            [sys.executable, "-I", "-S", "-c", searched],
            input=given.encode(),
            timeout=_PATTERN_S,
            check=False,
            capture_output=True,
        )
    except subprocess.TimeoutExpired as error:
        raise InputError(
            f"the subject pattern {pattern!r} takes more than {_PATTERN_S:g} s on {len(paths)} "
            "paths; write it without a repeat within a repeat, such as 'sub-[0-9]+'"
        ) from error


def _literal_brackets(pattern: str) -> str:
    """Escape the brackets of each part of a glob where files or folders have them in their name."""
    done = ""
    for part in re.split(r"(/)", pattern):
        literal = part.replace("[", "[[]")
        done += literal if part != literal and glob.glob(done + literal) else part  # noqa: PTH207
    return done


def list_files(
    pattern: str,
    what: str,
    *,
    masks: bool = True,
    suffixes: Sequence[str] = (*NIFTI_SUFFIXES, *ITK_SUFFIXES),
) -> list[Path]:
    """List what a glob matches, or the files of a folder; a DICOM folder and a file stay alone.

    Of a folder of BIDS or of nnU-Net's raw data `masks` says which: its masks, or its images (of
    nnU-Net's the first channel).
    """
    expanded = _literal_brackets(str(user_path(pattern)))
    found = sorted(glob.glob(expanded, recursive=True), key=natural)  # noqa: PTH207  (absolute too)
    if found == [expanded] and Path(expanded).is_dir():
        folder = Path(expanded)
        if is_nnunet(folder):
            inside = visible_paths(folder, "labelsTr/*" if masks else "imagesTr/*_0000.*")
        else:
            inside = list_bids(folder, masks=masks) or visible_paths(folder, "*")
        if not inside:
            raise InputError(f"{pattern} is an empty folder, expected the {what}; give another")
        return [path for path in inside if image_suffix(path) in suffixes] or [folder]
    if not found and glob.has_magic(expanded):
        raise InputError(
            f"no file matches {pattern!r}, expected the {what}; correct the glob, in quotes so "
            "that the shell leaves it alone"
        )
    return [Path(name) for name in found or [expanded]]


def _name_parts_of(pattern: re.Pattern[str], path: Path) -> dict[str, str]:
    match = pattern.search(path.as_posix())
    named = {} if match is None else {k: v for k, v in match.groupdict().items() if v}
    subject = None if match is None else named.get("subject") or match[1 if pattern.groups else 0]
    if not subject:
        raise InputError(
            f"the subject pattern {pattern.pattern!r} matches no subject in {path}; it is searched "
            "in the whole path, for example 'sub-[0-9]+'"
        )
    return {k: v for k, v in named.items() if k in NAME_PARTS} | {"subject": subject}


def _label_of(
    image: Path, name_parts: dict[str, str], references: dict[Path, dict[str, str]], what: str
) -> Path:
    fitting = [
        path
        for path, other in references.items()
        if all(other[key] == name_parts[key] for key in other.keys() & name_parts.keys())
    ]
    if len(fitting) != 1:
        names = ", ".join(path.name for path in fitting[:3]) or "none"
        raise InputError(
            f"{image} of subject {name_parts['subject']} has {len(fitting)} {what} ({names}), "
            "expected one; correct the globs or the subject pattern, or tell scans apart by groups "
            "in it, such as (?P<visit>...)"
        )
    return fitting[0]
