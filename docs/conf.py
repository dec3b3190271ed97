"""Sphinx's configuration; `make docs` builds the site into output/site, without internet."""

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from pages import write_pages
from sphinx.application import Sphinx
from sphinx.pycode import ModuleAnalyzer

import mskseg

project = "mskseg"
author = "The mskseg developers"
release = version = mskseg.__version__

extensions = ["myst_nb", "numpydoc", "sphinx.ext.autodoc", "sphinx.ext.autosummary"]
root_doc = "index"
exclude_patterns = ["many_scans.md", "paper.md"]  # the first is copied to pages/
suppress_warnings = ["mystnb.unknown_mime_type"]  # widgets: the figure beside each is shown

nb_execution_mode = "off"  # what a run left in output/ is shown
nb_code_prompt_show = "Show the solution"  # nothing else is folded
nb_code_prompt_hide = "Hide the solution"
nb_ipywidgets_js = {}  # these scripts would come from another server
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 4
autosummary_generate = True
templates_path = ["_templates"]
default_role = "py:obj"
autodoc_typehints = "none"  # numpydoc's sections say types, with shapes and units
numpydoc_show_class_members = False

html_theme = "furo"
html_title = "mskseg"
html_copy_source = html_show_copyright = False
html_static_path, html_css_files = ["_static"], ["site.css"]
html_search_scorer = str(Path(__file__).with_name("scorer.js"))
html_theme_options = {"navigation_with_keys": True}


def setup(app: Sphinx) -> None:
    """Write the pages that are made of other files of the repository."""
    write_pages(Path(__file__).parent / "pages")
    app.connect("autodoc-process-docstring", describe_constant)


def describe_constant(_: Sphinx, what: str, name: str, *rest: Any) -> None:
    """Describe a constant by the text under it, or by none: never by the docstring of its type."""
    if what != "data":
        return
    package, key = name.rsplit(".", 1)
    inside = [module for module in sys.modules if f"{module}.".startswith(f"{package}.")]
    texts = (ModuleAnalyzer.for_module(module).find_attr_docs() for module in inside)
    rest[-1][:] = next((text["", key] for text in texts if ("", key) in text), [])
