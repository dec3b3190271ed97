"""The form of `data_manifest.yaml`: typed entries, and what makes one valid."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, model_validator

from mskseg.errors import InputError

Access = Literal["builtin", "direct", "instructions"]
EntryName = Annotated[str, Field(pattern=r"^[a-z0-9_]+$")]
# Plain http only for this machine: the tests' server.
Url = Annotated[str, Field(pattern=r"^(https://|http://127\.0\.0\.1:)\S+$")]


class _Strict(BaseModel):
    """Frozen, and a misspelt field is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class RemoteFile(_Strict):
    """A file that is not ours: how it is called, what it must be, and where it is if anywhere.

    Attributes
    ----------
    name : str
        In the cache. No folder, no leading dot: it cannot leave its entry's folder.
    url : str, optional
        Pinned to a version. Absent where only a person can get the file (see `instructions`).
    bytes : int
        Size.
    sha256 : str
        64 hexadecimal digits, of the whole file.
    """

    name: str = Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$")
    url: Url | None = None
    bytes: PositiveInt
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class _Entry(_Strict):
    """What data sets and models have in common."""

    title: str
    access: Access
    licence: str
    citation: str
    homepage: Url | None = None
    note: str = ""
    instructions: str = ""

    @property
    def roles(self) -> Mapping[str, RemoteFile]:
        """The files by their role."""
        raise NotImplementedError

    @model_validator(mode="after")
    def _access_fits(self) -> _Entry:
        files = list(self.roles.values())
        if self.access == "builtin" and files:
            raise ValueError("builtin entries come with the package and have no files to fetch")
        if self.access != "builtin" and not files:
            raise ValueError("an entry to fetch needs files")
        if self.access == "direct" and any(file.url is None for file in files):
            raise ValueError("direct access needs a url for each file")
        if self.access == "instructions" and not self.instructions:
            raise ValueError("say in `instructions` how a person gets the files")
        return self


class Reference(_Strict):
    """Where a data set's label map comes from; shown beside every score against it.

    Attributes
    ----------
    provenance : {"synthetic", "manual", "semi-automatic", "automatic", "unknown"}
        "synthetic" labels are exact; "semi-automatic" ones a person went over.
    note : str
        Who says so, and what is not known.
    """

    provenance: Literal["synthetic", "manual", "semi-automatic", "automatic", "unknown"]
    note: str


class DatasetEntry(_Entry):
    """Images with or without a reference.

    Attributes
    ----------
    anatomy, sequence : str
        As shown in tables.
    reference : Reference, optional
        Absent where no label map comes with the images.
    files : dict of role to RemoteFile
        Roles: "image", "reference", "label_names", or what the entry's note says.
    labels : dict of int to str
        Tissue of each value in the reference; "label 13" where its meaning is not documented.
    """

    anatomy: str
    sequence: str
    reference: Reference | None = None
    files: dict[EntryName, RemoteFile] = {}
    labels: dict[PositiveInt, str] = {}

    @property
    def roles(self) -> Mapping[str, RemoteFile]:
        """The files by their role."""
        return self.files


class ModelEntry(_Entry):
    """A checkpoint.

    Attributes
    ----------
    architecture : {"vit_b", "vit_l", "vit_h", "vit_mini"}
        What the weights fit into.
    preprocessing : {"sam", "medsam"}
        What the model was trained with.
    miniature : bool
        True for our small stand-ins.
    learned_iou : bool
        False if its head for predicted IoU was never trained.
    weights : RemoteFile, optional
        The file, unless it comes with the package.
    package_path : str, optional
        Of built-in weights, below the folder of the package `mskseg`.
    """

    architecture: Literal["vit_b", "vit_l", "vit_h", "vit_mini"]
    preprocessing: Literal["sam", "medsam"]
    miniature: bool = False
    learned_iou: bool = True
    weights: RemoteFile | None = None
    package_path: str | None = Field(default=None, pattern=r"^models/mini/[a-z0-9_]+\.safetensors$")

    @property
    def roles(self) -> Mapping[str, RemoteFile]:
        """The files by their role, which is "weights"."""
        return {} if self.weights is None else {"weights": self.weights}

    @model_validator(mode="after")
    def _builtin_has_path(self) -> ModelEntry:
        if (self.access == "builtin") != (self.package_path is not None):
            raise ValueError("package_path belongs to builtin models, and to them only")
        return self


class Manifest(_Strict):
    """All entries. A name is a data set's or a model's, never both."""

    datasets: dict[EntryName, DatasetEntry]
    models: dict[EntryName, ModelEntry]

    @model_validator(mode="after")
    def _names_are_unique(self) -> Manifest:
        both = sorted(self.datasets.keys() & self.models.keys())
        if both:
            raise ValueError(f"{both[0]} names a data set and a model")
        return self

    def entry(self, name: str) -> DatasetEntry | ModelEntry:
        """Give the entry of that name.

        Raises
        ------
        InputError
            If there is none; the message lists the names.
        """
        entries: dict[str, DatasetEntry | ModelEntry] = {**self.datasets, **self.models}
        if name not in entries:
            raise InputError(
                f"{name!r} is not in the manifest; choose one of {', '.join(sorted(entries))}"
            )
        return entries[name]
