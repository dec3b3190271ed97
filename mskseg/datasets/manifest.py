"""`data_manifest.yaml`: every data set and checkpoint, where it is and what it must hash to.

No other module knows an address, a size or a checksum. `mskseg.datasets.fetching` brings the files.
"""

import os
from collections.abc import Hashable, Mapping
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PositiveInt,
    ValidationError,
    model_validator,
)

from mskseg.case import TissueKind
from mskseg.datasets.layouts import Layout, MatlabLayout
from mskseg.errors import InputError
from mskseg.input_files import read_yaml, user_path
from mskseg.splits import Part, Split
from mskseg.volume import Plane

Access = Literal["package", "direct", "registration", "instructions"]
Provenance = Literal["manual", "semi-automatic", "automatic", "synthetic", "unknown"]
EntryName = Annotated[str, Field(pattern=r"^[a-z0-9_]+$")]
# Labels as "1-4, 7"; YAML reads a lone number as one.
Ranges = Annotated[str, BeforeValidator(str), Field(pattern=r"^\d+(-\d+)?(, *\d+(-\d+)?)*$")]
# Plain http only for this machine: the tests' server.
Url = Annotated[str, Field(pattern=r"^(https://|http://127\.0\.0\.1:)\S+$")]


class _Strict(BaseModel):
    """Frozen, and a misspelt field is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class RemoteFile(_Strict):
    """A file of an entry: its name in the cache, its content, and where it comes from."""

    # In the cache. No folder, no leading dot: it cannot leave its entry's folder.
    name: str = Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$")
    url: Url | None = None  # pinned to a version; absent where only a person can get the file
    bytes: PositiveInt | None = None  # absent where only the checksum is known
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    # Inside the installed package of the entry.
    path: str | None = Field(default=None, pattern=r"^[A-Za-z0-9_][A-Za-z0-9_./-]*$")


class _Entry(_Strict):
    """What data sets and models have in common; `unverified` are statements nobody has checked.

    `access` is "package" (comes with an installed one), "direct" (from its address), "registration"
    (a person agrees to terms and brings a folder) or "instructions" (brings files known by sha256).
    """

    title: str
    access: Access
    package: str | None = Field(default=None, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
    licence: str
    citation: str
    homepage: Url | None = None
    note: str = ""
    instructions: str = ""
    unverified: tuple[str, ...] = ()

    @property
    def roles(self) -> Mapping[str, RemoteFile]:
        """The files by their role."""
        raise NotImplementedError

    @model_validator(mode="after")
    def _access_fits(self) -> Self:
        files = list(self.roles.values())
        if self.access == "package" and self.package is None:
            raise ValueError("say in `package` what an entry of a package comes with")
        if self.package and self.access not in ("package", "direct"):
            raise ValueError("`package` belongs to entries of packages and to direct ones")
        if any((file.path is None) == (self.package is not None) for file in files):
            raise ValueError("a file has a `path` if, and only if, it lies inside a package")
        if self.access == "registration" and files:
            raise ValueError("registration entries are read from a folder, they have no files")
        if self.access in ("direct", "instructions") and not files:
            raise ValueError("an entry to fetch needs files")
        if self.access == "direct" and any(file.url is None for file in files):
            raise ValueError("direct access needs a url for each file")
        if self.access in ("registration", "instructions") and not self.instructions:
            raise ValueError("say in `instructions` how a person gets the files")
        return self


class Reference(_Strict):
    """Where a label map comes from; "semi-automatic" ones are automatic, gone over by a person."""

    provenance: Provenance
    note: str  # who says so, and what is not known


class DatasetEntry(_Entry):
    """Images with or without a reference."""

    anatomy: str
    sequence: str
    subjects: PositiveInt | None = None  # how many people; absent where it is not known
    reference: Reference | None = None  # absent where no label map comes with the images
    # By role: "image", "reference", "label_names", or what the entry's note says.
    files: dict[EntryName, RemoteFile] = {}
    # "label 13" where the meaning is not documented. Where some labels are named, a label map with
    # any other value is refused.
    labels: dict[PositiveInt, str] = {}
    kinds: dict[TissueKind, Ranges] = {}  # labels of each kind; those left out are "other"
    # How a folder of many scans is ordered; its files, if any, are zip archives of that folder, or
    # the files of one person each (MATLAB).
    layout: Layout | None = None
    # Of the slices, where spacings are equal and the voxels do not tell.
    plane: Plane | None = None
    split: dict[Part, tuple[str, ...]] = {}  # who is in which part, where that is laid down
    first_run: bool = False  # real scans that `mskseg run` fetches, of a split those to report
    shares_people_with: tuple[EntryName, ...] = ()  # never train on one and report on the other

    @property
    def roles(self) -> Mapping[str, RemoteFile]:
        """The files by their role."""
        return self.files

    @property
    def label_kinds(self) -> dict[int, TissueKind]:
        """The kind of each named label, where the entry gives one."""
        return {
            label: kind
            for kind, ranges in self.kinds.items()
            for label in self.labels
            if any(low <= label <= high for low, high in _bounds(ranges))
        }

    @model_validator(mode="after")
    def _kinds_fit(self) -> Self:
        for kind, ranges in self.kinds.items():
            for low, high in _bounds(ranges):
                of_range = {self.label_kinds.get(k) for k in self.labels if low <= k <= high}
                if of_range != {kind}:
                    raise ValueError(
                        f"{kind} {low}-{high} names no label, or one of another kind too"
                    )
        return self

    @model_validator(mode="after")
    def _layout_fits(self) -> Self:
        if self.access == "registration" and self.layout is None:
            raise ValueError("a registration entry needs the layout of its folder")
        if self.layout is not None and self.access == "package":
            raise ValueError("data sets of packages have no layout")
        suffix = ".mat" if isinstance(self.layout, MatlabLayout) else ".zip"
        if self.layout and any(not file.name.endswith(suffix) for file in self.files.values()):
            raise ValueError(f"the files of a data set with this layout end in {suffix}")
        if self.split:
            Split("this data set", self.split)
        return self


def _bounds(ranges: str) -> list[tuple[int, int]]:
    """Read "1-4, 7" as (1, 4) and (7, 7)."""
    parts = [part.split("-") for part in ranges.split(",")]
    return [(int(part[0]), int(part[-1])) for part in parts]


class ModelEntry(_Entry):
    """A checkpoint."""

    architecture: EntryName  # see `mskseg.models.checkpoints.architectures`
    preprocessing: EntryName  # of its training; see `mskseg.models.preprocessing.preprocessings`
    miniature: bool = False  # our small stand-ins
    learned_iou: bool = True  # False if its head for predicted IoU was never trained
    weights: RemoteFile

    @property
    def roles(self) -> Mapping[str, RemoteFile]:
        """The one file, by its role "weights"."""
        return {"weights": self.weights}


class Manifest(_Strict):
    """All entries. A name is a data set's or a model's, never both."""

    datasets: dict[EntryName, DatasetEntry]
    models: dict[EntryName, ModelEntry]

    @model_validator(mode="after")
    def _names_are_unique(self) -> Self:
        both = sorted(self.datasets.keys() & self.models.keys())
        if both:
            raise ValueError(f"{both[0]} names a data set and a model")
        for name, entry in self.datasets.items():
            if unknown := set(entry.shares_people_with) - self.datasets.keys():
                raise ValueError(f"{name} shares people with {min(unknown)}, which is not here")
        return self

    def entry(self, name: str) -> DatasetEntry | ModelEntry:
        """Find an entry by its name; InputError with the known names if there is none."""
        entries: dict[str, DatasetEntry | ModelEntry] = {**self.datasets, **self.models}
        if name not in entries:
            raise InputError(
                f"{name!r} is not in the manifest; choose one of {', '.join(sorted(entries))}"
            )
        return entries[name]


def manifest_path() -> Path:
    """Find the manifest: that of ``MSKSEG_MANIFEST``, of the package or of the checkout."""
    if chosen := os.environ.get("MSKSEG_MANIFEST"):
        return user_path(chosen)
    packaged = Path(str(resources.files("mskseg"))) / "data_manifest.yaml"
    return packaged if packaged.is_file() else packaged.parents[1] / packaged.name


def load_manifest() -> Manifest:
    """Read and validate the manifest at `manifest_path`; InputError names its first fault."""
    return _load(manifest_path())


@lru_cache(maxsize=4)
def _load(path: Path) -> Manifest:
    try:
        return Manifest.model_validate(read_yaml(path, _UniqueKeys))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the top level"
        raise InputError(
            f"{path} is not a manifest: {where}: {first['msg']} (errors: {error.error_count()})"
        ) from error


class _UniqueKeys(yaml.SafeLoader):
    """Safe YAML that refuses a key given twice, of which YAML itself keeps the last in silence."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, Hashable):
                continue  # which the base class reports
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"{key!r} is given twice; each name once", key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep=deep)
