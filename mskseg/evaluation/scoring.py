"""Segmenter x cases x prompt plans -> one tidy table.

**Which pairs of slice and label are scored.** A component of at least `MIN_AREA_MM2` gets one
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
  `score_label_maps`) have such rows too;
* ``both_empty``: neither has a pixel (`NeighbourBox` again). NaN by the same rule; kept in the
  table and counted;
* ``missing``: there is no prediction for the case (a run that died before it): an empty mask by
  the same rule, Dice 0, *in the mean* and counted. A model must not gain by failing.

So every plan and every model is averaged over the same pairs: those whose reference a prompt can
be made from. A mean that took in ``beyond_end`` would sink with each slice that somebody scanned
beyond the structure, under one plan and not under the others.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Self

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from mskseg.case import Case, CaseSlice
from mskseg.errors import InputError, check_told_apart, naming
from mskseg.evaluation import metrics
from mskseg.evaluation.loop import BoolMask, PromptedSlice, labels_on, listed_cases
from mskseg.evaluation.prediction import LabelPrediction, Named, PromptableSegmenter, SlicePredictor
from mskseg.prompts import Prompt, boxes_from_mask, fill_boxes
from mskseg.prompts.checks import bounding_slices
from mskseg.prompts.plans import OraclePoint, PromptPlan
from mskseg.volume import LabelMap, Plane, on_grid_of

SCAN = ("dataset", "subject", "sequence", "site", "side", "visit")
"""Columns that together name one scan; the last three are "" where nothing is known of them."""

COLUMNS = (
    "segmenter", "miniature", "dataset", "subject", "anatomy", "sequence", "site", "side", "visit",
    "severity", "reference_provenance", "tissue", "group", "label", "plane", "slice", "prompt",
    "box_source", "status", "n_prompts", "n_points", "area_mm2", "predicted_area_mm2",
    "overlap_mm2", "unprompted_px", "dice", "iou", "hd95_mm", "assd_mm", "surface_dice",
    "filled_box_dice", "predicted_iou", "encode_s", "decode_s",
)  # fmt: skip
"""Columns of the table, in this order."""

Further = Callable[["Case", LabelPrediction], Mapping[str, Any]]
"""What measures more of a case's prediction: column -> value."""

SURFACE_TOLERANCE_MM = 1.0
"""By how much two surfaces may differ for `surface_dice`: one to two pixels of most scans."""

SCORES = ("dice", "iou", "hd95_mm", "assd_mm", "surface_dice", "filled_box_dice")
"""Columns that a pair lacks whose reference is too small for a prompt."""


class KeptPredictions:
    """Predictions in the order of a table's rows; of each mask only the bounding box is stored."""

    def __init__(self) -> None:
        self._kept: list[tuple[LabelPrediction, tuple[slice, ...]]] = []

    def __len__(self) -> int:
        return len(self._kept)

    def __getitem__(self, row: int) -> LabelPrediction:
        kept, bounds = self._kept[row]
        prediction = np.zeros(kept.case_slice.image.shape, dtype=bool)
        prediction[bounds] = kept.prediction
        return replace(kept, prediction=prediction)

    def append(self, predicted: LabelPrediction) -> None:
        """Store a prediction for the next row."""
        bounds = bounding_slices(predicted.prediction)
        cropped = predicted.prediction[bounds].copy()
        self._kept.append((replace(predicted, prediction=cropped), bounds))

    def extend(self, others: Self) -> None:
        """Store the predictions for further rows."""
        self._kept += others._kept


def score_cases(
    segmenter: PromptableSegmenter,
    cases: Case | Iterable[Case],
    *,
    prompts: PromptPlan | Sequence[PromptPlan],
    plane: Plane | None = None,
    slice_step: int = 1,
    progress: bool = True,
    further: Further | None = None,
    kept: KeptPredictions | None = None,
) -> pd.DataFrame:
    """Score a segmenter on cases under one or more prompt plans, encoding each slice once.

    Parameters
    ----------
    segmenter : PromptableSegmenter
        Has `name`, `miniature`, `embed` and `predict`, as `mskseg.load_segmenter` returns it.
    cases : Case or iterable of Case
        Each with a reference.
    prompts : OracleBox, OraclePoint, NeighbourBox, Memory, SpecialistBox, or a sequence of them
        Where the prompts come from.
    plane : {"axial", "coronal", "sagittal"}, optional
        Default: each case's own, the acquired plane.
    slice_step : int
        Take every `slice_step`-th slice; for `NeighbourBox` the neighbour is then that far away.
    further : callable, optional
        ``further(case, prediction)`` measures more, as columns after `COLUMNS`.
    kept : KeptPredictions, optional
        Takes the `LabelPrediction` of each row, to look at; one may serve several calls.

    Returns
    -------
    pandas.DataFrame
        One row per case x plan x slice x label, for the labels that the reference has on the
        slice or that `NeighbourBox` prompted there. Of `COLUMNS`, those that copy neither case nor
        plan:

        * `status`: see the module;
        * `n_prompts`, one for each component, and `n_points` in each of them, 0 for boxes;
        * `area_mm2`, `predicted_area_mm2`, `overlap_mm2`: of the reference, of the prediction and
          of what they share: sums over slices give a Dice of the volume (`volume_table`);
        * `unprompted_px`: pixels of the reference in components too small for a prompt;
        * `dice`, `iou`, `hd95_mm`, `assd_mm`, `surface_dice` (of `SURFACE_TOLERANCE_MM`): within
          the slice; `filled_box_dice`: of the very boxes given, filled, which a model has to beat;
          for points, of the tight boxes;
        * `predicted_iou`: mean of the segmenter's own estimates over the prompts;
        * `encode_s`, `decode_s`: seconds of the encoder, shared by all rows of the slice, and this
          row's share of the decoder call.

    Raises
    ------
    InputError
        If there is no case or no plan, two plans have the same name, or a case has no reference.
    """
    plans = _checked_plans(prompts)
    rows: list[dict[str, Any]] = []
    with tqdm(desc=segmenter.name, unit="slice", total=0, disable=not progress) as bar:
        for case in listed_cases(cases):
            predictor = SlicePredictor(segmenter)
            n_slices = math.ceil(case.image.n_slices(plane or case.plane) / max(slice_step, 1))
            bar.total = (bar.total or 0) + n_slices * len(plans)
            by_plan = [
                predictor.predict_case(case, plan, plane=plane, slice_step=slice_step)
                for plan in plans
            ]
            found: list[tuple[dict[str, Any], list[dict[str, Any]], KeptPredictions]] = [
                (_described(segmenter, case, plan), [], KeptPredictions()) for plan in plans
            ]
            # Slice by slice, so that each is encoded once for all plans, and then forgotten.
            for on_slice in zip(*by_plan, strict=True):
                for (described, plan_rows, seen), predictions in zip(found, on_slice, strict=True):
                    for predicted in predictions.values():
                        more = further(case, predicted) if further else {}
                        plan_rows.append(described | _scores(case, predicted) | dict(more))
                        if kept is not None:
                            seen.append(predicted)
                    bar.update()
            for _, plan_rows, seen in found:
                rows += plan_rows
                if kept is not None:
                    kept.extend(seen)
    columns = dict.fromkeys((*COLUMNS, *(name for row in rows for name in row)))
    return pd.DataFrame(rows, columns=list(columns))


def score_label_maps(
    model: Named,
    cases: Case | Iterable[Case],
    label_maps: Mapping[str, LabelMap],
    *,
    plane: Plane | None = None,
    slice_step: int = 1,
    progress: bool = True,
) -> pd.DataFrame:
    """Score an automatic model's label maps on the same pairs as promptable models.

    `label_maps` are predictions by name of the case, on its lattice and in the values of its
    reference; a case without one is **missing**: its pairs have this status, a Dice of 0, and are
    in the mean. The rest is as in `score_cases`. Of the columns, `prompt` and `box_source` are
    "none", `n_prompts` is 0, and `filled_box_dice` is that of the reference's tight boxes, which
    the model did not know.
    """
    rows: list[dict[str, Any]] = []
    for case in tqdm(listed_cases(cases), desc=model.name, unit="case", disable=not progress):
        label_map = label_maps.get(case.name)
        if label_map is not None:
            with naming(model.name):
                label_map = on_grid_of(case.image, label_map)
        described = _described(model, case)
        for case_slice in case.slices(plane, step=slice_step):
            rows += [
                described | _scores(case, predicted)
                for predicted in _label_map_predictions(case, case_slice, label_map)
            ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def described_scan(case: Case) -> dict[str, str]:
    """Columns of a row that name the scan."""
    return {name: getattr(case, name) for name in SCAN}


def _described(model: Named, case: Case, plan: PromptPlan | None = None) -> dict[str, Any]:
    """Columns of a row that say which model, which case, and which plan, if there is one."""
    of_case = (*SCAN, "anatomy", "severity", "reference_provenance")
    return {
        "segmenter": model.name,
        "miniature": model.miniature,
        "prompt": "none" if plan is None else plan.kind,
        "box_source": "none" if plan is None else plan.box_source,
        "n_points": plan.n if isinstance(plan, OraclePoint) else 0,
    } | {name: getattr(case, name) for name in of_case}


def _scores(case: Case, predicted: LabelPrediction) -> dict[str, Any]:
    """Columns of a row that are about one label on one slice."""
    reference, prediction = predicted.reference, predicted.prediction
    n_reference, n_prediction = int(reference.sum()), int(prediction.sum())
    pixel_mm2 = math.prod(predicted.case_slice.spacing_mm)
    status = _status(predicted, n_reference=n_reference, n_prediction=n_prediction)
    agreement = (
        dict.fromkeys(SCORES, math.nan)
        if status == "too_small"
        else _agreement(predicted, reference)
    )
    return agreement | {
        "tissue": case.tissue(predicted.label),
        "group": case.kind(predicted.label),
        "label": predicted.label,
        "plane": predicted.case_slice.plane,
        "slice": predicted.case_slice.index,
        "status": status,
        "n_prompts": len(predicted.prompt),
        "area_mm2": n_reference * pixel_mm2,
        "predicted_area_mm2": n_prediction * pixel_mm2,
        "overlap_mm2": int((reference & prediction).sum()) * pixel_mm2,
        "unprompted_px": n_reference - predicted.promptable_px,
        "predicted_iou": predicted.predicted_iou,
        "encode_s": predicted.encode_s,
        "decode_s": predicted.decode_s,
    }


def _status(predicted: LabelPrediction, *, n_reference: int, n_prediction: int) -> str:
    if n_reference and predicted.promptable_px:
        return "missing" if predicted.is_missing else "scored"
    if n_reference:
        return "too_small"
    return "beyond_end" if n_prediction else "both_empty"


def _agreement(predicted: LabelPrediction, whole_reference: BoolMask) -> dict[str, float]:
    spacing_mm, boxes = predicted.case_slice.spacing_mm, predicted.prompt.boxes_xyxy
    if boxes is None:  # points, or no prompt: the baseline are the boxes that could have been given
        boxes = boxes_from_mask(whole_reference, spacing_mm=spacing_mm)
    filled = fill_boxes(boxes, whole_reference.shape)
    # Only the part of the slice where there is something: a muscle fills a fiftieth of it.
    part = bounding_slices(whole_reference | predicted.prediction | filled)
    reference, prediction = whole_reference[part], predicted.prediction[part]
    surfaces = metrics.surface_distances_mm(reference, prediction, spacing_mm=spacing_mm)
    return {
        "dice": metrics.dice(reference, prediction),
        "iou": metrics.iou(reference, prediction),
        "hd95_mm": surfaces.hd95_mm,
        "assd_mm": surfaces.assd_mm,
        "surface_dice": surfaces.surface_dice(tolerance_mm=SURFACE_TOLERANCE_MM),
        "filled_box_dice": metrics.dice(reference, filled[part]),
    }


def _label_map_predictions(
    case: Case, case_slice: CaseSlice, label_map: LabelMap | None
) -> Iterator[LabelPrediction]:
    """Take from a label map, without one from an empty one, what was predicted on a slice."""
    on_slice = (
        np.zeros(case_slice.image.shape, np.uint8)
        if label_map is None
        else label_map.slice(case_slice.plane, case_slice.index)
    )
    labels = sorted(labels_on(case_slice) | set(np.unique(on_slice).tolist()) - {0})
    prompted = PromptedSlice(case, case_slice, dict.fromkeys(labels, Prompt()))
    for label in labels:
        yield LabelPrediction(
            case_slice=case_slice,
            label=label,
            prediction=on_slice == label,
            prompt=Prompt(),
            promptable_px=prompted.promptable_px[label],
            decode_s=math.nan,
            is_missing=label_map is None,
        )


def _checked_plans(prompts: PromptPlan | Sequence[PromptPlan]) -> list[PromptPlan]:
    plans = list(prompts) if isinstance(prompts, Sequence) else [prompts]
    if not plans:
        raise InputError("expected one prompt plan or more, got none; give OracleBox()")
    check_told_apart(((plan.kind, plan.box_source) for plan in plans), what="prompt plans")
    return plans
