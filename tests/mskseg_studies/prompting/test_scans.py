"""Echoes are cases of one anatomy."""

from __future__ import annotations

import numpy as np
import pytest

from mskseg.errors import InputError
from mskseg_phantom import SPLIT
from mskseg_studies.prompting import scans
from mskseg_studies.prompting.scans import make_fine_knees, make_phases, read_echoes


@pytest.mark.slow
def test_echoes_of_a_phantom_fade_and_share_their_reference():
    first, last = make_phases("knee", ["mese_te10", "mese_te80"], n_subjects=1)
    assert (first.sequence, last.sequence) == ("mese_te10", "mese_te80")
    assert np.array_equal(first.reference.array, last.reference.array)
    assert first.image.array.mean() > last.image.array.mean()


def test_phases_are_of_the_people_of_a_part(monkeypatch):
    asked = []

    def scan(anatomy, subject, *, sequences, shape):
        asked.append((anatomy, subject, sequences, shape))
        return [f"{subject} {sequence}" for sequence in sequences]

    monkeypatch.setattr(scans, "scan_phantom", scan)
    made = make_phases("hip", ["a", "b"], part="validation", n_subjects=2)
    first, second = SPLIT["validation"][:2]
    assert made == [f"{first} a", f"{first} b", f"{second} a", f"{second} b"]
    assert {(anatomy, shape) for anatomy, _, _, shape in asked} == {("hip", (256, 256, 8))}
    assert len(make_phases("hip", ["a"], n_subjects=99)) == len(SPLIT["test"])


@pytest.mark.slow
def test_fine_knees_keep_their_field_of_view():
    (fine,), (coarse,) = make_fine_knees(1, size_px=64), make_fine_knees(1, size_px=32)
    assert fine.image.shape != coarse.image.shape
    assert max(fine.slice(4).image.shape) == 64
    assert fine.slice(4).spacing_mm == pytest.approx(np.divide(coarse.slice(4).spacing_mm, 2))


def test_a_folder_without_a_series_is_said(tmp_path):
    with pytest.raises(InputError, match="holds no DICOM image"):
        read_echoes(tmp_path)
