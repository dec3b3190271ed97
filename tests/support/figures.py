"""Figures of a test are drawn without a screen, and leave nothing behind."""

from __future__ import annotations

from collections.abc import Iterator

import matplotlib as mpl
import pytest
from matplotlib import pyplot as plt


@pytest.fixture(autouse=True)
def headless() -> Iterator[None]:
    """Draw with Agg; afterwards close all figures and put matplotlib's settings back."""
    with mpl.rc_context():
        plt.switch_backend("Agg")
        yield
        plt.close("all")
