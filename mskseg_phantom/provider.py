"""Phantoms as data sets: made on first use, only as far as asked for, and kept in the cache."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tqdm.auto import tqdm

import mskseg_phantom
from mskseg.case import Case, CaseSet
from mskseg.datasets.fetching import cache_dir, fetch
from mskseg.datasets.manifest import load_manifest
from mskseg.datasets.sources import DatasetSource
from mskseg.errors import InputError
from mskseg.io import load_image, load_label_map, save_nifti
from mskseg.splits import Part, Split
from mskseg.volume import LabelMap, Volume
from mskseg_phantom.anatomies import find_anatomy
from mskseg_phantom.scans import (
    REAL_ANATOMY,
    REAL_SUBJECT,
    dataset_name,
    knee_map_case,
    phantom_case,
    subject_name,
)
from mskseg_phantom.tissue.sequences import ECHO_IMAGES, images_of

_REAL_KNEE = "pymskt_knee"  # the data set whose label map gives the real anatomy


@dataclass(frozen=True)
class Phantom:
    """How one data set is made; everything is asked for when it is needed."""

    numbers: Callable[[], Mapping[Part, tuple[int, ...]]]  # of the subjects in each part
    subject_name: Callable[[int], str]  # by the subject's number
    # scan(number, sequences=..., granularity=...) makes one Case for each image.
    scan: Callable[..., Iterable[Case]]
    # describe(number, image, reference, sequence=..., granularity=...): of a scan read again.
    describe: Callable[..., Case]
    sequences: tuple[str, ...]  # those made if none is asked for
    granularities: tuple[str, ...] = ()  # of its labels, the default first


def _phantom_of(anatomy: str) -> Phantom:
    entry = find_anatomy(anatomy)
    return Phantom(
        numbers=partial(mskseg_phantom.split_of, anatomy),
        subject_name=partial(subject_name, anatomy),
        # Looked up at each call, so that a test can put a smaller one in its place.
        scan=lambda number, **options: mskseg_phantom.scan_phantom(anatomy, number, **options),
        describe=partial(phantom_case, anatomy),
        sequences=entry.sequences,
        granularities=entry.granularities,
    )


def _scan_real_knee(_: int, *, sequences: Sequence[str], **_options: object) -> Iterable[Case]:
    label_map = load_label_map(fetch(_REAL_KNEE, progress=False)["reference"])
    entry = load_manifest().datasets[_REAL_KNEE]
    return mskseg_phantom.scan_knee_map(
        label_map, entry.labels, kinds=entry.label_kinds, sequences=sequences
    )


def _describe_real_knee(
    _: int, image: Volume, reference: LabelMap, *, sequence: str, **_options: object
) -> Case:
    entry = load_manifest().datasets[_REAL_KNEE]
    return knee_map_case(image, reference, entry.labels, kinds=entry.label_kinds, sequence=sequence)


PHANTOMS: Mapping[str, Phantom] = {
    **{dataset_name(anatomy): _phantom_of(anatomy) for anatomy in mskseg_phantom.ANATOMIES},
    REAL_ANATOMY: Phantom(
        numbers=lambda: {"test": (1,)},
        subject_name=lambda _: REAL_SUBJECT,
        scan=_scan_real_knee,
        describe=_describe_real_knee,
        sequences=find_anatomy("knee").sequences,
    ),
}
"""The built-in data sets, by their id in the manifest."""


class PhantomSource(DatasetSource):
    """A phantom by its name in the manifest, made on first use."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._phantom = PHANTOMS[name]
        self.granularities = self._phantom.granularities

    def subjects(self) -> tuple[str, ...]:
        """List the subjects, by the parts of the split."""
        return tuple(subject for part in self.split().parts.values() for subject in part)

    def split(self) -> Split:
        """Give the split that belongs to the phantom."""
        parts: dict[Part, tuple[str, ...]] = {
            part: tuple(map(self._phantom.subject_name, numbers))
            for part, numbers in self._phantom.numbers().items()
        }
        return Split(self.name, parts)

    def sequences(self) -> tuple[str, ...]:
        """List all that can be asked of a phantom, those made by default first."""
        first = self._phantom.sequences
        return tuple(dict.fromkeys((*first, *mskseg_phantom.SEQUENCES, *ECHO_IMAGES)))

    def default_sequences(self, subjects: Sequence[str]) -> tuple[str, ...]:  # noqa: ARG002
        """List the sequences that are made if none is asked for, the same for all subjects."""
        return self._phantom.sequences

    def load(
        self,
        subjects: Sequence[str],
        sequences: Sequence[str],
        *,
        granularity: str | None = None,
        progress: bool = True,
    ) -> CaseSet:
        """Read scans of a phantom from the cache, and make those that are missing or damaged.

        By subject, then by sequence, in the order asked for; ``mese`` gives one case for each echo.
        Raises OutputError if the cache cannot be written to.
        """
        phantom = self._phantom
        numbers = {phantom.subject_name(n): n for part in phantom.numbers().values() for n in part}
        images = images_of(sequences)
        files = {s: _files(self.name, s, images, granularity) for s in subjects}
        missing = [s for s in subjects if not all(path.is_file() for path in files[s].values())]
        hidden = not (progress and missing)
        with tqdm(total=len(missing), desc=self.name, unit="subject", disable=hidden) as bar:
            cases = []
            for subject in subjects:
                cases += _one_subject(phantom, numbers[subject], files[subject], granularity)
                bar.update(subject in missing)
        return CaseSet(self.name, cases)


provider = PhantomSource  # what the entry point names


def _one_subject(
    phantom: Phantom, number: int, files: Mapping[str, Path], granularity: str | None
) -> list[Case]:
    missing = [kind for kind, path in files.items() if not path.is_file()]
    _make(phantom, number, files, missing, granularity)
    try:
        return _read(phantom, number, files, granularity)
    except InputError:
        _make(phantom, number, files, list(files), granularity)
    return _read(phantom, number, files, granularity)  # what later calls will read, to the last bit


def _make(
    phantom: Phantom,
    number: int,
    files: Mapping[str, Path],
    kinds: Sequence[str],
    granularity: str | None,
) -> None:
    """Write files of some kinds; the labels come with an image, if need be the first again."""
    if not kinds:
        return
    sequences = [k for k in kinds if k != "labels"] or [k for k in files if k != "labels"][:1]
    for case in phantom.scan(number, sequences=sequences, granularity=granularity):
        save_nifti(case.image, files[case.sequence])
        if case.reference is not None and ("labels" in kinds or not files["labels"].is_file()):
            save_nifti(case.reference, files["labels"])
            kinds = [k for k in kinds if k != "labels"]


def _read(
    phantom: Phantom, number: int, files: Mapping[str, Path], granularity: str | None
) -> list[Case]:
    reference: LabelMap = load_label_map(files["labels"])
    images: dict[str, Volume] = {k: load_image(p) for k, p in files.items() if k != "labels"}
    return [
        phantom.describe(number, image, reference, sequence=sequence, granularity=granularity)
        for sequence, image in images.items()
    ]


def _files(
    name: str, subject: str, images: Sequence[str], granularity: str | None
) -> dict[str, Path]:
    folder = cache_dir() / name / f"version-{mskseg_phantom.PHANTOM_VERSION}"
    default = granularity is None or granularity == PHANTOMS[name].granularities[0]
    labels = "labels" if default else f"labels-{granularity}"
    return {
        "labels": folder / f"{subject}_{labels}.nii.gz",
        **{image: folder / f"{subject}_{image}.nii.gz" for image in images},
    }
