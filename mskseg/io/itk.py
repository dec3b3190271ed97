"""NRRD and MetaImage: the text header is checked here, then ITK reads the file.

ITK goes on after a damaged stream, ends the process on some headers, and takes 1 mm where a
direction is broken. So what the header claims is compared with the bytes that are there, a packed
stream is decoded to its checksum, and voxel sizes are compared with what ITK makes of them.
"""

import re
import zlib
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from mskseg.errors import InputError
from mskseg.io import guards
from mskseg.volume import Array, Volume

ITK_SUFFIXES = (".nrrd", ".nhdr", ".mha", ".mhd")

_KIND = "NRRD or MetaImage"
_MOST_HEADER = _CHUNK = 1 << 20  # bytes
_BYTES_OF = {"char": 1, "int8": 1, "short": 2, "int16": 2, "int": 4, "int32": 4, "long": 4} | {
    "longlong": 8, "longlongint": 8, "int64": 8, "float": 4, "double": 8, "shortint": 2,
}  # fmt: skip
_SPACES = re.compile(r"(left-posterior|right-anterior|left-anterior)-superior(-time)?|lps|ras|las")


@dataclass(frozen=True)
class Header:
    """What the header of a NRRD or MetaImage says, as far as it is checked."""

    fields: dict[str, str]  # names in lower case, but for the key/value pairs of a NRRD
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
    with guards.broken_files(_KIND):
        header = read_header(path)
        _check_voxels(path, header)
        with guards.readable_by_itk(path, header.data) as readable:
            image: Any = guards.itk().ReadImage(str(readable))
        values: Array = guards.itk().GetArrayFromImage(image).T  # several values a voxel come first
    n = image.GetDimension()
    m = min(n, 3)
    spacing = np.array(image.GetSpacing())
    if not header.doubt and not np.allclose(header.spacing_mm[:m], spacing[:m], rtol=1e-3, atol=0):
        raise InputError(f"its header gives voxels of {header.spacing_mm} mm, ITK takes {spacing}")
    affine = np.eye(4)
    affine[:m, :m] = (np.array(image.GetDirection()).reshape(n, n) * spacing)[:m, :m]
    affine[:m, 3] = image.GetOrigin()[:m]
    if header.doubt:
        guards.warn_of_geometry(path, header.doubt)
    if (n_values := image.GetNumberOfComponentsPerPixel()) > 1:
        if not labels or not segments(header):
            raise InputError(f"{n_values} values per voxel; one number needed")
        values = _merged(values, segments(header))
    return guards.placed(guards.volume_axes(values, path), guards.LPS_TO_RAS @ affine)


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
    guards.size_of(path)
    said: dict[str, str] = {}
    with path.open("rb") as file:
        nrrd = file.read(4) == b"NRRD"
        file.seek(0)
        while file.tell() < _MOST_HEADER and (raw := file.readline(_MOST_HEADER)):
            line = raw.decode("utf-8", "surrogateescape")
            pair = nrrd and ":=" in line.partition(": ")[0]
            key, _, value = line.partition(":=" if pair else ":" if nrrd else "=")
            said[key if pair else key.strip().lower()] = value.strip()
            if (nrrd and not line.strip()) or key.strip().lower() == "elementdatafile":
                break
        start = file.tell()

    def first(*names: str) -> str:
        return next((said[name] for name in names if name in said), "")

    data = first("data file", "datafile", "elementdatafile")
    if not nrrd and not data:
        raise InputError(f"not a complete {_KIND} file (no header); get it again or check its kind")
    sizes = _sizes(first("dimension", "ndims"), first("sizes", "dimsize"))
    packed, binary = (
        said.get(k, d).lower() for k, d in (("compresseddata", ""), ("binarydata", "true"))
    )
    encoding = said.get("encoding", "").lower()
    if not nrrd:
        encoding = "zlib" if packed == "true" else "raw" if binary == "true" else "text"
    encoding = {"txt": "text", "ascii": "text", "gz": "gzip"}.get(encoding, encoding)
    skip = int(first("byte skip", "headersize") or 0)
    if encoding not in ("raw", "text", "gzip", "zlib") or "line skip" in said:
        raise InputError(f"voxels stored as {encoding[:20]!r}, or lines to skip; save it as gzip")
    space, origin = said.get("space", ""), first("space origin", "offset", "position", "origin")
    turn = first("space directions", "transformmatrix", "rotation", "orientation")
    spacing = _numbers(re.sub("(?i)nan", "", first("spacings", "elementspacing", "elementsize")))
    if nrrd:
        _numbers(origin)
        axes = re.findall(r"none|\([^)]*\)", turn)
        vectors = [_numbers(axis) for axis in axes if axis != "none"]
        if turn and (len(axes) != len(sizes) or not vectors):
            raise InputError("the header has no space direction for each axis; correct it")
        with np.errstate(over="ignore"):
            spacing = np.linalg.norm(vectors, axis=1) if vectors else spacing
        clear = {"space": bool(_SPACES.fullmatch(space.lower()))}
    else:
        n = len(sizes)
        for numbers, wanted in ((_numbers(origin), n), (spacing, n), (_numbers(turn), n * n)):
            if numbers.size not in (0, wanted):
                raise InputError(f"the header has {numbers} for {n} axes; correct it")
        clear = {"ElementSpacing": bool(spacing.size)}
    clear |= {"space directions" if nrrd else "TransformMatrix": bool(turn)}
    if not (np.isfinite(spacing) & (spacing > 0)).all():
        raise InputError(f"the header has voxels of {spacing} mm, expected above 0; correct it")
    local = not nrrd and data.upper() == "LOCAL"
    n_values = int(said.get("elementnumberofchannels", "1"))
    lacking = next((name for name, found in clear.items() if not found), "")
    return Header(
        said,
        n_values * _n_bytes(sizes, first("type", "elementtype")),
        encoding,
        "" if local else data,
        -1 if skip < 0 else skip + (start if local or not data else 0),
        spacing,
        f"has the space {space}"
        if space and lacking == "space"
        else lacking and f"has no {lacking}",
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


def _numbers(text: str) -> Array:
    try:
        numbers = np.array([float(part) for part in re.split(r"[\s,()]+", text) if part])
    except ValueError:
        numbers = np.array([np.nan])
    if not np.isfinite(numbers).all():
        raise InputError(f"the header holds {text[:60]!r}, expected finite numbers; correct it")
    return numbers


def _check_voxels(path: Path, header: Header) -> None:
    """Compare the bytes that are there with the header's claim; a packed stream to its checksum."""
    source = path.parent / header.data if header.data else path
    odd = re.search(r"%|\\|^list\b|^[a-z]:|\s-?\d+\s|^/|\.\.", header.data.lower())
    if odd or not source.is_file():
        raise InputError(
            f"its voxels lie in {header.data[:60]!r}, expected one file beside the header that is "
            "there; save the image as one file"
        )
    held = source.stat().st_size - max(header.start, 0)
    if header.encoding == "raw" and header.start < 0:
        held = min(held, header.n_bytes)  # they end the file
    most = {"raw": 0, "text": 8}.get(header.encoding, 1032)  # bytes of voxels from one byte
    guards.check_room(header.n_bytes, held, _KIND, packed=most)
    if header.encoding in ("raw", "text"):
        return
    length = 0
    with source.open("rb") as file:
        file.seek(max(header.start, 0))
        packed = zlib.decompressobj(47)  # with the head of zlib or of gzip; both hold a checksum
        while length <= header.n_bytes and not packed.eof:
            if not (block := packed.unconsumed_tail or file.read(_CHUNK)):
                length += len(packed.flush())
                break
            length += len(packed.decompress(block, _CHUNK))
        trailing = source.stat().st_size - file.tell() + len(packed.unused_data)
    if trailing > guards.MOST_TRAILING:
        raise InputError(f"{trailing} bytes follow the voxels, expected none; get the file again")
    if length != header.n_bytes or not packed.eof:
        raise InputError(
            f"not a complete {_KIND} file (its header claims {header.n_bytes} bytes of voxels, its "
            f"stream has {'more' if length > header.n_bytes else length}); get it again"
        )


def segment_names(path: Path) -> dict[int, str]:
    """Names of the segments in a NRRD of 3D Slicer, by label; empty for other files."""
    is_nrrd = path.name.lower().endswith((".nrrd", ".nhdr"))
    return {label: name for label, name, *_ in segments(read_header(path))} if is_nrrd else {}
