"""Phantoms as data sets: made on first use, only as far as asked for, and kept in the cache."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from tqdm.auto import tqdm

import mskseg_phantom
from mskseg.case import Case, CaseDescription, CaseSet
from mskseg.datasets.fetching import cache_dir
from mskseg.datasets.sources import DatasetSource
from mskseg.errors import InputError
from mskseg.io import load_image, load_label_map, save_nifti
from mskseg.splits import Split
from mskseg_phantom.anatomies import find_anatomy
from mskseg_phantom.scans import case_of, describe_phantom, subject_name
from mskseg_phantom.tissue.sequences import ECHO_IMAGES, images_of


class PhantomSource(DatasetSource):
    """A phantom by its name in the manifest, made on first use."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._anatomy = name.removeprefix("phantom_")
        self._entry = find_anatomy(self._anatomy)

    def subjects(self) -> tuple[str, ...]:
        """List the subjects, by the parts of the split."""
        return tuple(subject for part in self.split().parts.values() for subject in part)

    def split(self) -> Split:
        """Give the split that belongs to the phantom."""
        parts = {
            part: tuple(subject_name(self._anatomy, number) for number in numbers)
            for part, numbers in mskseg_phantom.split_of(self._anatomy).items()
        }
        return Split(self.name, parts)

    def sequences(self) -> tuple[str, ...]:
        """List all that can be asked of a phantom, those made by default first."""
        first = self._entry.sequences
        return tuple(dict.fromkeys((*first, *mskseg_phantom.SEQUENCES, *ECHO_IMAGES)))

    def default_sequences(self, subjects: Sequence[str]) -> tuple[str, ...]:  # noqa: ARG002
        """List the sequences that are made if none is asked for, the same for all subjects."""
        return self._entry.sequences

    def load(
        self, subjects: Sequence[str], sequences: Sequence[str], *, progress: bool = True
    ) -> CaseSet:
        """Read scans from the cache by subject and sequence; make what is missing or damaged."""
        images = images_of(sequences)
        files = {s: self._files(s, images) for s in subjects}
        missing = [s for s in subjects if not all(path.is_file() for path in files[s].values())]
        hidden = not (progress and missing)
        shown = tqdm(subjects, desc=self.name, unit="subject", disable=hidden)
        return CaseSet(self.name, [case for s in shown for case in self._one_subject(s, files[s])])

    def _files(self, subject: str, images: Sequence[str]) -> dict[str, Path]:
        folder = cache_dir() / self.name / f"version-{mskseg_phantom.PHANTOM_VERSION}"
        return {kind: folder / f"{subject}_{kind}.nii.gz" for kind in ("labels", *images)}

    def _one_subject(self, subject: str, files: Mapping[str, Path]) -> list[Case]:
        missing = [kind for kind, path in files.items() if not path.is_file()]
        self._make(subject, files, missing)
        about = describe_phantom(self._anatomy, _number(subject))
        try:
            return _read(about, files)
        except InputError:
            self._make(subject, files, list(files))
        return _read(about, files)  # what later calls will read, to the last bit

    def _make(self, subject: str, files: Mapping[str, Path], kinds: Sequence[str]) -> None:
        """Write files of some kinds; the labels come with an image, if need be the first again."""
        if not kinds:
            return
        sequences = [k for k in kinds if k != "labels"] or [k for k in files if k != "labels"][:1]
        for case in self._scan(subject, sequences):
            save_nifti(case.image, files[case.sequence])
            if case.reference is not None and ("labels" in kinds or not files["labels"].is_file()):
                save_nifti(case.reference, files["labels"])
                kinds = [k for k in kinds if k != "labels"]

    def _scan(self, subject: str, sequences: Sequence[str]) -> Iterable[Case]:
        # Looked up at each call, so that a test can put a smaller one in its place.
        return mskseg_phantom.scan_phantom(self._anatomy, _number(subject), sequences=sequences)


provider = PhantomSource  # what the entry point names


def _number(subject: str) -> int:
    return int(subject.rpartition("-")[2])


def _read(about: CaseDescription, files: Mapping[str, Path]) -> list[Case]:
    reference = load_label_map(files["labels"])
    images = {kind: load_image(path) for kind, path in files.items() if kind != "labels"}
    return [case_of(about, sequence, image, reference) for sequence, image in images.items()]
