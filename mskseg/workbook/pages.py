"""Turn executed notebooks into HTML pages that open without internet."""

from __future__ import annotations

import copy
import hashlib
import html
import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mskseg
from mskseg.files import write_text

if TYPE_CHECKING:
    from nbformat import NotebookNode

    from mskseg.workbook.record import NotebookRun
    from mskseg.workbook.sources import Size

_TAG = re.compile(r"<(?=[A-Za-z/!?])")  # of a tag, a comment or an address, not of "p < 0.05"
_LINK = re.compile(r"\](?=[(\[:])")
LEDGER_PAGE = "claims.html"  # in the output folder, above the notebooks' pages
_LEDGER_LINK = f'<p><a href="../{LEDGER_PAGE}">What held, claim by claim</a></p>\n'


def write_page(notebook: NotebookNode, path: Path, *, title: str) -> None:
    """Write an executed notebook, errors and stderr included, as one self-contained HTML file."""
    from nbconvert import HTMLExporter

    template = packaged("page.html.j2").replace("POLICY", content_policy())
    exporter = HTMLExporter(raw_template=template + packaged("figure.html.j2"))
    resources = {"metadata": {"name": title}}
    page, _ = exporter.from_notebook_node(harmless(notebook), resources=resources)
    write_text(path, page)


def packaged(name: str) -> str:
    """Read a file of this package."""
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


def content_policy(*scripts: str) -> str:
    """Make the tag that lets a page load nothing, and run no script but these (by their hash)."""
    digests = (b64encode(hashlib.sha256(script.encode()).digest()) for script in scripts)
    allowed = " ".join(f"'sha256-{digest.decode()}'" for digest in digests) or "'none'"
    return (
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; img-src data:; '
        "font-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; "
        f'script-src {allowed}">'
    )


def harmless(notebook: NotebookNode) -> NotebookNode:
    """Copy a notebook for a page: no HTML or links in Markdown outputs, since names are others'.

    Of a widget with a picture the picture is left.
    """
    copied = copy.deepcopy(notebook)
    for cell in copied.cells:
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if "image/png" in data:
                data.pop("application/vnd.jupyter.widget-view+json", None)
            if "text/markdown" in data:
                without_tags = _TAG.sub("&lt;", data["text/markdown"])
                data["text/markdown"] = _LINK.sub(r"]\\", without_tags)
    return copied


def write_run_index(
    runs: Sequence[NotebookRun], output: Path, *, size: Size, given: Mapping[str, Any]
) -> None:
    """Write the page that links to each run and the claims; its caption has size and choices."""
    rows = "".join(
        f'<tr><td><a href="{html.escape(run.name)}.html">{html.escape(run.name)}</a></td>'
        f"<td>{run.seconds:.1f}</td><td>{run.status}</td></tr>\n"
        for run in runs
    )
    caption = f"Size {size}"
    for name, value in given.items():
        caption += f", {name} {', '.join(map(str, value)) if isinstance(value, list) else value}"
        if without := [run.name for run in runs if name in run.unused]:
            caption += f" (not in {', '.join(without)}, which name their own)"
    caption += f"; mskseg {mskseg.__version__}."
    ledger = _LEDGER_LINK if (output / LEDGER_PAGE).is_file() else ""
    policy = content_policy()
    page = packaged("index.html").format(
        policy=policy, caption=html.escape(caption), rows=rows, ledger=ledger
    )
    write_text(output / "html" / "index.html", page)
