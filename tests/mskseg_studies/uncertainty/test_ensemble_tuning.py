"""Deep ensembles of tunings."""

from __future__ import annotations

import numpy as np
import pytest

from mskseg.errors import InputError
from mskseg_studies.uncertainty.ensembles import tune_ensemble


def test_members_differ_share_their_embeddings_and_repeat_by_seed(small, train, validation, tiny):
    first, second = tune_ensemble(small, train, validation, tiny, seeds=[0, 1], progress=False)
    (again,) = tune_ensemble(small, train, validation, tiny, seeds=[1], progress=False)
    assert [first.config.seed, second.config.seed] == [0, 1]
    assert second.history["loss"].iloc[-1] == pytest.approx(again.history["loss"].iloc[-1])
    assert first.history["loss"].iloc[-1] != second.history["loss"].iloc[-1]
    image = np.full((48, 40), 7, np.uint8)
    for result in (first, second):
        result.segmenter.embed(image)
    n_hits = small.cache.n_hits
    second.segmenter.embed(image)
    assert small.cache.n_hits == n_hits + 1


def test_a_member_that_was_tuned_is_read_after_an_interruption(
    small, train, validation, tiny, tmp_path
):
    how = {"folder": tmp_path, "progress": False}
    (before,) = tune_ensemble(small, train, validation, tiny, seeds=[1], **how)
    _, after = tune_ensemble(small, train, validation, tiny, seeds=[0, 1], **how)
    assert after.seconds == before.seconds
    assert after.history.equals(before.history)


@pytest.mark.parametrize("seeds", [[], [1, 1]])
def test_members_need_a_seed_each(small, train, validation, tiny, seeds):
    with pytest.raises(InputError, match="each once"):
        tune_ensemble(small, train, validation, tiny, seeds=seeds)
