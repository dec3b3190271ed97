"""Whose scans are looked at: real people first, people of another site apart, then phantoms."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

from mskseg.case import Case, CaseSet
from mskseg.datasets import list_at_hand, load_some, load_splits
from mskseg.evaluation import KeptPredictions, score_cases
from mskseg.evaluation.scoring import Further
from mskseg.models import Segmenter
from mskseg.prompts.plans import PromptPlan
from mskseg.splits import Part

PEOPLE, OTHER_SITE, PHANTOMS = "people", "people, other site", "phantoms"


def load_people(names: Iterable[str], *, n_subjects: int) -> dict[str, list[CaseSet]]:
    """Load the first people of some data sets, each set in its first sequence.

    Parameters
    ----------
    names : iterable of str
        Data sets that are at hand; of those with a split the test part is taken.
    n_subjects : int
        Of each data set, and as many of the site that nobody trains on, where it has real people
        of one (its part ``inference``).

    Returns
    -------
    dict of str to list of CaseSet
        Under `PEOPLE`, `OTHER_SITE` and `PHANTOMS`, in this order and without what is empty.
    """
    groups: dict[str, list[CaseSet]] = {PEOPLE: [], OTHER_SITE: [], PHANTOMS: []}
    for name in names:
        parts: tuple[Part | None, ...] = ("test", "inference") if load_splits([name]) else (None,)
        sites: set[str] = set()
        for part in parts:
            if not list_at_hand(name, part=part):
                continue
            some = load_some(name, n_subjects=n_subjects, part=part)
            if some[0].reference_provenance == "synthetic":
                groups[PHANTOMS].append(some)
                break
            group = OTHER_SITE if part == "inference" else PEOPLE
            if group == PEOPLE or some[0].site not in sites:
                groups[group].append(some)
            sites |= {case.site for case in some}
    return {group: sets for group, sets in groups.items() if sets}


def slice_steps(groups: Iterable[str], *, real: int, phantoms: int) -> dict[str, int]:
    """Say for each group every how many slices are taken: real scans often have thinner ones."""
    return {group: phantoms if group == PHANTOMS else real for group in groups}


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
    """Score several models on several groups of people by `score_cases`, group after group.

    Parameters
    ----------
    segmenters, groups
        A published model is not asked about phantoms where a miniature can be asked instead and
        there are real people to ask it about, unless `published_on_phantoms`: it is slow.
    slice_steps : mapping of str to int
        For each group.
    prompts, further, kept
        As in `score_cases`.

    Returns
    -------
    pandas.DataFrame
        As `score_cases`, with the group in the column `data`.
    """
    spare = not published_on_phantoms and len(groups) > 1 and any(s.miniature for s in segmenters)
    tables = [
        score_cases(
            segmenter,
            cases,
            prompts=prompts,
            slice_step=slice_steps[group],
            progress=False,
            further=further,
            kept=kept,
        ).assign(data=group)
        for group, cases in groups.items()
        for segmenter in segmenters
        if segmenter.miniature or not (spare and group == PHANTOMS)
    ]
    return pd.concat(tables, ignore_index=True)


def named_by_site(table: pd.DataFrame) -> pd.DataFrame:
    """Name the site behind the data set where a table has people of another site."""
    apart = table["data"] == OTHER_SITE
    named = table["dataset"] + ", " + table["site"].where(table["site"] != "", "other site")
    return table.assign(dataset=table["dataset"].where(~apart, named))
