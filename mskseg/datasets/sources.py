"""The three kinds of data set behind one interface: a folder, one scan, or what a package makes."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

from mskseg.case import CaseDescription, CaseSet
from mskseg.datasets.fetching import cache_path, dataset_folder, fetch, is_fetched, is_offline
from mskseg.datasets.layouts import MatlabLayout, read_folder
from mskseg.datasets.manifest import DatasetEntry, load_manifest
from mskseg.datasets.scans import LazyCaseSet, scan_files
from mskseg.errors import InputError, did_you_mean
from mskseg.registry import load_offer
from mskseg.splits import SHARES, Part, Split, stored_split

SPLIT_SEED = 0
"""Of the split that is made and kept for a data set that has none of its own."""

_NOT_IMAGES = ("reference", "label_names", "instances")  # roles of files that show no tissue


class DatasetSource(ABC):
    """Who and what is in a data set; a package that makes some offers a class derived from it."""

    def __init__(self, name: str) -> None:
        self.name = name

    @abstractmethod
    def subjects(self) -> tuple[str, ...]:
        """List all subjects."""

    @abstractmethod
    def sequences(self) -> tuple[str, ...]:
        """List all sequences that can be asked for."""

    def default_sequences(self, subjects: Sequence[str]) -> tuple[str, ...]:  # noqa: ARG002
        """List the sequences of some subjects that are loaded if none is asked for."""
        return self.sequences()

    def split(self) -> Split | None:
        """Give the split that belongs to the data set; None if there are too few subjects."""
        return None

    def subjects_here(self) -> tuple[str, ...]:
        """List the subjects who can be loaded without a download."""
        return self.subjects() if is_fetched(self.name) else ()

    @abstractmethod
    def load(
        self, subjects: Sequence[str], sequences: Sequence[str], *, progress: bool = True
    ) -> CaseSet:
        """Load one case for each image: by subject, then by sequence, in the order given."""

    def subjects_in(self, part: Part | None) -> tuple[str, ...]:
        """List the subjects of a part of the split, or all; InputError if there is no such part."""
        if part is None:
            return self.subjects()
        split = self.split()
        if split is None:
            raise InputError(
                f"{self.name} has no split of its own; that takes {len(SHARES)} subjects or more, "
                f"and it has {len(self.subjects())}; use it whole"
            )
        if part not in split.parts:
            raise InputError(f"unknown part {part!r}; choose one of {', '.join(split.parts)}")
        return split.parts[part]


class FolderSource(DatasetSource):
    """A folder of many scans in a known layout, each read when it is asked for."""

    def __init__(self, name: str, cases: LazyCaseSet) -> None:
        super().__init__(name)
        self._cases = cases

    def subjects(self) -> tuple[str, ...]:
        """List the subjects in the order of their files."""
        return tuple(dict.fromkeys(scan.subject for scan in self._cases.scans))

    def sequences(self) -> tuple[str, ...]:
        """List the sequences in the order of their files."""
        return self.default_sequences(self.subjects())

    def default_sequences(self, subjects: Sequence[str]) -> tuple[str, ...]:
        """List the sequences of some subjects in the order of their files."""
        scans = [scan for scan in self._cases.scans if scan.subject in subjects]
        return tuple(dict.fromkeys(scan.sequence for scan in scans))

    def split(self) -> Split | None:
        """Read the split from the cache; it is made and kept there when first asked for."""
        subjects = self._cases.subjects
        if len(subjects) < len(SHARES):
            return None
        path = cache_path("splits", f"{self.name}-seed{SPLIT_SEED}.json")
        return stored_split(path, dataset=self.name, subjects=subjects, seed=SPLIT_SEED)

    def subjects_here(self) -> tuple[str, ...]:
        """List all subjects: the folder was read, brought by a person or unpacked."""
        return self.subjects()

    def load(
        self, subjects: Sequence[str], sequences: Sequence[str], **_options: object
    ) -> LazyCaseSet:
        """Choose scans; the layout has listed them, and nothing is read yet."""
        scans = [
            scan
            for subject in subjects
            for scan in self._cases.scans
            if scan.subject == subject and scan.sequence in sequences
        ]
        return LazyCaseSet(self.name, scans)


class FilesSource(FolderSource):
    """One file for each person, fetched when asked for; offline only people who are here."""

    def __init__(self, name: str, entry: DatasetEntry, layout: MatlabLayout) -> None:
        paths = {role: cache_path(name, file.name) for role, file in entry.files.items()}
        self._roles = {path: role for role, path in paths.items()}
        here = [path for path in self._roles if path.is_file() or not is_offline()]
        scans = layout.scans_of(here, describe_dataset(name, entry))
        super().__init__(name, LazyCaseSet(name, scans))
        self._split = Split(name, entry.split) if entry.split else None

    def split(self) -> Split | None:
        """Give the split that the manifest lays down."""
        return self._split

    def subjects_here(self) -> tuple[str, ...]:
        """List the subjects whose files are in the cache."""
        return tuple(scan.subject for scan in self._cases.scans if scan.image.is_file())

    def roles_of(self, subjects: Sequence[str]) -> list[str]:
        """Name the files of some subjects by their roles in the manifest."""
        return [self._roles[s.image] for s in self._cases.scans if s.subject in subjects]

    def subjects_in(self, part: Part | None) -> tuple[str, ...]:
        """List those of a part, or all, who are here or can be fetched; InputError if nobody is."""
        wanted = super().subjects_in(part)
        found = tuple(subject for subject in wanted if subject in self.subjects())
        if not found:
            raise InputError(
                f"expected {len(wanted)} people of {self.name}/{part or 'all'}, got none, and "
                f"downloads are switched off; run `mskseg data fetch {self.name}`"
            )
        return found

    def load(
        self, subjects: Sequence[str], sequences: Sequence[str], **options: object
    ) -> LazyCaseSet:
        """Fetch the files of some people; they are read when they are asked for."""
        progress = bool(options.get("progress", True))
        fetch(self.name, roles=self.roles_of(subjects), progress=progress)
        return super().load(subjects, sequences)


class ScanSource(DatasetSource):
    """The files of one subject, one case for each image; its name is that of the data set."""

    def __init__(self, name: str, entry: DatasetEntry) -> None:
        super().__init__(name)
        self._entry = entry

    def subjects(self) -> tuple[str, ...]:
        """List the one subject."""
        return (self.name,)

    def sequences(self) -> tuple[str, ...]:
        """List the sequences of the images; InputError if there is no image."""
        return tuple(self._image_roles())

    def load(
        self,
        subjects: Sequence[str],  # noqa: ARG002
        sequences: Sequence[str],
        *,
        progress: bool = True,
    ) -> CaseSet:
        """Fetch the files and read them."""
        paths, roles = fetch(self.name, progress=progress), self._image_roles()
        template = describe_dataset(self.name, self._entry)
        scans = [
            scan_files(
                template,
                {"subject": self.name, "sequence": sequence},
                image=paths[roles[sequence]],
                reference=paths.get("reference"),
            )
            for sequence in sequences
        ]
        return CaseSet(self.name, [scan.load() for scan in scans])

    def _image_roles(self) -> dict[str, str]:
        """Say which file holds the image of each sequence."""
        roles = [role for role in self._entry.roles if role not in _NOT_IMAGES]
        if not roles:
            raise InputError(
                f"{self.name} holds a label map and no image; read it with load_label_map from the "
                "path that fetch gives"
            )
        sequence = self._entry.sequence
        return {sequence if r == "image" else f"{sequence} {r}": r for r in roles}


def source_of(name: str, *, download: bool = False, progress: bool = False) -> DatasetSource:
    """Give the source of a data set of the manifest; InputError if it is unknown or not here."""
    entry = dataset_entry(name)
    if isinstance(entry.layout, MatlabLayout) and entry.files:
        return FilesSource(name, entry, entry.layout)
    if entry.layout is not None:
        folder = dataset_folder(name, download=download, progress=progress)
        cases = read_folder(folder, entry.layout, template=describe_dataset(name, entry))
        return FolderSource(name, cases)
    if entry.package is not None and not entry.files:
        source: DatasetSource = load_offer("mskseg.datasets", entry.package)(name)
        return source
    return ScanSource(name, entry)


def dataset_entry(name: str) -> DatasetEntry:
    """Give a data set's entry in the manifest; InputError with the names if there is none."""
    datasets = load_manifest().datasets
    if name not in datasets:
        raise InputError(
            f"unknown data set {name!r}; choose one of {', '.join(sorted(datasets))}"
            f"{did_you_mean(name, datasets)}"
        )
    return datasets[name]


def describe_dataset(name: str, entry: DatasetEntry) -> CaseDescription:
    """Describe what all scans of a data set share."""
    return CaseDescription(
        subject="",
        dataset=name,
        anatomy=entry.anatomy,
        sequence=entry.sequence,
        tissues=entry.labels,
        kinds=entry.label_kinds,
        acquired_plane=entry.plane,
        reference_provenance=entry.reference.provenance if entry.reference else "unknown",
    )
