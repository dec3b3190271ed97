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

# nbconvert's page loads MathJax, require.js, jQuery and mermaid from other people's servers. The
# notebooks use none of them, and in a closed network each is a time-out: the blocks are emptied.
_OFFLINE_PAGE = """{%- extends 'lab/index.html.j2' -%}
{%- block html_head_js -%}{%- endblock -%}
{%- block jupyter_widgets -%}{%- endblock -%}
{%- block html_head_js_mathjax -%}{%- endblock -%}
{%- block html_head_js_mermaidjs -%}{%- endblock -%}
"""

# A figure's alternative text stands in the metadata of its cell, which nbconvert's page ignores.
PNG_WITH_ALT = """{%- block data_png scoped -%}
<div class="jp-RenderedImage jp-OutputArea-output {{ extra_class }}">
<img src="data:image/png;base64,{{ output.data['image/png'] | escape_html }}"
alt="{{ cell.metadata.get('alt', 'figure') | escape_html }}">
</div>
{%- endblock -%}
"""

_INDEX = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">{policy}<title>mskseg workbook</title>
<style>body {{ font: 16px/1.5 sans-serif; max-width: 44em; margin: 2em auto; padding: 0 1em }}
td, th {{ padding: .2em 1.2em .2em 0; text-align: left }}</style></head>
<body><h1>mskseg workbook</h1><p>{caption}</p>
<table><tr><th>notebook</th><th>seconds</th><th>status</th></tr>
{rows}</table>
{ledger}<p>Not a medical device: for learning and research.</p></body></html>
"""


_TAG = re.compile(r"<(?=[A-Za-z/!?])")  # of a tag, a comment or an address, not of "p < 0.05"
_LINK = re.compile(r"\](?=[(\[:])")
LEDGER_PAGE = "claims.html"  # in the output folder, above the notebooks' pages
_LEDGER_LINK = f'<p><a href="../{LEDGER_PAGE}">What held, claim by claim</a></p>\n'


def write_page(notebook: NotebookNode, path: Path, *, title: str) -> None:
    """Write an executed notebook, errors and stderr included, as one self-contained HTML file."""
    from nbconvert import HTMLExporter

    head = "{%- block html_head -%}" + content_policy() + "{{ super() }}{%- endblock -%}"
    exporter = HTMLExporter(raw_template=_OFFLINE_PAGE + head + PNG_WITH_ALT)
    resources = {"metadata": {"name": title}}
    page, _ = exporter.from_notebook_node(harmless(notebook), resources=resources)
    write_text(path, page)


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
    """Copy a notebook with HTML and links in its Markdown outputs as text: names are others'."""
    copied = copy.deepcopy(notebook)
    for cell in copied.cells:
        for output in cell.get("outputs", []):
            data = output.get("data", {})
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
    page = _INDEX.format(policy=policy, caption=html.escape(caption), rows=rows, ledger=ledger)
    write_text(output / "html" / "index.html", page)
