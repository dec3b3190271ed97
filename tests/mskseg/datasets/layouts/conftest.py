from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def trees():
    """The builders of fake data sets, `trees.py` beside this file."""
    spec = importlib.util.spec_from_file_location("trees", Path(__file__).with_name("trees.py"))
    module = importlib.util.module_from_spec(spec)
    sys.modules["trees"] = module
    spec.loader.exec_module(module)
    return module
