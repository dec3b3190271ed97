"""The browser of the tests: Debian's chromium, which `.ci/run` installs."""

from __future__ import annotations

import os
import shutil

import pytest

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


@pytest.fixture(scope="module")
def chromium() -> str:
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None and os.environ.get("CI") != "true":
        pytest.skip("no chromium on the PATH")
    assert found, "CI=true, so the browser test may not be skipped: install chromium"
    return found
