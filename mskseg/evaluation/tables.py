"""Segmenter x cases x prompt plans -> one tidy table, and the mean as this project defines it.

**Which pairs of slice and label are scored.** A component of at least `min_area_mm2` gets one
prompt; the prediction of a label is the union of its components' masks, scored against the whole
label, components too small for a prompt included (their pixels are in `unprompted_px`). The column
`status` says what became of a pair:

* ``scored``: has a Dice and enters the mean. Also where `NeighbourBox` lost the structure
  (`n_prompts` 0, Dice 0);
* ``too_small``: every component of the reference is under the minimum. Not scored, under no plan;
  kept in the table and counted;
* ``beyond_end``: the reference has no pixel there and the prediction has (`NeighbourBox`, which
  does not know where a structure ends). Its Dice is 0 by the rule of `mskseg.evaluation.metrics`;
  kept in the table and counted, not in the mean. `SpecialistBox` and automatic models (see
  `mskseg.evaluation.label_maps`) have such rows too;
* ``both_empty``: neither has a pixel (`NeighbourBox` again). NaN by the same rule; kept in the
  table and counted;
* ``missing``: there is no prediction for the case (a run that died before it): an empty mask by
  the same rule, Dice 0, *in the mean* and counted. A model must not gain by failing.

So every plan and every model is averaged over the same pairs: those whose reference a prompt can
be made from. A mean that took in ``beyond_end`` would sink with each slice that somebody scanned
beyond the structure, under one plan and not under the others.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd
from tqdm.auto import tqdm

from mskseg.errors import InputError
from mskseg.evaluation.case_run import CaseRun
from mskseg.evaluation.prediction import LabelPrediction, PromptableSegmenter, check_has_reference
from mskseg.evaluation.rows import described_case, described_model, scores_of
from mskseg.evaluation.summary import summarise
from mskseg.files import written_atomically
from mskseg.prompts import MIN_AREA_MM2
from mskseg.prompts.oracle_plans import OraclePoint
from mskseg.prompts.plans import PromptPlan
from mskseg.provenance import sidecar_path, sidecar_text

if TYPE_CHECKING:
    from mskseg.case import Case
    from mskseg.volume import Plane

__all__ = ["COLUMNS", "score_cases", "summarise", "write_table"]

COLUMNS = (
    "segmenter",
    "miniature",
    "dataset",
    "subject",
    "anatomy",
    "sequence",
    "site",
    "side",
    "visit",
    "severity",
    "reference_provenance",
    "tissue",
    "label",
    "plane",
    "slice",
    "prompt",
    "box_source",
    "status",
    "n_prompts",
    "n_points",
    "area_mm2",
    "predicted_area_mm2",
    "overlap_mm2",
    "unprompted_px",
    "dice",
    "iou",
    "hd95_mm",
    "assd_mm",
    "filled_box_dice",
    "predicted_iou",
    "encode_s",
    "decode_s",
)
"""Columns of the table, in this order."""

Further = Callable[["Case", LabelPrediction], Mapping[str, Any]]
"""What measures more of a case's prediction: column -> value."""


def score_cases(
    segmenter: PromptableSegmenter,
    cases: Case | Iterable[Case],
    *,
    prompts: PromptPlan | Sequence[PromptPlan],
    plane: Plane | None = None,
    min_area_mm2: float = MIN_AREA_MM2,
    slice_step: int = 1,
    progress: bool = True,
    further: Further | None = None,
) -> pd.DataFrame:
    """Score a segmenter on cases under one or more prompt plans.

    Each slice is encoded once, whatever the number of plans and labels.

    Parameters
    ----------
    segmenter : PromptableSegmenter
        Has `name`, `miniature`, `embed` and `predict`, as `mskseg.load_segmenter` returns it.
    cases : Case or iterable of Case
        Each with a reference.
    prompts : OracleBox, OraclePoint, NeighbourBox, SpecialistBox, or a sequence of them
        Where the prompts come from.
    plane : {"axial", "coronal", "sagittal"}, optional
        Default: each case's own, the acquired plane.
    min_area_mm2 : float
        Components of the reference below get no prompt, in square millimetres.
    slice_step : int
        Take every `slice_step`-th slice; for `NeighbourBox` the neighbour is then that far away.
    progress : bool
        Show a progress bar on stderr.
    further : callable, optional
        ``further(case, answer)`` measures more of each `LabelPrediction` while its masks are at
        hand; the names that it gives become columns after `COLUMNS`.

    Returns
    -------
    pandas.DataFrame
        One row per case x plan x slice x label, for the labels that the reference has on the
        slice or that `NeighbourBox` prompted there. The columns are `COLUMNS`; those that do not
        copy the case or the plan:

        * `status`: see the module;
        * `n_prompts`: prompts given, one for each component;
        * `n_points`: points in each of them, 0 for boxes;
        * `area_mm2`, `predicted_area_mm2`, `overlap_mm2`: of the reference, of the prediction and
          of what they share: sums over slices give a Dice of the volume
          (`mskseg.evaluation.volumes`);
        * `unprompted_px`: pixels of the reference in components too small for a prompt;
        * `dice`, `iou`, `hd95_mm`, `assd_mm`: within the slice;
        * `filled_box_dice`: Dice of the very boxes given, filled, which a model has to beat; for
          points, of the tight boxes of the components;
        * `predicted_iou`: mean of the segmenter's own estimates over the prompts;
        * `encode_s`: seconds of the encoder for the slice, one pass shared by all its rows;
        * `decode_s`: seconds, this row's share of the slice's decoder call.

    Raises
    ------
    InputError
        If there is no case or no plan, two plans have the same name, or a case has no reference.
    """
    plans = _checked_plans(prompts)
    given = listed_cases(cases)
    rows: list[dict[str, Any]] = []
    total = 0
    with tqdm(desc=segmenter.name, unit="slice", total=total, disable=not progress) as bar:
        for case in given:
            run = CaseRun(
                segmenter,
                case,
                plane=plane,
                min_area_mm2=min_area_mm2,
                slice_step=slice_step,
            )
            total += run.n_labelled_slices * len(plans)
            bar.total = total
            rows += _case_rows(run, segmenter, case, plans, on_slice=bar.update, further=further)
    columns = dict.fromkeys((*COLUMNS, *(name for row in rows for name in row)))
    return pd.DataFrame(rows, columns=list(columns))


def write_table(
    table: pd.DataFrame, path: str | os.PathLike[str], *, provenance: Mapping[str, Any]
) -> None:
    """Write a table as CSV, with its provenance in a sidecar.

    Parameters
    ----------
    table : pandas.DataFrame
        The table; its index is not written.
    path : path-like
        Of the CSV; the sidecar is ``<path>.provenance.json``. Each is written completely or not at
        all.
    provenance : mapping
        From `mskseg.provenance.provenance`.

    Raises
    ------
    OutputError
        If a file cannot be written.
    """
    content = table.to_csv(index=False).encode()
    with written_atomically(sidecar_path(path)) as sidecar, written_atomically(path) as target:
        target.write_bytes(content)
        sidecar.write_text(sidecar_text(provenance, content=content), encoding="utf-8")


def _case_rows(
    run: CaseRun,
    segmenter: PromptableSegmenter,
    case: Case,
    plans: Sequence[PromptPlan],
    *,
    on_slice: Callable[[], object],
    further: Further | None,
) -> Iterator[dict[str, Any]]:
    described = described_model(segmenter) | described_case(case)
    for plan in plans:
        n_points = plan.n if isinstance(plan, OraclePoint) else 0
        source = {"prompt": plan.prompt, "box_source": plan.box_source, "n_points": n_points}
        for each in run.predictions(plan, on_slice=on_slice):
            scores = scores_of(each) | dict(further(case, each) if further else {})
            yield described | source | {"tissue": case.tissue(each.label)} | scores


def listed_cases(cases: Case | Iterable[Case]) -> list[Case]:
    """Give the cases as a list, a case alone too; refuse them all before the first is scored."""
    listed = list(cases) if isinstance(cases, Iterable) else [cases]
    if not listed:
        raise InputError("there is no case to score, expected one or more; check the selection")
    for case in listed:
        check_has_reference(case)
    return listed


def _checked_plans(prompts: PromptPlan | Sequence[PromptPlan]) -> list[PromptPlan]:
    plans = list(prompts) if isinstance(prompts, Sequence) else [prompts]
    if not plans:
        raise InputError("there is no prompt plan, expected one or more; give OracleBox()")
    names = [(plan.prompt, plan.box_source) for plan in plans]
    doubled = [name for name in names if names.count(name) > 1]
    if doubled:
        raise InputError(
            f"two prompt plans are both called {doubled[0]}, so the table could not tell them "
            "apart; give plans that differ"
        )
    return plans
