"""Write the pages of the site that come from other files: notebooks, guide, claims, API, changes.

They lie in docs/pages, which git ignores. A notebook is shown as the last run left it in
output/notebooks (`make workbook`); without one its source is shown, without results.
"""

from __future__ import annotations

import importlib
import inspect
import os
import re
import shutil
from pathlib import Path

import nbformat

from mskseg.workbook import find_notebooks, load_notebook
from mskseg.workbook.pages import harmless
from mskseg_studies.claims import load_claims, rule_in_words

ROOT = Path(__file__).parents[1]
CARDS = sorted((ROOT / "notebooks" / "studies").glob("*.md"))
LIBRARY = ["io", "datasets", "prompts", "models", "finetuning", "evaluation", "display"]
STUDIES = ["exploration", "model_parts", "prompting", "tuning", "errors", "specialists"]
STUDIES += ["uncertainty", "claims", "own_scan"]
ROOMS = ["mskseg", *(f"mskseg.{room}" for room in LIBRARY)]
ROOMS += [f"mskseg_studies.{room}" for room in STUDIES]
NOT_RUN = "*Shown without results: it was not run before this site was built.*"
FILES = {
    "guide.md": "notebooks/README.md",
    "results.md": "results/README.md",
    "changes.md": "CHANGELOG.md",
    "contributing.md": "CONTRIBUTING.md",
    "many_scans.md": "docs/many_scans.md",
    "sam_mini.md": "mskseg_mini/README.md",
}


def write_pages(folder: Path) -> None:
    """Write all of them anew."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name, source in FILES.items():
        text = (ROOT / source).read_text(encoding="utf-8")
        (folder / name).write_text(without_links_out(text), encoding="utf-8")
    for card in CARDS:
        shutil.copy(card, folder / card.name)
    write_notebooks(folder, Path(os.environ.get("MSKSEG_OUTPUT", ROOT / "output")) / "notebooks")
    (folder / "claims.md").write_text(claims_page(), encoding="utf-8")
    listed: set[int] = set()  # a name of several rooms has its page in the first
    for name in ROOMS:
        (folder / f"{name}.rst").write_text(api_page(name, listed), encoding="utf-8")


def write_notebooks(folder: Path, executed: Path) -> None:
    """Write each notebook as it was executed last, or its source with a note that it was not."""
    for source in find_notebooks(ROOT / "notebooks"):
        done = executed / f"{source.stem}.ipynb"
        if done.is_file():
            notebook = harmless(nbformat.read(done, as_version=4))
        else:
            notebook = load_notebook(source)
            notebook.cells[0].source += f"\n\n{NOT_RUN}"
        notebook.cells[0].source += launch_links(source.stem)
        hidden = {"colab", "injected-parameters"}
        notebook.cells = [c for c in notebook.cells if not hidden & set(c.metadata.get("tags", []))]
        for cell in notebook.cells:
            if "solution" in cell.metadata.get("tags", []):
                cell.metadata["tags"].append("hide-cell")
            if "alt" in cell.metadata:
                cell.metadata["mystnb"] = {"image": {"alt": cell.metadata["alt"]}}
            if cell.cell_type == "markdown":
                cell.source = without_links_out(cell.source)
        nbformat.write(notebook, folder / f"{source.stem}.ipynb")


def launch_links(stem: str) -> str:
    """Link to a notebook on Colab and on Binder, if $MSKSEG_REPOSITORY says where it is public.

    That is OWNER/NAME on GitHub, with the notebooks on its branch main.
    """
    repository = os.environ.get("MSKSEG_REPOSITORY", "")
    if not repository:
        return ""
    file = f"notebooks/{stem}.ipynb"
    colab = f"https://colab.research.google.com/github/{repository}/blob/main/{file}"
    binder = f"https://mybinder.org/v2/gh/{repository}/main?urlpath=lab/tree/{file}"
    return f"\n\n[Open in Colab]({colab}) · [Open in Binder]({binder})"


def without_links_out(text: str) -> str:
    """Point links at this site's pages where there is one; leave the words of the others."""
    pages = {source: name for name, source in FILES.items()}
    pages |= {Path(source).name: name for source, name in pages.items() if "README" not in source}

    def link(match: re.Match[str]) -> str:
        words, target = match["words"], match["target"]
        path = target.removeprefix("../").partition("#")[0]
        if re.fullmatch(r"(notebooks/)?\d\d_\w+\.(py|ipynb)", path):
            return f"[{words}]({Path(path).stem}.ipynb)"
        if re.fullmatch(r"(notebooks/)?studies/\w+\.md", path):
            return f"[{words}]({Path(path).name})"
        if path in pages:
            return f"[{words}]({pages[path]})"
        return match[0] if target.startswith(("#", "http")) else words

    return re.sub(r"(?<!!)\[(?P<words>[^\]]+)\]\((?P<target>[^)\s]+)\)", link, text)


def claims_page() -> str:
    """Every statement of claims.yaml with its study and the rule that judges it."""
    cards = {card.stem for card in CARDS}
    rows = [
        {
            "study": f"[{claim.study}]({claim.study}.md)" if claim.study in cards else claim.study,
            "statement": f"{claim.statement} `{claim.id}`"
            + ("" if claim.evidence == "stated" else " *(common belief, stated by no study here)*"),
            "how it is judged": rule_in_words(claim.rule) if claim.rule else "not judged here",
        }
        for claim in load_claims().claims
    ]
    lines = [f"| {' | '.join(row.values())} |" for row in rows]
    table = "\n".join([f"| {' | '.join(rows[0])} |", "|---|---|---|", *lines])
    return (
        "# Claims of the studies\n\nNotebook [09](09_weigh_the_claims.ipynb) judges them on the "
        f"tables of the run and of `results/`.\n\n{table}\n"
    )


def api_page(name: str, listed: set[int]) -> str:
    """One page for a room of the packages: its docstring, and a page for each public name."""
    room = importlib.import_module(name)
    keys = getattr(room, "__all__", None) or [key for key in vars(room) if not key.startswith("_")]
    public = {key: getattr(room, key) for key in sorted(keys)}
    if hasattr(room, "__path__"):  # a package lists what its modules define
        public = {key: value for key, value in public.items() if not inspect.ismodule(value)}
    else:
        own = vars(room)["__name__"]
        public = {k: v for k, v in public.items() if getattr(v, "__module__", None) == own}
    names = [key for key, value in public.items() if id(value) not in listed]
    listed.update(id(value) for value in public.values())
    rows = "\n".join(f"   {key}" for key in names)
    return (
        f"{name}\n{'=' * len(name)}\n\n{inspect.getdoc(room)}\n\n.. currentmodule:: {name}\n\n"
        f".. autosummary::\n   :toctree: {name}\n   :nosignatures:\n\n{rows}\n"
    )
