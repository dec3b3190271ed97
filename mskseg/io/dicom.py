"""One DICOM series in a folder: which images are one stack, in which order, and where in space.

pydicom reads the headers, ITK the pixels. Images of one kind (magnitude, phase, water, fat) and one
echo are a stack, which is refused unless it is one even row of slices on one line; ITK's own series
reader mixes kinds and echoes, and only warns of a missing slice.
"""

import logging
import math
import os
import re
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mskseg.errors import InputError, naming
from mskseg.input_files import printable
from mskseg.io.guards import LPS_TO_RAS, itk, placed, readable_by_itk, size_of
from mskseg.volume import Array, Volume

_ECHO_TOLERANCE_MS = 0.1  # so that 6.3 finds 6.312
_EVEN, _NEARLY_EVEN = 0.02, 0.1  # of the slice distance: rounding of headers; passes with a note
_ON_LINE = 0.05  # of a voxel in the plane
_SLANT = 0.02  # mm sideways for each mm along the normal: one degree
_MOST_BESIDE = 64 << 20  # bytes of a file that are not pixels

_SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
_WAY_OUT = "convert it with dcm2niix and give the NIfTI"

# What values of ImageType say about the kind of an image; "M_FFE" and the like count as "M".
_KINDS = {
    "phase": ("P", "PHASE", "PHASE MAP"),
    "real": ("R", "REAL"),
    "imaginary": ("I", "IMAGINARY"),
    "fat fraction": ("FF", "FAT_FRACTION", "FATFRACTION", "FAT_FRAC"),
    "water": ("W", "WATER"),
    "fat": ("F", "FAT"),
    "in-phase": ("IP", "IN_PHASE", "INPHASE", "IN-PHASE"),
    "out-of-phase": ("OP", "OUT_PHASE", "OPP_PHASE", "OUTPHASE", "OUT_OF_PHASE", "OUT-OF-PHASE"),
    "magnitude": ("M", "MAGNITUDE"),
}
# Filters and corrections, which do not make another kind.
_NEUTRAL = {"", "ND", "NORM", "DIS2D", "DIS3D", "FIL", "SH", "OTHER", "NONE", "VOLUME", "MFSPLIT"}
_GE_KINDS = {"0": "M", "1": "P", "2": "R", "3": "I"}  # by its private number


@dataclass(frozen=True, eq=False)
class _Header:
    """What places one DICOM image: LPS+ mm; `directions` are those of rows and columns, (2, 3)."""

    path: Path
    uid: str
    series: str
    description: str
    kind: str
    is_localizer: bool
    echo_ms: float | None
    position: Array
    directions: Array
    spacing_mm: tuple[float, float]
    thickness_mm: float
    between_mm: float
    size: tuple[int, int]
    padding: float | None

    @property
    def normal(self) -> Array:
        return np.cross(self.directions[0], self.directions[1])

    @property
    def height_mm(self) -> float:
        return float(self.position @ self.normal)


_Echoes = dict[float | None, list[_Header]]


def list_echoes(folder: str | os.PathLike[str], *, kind: str | None = None) -> list[float]:
    """List the echo times in ms of the DICOM series in a folder, ascending; empty if it has none.

    Raises InputError if the folder does not hold images of exactly one series, or several kinds of
    image and `kind` does not say which.
    """
    with naming(folder):
        echoes = _by_echo(_of_kind(_read_headers(Path(folder)), kind))
    return [echo for echo in echoes if echo is not None]


def load_series(path: Path, *, echo: float | None = None, kind: str | None = None) -> Volume:
    """Read one volume from a DICOM folder, or one file as one slice.

    `echo` (a time in ms) and `kind` are needed if there are several. Raises InputError if the
    folder does not hold exactly one series, or what is chosen is not one complete stack.
    """
    return _read_volume(*_chosen_echo(path, echo, kind))


def list_stack(path: Path, *, echo: float | None = None, kind: str | None = None) -> list[Path]:
    """List the files of the volume that `load_series` reads, in the order of its third axis."""
    echoes, chosen = _chosen_echo(path, echo, kind)
    return [header.path for header in _sorted_stack(echoes[chosen])]


def _chosen_echo(path: Path, echo: float | None, kind: str | None) -> tuple[_Echoes, float | None]:
    echoes = _by_echo(_of_kind(_read_headers(path), kind))
    if echo is None and len(echoes) == 1:
        return echoes, next(iter(echoes))
    offered = ", ".join(f"{e:g}" for e in echoes if e is not None) or "none"
    if echo is None:
        raise InputError(
            f"the series holds {len(echoes)} echoes ({offered} ms); choose one: echo=, or --echo"
        )
    known = [each for each in echoes if each is not None]
    nearest = min(known, key=lambda each: abs(each - echo), default=math.inf)
    if abs(nearest - echo) <= _ECHO_TOLERANCE_MS:
        return echoes, nearest
    raise InputError(f"no echo of {echo:g} ms; the series has {offered} ms")


def is_dicom(path: Path) -> bool:
    """Whether a file is one of DICOM by its ending, its mark, or how it starts without the mark."""
    with path.open("rb") as file:
        start = file.read(132)
    marked = start[128:] == b"DICM" or start[:2] in (b"\x08\0", b"\x02\0")
    return marked or path.suffix.lower() in (".dcm", ".ima")


def _note(text: str) -> None:
    warnings.warn(text, stacklevel=4)


def _named(paths: Iterable[Path]) -> str:
    names = [printable(path.name) for path in paths]
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


# From files to the headers of one series


def _read_headers(path: Path) -> list[_Header]:
    if path.is_dir():
        paths = sorted(p for p in path.iterdir() if p.is_file() and p.name[0] != ".")
    elif is_dicom(path):
        paths = [path]
        _note(f"{path} is one DICOM file, read as one slice; give its folder for the volume")
    else:
        raise InputError("not a folder; give the folder of a DICOM series")
    headers: list[_Header] = []
    foreign: dict[str, list[Path]] = {}
    for each in paths:
        found = _read_header(each)
        if isinstance(found, str):
            foreign.setdefault(found, []).append(each)
        elif found is not None:
            headers.append(found)
    localizers = [header for header in headers if header.is_localizer]
    if 0 < len(localizers) < len(headers):
        foreign["localizer"] = [header.path for header in localizers]
        headers = [header for header in headers if not header.is_localizer]
    passed = "; ".join(f"{_named(found)} ({what})" for what, found in foreign.items())
    if not headers:
        raise InputError(
            "the folder holds no DICOM image"
            + (f" that is a slice, but {passed}" if passed else "")
            + "; give the folder of one series"
        )
    if passed:
        _note(f"{path}: passed over {passed}")
    if len(series := _grouped(headers, "series")) > 1:
        named = "; ".join(
            f"{found[0].description or 'no description'} ({len(found)} images, ...{uid[-12:]})"
            for uid, found in series.items()
        )
        raise InputError(
            f"the folder holds {len(series)} series: {named}; put each in a folder of its own"
        )
    return _without_copies(headers, path)


def _read_header(path: Path) -> _Header | str | None:
    """Read what places an image; or say what it is instead; None if it is no DICOM file."""
    import pydicom  # a tenth of a second of import that NIfTI users need not pay

    if path.name.upper() == "DICOMDIR" or not (is_dicom(path) or path.stat().st_size == 0):
        return None  # a text file or thumbnail beside the images
    logging.getLogger("pydicom").setLevel(logging.CRITICAL)  # its notes on values it finds odd
    try:
        size_of(path)
        with path.open("rb") as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            dataset = pydicom.dcmread(file, force=True, defer_size=1 << 12)
            if what := _foreign(dataset):
                return what
            _check_pixels(path, dataset)
            return _header(path, dataset)
    except MemoryError:
        raise
    except Exception as error:  # pydicom raises whatever the bytes of a damaged file lead to
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        if isinstance(error, InputError) and reason.startswith(path.name):
            raise
        raise InputError(f"cannot read {path.name} as a DICOM image: {reason}") from error


def _foreign(dataset: Any) -> str:
    """Name an object that is no slice of a volume, by its SOP class; "" if it is one."""
    uid = dataset.file_meta.get("MediaStorageSOPClassUID") or dataset.get("SOPClassUID", "")
    name = str(getattr(uid, "name", uid))
    if uid.startswith(_SECONDARY_CAPTURE):
        return "secondary capture"
    if name != uid and not name.endswith("Image Storage"):
        return name
    if name == uid and "SOPInstanceUID" in dataset and "Rows" not in dataset:
        return "no image"
    return "colour image" if dataset.get("SamplesPerPixel", 1) != 1 else ""


def _check_pixels(path: Path, dataset: Any) -> None:
    """Refuse frames and mosaics by name, and pixel data that are not rows x columns x bits."""
    frames = int(dataset.get("NumberOfFrames", 1) or 1)
    if frames > 1 or "PerFrameFunctionalGroupsSequence" in dataset:
        name = getattr(dataset.get("SOPClassUID"), "name", "multi-frame")
        raise InputError(f"{path.name} holds {frames} frames ({name}); {_WAY_OUT}")
    if "MOSAIC" in _image_type(dataset):
        tiles = dataset.get((0x0019, 0x100A))
        number = "" if tiles is None else f"{tiles.value} "
        raise InputError(f"{path.name} is a mosaic, {number}slices in one image; {_WAY_OUT}")
    pixels, size = dataset.get_item("PixelData", keep_deferred=True), path.stat().st_size
    if pixels is None:
        raise InputError("it ends before its pixels; replace it")
    syntax = dataset.file_meta.get("TransferSyntaxUID")
    packed = syntax is not None and (syntax.is_compressed or syntax.is_deflated)
    needed = (dataset.Rows * dataset.Columns * dataset.BitsAllocated + 7) // 8
    length = size if packed else pixels.length
    if not packed and (not 0 < needed <= length <= needed + 1 or pixels.value_tell + length > size):
        raise InputError(
            f"{length} bytes of pixels in a file of {size}, expected {needed} "
            f"({dataset.Rows} x {dataset.Columns} of {dataset.BitsAllocated} bits); replace it"
        )
    if size > length + _MOST_BESIDE:
        raise InputError(f"its {size} bytes are far more than its image; replace it")


def _image_type(dataset: Any) -> list[str]:
    values = dataset.get("ImageType") or []
    values = [values] if isinstance(values, str) else values
    return [str(value).strip().upper() for value in values]


def _kind_of(values: Iterable[str]) -> str:
    """Name the kind of image that values of ImageType tell; magnitude only where no other does."""
    values = [value for value in values if value not in _NEUTRAL]
    parts = {value.split("_")[0] if re.match(r"[A-Z]_", value) else value for value in values}
    known = [kind for kind, words in _KINDS.items() if parts & set(words)]
    rest = sorted(parts - {word for words in _KINDS.values() for word in words})
    others = [kind for kind in known if kind != "magnitude"] or known
    return " ".join([*others, *(() if others else map(str.lower, rest))])


def _header(path: Path, dataset: Any) -> _Header:
    types = _image_type(dataset)
    ge = dataset.get((0x0043, 0x102F))
    values = [*types[2:], str(dataset.get("ComplexImageComponent", "")).upper()]
    if ge is not None and str(dataset.get("Manufacturer", "")).startswith("GE"):
        values.append(_GE_KINDS.get(str(ge.value), ""))
    directions = _numbers(path, dataset, "ImageOrientationPatient", 6).reshape(2, 3)
    gram = directions @ directions.T
    spacing = _numbers(path, dataset, "PixelSpacing", 2)
    if not np.allclose(gram, np.eye(2), atol=0.01) or not (spacing > 0).all():
        raise InputError(
            f"{path.name} has the directions {directions.ravel().tolist()} and the voxel size "
            f"{spacing.tolist()} mm, expected two right-angled axes and sizes above 0; replace it"
        )
    names = ("EchoTime", "SliceThickness", "SpacingBetweenSlices")
    echo, thickness, between = (float(dataset.get(name) or math.nan) for name in names)
    padding, slope, shift = map(
        dataset.get, ("PixelPaddingValue", "RescaleSlope", "RescaleIntercept"), (None, 1.0, 0.0)
    )
    return _Header(
        path=path,
        uid=str(dataset.get("SOPInstanceUID", "")),
        series=str(dataset.get("SeriesInstanceUID", "")),
        description=str(dataset.get("SeriesDescription", "")),
        kind=_kind_of(values),
        is_localizer="LOCALIZER" in types,
        echo_ms=None if math.isnan(echo) else echo,
        position=_numbers(path, dataset, "ImagePositionPatient", 3),
        directions=directions,
        spacing_mm=(float(spacing[0]), float(spacing[1])),
        thickness_mm=abs(between or thickness) if not math.isnan(between) else thickness,
        between_mm=between,
        size=(int(dataset.Columns), int(dataset.Rows)),
        padding=None if padding is None else float(padding) * slope + shift,
    )


def _numbers(path: Path, dataset: Any, keyword: str, n: int) -> Array:
    value = dataset.get(keyword)
    numbers = np.atleast_1d(np.array([] if value is None else value, dtype=float))
    if numbers.shape != (n,) or not np.isfinite(numbers).all():
        shown = "missing" if value is None else f"{value}"[:60]
        raise InputError(
            f"{path.name} has no place in space ({keyword} is {shown}); give the original images"
        )
    return numbers


def _grouped(headers: Iterable[_Header], name: str) -> dict[Any, list[_Header]]:
    groups: dict[Any, list[_Header]] = {}
    for header in headers:
        groups.setdefault(getattr(header, name), []).append(header)
    return groups


def _without_copies(headers: Sequence[_Header], folder: Path) -> list[_Header]:
    """Leave out files that are equal, byte by byte, to another of the same image."""
    kept: list[_Header] = []
    copies: list[_Header] = []
    for found in _grouped(headers, "uid").values():
        contents = [header.path.read_bytes() if len(found) > 1 else b"" for header in found]
        for n, header in enumerate(found):
            (copies if contents[n] in contents[:n] else kept).append(header)
    if copies:
        names = _named(header.path for header in copies)
        _note(f"{folder}: left out {names}, equal to another file byte by byte")
    return kept


# From the headers of a series to one stack


def _of_kind(headers: Sequence[_Header], wanted: str | None) -> list[_Header]:
    kinds = _grouped(headers, "kind")
    offered = ", ".join(f"{kind or 'unnamed'} ({len(h)} images)" for kind, h in kinds.items())
    if wanted is None and len(kinds) == 1:
        return list(headers)
    if wanted is None:
        raise InputError(
            f"the series holds {len(kinds)} kinds of image: {offered}; choose one: kind=, or --kind"
        )
    name = wanted.strip()
    for kind in (_kind_of([name.upper()]), name.lower().replace("unnamed", "")):
        if kind in kinds:
            return kinds[kind]
    raise InputError(f"no images of the kind {wanted!r}; the series has {offered}")


def _by_echo(headers: Sequence[_Header]) -> _Echoes:
    """Sort by echo time; times of no common position (rounded slice by slice) are one echo."""
    merged: list[list[_Header]] = []
    for found in _grouped(sorted(headers, key=lambda h: h.echo_ms or 0.0), "echo_ms").values():
        if merged and not _places(merged[-1]) & _places(found):
            merged[-1] += found
        else:
            merged.append(found)
    for found in merged:
        if found[0].echo_ms != found[-1].echo_ms:
            _note(
                f"echo times of {found[0].echo_ms} to {found[-1].echo_ms} ms lie at different "
                "places: taken as one stack"
            )
    return {found[0].echo_ms: found for found in merged}


def _places(headers: Iterable[_Header]) -> set[tuple[float, ...]]:
    return {tuple(np.round(header.position, 2) + 0.0) for header in headers}


def _sorted_stack(headers: Sequence[_Header]) -> list[_Header]:
    """Sort along the slice normal; InputError unless it is one even row of slices on one line."""
    first = headers[0]
    for header in headers:
        same_plane = np.allclose(header.directions, first.directions, atol=1e-3)
        same_size = np.allclose(header.spacing_mm, first.spacing_mm, rtol=1e-3)
        if not (same_plane and same_size and header.size == first.size):
            raise InputError(
                f"{first.path.name} and {header.path.name} differ in direction, size or spacing; "
                "give the images of one stack"
            )
    stack = sorted(headers, key=lambda header: header.height_mm)
    gaps = np.diff([header.height_mm for header in stack])
    if not gaps.size:
        return stack
    steps = np.diff([header.position for header in stack], axis=0)
    steps -= np.outer(gaps, first.normal)  # what is left lies in the plane
    slant = steps.sum(axis=0) / max(gaps.sum(), 1e-3)
    off_line = np.linalg.norm(np.cumsum(steps - np.outer(gaps, slant), axis=0), axis=1)
    if off_line.max() > _ON_LINE * min(first.spacing_mm) or np.linalg.norm(slant) > 1:
        jumps = np.linalg.norm(steps - np.median(steps, axis=0) * (off_line.max() > 0.01), axis=1)
        n = int(jumps.argmax()) + 1
        raise InputError(
            f"slices {n} and {n + 1} lie {jumps.max():.3g} mm apart in their plane: two stacks; "
            "put each in a folder of its own"
        )
    if gaps.min() < 1e-3:
        pair = _named(header.path for header in stack[int(gaps.argmin()) :][:2])
        raise InputError(
            f"{len(stack)} images lie at {1 + int((gaps >= 1e-3).sum())} places ({pair} at one); "
            "give one image per position (one phase, one repetition)"
        )
    if np.linalg.norm(slant) > _SLANT:
        _note(f"{first.path.parent}: slices shift sideways evenly; the sheared grid is kept")
    _check_even(stack, gaps)
    return stack


def _check_even(stack: Sequence[_Header], gaps: Array) -> None:
    usual, between = float(np.median(gaps)), stack[0].between_mm
    uneven = f"unevenly spaced, {gaps.min():.4g} to {gaps.max():.4g} mm apart"
    if gaps.max() - gaps.min() > _NEARLY_EVEN * usual:
        times = gaps / gaps.min()
        if (np.abs(times - np.rint(times)) < _NEARLY_EVEN * times).all():
            raise InputError(f"slices are missing: {uneven}; give the complete series")
        raise InputError(f"slices are {uneven}; give one evenly spaced stack")
    if gaps.max() - gaps.min() > _EVEN * usual:
        _note(f"slices are {uneven}; taken as even, the largest error is below a tenth of a slice")
    elif usual > 1.5 * between:
        _note(
            f"slices lie {usual:.4g} mm apart, their headers say {between:.4g} mm; "
            "are every second one's images missing?"
        )


def _read_volume(echoes: _Echoes, echo: float | None) -> Volume:
    stack = _sorted_stack(echoes[echo])
    fullest = max(echoes.values(), key=len)
    if len(stack) < len(fullest) and _places(stack) <= _places(fullest):
        raise InputError(
            f"slices are missing: echo {echo} ms has {len(stack)} of the {len(fullest)} that "
            "another has; give the complete series"
        )
    first, last = stack[0], stack[-1]
    if len(stack) == 1 and math.isnan(first.thickness_mm):
        raise InputError(
            f"{first.path.name} is a single slice that does not say how thick it is; "
            "give the whole series"
        )
    step = first.normal * first.thickness_mm
    if len(stack) > 1:
        step = (last.position - first.position) / (len(stack) - 1)
    affine = np.eye(4)
    affine[:3, 0] = first.directions[0] * first.spacing_mm[1]  # along a row: between columns
    affine[:3, 1] = first.directions[1] * first.spacing_mm[0]
    affine[:3, 2] = step
    affine[:3, 3] = first.position
    array = np.stack([_read_pixels(header) for header in stack]).T
    return placed(array, LPS_TO_RAS @ affine, padding=first.padding)


def _read_pixels(header: _Header) -> Array:
    reader: Any = itk().ImageFileReader()
    reader.SetImageIO("GDCMImageIO")
    try:
        with readable_by_itk(header.path) as readable:
            reader.SetFileName(str(readable))
            pixels: Array = itk().GetArrayFromImage(reader.Execute())
    except RuntimeError as error:
        raise InputError(f"cannot read the pixels of {header.path.name}; replace it") from error
    if pixels.shape[-2:] != header.size[::-1] or pixels.size != math.prod(header.size):
        raise InputError(f"the pixels of {header.path.name} are not as its header says; replace it")
    return pixels.reshape(pixels.shape[-2:])
