"""Whose scans are looked at: real people first, people of another site apart, then phantoms."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
import pandas as pd

from mskseg.case import Case, CaseDescription, CaseSet
from mskseg.datasets import (
    list_at_hand,
    load_cases,
    load_manifest,
    load_some,
    load_splits,
    verify,
)
from mskseg.datasets.sources import source_of
from mskseg.evaluation import KeptPredictions, score_cases
from mskseg.evaluation.scoring import Further
from mskseg.models import Segmenter
from mskseg.prompts.plans import Memory, PromptPlan
from mskseg.splits import Part
from mskseg.volume import LabelMap

PEOPLE, OTHER_SITE, PHANTOMS = "people", "people, other site", "phantoms"
Role = Literal["training data", "same site", "other sequence", "other site", "other anatomy"]
"""What a scan is to a trained model, from near to far; see `role_of`."""

_GROUPS: dict[Part, str] = {"test": PEOPLE, "inference": OTHER_SITE}


def load_people(
    names: Iterable[str], *, n_people: int, n_drawn: int, n_sequences: int | None = 1
) -> dict[str, list[CaseSet]]:
    """Load the first of those whose scores may be reported: real people, and phantoms apart.

    Of data sets of the manifest that are at hand. `n_people` are of each set of real scans: of its
    test part where it has a split, and as many of its inference part where that is another site; of
    these only people who are here count. `n_drawn` are of each phantom's test part; `n_sequences`
    is as in `mskseg.load_some`. The sets are under `PEOPLE`, `OTHER_SITE` and `PHANTOMS`, in this
    order and without what is empty.
    """
    groups: dict[str, list[CaseSet]] = {PEOPLE: [], OTHER_SITE: [], PHANTOMS: []}
    for name in names:
        if (drawn := is_drawn(name)) or not load_splits([name]):
            n, group = (n_drawn, PHANTOMS) if drawn else (n_people, PEOPLE)
            groups[group].append(load_some(name, n_subjects=n, n_sequences=n_sequences))
            continue
        sites: set[str] = set()
        for part, group in _GROUPS.items():
            if here := list_at_hand(name, part=part)[:n_people]:
                sequences = source_of(name).default_sequences(here)[:n_sequences]
                some = load_cases(name, subjects=here, sequences=sequences)
                if group == PEOPLE or some[0].site not in sites:
                    groups[group].append(some)
                sites |= {case.site for case in some}
    return {group: sets for group, sets in groups.items() if sets}


def is_drawn(name: str) -> bool:
    """Whether the images of a data set were drawn from their labels."""
    reference = load_manifest().datasets[name].reference
    return reference is not None and reference.provenance == "synthetic"


def named_once(case: Case) -> Case:
    """Give labels of one name, such as vertebrae that are only counted, one label: the lowest."""
    tissues = case.tissues
    first = {tissue: label for label, tissue in sorted(tissues.items(), reverse=True)}
    if len(first) == len(tissues) or case.reference is None:
        return case
    array = case.reference.array
    table = np.arange(int(array.max()) + 1, dtype=array.dtype)
    for label in tissues:
        if label < len(table):
            table[label] = first[tissues[label]]
    reference = LabelMap(table[array], case.reference.affine)
    kept = {label: tissues[label] for label in sorted(first.values())}
    return replace(case, reference=reference, tissues=kept)


def slice_steps(groups: Iterable[str], *, real: int, phantoms: int) -> dict[str, int]:
    """Say for each group every how many slices are taken: real scans often have thinner ones."""
    return {group: phantoms if group == PHANTOMS else real for group in groups}


def describe_scans(cases: Iterable[Case]) -> pd.DataFrame:
    """List what has to be checked of every scan before anything else, a row for each case."""
    return pd.DataFrame(
        {
            "scan": case.name,
            "dtype": str(case.image.array.dtype),
            "shape": " x ".join(map(str, case.image.shape)),
            "spacing_mm": " x ".join(f"{mm:.3g}" for mm in case.image.spacing_mm),
            "orientation": case.image.orientation,
            "plane": case.plane,
            "reference": case.reference_provenance if case.reference else "none",
        }
        for case in cases
    )


def coarser_steps(steps: Mapping[str, int], groups: Mapping[str, Iterable[Case]]) -> dict[str, int]:
    """Double each step, but where a scan is so short that other slices were taken than before."""

    def is_short(case: Case, step: int) -> bool:
        return step <= case.image.n_slices(case.plane) < 2 * step  # see `Case.slices`

    return {
        group: step if any(is_short(case, step) for case in groups[group]) else 2 * step
        for group, step in steps.items()
    }


def list_scans(groups: Mapping[str, Iterable[Case]]) -> pd.DataFrame:
    """Count the scans of each group by data set, site, sequence and origin of the reference."""
    columns = ["dataset", "site", "sequence", "reference_provenance"]
    rows = [
        (group, *(getattr(case, name) for name in columns))
        for group, cases in groups.items()
        for case in cases
    ]
    counted = pd.DataFrame(rows, columns=["data", *columns]).value_counts(sort=False)
    return counted.rename("scans").to_frame()


def asked_about(cases: Iterable[Case], segmenters: Sequence[Segmenter]) -> list[Segmenter]:
    """Choose the models for some cases: of drawings the miniatures alone, if there are some.

    What a published model makes of drawings is no evidence about people, and it is slow.
    """
    drawn = all(case.reference_provenance == "synthetic" for case in cases)
    small = [segmenter for segmenter in segmenters if segmenter.miniature]
    return small if drawn and small else list(segmenters)


def score_people(
    segmenters: Sequence[Segmenter],
    groups: Mapping[str, Sequence[Case]],
    *,
    prompts: PromptPlan | Sequence[PromptPlan],
    slice_steps: Mapping[str, int],
    published_on_phantoms: bool = False,
    further: Further | None = None,
    kept: KeptPredictions | None = None,
) -> pd.DataFrame:
    """Score several models by `score_cases`, group after group (column `data`).

    Where there are real people, phantoms are shown to the models of `asked_about` alone, unless
    `published_on_phantoms`; `Memory` is asked of the models that have one, SAM 2. There is a slice
    step for each group; all else as in `score_cases`.
    """
    all_asked = published_on_phantoms or len(groups) == 1
    plans = list(prompts) if isinstance(prompts, Sequence) else [prompts]
    tables = [
        score_cases(
            segmenter,
            cases,
            prompts=[plan for plan in plans if not isinstance(plan, Memory) or segmenter.follow],
            slice_step=slice_steps[group],
            further=further,
            kept=kept,
        ).assign(data=group)
        for group, cases in groups.items()
        for segmenter in (segmenters if all_asked else asked_about(cases, segmenters))
    ]
    return pd.concat(tables, ignore_index=True)


def by_site(table: pd.DataFrame) -> pd.DataFrame:
    """Name the site with the data set where a table has several of one, so that none are pooled.

    Takes a table with `dataset` and `site`; "spine" becomes "spine, A" and "spine, B".
    """
    several = table.groupby("dataset")["site"].transform("nunique") > 1
    site = table["site"].replace("", "unnamed site").astype(str)
    return table.assign(dataset=table["dataset"].mask(several, table["dataset"] + ", " + site))


def role_of(case: CaseDescription, training_cases: Iterable[CaseDescription]) -> Role:
    """Say what a scan is to a model that was trained on others; of two differences, the farther.

    "training data" is of a subject who was trained on, or selected with, whatever the sequence. All
    others are of other people. "same site": anatomy, data set, site and sequence were trained on,
    together. "other sequence": anatomy, data set and site were. "other site": the anatomy was, in
    another data set or at another site; the sequence may differ too. "other anatomy": the rest.
    """
    trained = list(training_cases)
    if any((case.dataset, case.subject) == (other.dataset, other.subject) for other in trained):
        return "training data"
    of_anatomy = [other for other in trained if other.anatomy == case.anatomy]
    if not of_anatomy:
        return "other anatomy"
    home = case.dataset, case.site
    of_home = [other for other in of_anatomy if (other.dataset, other.site) == home]
    if not of_home:
        return "other site"
    if all(other.sequence != case.sequence for other in of_home):
        return "other sequence"
    return "same site"


def load_fetched(name: str) -> tuple[Case, ...]:
    """Load those of a data set who are here; the tuple is empty if none is, or one is damaged."""
    subjects = list_at_hand(name) if name else ()
    if not subjects or any(status.state == "damaged" for status in verify(name)):
        return ()
    return tuple(load_cases(name, subjects=subjects, progress=False))


def load_companions(cases: CaseSet, sequences: Sequence[str]) -> tuple[Case, ...]:
    """Load further sequences (such as ``t2_map``) of the same people, if all are there."""
    if cases.name not in load_manifest().datasets:
        return ()
    if not set(sequences) <= set(source_of(cases.name).default_sequences(cases.subjects)):
        return ()
    return tuple(load_cases(cases.name, subjects=cases.subjects, sequences=sequences))
