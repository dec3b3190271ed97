"""How a propagated volume drifts from the slice that was prompted, and what lowers the drift.

Follows objects from their oracle box on the slice where they are largest, under variants of the
plan, without any rule of ending but the empty mask, and keeps a row for each slice: how far it lies
from the first, its areas, what it shares with the reference, and what a rule of ending would look
at. "FOLLOW" is the plan as it is used, with its rules. `--table` reads such rows: volume Dice
within a distance; `--keep` writes it for each object, with provenance.

    python benchmarks/propagation.py --part validation --model lite_medsam --output rows.csv
    python benchmarks/propagation.py --table rows.csv
    python benchmarks/propagation.py --part test --variants "margin 2 (today)" FOLLOW \
        --data spine_vertebrae phantom_thigh --output rows.csv --keep results/10_drift.csv
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

import mskseg
from mskseg.evaluation import write_table
from mskseg.evaluation.prediction import SlicePredictor
from mskseg.prompts import FOLLOW, NeighbourBox, OracleBox, Prompt
from mskseg.prompts.plans import follow_plan
from mskseg.prompts.tracks import Track
from mskseg.provenance import provenance

SUBJECTS = {  # of the vertebrae the test people, and three of the other site
    "spine_vertebrae": {
        "validation": ["VB2_14", "VB2_16"],
        "test": [f"VB2_{k}" for k in (17, 18, 19, 20, 23)] + [f"VB3_{k:02}" for k in range(7, 10)],
    },
    "phantom_thigh": {"validation": ["thigh-13", "thigh-14"], "test": ["thigh-17", "thigh-18"]},
    "qmritools_thigh": {"test": None},
}
DISTANCES = (0, 2, 4, 8, 12, 16, 24)
KEYS = ["data", "model", "variant"]


class Watched:
    """A segmenter that remembers what it answered about one object, and can feed logits back."""

    def __init__(self, segmenter, indices, *, feed_logits=False):
        self.name, self.miniature = segmenter.name, segmenter.miniature
        self._segmenter, self._feed, self._indices = segmenter, feed_logits, indices
        self.answers: dict[bytes, tuple] = {}  # by mask: probabilities (H, W), boxes asked
        self._logits: dict[int, np.ndarray] = {}

    def embed(self, image):
        return self._segmenter.embed(image)

    def predict(self, embedding, prompt):
        k = self._indices[embedding.key]
        before = next((self._logits[n] for n in (k - 1, k + 1) if n in self._logits), None)
        if self._feed and before is not None:
            repeated = np.repeat(before[None], len(prompt), axis=0)
            prompt = Prompt(boxes_xyxy=prompt.boxes_xyxy, mask_logits=repeated)
        answer = self._segmenter.predict(embedding, prompt)
        self._logits[k] = answer.low_res_logits[:, 0].max(axis=0)
        mask = answer.masks[:, 0].any(axis=0)
        self.answers[mask.tobytes()] = (answer.probabilities[:, 0].max(axis=0), prompt.boxes_xyxy)
        return answer


class Variant(NeighbourBox):
    """A plan that looks at more than the mask; `change` makes boxes of (mask, p, asked boxes)."""

    def of(self, watched, change):
        object.__setattr__(self, "_watched", watched)
        object.__setattr__(self, "_change", change)
        return self

    def next_prompt(self, prediction, *, spacing_mm):
        probabilities, asked = self._watched.answers[prediction.tobytes()]
        mask, limit = self._change(prediction, probabilities)
        found = super().next_prompt(mask, spacing_mm=spacing_mm)
        boxes = found.boxes_xyxy
        if limit is None or not len(boxes) or len(boxes) != len(asked):
            return found
        return Prompt(boxes_xyxy=limit(boxes, asked))


def confident(level):
    return lambda _, p: (p > level, None)


def limited(pixels):
    def limit(boxes, asked):
        return np.clip(boxes, asked - pixels, asked + pixels)

    return lambda mask, _: (mask, limit)


def blended(share):
    return lambda mask, _: (mask, lambda boxes, asked: share * boxes + (1 - share) * asked)


VARIANTS = {  # margin, what it changes, whether logits are fed back
    "margin 2 (today)": (2, None, False),
    "margin 0": (0, None, False),
    "margin 1": (1, None, False),
    "margin 4": (4, None, False),
    "logits, margin 2": (2, None, True),
    "p > 0.8, margin 2": (2, confident(0.8), False),
    "p > 0.9, margin 3": (3, confident(0.9), False),
    "1 px a side at most": (2, limited(1), False),
    "half new, half old box": (2, blended(0.5), False),
    "FOLLOW": (FOLLOW.margin_px, None, False),
}


def follow(segmenter, case, label, name):
    """A row for each slice of one object under one variant."""
    margin, change, feed = VARIANTS[name]
    slices = list(case.slices())
    areas = [int((each.label_map == label).sum()) for each in slices]
    home = int(np.argmax(areas))
    indices = {}
    watched = Watched(segmenter, indices, feed_logits=feed)
    watched.embed = lambda image: remembered(segmenter, image, indices, slices)
    plan = NeighbourBox(margin_px=margin)
    if name == "FOLLOW":  # as `propagate` does by default
        plan = follow_plan(segmenter.prompt_kinds)
    if change is not None:
        plan = Variant(margin_px=margin).of(watched, change)
    start = OracleBox().prompt_for(
        slices[home].label_map == label, spacing_mm=slices[home].spacing_mm, key=()
    )
    reach = [k for k, area in enumerate(areas) if area]
    low, high = max(reach[0] - 6, 0), min(reach[-1] + 7, len(slices))
    chosen = slices[low:high]
    found = SlicePredictor(watched).propagate(
        case, chosen, {label: Track({home - low: start})}, plan
    )
    for at, (case_slice, answers) in enumerate(zip(chosen, found, strict=True)):
        answer = answers.get(label)
        mask = np.zeros(case_slice.image.shape, bool) if answer is None else answer.prediction
        reference = case_slice.label_map == label
        yield {
            "steps": at + low - home,
            "mm": (at + low - home) * case.image.slice_thickness_mm(case.plane),
            "reference_px": int(reference.sum()),
            "predicted_px": int(mask.sum()),
            "shared_px": int((mask & reference).sum()),
            "overlap": np.nan if answer is None else answer.overlap,
            "predicted_iou": np.nan if answer is None else answer.predicted_iou,
            "certainty": float(answer.certainty.mean()) if mask.any() else np.nan,
        }


def remembered(segmenter, image, indices, slices):
    embedding = segmenter.embed(image)
    if embedding.key not in indices:
        same = [each.index for each in slices if np.array_equal(each.image, image)]
        indices[embedding.key] = same[0]
    return embedding


def cases_of(part, data):
    """Two people and two of their objects each."""
    sequences = {"spine_vertebrae": None, "qmritools_thigh": None}.get(data, ["t1w"])
    known = mskseg.load_cases(data, subjects=SUBJECTS[data][part], sequences=sequences)
    for case in known:
        labels = case.reference.labels
        if data != "spine_vertebrae":  # the second and the fifth largest
            labels = sorted(labels, key=lambda k: -np.count_nonzero(case.reference.mask(k)))
        yield case, labels[1:5:3]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--part", default="validation")
    parser.add_argument("--data", nargs="*", default=["spine_vertebrae"])
    parser.add_argument("--model", nargs="*", default=["sam_vit_mini", "lite_medsam"])
    parser.add_argument("--variants", nargs="*", default=list(VARIANTS))
    parser.add_argument("--output", type=Path)
    parser.add_argument("--table", type=Path)
    parser.add_argument("--keep", type=Path, help="volume Dice of each object, with provenance")
    chosen = parser.parse_args()
    if chosen.table:
        print_tables(pd.read_csv(chosen.table))
        return
    rows, cases, segmenters = [], {}, []
    for model in chosen.model:
        segmenter = mskseg.load_segmenter(model)
        segmenters.append(segmenter)
        for data in chosen.data:
            for case, labels in cases_of(chosen.part, data):
                cases[case.name] = case
                for label in labels:
                    for name in chosen.variants:
                        if VARIANTS[name][2] and "mask" not in segmenter.prompt_kinds:
                            continue
                        named = {"data": data, "model": model, "variant": name}
                        named |= {"subject": case.name, "label": label}
                        rows += [named | row for row in follow(segmenter, case, label, name)]
                    pd.DataFrame(rows).to_csv(chosen.output, index=False)
                    print(model, case.name, label, flush=True)
    if chosen.keep:
        first, *others = segmenters
        facts = provenance(cases=cases.values(), segmenter=first, tuned=others, part=chosen.part)
        write_table(by_object(pd.DataFrame(rows)), chosen.keep, provenance=facts)


def volume_dice(rows):
    shared = rows["shared_px"].sum()
    return 2 * shared / max(rows["reference_px"].sum() + rows["predicted_px"].sum(), 1)


def by_object(rows):
    """Volume Dice of each object within each distance of its first slice, and on all slices."""
    objects, table = [*KEYS, "subject", "label"], {}
    for reach in (*DISTANCES, np.inf):
        near = rows[rows["steps"].abs() <= reach]
        name = "dice_all" if np.isinf(reach) else f"dice_within_{reach}"
        table[name] = near.groupby(objects).apply(volume_dice, include_groups=False)
    return pd.DataFrame(table).round(4).reset_index()


def print_tables(rows):
    each = by_object(rows).drop(columns=["subject", "label"]).groupby(KEYS)
    print(each.mean().assign(objects=each.size()).round(3).to_string())


if __name__ == "__main__":
    main()
