"""The site: built from the notebooks, the claims and the docstrings, without the internet."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from html import unescape
from pathlib import Path
from urllib.parse import unquote

import nbformat
import pytest
from nbformat.v4 import new_output
from playwright.sync_api import sync_playwright
from support.browser import FLAGS
from support.browser import chromium as chromium

from mskseg.workbook import find_notebooks, load_notebook

ROOT = Path(__file__).parents[1]
NOTEBOOKS = find_notebooks(ROOT / "notebooks")
ATTRIBUTE = re.compile(r'<(\w+)[^>]*?\s(?:href|src)="([^"]+)"')


@pytest.fixture(scope="module")
def pages() -> object:
    sys.path.insert(0, str(ROOT / "docs"))
    try:
        import pages
    finally:
        sys.path.pop(0)
    return pages


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The whole site, of an output folder in which one notebook was run."""
    folder = tmp_path_factory.mktemp("docs")
    (folder / "output" / "notebooks").mkdir(parents=True)
    notebook = load_notebook(NOTEBOOKS[0])
    code = next(
        cell for cell in notebook.cells if cell.cell_type == "code" and len(cell.source) > 300
    )
    code.outputs = [new_output("stream", text="what the run gave\n")]
    nbformat.write(notebook, folder / "output" / "notebooks" / f"{NOTEBOOKS[0].stem}.ipynb")
    command = [sys.executable, "-m", "sphinx", "--quiet", "--fail-on-warning", ROOT / "docs"]
    environment = {**os.environ, "MSKSEG_OUTPUT": str(folder / "output")}
    done = subprocess.run(
        [*command, "-d", folder / "trees", folder / "site"],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return folder / "site"


def test_a_notebook_is_opened_on_colab_and_binder_where_it_is_public(pages, tmp_path, monkeypatch):
    monkeypatch.delenv("MSKSEG_REPOSITORY", raising=False)
    assert pages.launch_links("02_meet_the_model") == ""
    monkeypatch.setenv("MSKSEG_REPOSITORY", "someone/mskseg")
    pages.write_notebooks(tmp_path, tmp_path / "nothing was run")
    for path in NOTEBOOKS:
        first = nbformat.read(tmp_path / f"{path.stem}.ipynb", as_version=4).cells[0].source
        file = f"notebooks/{path.stem}.ipynb"
        assert (ROOT / file).is_file()
        assert f"github/someone/mskseg/blob/main/{file})" in first
        assert f"gh/someone/mskseg/main?urlpath=lab/tree/{file})" in first


@pytest.mark.slow
def test_every_notebook_has_a_page_and_shows_what_a_run_gave(site: Path):
    texts = [(site / "pages" / f"{path.stem}.html").read_text("utf-8") for path in NOTEBOOKS]
    assert "what the run gave" in texts[0]
    assert "Shown without results" not in texts[0]
    assert all("Shown without results" in text for text in texts[1:])
    assert all("google.colab" not in text for text in texts)


@pytest.mark.slow
def test_every_link_inside_the_site_leads_somewhere(site: Path):
    lost = []
    for page in site.rglob("*.html"):
        for _, target in ATTRIBUTE.findall(page.read_text("utf-8")):
            path, _, anchor = unescape(target).partition("#")
            if re.match(r"[a-z]+:", target):
                continue
            file = (page.parent / unquote(path.partition("?")[0])).resolve() if path else page
            if not file.exists():
                lost.append((page.name, target))
            elif anchor and file.suffix == ".html":
                text = file.read_text("utf-8")
                if f'id="{anchor}"' not in text and f'id="{unquote(anchor)}"' not in text:
                    lost.append((page.name, target))
    assert lost == []


@pytest.mark.slow
def test_nothing_is_loaded_from_another_server(site: Path):
    for page in site.rglob("*.html"):
        for tag, target in ATTRIBUTE.findall(page.read_text("utf-8")):
            assert tag == "a" or "://" not in target, (page.name, target)


@pytest.mark.slow
@pytest.mark.parametrize("width", [420, 800, 1150, 1400, 1700])
def test_no_page_is_wider_than_its_window(site: Path, chromium: str, width: int):
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        page = browser.new_page(viewport={"width": width, "height": 900})
        for name in ("index", "pages/claims", "pages/guide", f"pages/{NOTEBOOKS[2].stem}"):
            page.goto((site / f"{name}.html").as_uri())
            assert page.evaluate("document.documentElement.scrollWidth") <= width, name
        browser.close()


@pytest.mark.slow
def test_the_search_finds_a_public_name_and_a_word_of_a_notebook(site: Path):
    index = (site / "searchindex.js").read_text("utf-8")
    assert "score_cases" in index
    assert "meniscus" in index


def test_links_lead_to_pages_of_the_site_and_others_become_words(pages):
    text = (
        "[03](../notebooks/03_segment_zero_shot.py), [card](studies/ma_2024.md), "
        "[changes](CHANGELOG.md), [code](mskseg/volume.py), [below](#map), ![a](real_spine.png)"
    )
    assert pages.without_links_out(text) == (
        "[03](03_segment_zero_shot.ipynb), [card](ma_2024.md), "
        "[changes](changes.md), code, [below](#map), ![a](real_spine.png)"
    )


def test_the_claims_page_has_a_row_for_each_statement(pages):
    from mskseg_studies.claims import load_claims

    rows = [line for line in pages.claims_page().splitlines() if line.startswith("| ")]
    assert len(rows) == 1 + len(load_claims().claims)


def test_every_room_that_a_notebook_imports_has_a_page(pages):
    for path in NOTEBOOKS:
        for room in re.findall(r"^from mskseg_studies import (\w+)", path.read_text("utf-8"), re.M):
            assert f"mskseg_studies.{room}" in pages.ROOMS, path.name
