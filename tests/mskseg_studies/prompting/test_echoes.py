"""Echoes are cases of one anatomy."""

from __future__ import annotations

import numpy as np
import pytest

from mskseg.errors import InputError
from mskseg_studies.prompting.echoes import make_echoes, read_echoes


@pytest.mark.slow
def test_echoes_of_a_phantom_fade_and_share_their_reference():
    first, last = make_echoes(1, (10, 80))
    assert (first.sequence, last.sequence) == ("mese_te10", "mese_te80")
    assert np.array_equal(first.reference.array, last.reference.array)
    assert first.image.array.mean() > last.image.array.mean()


def test_a_folder_without_a_series_is_said(tmp_path):
    with pytest.raises(InputError, match="holds no DICOM image"):
        read_echoes(tmp_path)
