"""What is compared on one bench: numbers of people, ways to tune, boxes; and one object by hand."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mskseg.case import Case
from mskseg.display import draw_boxes, draw_label_map, frame_around, montage
from mskseg.evaluation.prediction import LabelPrediction
from mskseg.finetuning.config import FineTuneConfig, Mode
from mskseg.finetuning.result import FineTuneResult
from mskseg.models.segmenter import Segmenter
from mskseg.prompts.plans import PromptPlan
from mskseg.splits import Part
from mskseg_studies.tuning.bench import TuningBench
from mskseg_studies.tuning.gains import dice_by_subject
from mskseg_studies.tuning.subsets import Subset

_COSTS = ("trainable_parameters", "seconds", "peak_memory_mb", "best_epoch", "stopped")
Way = tuple[Segmenter, Mode, int, int]
"""The model that is tuned, its mode, the number of people, the seed."""


def tune_in_sizes(
    bench: TuningBench,
    segmenter: Segmenter,
    subset: Subset,
    config: FineTuneConfig,
    *,
    sizes: Sequence[int],
    seeds: Sequence[int],
    parts: Mapping[Part, Sequence[Case]],
) -> pd.DataFrame:
    """Tune on so many people with each seed; `dice_by_subject` with `n_subjects` and `seed`."""
    tables = []
    for n in sizes:
        for seed in seeds:
            result = bench.tune(segmenter, subset, n_subjects=n, config=replace(config, seed=seed))
            of_people = dice_by_subject(bench.score(result, parts))
            tables.append(of_people.assign(n_subjects=n, seed=seed))
    return pd.concat(tables, ignore_index=True).rename(columns={"evaluated_on": "dataset"})


def tune_in_ways(
    bench: TuningBench,
    subset: Subset,
    config: FineTuneConfig,
    ways: Sequence[Way],
    *,
    parts: Mapping[Part, Sequence[Case]],
) -> pd.DataFrame:
    """Tune in several ways; a row for each with what it gained and what it cost.

    Scored are the people of `parts`, "test" and "inference", those that it was tuned on
    (`training_dice`), and in `validation_dice` those that chose the epoch.
    """
    rows = []
    for base, mode, n, seed in ways:
        result = bench.tune(
            base, subset, n_subjects=n, config=replace(config, mode=mode, seed=seed)
        )
        trained_on = list(subset.load("train", n_subjects=n, progress=False))
        training = bench.mean_dice(result, trained_on, part="train")
        dice = bench.mean_dice(result, parts["test"])
        row = {"base": base.name, "miniature": base.miniature, "mode": mode, "n_train": n}
        row |= {"seed": seed, "validation_dice": result.history["validation_dice"].max()}
        row |= {"training_dice": training, "dice": dice}
        for column, cases in (("gain", parts["test"]), ("gain_other_site", parts.get("inference"))):
            before, after = (bench.mean_dice(m, cases) if cases else np.nan for m in (base, result))
            row[column] = after - before
        row["training_minus_test"] = training - dice
        rows.append(row | {cost: getattr(result, cost) for cost in _COSTS})
    return pd.DataFrame(rows)


def dice_by_boxes(
    bench: TuningBench,
    models: Mapping[str, Segmenter | FineTuneResult],
    cases: Sequence[Case],
    plans: Mapping[str, PromptPlan],
) -> pd.DataFrame:
    """Mean Dice of each model (rows) with each kind of boxes (columns), and what is `lost`."""
    table = pd.DataFrame(
        {
            boxes: [bench.mean_dice(model, cases, prompts=plan) for model in models.values()]
            for boxes, plan in plans.items()
        },
        index=pd.Index(models, name="tuned"),
    )
    return table.assign(lost=table.iloc[:, 0] - table.iloc[:, -1])


def before_and_after(
    before: LabelPrediction, after: NDArray[np.bool_], *, titles: Sequence[str]
) -> NDArray[Any]:
    """Draw one object close up with the answer before and after: reference dashed, box white."""
    axes = montage([before.case_slice] * 2, titles=titles)
    x0, y0, x1, y1 = frame_around(before.boxes_xyxy, shape=after.shape)
    for ax, mask in zip(axes, (before.prediction, after), strict=True):
        draw_label_map(ax, before.reference, colours={1: "white"}, linestyle="dashed")
        draw_label_map(ax, mask, colours={1: "#E69F00"}, fill=0.2)
        draw_boxes(ax, before.boxes_xyxy)
        ax.set(xlim=(x0, x1), ylim=(y1, y0))
    return axes
