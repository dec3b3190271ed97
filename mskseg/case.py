"""A scan with what is known about it, its slices, and sets of scans that are split by subject."""

import hashlib
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field, replace
from functools import cached_property
from typing import Literal, Self, overload

import numpy as np
import numpy.typing as npt

from mskseg.errors import InputError
from mskseg.input_files import printable
from mskseg.intensities import check_image, find_padding, to_8_bit, window_of
from mskseg.splits import Part, make_split
from mskseg.volume import Array, LabelMap, Plane, Volume, on_grid_of

TissueKind = Literal[
    "muscle", "bone", "cartilage", "meniscus", "disc", "vertebra", "fat", "canal", "other"
]
"""Tissues that studies speak of together; `data_manifest.yaml` says which label is which."""

IGNORED = "ignore"  # nnU-Net's name of the label of voxels that were not annotated


@dataclass(frozen=True, eq=False)
class CaseDescription:
    """What is known about a scan without its voxels.

    `subject` is whose image it is: splits keep a subject together. `tissues` and `kinds` are of
    labels; one without is called "label 13", and of the kind "other". `anatomy` to `severity` are
    what tables group by and captions say. `acquired_plane` is None where the voxels tell, which are
    longest across it.
    """

    subject: str
    _: KW_ONLY
    tissues: Mapping[int, str] = field(default_factory=dict)
    kinds: Mapping[int, TissueKind] = field(default_factory=dict)
    anatomy: str = "unknown"
    sequence: str = "unknown"
    dataset: str = "own data"
    reference_provenance: str = "unknown"
    site: str = ""
    side: str = ""
    visit: str = ""
    severity: str = ""
    acquired_plane: Plane | None = None

    @property
    def name(self) -> str:
        """Dataset, subject, sequence and, where known, side and visit, with slashes between."""
        parts = (self.dataset, self.subject, self.sequence, self.side, self.visit)
        return "/".join(filter(None, parts))

    def tissue(self, label: int) -> str:
        """Name of a label, "label 13" where none is known."""
        return self.tissues.get(label, f"label {label}")

    def kind(self, label: int) -> TissueKind:
        """Kind of tissue of a label, "other" where none is known."""
        return self.kinds.get(label, "other")


@dataclass(frozen=True, eq=False)
class CaseSlice:
    """One slice of a case, as a radiologist sees it."""

    image: npt.NDArray[np.uint8] = field(repr=False)  # (H, W), windowed over the whole volume
    label_map: Array | None = field(repr=False)  # (H, W) int, None if the case has no reference
    spacing_mm: tuple[float, float]  # of rows, of columns
    plane: Plane
    index: int  # along the axis of the RAS-reoriented grid

    def with_image(self, image: npt.NDArray[np.uint8]) -> Self:
        """Show another image (H, W) uint8 in the place of this one's."""
        return replace(self, image=image)


@dataclass(frozen=True, eq=False)
class Case(CaseDescription):
    """One image of one subject, with its reference and where they come from.

    A `reference` of the image's lattice is put on its grid, see `mskseg.volume.on_grid_of`; all
    else is as in `CaseDescription`. InputError if the image has NaN or infinite voxels or is zero
    everywhere, if the reference lies on another lattice, or if it holds no label.
    """

    image: Volume
    reference: LabelMap | None = None

    def __post_init__(self) -> None:
        _check_type(self.image, Volume, what=f"the image of {self.name}")
        check_image(self.image, what=f"image of {self.name}")
        if self.reference is not None:
            _check_type(self.reference, LabelMap, what=f"the reference of {self.name}")
            object.__setattr__(self, "reference", on_grid_of(self.image, self.reference))
            if not self.reference.array.any():
                raise InputError(
                    f"the label map of {self.name} holds no label, every voxel is 0; "
                    "give the label map that belongs to the image"
                )
            # Voxels that nnU-Net's "ignore" leaves out of training and scores are refused.
            for label in (label for label, name in self.tissues.items() if name == IGNORED):
                if self.reference.mask(label).any():
                    raise InputError(
                        f"the reference of {self.name} holds the label {label}, {IGNORED!r}: "
                        "nobody has said what is there, and mskseg would score it; give a "
                        "reference without it, or another name if it is a tissue"
                    )

    @property
    def plane(self) -> Plane:
        """The plane that slices are taken in if none is named: the image's acquired plane."""
        return self.acquired_plane or self.image.default_plane

    @cached_property
    def window(self) -> tuple[float, float]:
        """Intensities shown as black and white: percentiles of the measured, non-zero voxels."""
        array, padded = self.image.array, self._padded
        if padded is not None and (low := array[padded].min()) != 0:
            warnings.warn(
                f"{self.name}: {padded.mean():.1%} of the voxels hold {low:g}, which is padding; "
                "left out of the window from black to white",
                stacklevel=2,
            )
        return window_of(array, padded)

    @cached_property
    def _padded(self) -> npt.NDArray[np.bool_] | None:
        """The voxels that the header calls padding, if there are some; else those that look so."""
        said = self.image.padding
        held: npt.NDArray[np.bool_] | None = None if said is None else self.image.array == said
        return held if held is not None and held.any() else find_padding(self.image.array)

    @cached_property
    def windowed(self) -> npt.NDArray[np.uint8]:
        """The whole image scaled to 8 bit, (ni, nj, nk) uint8 on the image's grid."""
        shown = to_8_bit(self.image.array, self.window)
        if self._padded is not None:
            shown[self._padded] = 0
        return shown

    @cached_property
    def fingerprint(self) -> str:
        """The sha256 of the voxels, grids, labels and names: equal for equal data only."""
        described = (self.name, self.anatomy, self.site, sorted(self.tissues.items()))
        return _sha256_of(self.image, self.reference, described=printable(repr(described)))

    @cached_property
    def image_sha256(self) -> str:
        """The sha256 of the image's voxels and grid alone, whatever it is called."""
        return _sha256_of(self.image)

    def slice(self, k: int, plane: Plane | None = None) -> CaseSlice:
        """Slice number k of a plane (default: the acquired one); InputError if there is none."""
        plane = plane or self.plane
        return CaseSlice(
            image=self.image.with_array(self.windowed).slice(plane, k),
            label_map=None if self.reference is None else self.reference.slice(plane, k),
            spacing_mm=self.image.slice_spacing_mm(plane),
            plane=plane,
            index=k,
        )

    def slices(
        self, plane: Plane | None = None, *, labelled_only: bool = False, step: int = 1
    ) -> Iterator[CaseSlice]:
        """Slices of a plane, by default the acquired one, in ascending order.

        With `labelled_only` those whose reference is empty are left out; of the rest the first and
        then every `step`-th are taken, or the middle one where the step is longer than the stack.
        InputError if the plane is unknown, the step is below 1, or labelled slices are asked of a
        case without a reference.
        """
        plane = plane or self.plane
        if step < 1:
            raise InputError(f"expected a step of 1 slice or more, got {step}")
        indices = range(self.image.n_slices(plane))
        kept = self.labelled_slices(plane) if labelled_only else tuple(indices)
        start = len(kept) // 2 if step > len(kept) else 0
        return (self.slice(k, plane) for k in kept[start::step])

    def labelled_slices(self, plane: Plane | None = None) -> tuple[int, ...]:
        """Find the slices of a plane whose reference is not empty, ascending."""
        if self.reference is None:
            raise InputError(f"{self.name} has no reference; give a label map to take slices by")
        labelled = self.reference.stack(plane or self.plane).any(axis=(1, 2))
        return tuple(int(k) for k in np.flatnonzero(labelled))


def _sha256_of(*volumes: Volume | None, described: str = "") -> str:
    digest = hashlib.sha256(described.encode())
    for volume in filter(None, volumes):
        digest.update(f"{volume.shape} {volume.array.dtype.str}".encode())
        digest.update(volume.affine.tobytes())
        for k in range(volume.shape[2]):  # slab by slab: no copy of the volume
            digest.update(np.ascontiguousarray(volume.array[:, :, k]).data)
    return digest.hexdigest()


def _check_type(value: object, kind: type, *, what: str) -> None:
    """Refuse a bare array: without its affine nobody knows where it lies."""
    if not isinstance(value, kind):
        raise InputError(
            f"{what} is a {type(value).__name__}, expected a {kind.__name__}; "
            f"read the file, or give {kind.__name__}(array, affine)"
        )


class CaseSet(Sequence[Case]):
    """Cases under one name, in a fixed order.

    `split_sha256`, of the `Split` that the cases are a part of, goes into the provenance of every
    result. InputError if there is no case, or two have one name (their rows of a table could not be
    told apart).
    """

    def __init__(self, name: str, cases: Sequence[Case]) -> None:
        self.name = name
        self.split_sha256: str | None = None
        self._cases = tuple(cases)
        if not self._cases:
            raise InputError(f"the set {name!r} holds no case; give one or more")
        doubled = [case for case, n in Counter(c.name for c in self._cases).items() if n > 1]
        if doubled:
            raise InputError(
                f"the set {name!r} holds {doubled[0]} more than once; "
                "give each case its own subject, sequence or side"
            )

    def __repr__(self) -> str:
        sizes = f"{len(self.subjects)} subjects, {len(self.tissues)} tissues"
        return f"{type(self).__name__}({self.name!r}: {len(self)} cases, {sizes})"

    def __len__(self) -> int:
        return len(self._cases)

    @overload
    def __getitem__(self, index: int) -> Case: ...

    @overload
    def __getitem__(self, index: slice) -> Self: ...

    def __getitem__(self, index: int | slice) -> Case | Self:
        if isinstance(index, slice):
            return self._of(self._cases[index])
        return self._at(index)

    def _at(self, index: int) -> Case:
        return self._cases[index]

    def _of(self, cases: Sequence[Case], *, name: str | None = None) -> Self:
        """Make a set of some of these cases, still of the same split."""
        made = type(self)(name or self.name, cases)
        made.split_sha256 = self.split_sha256
        return made

    @property
    def subjects(self) -> tuple[str, ...]:
        """The subjects, ascending, each once."""
        return tuple(sorted({case.subject for case in self._cases}))

    @property
    def tissues(self) -> dict[int, str]:
        """Names of all labels that the cases name, by label; the first case that names one wins."""
        named: dict[int, str] = {}
        for case in self._cases:
            for label, tissue in case.tissues.items():
                named.setdefault(label, tissue)
        return dict(sorted(named.items()))

    def where(self, **values: str) -> Self:
        """Keep cases whose attributes have the given values: ``where(site="A", sequence="t1w")``.

        Raises InputError if no case does, or a case has no such attribute.
        """
        unknown = sorted(set(values) - set(Case.__dataclass_fields__))
        if unknown:
            raise InputError(f"a case has no {unknown[0]!r}; choose subject, sequence, site, ...")
        kept = [c for c in self._cases if all(getattr(c, k) == v for k, v in values.items())]
        if not kept:
            raise InputError(f"no case of {self.name!r} has {values}")
        return self._of(kept)

    def split(self, parts: Mapping[Part, int], *, seed: int) -> dict[Part, Self]:
        """Split by subject: all cases of one subject come into one part.

        Subjects are told apart by their name alone, so one name in two datasets stays together,
        which can cost a little balance and never leaks. `parts` are counts of subjects, of "train",
        "validation", "test" and "inference"; subjects beyond them are left out. The `seed` decides
        who goes where, the order of the cases does not. InputError if a part is unknown or empty,
        or the numbers cannot be met.
        """
        split = make_split(self.name, self.subjects, parts=parts, seed=seed)
        result: dict[Part, Self] = {}
        for part, subjects in split.parts.items():
            cases = [case for case in self._cases if case.subject in subjects]
            result[part] = self._of(cases, name=f"{self.name}/{part}")
            result[part].split_sha256 = split.sha256
        return result

    def fingerprint(self) -> str:
        """Return the sha256 over all cases, whatever their order; reads them one by one."""
        prints = sorted(case.fingerprint for case in self)
        return hashlib.sha256("".join(prints).encode()).hexdigest()
