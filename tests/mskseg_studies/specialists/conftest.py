from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="session")
def shapes() -> ModuleType:
    """The module beside this file; tests are no package."""
    described = importlib.util.spec_from_file_location(
        "drawn_shapes", Path(__file__).with_name("shapes.py")
    )
    module = importlib.util.module_from_spec(described)
    described.loader.exec_module(module)
    return module
