"""One DICOM series in a folder: which echoes, in which order, and where in space.

ITK's own series reader mixes the echoes of a multi-echo series and only warns of a missing slice.
Here the headers are read first, sorted by echo time and by position along the slice normal, and a
series that is not one evenly spaced volume per echo is refused.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mskseg.errors import InputError, naming
from mskseg.volume import Array, Volume

LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])

_ECHO_TOLERANCE_MS = 0.1  # so that 6.3 finds 6.312
_EVEN = 0.02  # of the slice distance: above the rounding of headers, far below a missing slice

_SERIES, _DESCRIPTION, _ECHO = "0020|000e", "0008|103e", "0018|0081"
_POSITION, _DIRECTIONS, _SPACING = "0020|0032", "0020|0037", "0028|0030"
_BETWEEN_SLICES, _THICKNESS = "0018|0088", "0018|0050"


@dataclass(frozen=True, eq=False)
class _Header:
    """What places one DICOM image: LPS+ mm; `directions` are those of rows and columns, (2, 3)."""

    path: Path
    series: str
    description: str
    echo_ms: float | None
    position: Array
    directions: Array
    spacing_mm: tuple[float, float]
    thickness_mm: float
    size: tuple[int, int]

    @property
    def normal(self) -> Array:
        return np.cross(self.directions[0], self.directions[1])

    @property
    def height_mm(self) -> float:
        return float(self.position @ self.normal)


def list_echoes(folder: str | os.PathLike[str]) -> list[float]:
    """List the echo times in ms of the DICOM series in a folder, ascending; empty if it has none.

    Raises InputError if the folder does not hold images of exactly one series.
    """
    with naming(folder):
        echoes = _by_echo(_read_headers(Path(folder)))
    return [echo for echo in echoes if echo is not None]


def load_echoes(folder: str | os.PathLike[str]) -> dict[float, Volume]:
    """Read every echo of the DICOM series in a folder.

    Returns
    -------
    dict of float to Volume
        By echo time in ms, ascending; all on one grid.

    Raises
    ------
    InputError
        If the folder does not hold images of exactly one series, they name no echo time, or an
        echo misses slices.
    """
    with naming(folder):
        echoes = _by_echo(_read_headers(Path(folder)))
        if None in echoes:
            raise InputError("the series names no echo time; read it with load_image")
        return {
            echo: Volume(*_read_volume(headers))
            for echo, headers in echoes.items()
            if echo is not None
        }


def load_series(folder: Path, *, echo: float | None = None) -> tuple[Array, Array]:
    """Read one volume from a DICOM folder: (ni, nj, nk) array and affine to RAS+ mm.

    `echo` is a time in ms, needed if there are several. Raises InputError if the folder does not
    hold exactly one complete series, or the echo is not in it.
    """
    echoes = _by_echo(_read_headers(folder))
    if echo is None and len(echoes) == 1:
        return _read_volume(next(iter(echoes.values())))
    offered = ", ".join(f"{e:g}" for e in echoes if e is not None) or "none"
    if echo is None:
        raise InputError(
            f"the series holds {len(echoes)} echoes ({offered} ms); choose one: echo=, or --echo"
        )
    known = [each for each in echoes if each is not None]
    nearest = min(known, key=lambda each: abs(each - echo), default=math.inf)
    if abs(nearest - echo) <= _ECHO_TOLERANCE_MS:
        return _read_volume(echoes[nearest])
    raise InputError(f"no echo of {echo:g} ms; the series has {offered} ms")


def _read_headers(folder: Path) -> list[_Header]:
    if not folder.is_dir():
        raise InputError("not a folder; give the folder of a DICOM series")
    paths = sorted(p for p in folder.iterdir() if p.is_file() and p.name[0] != ".")
    headers = [header for path in paths if (header := _read_header(path)) is not None]
    if not headers:
        raise InputError("the folder holds no DICOM image; give the folder of one series")
    _check_one_series(headers)
    return headers


def _looks_like_dicom(path: Path) -> bool:
    """Whether a file that cannot be read was an image: empty, or marked as DICOM and no index."""
    with path.open("rb") as file:
        start = file.read(132)
    return not start or (start[128:] == b"DICM" and path.name.upper() != "DICOMDIR")


def _read_header(path: Path) -> _Header | None:
    reader = _reader(path)
    try:
        reader.ReadImageInformation()
    except RuntimeError as error:
        if path.suffix.lower() in (".dcm", ".ima") or _looks_like_dicom(path):
            raise InputError(f"cannot read {path.name} as a DICOM image; replace it") from error
        return None  # a text file or thumbnail beside the images
    if reader.GetNumberOfComponents() != 1 or (*reader.GetSize(), 1)[2] != 1:
        raise InputError(f"{path.name} holds colours or several frames; convert it to NIfTI first")
    spacing = _numbers(path, reader, _SPACING, 2)
    echo = _tag(reader, _ECHO)
    thickness = _tag(reader, _BETWEEN_SLICES) or _tag(reader, _THICKNESS)
    columns, rows = reader.GetSize()[:2]
    return _Header(
        path=path,
        series=_tag(reader, _SERIES),
        description=_tag(reader, _DESCRIPTION),
        echo_ms=_decimal(path, echo) if echo else None,
        position=_numbers(path, reader, _POSITION, 3),
        directions=_numbers(path, reader, _DIRECTIONS, 6).reshape(2, 3),
        spacing_mm=(float(spacing[0]), float(spacing[1])),
        thickness_mm=_decimal(path, thickness) if thickness else math.nan,
        size=(columns, rows),
    )


def _reader(path: Path) -> Any:
    import SimpleITK  # half a second of import that NIfTI users need not pay

    reader: Any = SimpleITK.ImageFileReader()  # type: ignore[no-untyped-call]
    reader.SetImageIO("GDCMImageIO")
    reader.SetFileName(str(path))
    return reader


def _tag(reader: Any, tag: str) -> str:
    return str(reader.GetMetaData(tag)).strip("\0 ") if reader.HasMetaDataKey(tag) else ""


def _decimal(path: Path, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise InputError(
            f"{path.name} holds {text!r} where DICOM has a number; give the original images"
        ) from None


def _numbers(path: Path, reader: Any, tag: str, n: int) -> Array:
    try:
        numbers = np.array([float(part) for part in _tag(reader, tag).split("\\")])
    except ValueError:
        numbers = np.empty(0)
    if numbers.shape != (n,):
        raise InputError(
            f"{path.name} has no place in space (DICOM tag {tag} is missing); "
            "give the original images"
        )
    return numbers


def _check_one_series(headers: Sequence[_Header]) -> None:
    series: dict[str, list[_Header]] = {}
    for header in headers:
        series.setdefault(header.series, []).append(header)
    if len(series) > 1:
        named = "; ".join(
            f"{found[0].description or 'no description'} ({len(found)} images, ...{uid[-12:]})"
            for uid, found in series.items()
        )
        raise InputError(
            f"the folder holds {len(series)} series: {named}; put each in a folder of its own"
        )
    first = headers[0]
    for header in headers:
        same_plane = np.allclose(header.directions, first.directions, atol=1e-4)
        if not same_plane or (header.size, header.spacing_mm) != (first.size, first.spacing_mm):
            raise InputError(
                f"{first.path.name} and {header.path.name} differ in direction, size or spacing; "
                "give the images of one stack"
            )


def _by_echo(headers: Sequence[_Header]) -> dict[float | None, list[_Header]]:
    """Sort by echo time, then along the slice normal; each echo checked to be one even stack."""
    echoes: dict[float | None, list[_Header]] = {}
    for header in sorted(headers, key=lambda h: (h.echo_ms or 0.0, h.height_mm)):
        echoes.setdefault(header.echo_ms, []).append(header)
    counts = {echo: len(found) for echo, found in echoes.items()}
    if len(set(counts.values())) > 1:
        raise InputError(
            f"slices are missing, the echoes have {min(counts.values())} to "
            f"{max(counts.values())} of them; give the complete series"
        )
    for found in echoes.values():
        _check_even(found)
    return echoes


def _check_even(headers: Sequence[_Header]) -> None:
    heights = np.array([header.height_mm for header in headers])
    gaps = np.diff(heights)
    if gaps.size and gaps.min() < 1e-3:
        raise InputError(
            f"{len(headers)} images lie at {1 + int((gaps >= 1e-3).sum())} places; "
            "give one image per position (one phase, one repetition)"
        )
    if gaps.size and gaps.max() - gaps.min() > _EVEN * np.median(gaps):
        raise InputError(
            f"slices are missing or unevenly spaced, {gaps.min():.4g} to {gaps.max():.4g} mm "
            "apart; give the complete series"
        )


def _read_volume(headers: Sequence[_Header]) -> tuple[Array, Array]:
    first, last = headers[0], headers[-1]
    if len(headers) == 1 and math.isnan(first.thickness_mm):
        raise InputError(
            f"{first.path.name} is a single slice that does not say how thick it is; "
            "give the whole series"
        )
    step = first.normal * first.thickness_mm
    if len(headers) > 1:
        step = (last.position - first.position) / (len(headers) - 1)
    affine = np.eye(4)
    affine[:3, 0] = first.directions[0] * first.spacing_mm[1]  # along a row: between columns
    affine[:3, 1] = first.directions[1] * first.spacing_mm[0]
    affine[:3, 2] = step
    affine[:3, 3] = first.position
    slices: list[Any] = [_read_pixels(header.path) for header in headers]
    return np.stack(slices).T, LPS_TO_RAS @ affine


def _read_pixels(path: Path) -> Array:
    import SimpleITK

    try:
        image = _reader(path).Execute()
    except RuntimeError as error:
        raise InputError(f"cannot read the pixels of {path.name}; replace it") from error
    pixels: Array = SimpleITK.GetArrayFromImage(image)
    return pixels.reshape(pixels.shape[-2:])
