"""The picture of a slice with the answers of models."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from mskseg.case import Case
from mskseg.evaluation import KeptPredictions, PromptedSlice, prompt_slice, score_cases
from mskseg.prompts import OracleBox
from mskseg.volume import LabelMap, Volume
from mskseg_studies import prompting


class FillsBoxes:
    """Answers with the box, moved down by some pixels."""

    def __init__(self, name: str, down_px: int, *, miniature: bool) -> None:
        self.name, self.down_px, self.miniature = name, down_px, miniature
        self.n_predicted = 0

    def embed(self, image):
        return image

    def predict(self, embedding, prompt):
        self.n_predicted += 1
        masks = np.zeros((len(prompt), 1, *embedding.shape), dtype=bool)
        for mask, (x0, y0, x1, y1) in zip(masks[:, 0], prompt.boxes_xyxy.astype(int), strict=True):
            mask[y0 + self.down_px : y1 + self.down_px, x0:x1] = True
        return type("Answer", (), {"masks": masks, "predicted_iou": np.ones((len(prompt), 1))})()


def drawn_case(subject: str, site: str, *, n_blocks: int = 1) -> Case:
    """Blocks of 20 x 10 mm on the middle one of three slices; on the others the first alone."""
    grid = Volume(np.zeros((60, 80, 3)), np.diag([1.0, 1.0, 5.0, 1.0]))
    stack = np.zeros((3, 80, 60), dtype=np.int16)
    stack[:, 10:20, 10:30] = 1
    for number in range(1, n_blocks):
        stack[1, 10 + 20 * number : 20 + 20 * number, 10:30] = number + 1
    reference = LabelMap(grid.from_stack(stack, "axial").array, grid.affine)
    image = Volume(reference.array * 50.0 + 1, grid.affine)
    return Case(subject=subject, dataset="d", site=site, image=image, reference=reference)


def test_the_fullest_scored_slice_of_each_site_comes_from_what_was_kept():
    models = [FillsBoxes("ours", 2, miniature=True), FillsBoxes("theirs", 0, miniature=False)]
    cases = [drawn_case("p", "x", n_blocks=3), drawn_case("q", "x"), drawn_case("r", "y")]
    kept, plan = KeptPredictions(), OracleBox()
    parts = [
        score_cases(m, cases, prompts=[plan, OracleBox(margin_px=2)], progress=False, kept=kept)
        for m in models
    ]
    before = [m.n_predicted for m in models]
    found = list(prompting.fullest_answers(pd.concat(parts, ignore_index=True), kept, cases, plan))
    assert [m.n_predicted for m in models] == before, "the pictures predict nothing again"
    assert [(p.case.subject, len(p.labels)) for p, _ in found] == [("p", 3), ("r", 1)]
    prompted, answers = found[0]
    assert isinstance(prompted, PromptedSlice)
    assert prompted.case_slice.index == 1
    assert set(answers) == {"ours (miniature)", "theirs (published)"}
    for label, mask in answers["theirs (published)"].items():
        assert np.array_equal(mask, prompted.references[label]), "of the tight plan, not the wider"


def test_a_panel_for_the_boxes_and_one_for_each_model_with_its_mean_dice():
    case = drawn_case("p", "x", n_blocks=2)
    prompted = prompt_slice(case, case.slice(1), OracleBox())
    right = dict(prompted.references)
    shifted = {label: np.roll(mask, 5, axis=0) for label, mask in right.items()}
    answers = {"a": right, "b": shifted, "nothing": {}}
    axes = prompting.boxes_and_predictions(prompted, answers, title="t")
    assert [ax.get_title() for ax in axes] == [
        "reference\nfilled boxes: 1.00",
        "a\n1.00",
        "b\n0.50",
        "nothing\n0.00",
    ]
    assert axes[0].figure.get_suptitle() == "t"
    named = [text.get_text() for text in axes[0].figure.legends[0].get_texts()]
    assert named == [case.tissue(label) for label in prompted.labels]
    assert len({ax.get_xlim() for ax in axes}) == 1
    plt.close("all")
