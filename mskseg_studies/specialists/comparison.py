"""Specialists beside promptable models: one table, fair arms, efforts, and where curves cross."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise, product

import numpy as np
import pandas as pd

from mskseg.case import Case
from mskseg.errors import InputError
from mskseg.evaluation.averaging import nested_mean, summarise
from mskseg.evaluation.prediction import Named, PromptableSegmenter
from mskseg.evaluation.scoring import score_cases, score_label_maps
from mskseg.evaluation.tables import volume_table
from mskseg.finetuning.result import FineTuneResult
from mskseg.prompts.plans import OracleBox, PromptPlan, SpecialistBox
from mskseg_studies.people import role_of
from mskseg_studies.specialists.nnunet.running import NnunetRun
from mskseg_studies.specialists.predictions import Predictions
from mskseg_studies.specialists.specialist import Specialist

Model = PromptableSegmenter | Specialist
TOLD, FINDS = "told where", "finds it"
FINDER_FLOOR = 0.5
"""Dice of the volume on validation people below which an automatic model is no finder."""


def score_test_sets(
    models: Iterable[Model],
    test_sets: Mapping[str, Sequence[Case]],
    *,
    trained_on: Sequence[Case],
    margins_px: Sequence[float] = (0.0,),
    slice_step: int = 1,
) -> pd.DataFrame:
    """Score models on several test sets, with oracle boxes or automatic.

    Boxes are widened by each of `margins_px` (pixels on every side; 0 is tight), and every n-th
    slice is taken. Gives rows of `score_cases`, or of `score_label_maps` for a specialist without
    prompt, with the test set's name in `test_set` and `role`, which is what the scan is to the
    cases `trained_on` (`role_of`). An automatic specialist is left out where a tissue is not its
    own: it has no word for it.
    """
    plans = [OracleBox(margin_px=margin) for margin in margins_px]
    tables = [
        _score(model, [case], plans, slice_step=slice_step).assign(
            test_set=name, role=role_of(case, trained_on)
        )
        for model in models
        for name, cases in test_sets.items()
        if _knows_tissues(model, cases)
        for case in cases
    ]
    return pd.concat(tables, ignore_index=True)


def by_test_set(table: pd.DataFrame) -> pd.DataFrame:
    """Lay out the mean Dice of `score_test_sets`, if any: models and boxes by test set."""
    if table.empty:
        return table
    by_plan = summarise(table, by=["test_set", "segmenter", "prompt", "box_source"])
    both = by_plan.pivot(index=["segmenter", "box_source"], columns="test_set", values="dice")
    return both[list(dict.fromkeys(table["test_set"]))]


def score_families(
    families: Mapping[str, Sequence[Model]],
    sizes: Sequence[int],
    cases: Sequence[Case],
    *,
    slice_step: int = 1,
) -> pd.DataFrame:
    """Score models that were trained on more and more people, for curves.

    `families` has, by name of the curve, a model for each of the `sizes` (people trained on); one
    that was not trained on these people stands there once for each size, and is scored once. Gives
    rows as `score_test_sets`, with `family` and `n_train` in place of `test_set`.
    """
    tables, scored = [], dict[int, pd.DataFrame]()
    for family, members in families.items():
        for size, model in zip(sizes, members, strict=True):
            if id(model) not in scored:
                scored[id(model)] = _score(model, cases, [OracleBox()], slice_step=slice_step)
            tables.append(scored[id(model)].assign(family=family, n_train=size))
    return pd.concat(tables, ignore_index=True)


def _score(
    model: Model, cases: Sequence[Case], plans: Sequence[PromptPlan], *, slice_step: int
) -> pd.DataFrame:
    """Score a model as it is meant to be used."""
    if isinstance(model, Specialist) and model.config.prompt == "none":
        label_maps = model.segment(cases, progress=False).label_maps
        return score_label_maps(model, cases, label_maps, slice_step=slice_step, progress=False)
    return score_cases(model, cases, prompts=plans, slice_step=slice_step, progress=False)


def _knows_tissues(model: Model, cases: Iterable[Case]) -> bool:
    """Whether a model has words for these tissues: any that is prompted needs none."""
    if not isinstance(model, Specialist) or model.config.prompt == "box":
        return True
    return all(
        model.labels.get(label) == case.tissue(label)
        for case in cases
        for label in (case.reference.labels if case.reference else ())
    )


def crossings(curves: pd.DataFrame, *, x: str, series: str, value: str = "dice") -> pd.DataFrame:
    """Find where curves cross, straight lines between their points.

    `curves` has a row for each point; `x`, `series` and `value` are its columns for position, which
    curve, and height. InputError if a curve has two values at one position.

    Gives a row for each pair of curves with two common positions or more: `first` and `second`,
    `at` (the first crossing, NaN if there is none), `ahead_before` and `ahead_after` (who is higher
    at the first and at the last common position, or "tie"). A crossing is where another curve comes
    to be ahead; curves that meet and part again, or start or end together, do not cross.
    """
    if curves.duplicated([series, x]).any():
        raise InputError(f"a curve has two values at one {x}; average them first")
    heights = curves.pivot(index=x, columns=series, values=value).sort_index()
    rows = []
    for first, second in combinations(dict.fromkeys(curves[series]), 2):
        gap = (heights[first] - heights[second]).dropna()
        if len(gap) < 2:
            continue
        names = {1: first, -1: second, 0: "tie"}
        ahead = [names[int(np.sign(gap.iloc[end]))] for end in (0, -1)]
        rows.append((first, second, _first_crossing(gap), *ahead))
    return pd.DataFrame(rows, columns=["first", "second", "at", "ahead_before", "ahead_after"])


def _first_crossing(gap: pd.Series[float]) -> float:
    """Where the sign of a gap first becomes another, from a point that is not 0 to the next one."""
    apart = gap[gap != 0]
    for (a, d), (b, e) in pairwise(zip(apart.index, apart, strict=True)):
        if np.sign(d) != np.sign(e):
            met = gap.index[(gap.index > a) & (gap.index < b)]  # points where both are level
            return float(met[0] if len(met) else a + (b - a) * d / (d - e))
    return float("nan")


@dataclass(frozen=True, eq=False)
class Finder:
    """An automatic model, what it predicted, and its Dice of the volume on validation people."""

    model: Named
    predictions: Predictions
    validation_dice: float

    @property
    def name(self) -> str:
        """Of the model."""
        return self.model.name

    @property
    def enough(self) -> bool:
        """Whether anything may be concluded from it: `FINDER_FLOOR` or more on validation."""
        return self.validation_dice >= FINDER_FLOOR


def rank_finders(
    candidates: Iterable[tuple[Named, Predictions]],
    validation: Iterable[Case],
    *,
    slice_step: int = 1,
) -> list[Finder]:
    """Rank automatic models by their Dice of the volume on validation people, the best first.

    Each candidate predicted the validation cases, of whom nobody may be reported, and others too if
    it is to be tested later. Every n-th slice is taken.
    """
    cases = list(validation)
    finders = []
    for model, predictions in candidates:
        volumes = score_found({model: predictions}, {"": cases}, slice_step=slice_step)
        dice = nested_mean(volumes, values=["volume_dice"])["volume_dice"].item()
        finders.append(Finder(model, predictions, float(dice)))
    return sorted(finders, key=lambda finder: -finder.validation_dice)


def rank_all(
    found_by: Mapping[Named, Predictions], validation: Iterable[Case], *, slice_step: int = 1
) -> tuple[list[Finder], list[Finder]]:
    """Rank models that find by themselves, and apart those that are told by box channels.

    Gives both lists of `rank_finders`.
    """
    told: dict[bool, list[tuple[Named, Predictions]]] = {False: [], True: []}
    for who, found in found_by.items():
        told[isinstance(who, NnunetRun) and who.config.box_channels].append((who, found))
    cases = list(validation)
    finders, informed = (rank_finders(told[k], cases, slice_step=slice_step) for k in told)
    return finders, informed


def score_found(
    found_by: Mapping[Named, Predictions],
    test_sets: Mapping[str, Sequence[Case]],
    *,
    slice_step: int = 1,
) -> pd.DataFrame:
    """Score what was found in each test set: `volume_table`, with the set's name in `test_set`."""
    volumes = []
    for (model, found), (name, cases) in product(found_by.items(), test_sets.items()):
        maps = found.label_maps
        scores = score_label_maps(model, cases, maps, slice_step=slice_step, progress=False)
        volumes.append(volume_table(scores).assign(test_set=name))
    return pd.concat(volumes, ignore_index=True)


def finder_table(finders: Iterable[Finder], found: pd.DataFrame) -> pd.DataFrame:
    """List finders: validation Dice, whether a finding may rest on it, means of `score_found`."""
    rows = [(each.name, each.validation_dice, each.enough) for each in finders]
    table = pd.DataFrame(rows, columns=["model", "validation_dice", "finding"]).set_index("model")
    means = nested_mean(found, by=["segmenter", "test_set"], values=["volume_dice"])
    by_set = means.pivot(index="segmenter", columns="test_set", values="volume_dice")
    return table.join(by_set[list(dict.fromkeys(found["test_set"]))])


def score_arms(
    cases: Iterable[Case],
    *,
    prompted: Sequence[PromptableSegmenter],
    finders: Sequence[Finder],
    informed: Iterable[Finder] = (),
    slice_step: int = 1,
) -> pd.DataFrame:
    """Score every slice under the arms that a fair comparison needs.

    The `prompted` models get tight boxes of the reference; the first one also boxes around the
    predictions of the first of the `finders`, which need no prompt and come from `rank_finders`, so
    that the first is the best on validation. The `informed` are the same for models that got the
    reference's boxes as channels of their image. With `slice_step` above 1 the Dice of the volume
    is that of the slices taken.

    Gives rows of `score_cases` and `score_label_maps`, with `arm`, its name, `told`: "told where"
    if anything comes from the reference, else "finds it", and `finding`: False where the arm rests
    on a model below `FINDER_FLOOR`; nothing is concluded from it.
    """
    given, told_too = list(cases), list(informed)

    def under(plan: OracleBox | SpecialistBox, model: PromptableSegmenter) -> pd.DataFrame:
        return score_cases(model, given, prompts=plan, slice_step=slice_step, progress=False)

    def volumes(by: Finder) -> pd.DataFrame:
        found = by.predictions.label_maps
        return score_label_maps(by.model, given, found, slice_step=slice_step, progress=False)

    first, best = prompted[0], finders[0]
    found_boxes = SpecialistBox(best.predictions.label_maps, best.name)
    arms = [
        *((f"{m.name}, reference boxes", TOLD, True, under(OracleBox(), m)) for m in prompted),
        *((each.name, TOLD, each.enough, volumes(each)) for each in told_too),
        (boxes_arm(first, best), FINDS, best.enough, under(found_boxes, first)),
        *((f"{each.name} alone", FINDS, each.enough, volumes(each)) for each in finders),
    ]
    tables = [table.assign(arm=arm, told=told, finding=ok) for arm, told, ok, table in arms]
    return pd.concat(tables, ignore_index=True)


def boxes_arm(model: Named, finder: Finder) -> str:
    """Name the arm of a model with the boxes of a finder."""
    return f"{model.name}, boxes of {finder.name}"


def told_sentence(arms: pd.DataFrame, model: Named, finder: Finder) -> str:
    """Say, from `arm_means`, what it costs a model to get the finder's boxes, if anything."""
    if not finder.enough:
        return (
            f"No automatic model finds enough yet: {finder.name}, the best on validation, has "
            f"{finder.validation_dice:.2f} there, less than {FINDER_FLOOR:.2f}"
        )
    dice = arms.set_index("arm")["volume_dice"]
    gap = dice[boxes_arm(model, finder)] - dice[f"{model.name}, reference boxes"]
    return f"{model.name}: {gap:+.2f} with the boxes of {finder.name}, not the reference's"


def arm_means(table: pd.DataFrame) -> pd.DataFrame:
    """Average the arms of `score_arms`: a row for each, in the table's order.

    Columns are `arm`, `told`, `finding`, `volume_dice` with its standard deviation between
    subjects, `slice_dice` (the mean of notebook 03, over slices that hold the structure),
    `n_beyond_end` (pairs of slice and tissue predicted where there is none), `n_missing`,
    `n_subjects`.
    """
    by_arm = table.groupby("arm", sort=False)
    volumes = pd.concat(volume_table(scores).assign(arm=arm) for arm, scores in by_arm)
    means = nested_mean(volumes, by=["arm"], values=["volume_dice"]).set_index("arm")
    slices = summarise(table, by=["arm", "told", "finding"]).rename(columns={"dice": "slice_dice"})
    columns = ["arm", "told", "finding", "volume_dice", "volume_dice_sd", "slice_dice"]
    counts = ["n_beyond_end", "n_missing", "n_subjects"]
    return slices.join(means[["volume_dice", "volume_dice_sd"]], on="arm")[[*columns, *counts]]


def effort_table(trained: Iterable[FineTuneResult | Specialist | NnunetRun]) -> pd.DataFrame:
    """Compare trainings by what they cost, not by what they brought.

    Gives a row for each, by `who`: `steps` of the optimiser, what is in `each_step`, `start` of the
    weights, `learning_rate` at its highest, `kept_step` whose weights came back, and `seconds`.
    """
    rows = [(*_effort(result), result.config.learning_rate) for result in trained]
    columns = ["who", "steps", "each_step", "start", "kept_step", "seconds", "learning_rate"]
    table = pd.DataFrame(rows, columns=columns).set_index("who")
    return table[["steps", "each_step", "start", "learning_rate", "kept_step", "seconds"]]


def _effort(
    trained: FineTuneResult | Specialist | NnunetRun,
) -> tuple[str, int, str, str, int, float]:
    """Give who, steps, what is in each, start of the weights, kept step, seconds."""
    if isinstance(trained, FineTuneResult):
        steps, most = trained.history.set_index("epoch")["step"], trained.config.prompts_per_slice
        objects = "all objects" if most is None else f"up to {most} objects"
        each = f"{trained.config.slices_per_step} slices, {objects} of each"
        kept = int(steps[trained.best_epoch])
        who, last = trained.segmenter.name, int(steps.iloc[-1])
        return who, last, each, "pretrained", kept, trained.seconds
    if isinstance(trained, Specialist):
        what = "objects" if trained.config.prompt == "box" else "slices"
        each, learned = f"{trained.config.batch_size} {what}", trained.history
        kept = int(learned["step"][learned["validation_dice"].idxmax()])
        seconds = float(learned["seconds"].iloc[-1])
        return trained.name, trained.config.steps, each, "random", kept, seconds
    history, n = trained.history(), trained.config.batch_size
    last = len(history) * trained.config.iterations_per_epoch
    each = "as many patches as planned" if n is None else f"{n} patches"
    return trained.name, last, each, "random", last, float(history["seconds"].iloc[-1])
