"""NRRD and MetaImage: the text header is checked here, then ITK reads the file.

ITK goes on after a damaged stream, ends the process on some headers, and takes 1 mm where a
direction is broken. So what the header claims is compared with the bytes that are there, a packed
stream is decoded to its checksum, and voxel sizes are compared with what ITK makes of them.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import IO, Any

import numpy as np

from mskseg.errors import InputError
from mskseg.io.guards import (
    broken_files,
    check_room,
    itk,
    placed,
    readable_by_itk,
    size_of,
    volume_axes,
    warn_of_geometry,
)
from mskseg.volume import Array, Volume

LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
ITK_SUFFIXES = (".nrrd", ".nhdr", ".mha", ".mhd")

_KIND = "NRRD or MetaImage"
_MOST_HEADER = _CHUNK = 1 << 20  # bytes
_BYTES_OF = {"char": 1, "int8": 1, "short": 2, "int16": 2, "int": 4, "int32": 4, "long": 4} | {
    "longlong": 8, "longlongint": 8, "int64": 8, "float": 4, "double": 8, "shortint": 2,
}  # fmt: skip
_ENCODINGS = {"txt": "text", "ascii": "text", "gz": "gzip"}
_SPACES = re.compile(r"(left-posterior|right-anterior|left-anterior)-superior(-time)?|lps|ras|las")


@dataclass(frozen=True)
class Header:
    """What the header of a NRRD or MetaImage says, as far as it is checked."""

    fields: dict[str, str]  # names in lower case, but for the key/value pairs of a NRRD
    sizes: tuple[int, ...]
    n_bytes: int  # of the voxels
    encoding: str  # raw, text, or how it is packed
    data: str  # file of the voxels, "" where they follow the header
    start: int  # of the voxels in it; -1: they end it
    spacing_mm: Array
    doubt: str  # why its place in space is not clear, or ""


def read_itk(path: Path, *, labels: bool = False) -> Volume:
    """Read a NRRD or MetaImage; with `labels`, the layers of 3D Slicer's segments become one.

    Raises InputError if header, voxels and geometry are not sound, or do not fit together.
    """
    with broken_files(_KIND):
        header = read_header(path)
        _check_voxels(path, header)
        with readable_by_itk(path, header.data) as readable:
            image: Any = itk().ReadImage(str(readable))
        values: Array = itk().GetArrayFromImage(image).T  # several values a voxel come first
    n = image.GetDimension()
    m = min(n, 3)
    spacing = np.array(image.GetSpacing())
    if not header.doubt and not np.allclose(header.spacing_mm[:m], spacing[:m], rtol=1e-3, atol=0):
        raise InputError(f"its header gives voxels of {header.spacing_mm} mm, ITK takes {spacing}")
    affine = np.eye(4)
    affine[:m, :m] = (np.array(image.GetDirection()).reshape(n, n) * spacing)[:m, :m]
    affine[:m, 3] = image.GetOrigin()[:m]
    if header.doubt:
        warn_of_geometry(path, header.doubt)
    if (n_values := image.GetNumberOfComponentsPerPixel()) > 1:
        if not labels or not segments(header):
            raise InputError(f"{n_values} values per voxel; one number needed")
        values = _merged(values, segments(header))
    return placed(volume_axes(values, path), LPS_TO_RAS @ affine)


def segments(header: Header) -> list[tuple[int, str, int, int]]:
    """List label, name, layer and stored value of the segments that 3D Slicer names.

    Where two share a value (in two layers), all are numbered anew in their order.
    """
    said = header.fields
    numbers = sorted(int(key[7:-5]) for key in said if re.fullmatch(r"Segment\d+_Name", key))
    found = [
        (
            said[f"Segment{n}_Name"],
            int(said.get(f"Segment{n}_Layer", 0)),
            int(said.get(f"Segment{n}_LabelValue", n + 1)),
        )
        for n in numbers
    ]
    distinct = len({value for *_, value in found}) == len(found)
    return [(s[2] if distinct else n, *s) for n, s in enumerate(found, start=1)]


def _merged(layers: Array, found: list[tuple[int, str, int, int]]) -> Array:
    merged = np.zeros(layers.shape[1:], np.uint16)
    for label, name, layer, value in found:
        if layer >= len(layers):
            raise InputError(f"segment {name!r} is said to be in layer {layer}, which is not there")
        mask = layers[layer] == value
        if merged[mask].any():
            raise InputError(
                f"segment {name!r} overlaps another; export from 3D Slicer as a label map "
                "(Segmentations, Export to files), which decides between them"
            )
        merged[mask] = label
    return merged


def read_header(path: Path) -> Header:
    """Read the header of a NRRD or MetaImage; InputError if it is not one that can be read."""
    size_of(path)
    fields: dict[str, str] = {}
    with path.open("rb") as file:
        is_nrrd = file.read(4) == b"NRRD"
        file.seek(0)
        while file.tell() < _MOST_HEADER and (
            line := file.readline(_MOST_HEADER).decode("utf-8", "surrogateescape")
        ):
            pair = ":=" in line.partition(": ")[0]
            key, _, value = line.partition(":=" if pair else ":" if is_nrrd else "=")
            if (is_nrrd and not line.strip()) or key.strip().lower() == "elementdatafile":
                fields[key.strip().lower()] = value.strip()
                break
            if not line.startswith("#"):
                fields[key if pair else key.strip().lower()] = value.strip()
        make = _nrrd_header if is_nrrd else _meta_header
        return make(fields, file.tell())


def _meta_header(said: dict[str, str], start: int) -> Header:
    if "elementdatafile" not in said:
        raise InputError(f"not a complete {_KIND} file (no header); get it again or check its kind")
    sizes = _sizes(said.get("ndims", ""), said.get("dimsize", ""))
    n, data, skip = len(sizes), said["elementdatafile"], int(said.get("headersize", 0))
    spacing = said.get("elementspacing", said.get("elementsize"))
    turn = next(
        (said[k] for k in ("transformmatrix", "rotation", "orientation") if k in said), None
    )
    _numbers(turn or "0 " * n * n, n * n)
    for key in ("offset", "position", "origin"):
        _numbers(said.get(key, "0 " * n), n)
    local, packed = data.upper() == "LOCAL", said.get("compresseddata", "").lower() == "true"
    binary = said.get("binarydata", "true").lower() == "true"
    channels = _numbers(said.get("elementnumberofchannels", "1"), 1)[0]
    return Header(
        said,
        sizes,
        int(channels) * _n_bytes(sizes, said.get("elementtype", "")),
        "zlib" if packed else "raw" if binary else "text",
        "" if local else data,
        -1 if skip < 0 else skip + (start if local else 0),
        _positive(_numbers(spacing or "1 " * n, n)),
        "" if spacing and turn else f"has no {'TransformMatrix' if spacing else 'ElementSpacing'}",
    )


def _nrrd_header(said: dict[str, str], start: int) -> Header:
    sizes = _sizes(said.get("dimension", ""), said.get("sizes", ""))
    data, encoding = (
        said.get("data file", said.get("datafile", "")),
        said.get("encoding", "").lower(),
    )
    encoding = _ENCODINGS.get(encoding, encoding)
    skip = int(said.get("byte skip", said.get("byteskip", 0)))
    if encoding not in ("raw", "text", "gzip") or "line skip" in said or skip not in (0, -1):
        raise InputError(f"voxels stored as {encoding[:20]!r}, or with lines to skip; save as gzip")
    _numbers(said.get("space origin", ""))
    axes = re.findall(r"none|\([^)]*\)", said.get("space directions", ""))
    vectors = [_numbers(axis) for axis in axes if axis != "none"]
    if "space directions" in said and (len(axes) != len(sizes) or not vectors):
        raise InputError("the header has no space direction for each axis; correct it")
    if vectors:
        with np.errstate(over="ignore"):
            spacing = np.linalg.norm(vectors, axis=1)
    else:
        spacing = _numbers(re.sub("(?i)nan", "", said.get("spacings", "1 1 1")))
    space = said.get("space", "")
    doubt = (
        ""
        if _SPACES.fullmatch(space.lower())
        else f"has {f'the space {space}' if space else 'no space'}"
    )
    return Header(
        said,
        sizes,
        _n_bytes(sizes, said.get("type", "")),
        encoding,
        data,
        -1 if skip else 0 if data else start,
        _positive(spacing),
        doubt if doubt or vectors else "has no space directions",
    )


def _sizes(n_axes: str, sizes: str) -> tuple[int, ...]:
    found = sizes.split()
    whole = all(re.fullmatch(r"[1-9]\d{0,9}", size) for size in found)
    if not whole or not re.fullmatch("[2-5]", n_axes) or len(found) != int(n_axes):
        raise InputError(
            f"not a complete {_KIND} file (its header claims {n_axes[:20]!r} dimensions of the "
            f"sizes {sizes[:60]!r}, expected 3 whole numbers above 0); get it again"
        )
    return tuple(map(int, found))


def _n_bytes(sizes: tuple[int, ...], kind: str) -> int:
    bare = re.sub(r"^met_|_array$|_t$|[_ ]|unsigned|signed", "", kind.lower()).removeprefix("u")
    if bare not in _BYTES_OF:
        raise InputError(
            f"voxels of type {kind[:30]!r}; give an image of one real number per voxel"
        )
    return prod(sizes) * _BYTES_OF[bare]


def _numbers(text: str, n: int | None = None) -> Array:
    try:
        numbers = np.array([float(part) for part in re.split(r"[\s,()]+", text) if part])
    except ValueError:
        numbers = np.array([np.nan])
    if not np.isfinite(numbers).all() or (n is not None and len(numbers) != n):
        raise InputError(
            f"the header holds {text[:60]!r}, expected {n or ''} finite numbers; correct it"
        )
    return numbers


def _positive(spacing: Array) -> Array:
    if not (np.isfinite(spacing) & (spacing > 0)).all():
        raise InputError(
            f"the header holds voxels of {spacing} mm, expected sizes above 0; correct it"
        )
    return spacing


def _check_voxels(path: Path, header: Header) -> None:
    """Compare the bytes that are there with the header's claim; a packed stream to its checksum."""
    source = path.parent / header.data if header.data else path
    odd = re.search(r"%|\\|^list\b|^[a-z]:|\s-?\d+\s", header.data.lower())
    if odd or header.data.startswith("/") or ".." in Path(header.data).parts:
        raise InputError(
            f"its voxels lie in {header.data[:60]!r}, expected one file beside the header; "
            "save the image as one file"
        )
    if not source.is_file():
        raise InputError(f"its voxels lie in {header.data}, which is not there; get it too")
    held = source.stat().st_size - max(header.start, 0)
    if header.encoding == "raw":
        check_room(header.n_bytes, min(held, header.n_bytes) if header.start < 0 else held, _KIND)
        return
    # A byte of text is at most a voxel of 8 bytes.
    check_room(header.n_bytes, held, _KIND, packed=8 if header.encoding == "text" else 1032)
    if header.encoding != "text":
        with source.open("rb") as file:
            file.seek(max(header.start, 0))
            length = 0
            for n_bytes in _decoded(file, header.encoding):
                length += n_bytes
                if length > header.n_bytes:
                    break
        if length != header.n_bytes:
            raise InputError(
                f"not a complete {_KIND} file (its header claims {header.n_bytes} bytes of voxels, "
                f"its stream has {'more' if length > header.n_bytes else length}); get it again"
            )


def _decoded(file: IO[bytes], encoding: str) -> Iterator[int]:
    """Lengths of the pieces of a stream, decoded to the end, where its checksum is compared."""
    if encoding != "zlib":
        with gzip.open(file) as stream:
            while block := stream.read(_CHUNK):
                yield len(block)
        return
    packed = zlib.decompressobj(47)  # with the head of zlib or of gzip
    while not packed.eof:
        if not (block := packed.unconsumed_tail or file.read(_CHUNK)):
            raise EOFError("the compressed stream ends early")
        yield len(packed.decompress(block, _CHUNK))


def segment_names(path: Path) -> dict[int, str]:
    """Names of the segments in a NRRD of 3D Slicer, by label; empty for other files."""
    is_nrrd = path.name.lower().endswith((".nrrd", ".nhdr"))
    return {label: name for label, name, *_ in segments(read_header(path))} if is_nrrd else {}
