"""Grades of fatty infiltration: their fat fractions, their streaks, their place in the split."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

import mskseg_phantom as phantom
from mskseg.datasets.loading import dataset_entry
from mskseg_phantom.acquisition.scanner import SUBJECT, TEXTURE, Randomness
from mskseg_phantom.anatomies import ANATOMIES
from mskseg_phantom.anatomies.thigh import FAT_FRACTION, grade_of
from mskseg_phantom.drawing import rasterise
from mskseg_phantom.tissue import Tissue
from mskseg_studies.bootstrap import MIN_SUBJECTS

MUSCLES = range(1, 13)
INFILTRATED = "phantom_infiltrated_thigh"


def content(number: int):
    """Shares and labels of a subject on a coarse grid."""
    plan, randomness = ANATOMIES["infiltrated_thigh"], Randomness(0, number, (4,))
    person = plan.sample_subject(randomness.of(SUBJECT), number)
    body = plan.body(person, randomness.of(TEXTURE))
    return rasterise(body, shape=(128, 128, 3))


@pytest.mark.parametrize("number", range(1, 13))
def test_the_fat_inside_the_muscle_labels_is_that_of_the_grade(number):
    voxels = content(number)
    muscle = np.isin(voxels.labels, MUSCLES)
    inside = (voxels.fractions[Tissue.FAT] + voxels.fractions[Tissue.MUSCLE])[muscle] > 0.95
    fat = voxels.fractions[Tissue.FAT][muscle][inside]
    low, high = FAT_FRACTION[grade_of(number)]
    assert low <= fat.mean() <= high
    assert fat.std() > 0.25 * fat.mean()  # streaky, not one grey


def test_the_ranges_do_not_touch():
    ends = [end for limits in FAT_FRACTION.values() for end in limits]
    assert ends == sorted(set(ends))


@pytest.mark.parametrize("part", ["train", "validation", "test"])
def test_each_part_that_learns_or_reports_has_all_grades(part):
    numbers = phantom.split_of("infiltrated_thigh")[part]
    assert {grade_of(number) for number in numbers} == set(FAT_FRACTION)


def test_each_grade_has_the_people_that_an_interval_needs():
    numbers = phantom.split_of("infiltrated_thigh")["test"]
    assert set(Counter(map(grade_of, numbers)).values()) == {MIN_SUBJECTS}
    everyone = [n for part in phantom.split_of("infiltrated_thigh").values() for n in part]
    assert len(everyone) == len(set(everyone)) == dataset_entry(INFILTRATED).subjects


def test_a_case_says_its_grade_and_its_label_map_is_that_of_muscle_with_its_fat():
    case = phantom.make_phantom("infiltrated_thigh", 3, shape=(64, 64, 2))
    assert (case.severity, case.anatomy) == ("Severe", "thigh")
    assert case.dataset == "phantom_infiltrated_thigh"
    healthy = phantom.make_phantom("thigh", 3, shape=(64, 64, 2))
    assert healthy.severity == ""
    share = [np.isin(each.reference.array, MUSCLES).mean() for each in (case, healthy)]
    assert share[0] == pytest.approx(share[1], rel=0.5)
