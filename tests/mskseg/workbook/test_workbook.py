"""The runner: nothing skipped, failures named, an interrupted run continued."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

from mskseg.cli.main import main
from mskseg.cli.run import report
from mskseg.environment import available_cores
from mskseg.errors import InputError, OutputError
from mskseg.files import PARTIAL
from mskseg.workbook import NotebookRun, find_notebooks, load_notebook, run_workbook
from mskseg.workbook.execution import _KERNELS, make_output
from mskseg.workbook.lesson import write_lesson
from mskseg.workbook.pages import write_page
from mskseg.workbook.record import Record, finished_notebooks, result_key
from mskseg.workbook.sources import copy_workbook, executed_notebook, notebooks_folder

GOOD = """# %% [markdown]
# # Count
# %% tags=["parameters"]
n = 2
output = "../output"
# %%
import sys
from pathlib import Path
Path(output, "tables", "count.csv").write_text(f"n\\n{n}\\n")
print(n * 21)
print("a word on stderr", file=sys.stderr)
"""
BAD = """# %% [markdown]
# # Fail
# %% tags=["parameters"]
tissue = "femur"
# %%
table = {}
# %%
table[tissue]
# %%
print("never reached")
"""
SIZES = """
01_count: {quick: {n: 3}, default: {}, full: {n: 1000}}
02_fail: {quick: {}, default: {}}
03_also: {quick: {}}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three notebooks, the second fails."""
    folder = tmp_path_factory.mktemp("clone") / "notebooks"
    folder.mkdir()
    for name, source in (("01_count", GOOD), ("02_fail", BAD), ("03_also", GOOD)):
        (folder / f"{name}.py").write_text(source)
    (folder / "sizes.yaml").write_text(SIZES)
    return folder


@pytest.fixture(scope="module")
def finished(folder: Path) -> tuple[Path, list]:
    output = folder.parent / "output"
    return output, run_workbook(folder=folder, output=output, size="quick", progress=False)


def test_a_failing_notebook_is_named_with_its_cell_and_error_and_the_others_still_run(finished):
    _, runs = finished
    assert [(run.name, run.status) for run in runs] == [
        ("01_count", "passed"),
        ("02_fail", "failed"),
        ("03_also", "passed"),
    ]
    assert (runs[1].cell, runs[1].error) == (4, "KeyError: 'femur'")
    assert "FAILED 02_fail, cell 4: KeyError: 'femur'" in report(runs)
    assert report(runs).splitlines()[-1] == f"open {finished[0] / 'html' / 'index.html'}"


def test_parameters_of_the_size_are_injected_and_stderr_is_kept(finished):
    output, runs = finished
    cells = load_notebook(output / "notebooks" / "01_count.ipynb").cells
    texts = {out.name: out.text for cell in cells for out in cell.get("outputs", [])}
    assert texts == {"stdout": "63\n", "stderr": "a word on stderr\n"}
    assert runs[0].stderr_lines == 1
    assert "01_count (1)" in report(runs)
    assert (output / "tables" / "count.csv").read_text(
        encoding="utf-8"
    ) == "n\n2\n"  # 03_also, its own default


TWO = """
import sys
from pathlib import Path
from mskseg.workbook import run_workbook
folder, output = map(Path, sys.argv[1:3])
name = sys.argv[3]
runs = run_workbook([name], folder=folder, output=output, size="quick", progress=False)
sys.exit(runs[0].status != "passed")
"""


MEETING = """# %% tags=["parameters"]
output = "../output"
# %%
import os, time
from pathlib import Path
Path(output, "tables", "{mine}.txt").write_text(os.environ["OMP_NUM_THREADS"])
deadline = time.monotonic() + 120
while not Path(output, "tables", "{other}.txt").exists():
    assert time.monotonic() < deadline, "the other one never came"
    time.sleep(0.1)
"""
JUDGE = """# %% tags=["parameters"]
tables = ""
output = "../output"
# %%
from pathlib import Path
assert {one.stem for one in Path(output, "tables").glob("*.txt")} == {"a", "b"}
"""


def meeting(folder: Path, *, other: str = "b") -> Path:
    """Three notebooks: two that wait for each other, and before them one that reads both."""
    folder.mkdir()
    (folder / "01_judge.py").write_text(JUDGE)
    (folder / "02_a.py").write_text(MEETING.format(mine="a", other=other))
    (folder / "03_b.py").write_text(MEETING.format(mine="b", other="a" if other == "b" else other))
    (folder / "sizes.yaml").write_text(
        "".join(f"{name}: {{quick: {{}}}}\n" for name in ("01_judge", "02_a", "03_b"))
    )
    return folder


@pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")
def test_notebooks_run_side_by_side_with_their_part_of_the_cores_and_judges_after_all(
    tmp_path, monkeypatch
):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    how = {"folder": meeting(tmp_path / "notebooks"), "output": tmp_path, "size": "quick"}
    runs = run_workbook(jobs=2, progress=False, **how)
    expected = [("01_judge", "passed"), ("02_a", "passed"), ("03_b", "passed")]
    assert [(run.name, run.status) for run in runs] == expected, [run.error for run in runs]
    threads = str(max(1, available_cores() // 2))
    assert (tmp_path / "tables" / "a.txt").read_text() == threads
    assert "OMP_NUM_THREADS" not in os.environ
    assert [run.status for run in run_workbook(jobs=2, progress=False, **how)] == ["kept"] * 3
    with pytest.raises(InputError, match="expected 1 notebook or more at a time, got 0"):
        run_workbook(jobs=0, **how)


INTERRUPTED = """
import signal
import sys
from mskseg.cli.main import main
signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background ignores it
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.skipif(os.name != "posix", reason="a keyboard's interrupt is sent as a signal")
@pytest.mark.parametrize("jobs", [1, 2])
def test_an_interrupt_ends_all_notebooks_at_once_with_one_line(tmp_path, jobs):
    meeting(tmp_path / "notebooks", other="nobody")
    options = ["--size", "quick", "--output", "out", "--offline", "--jobs", str(jobs)]
    run = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED, "run", "02", "03", *options],
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env={"OMP_NUM_THREADS": "1", **os.environ},  # which the notebooks of this test write down
        start_new_session=True,
    )
    deadline = time.monotonic() + 90
    while not all((tmp_path / "out" / "tables" / f"{one}.txt").exists() for one in "ab"[:jobs]):
        assert time.monotonic() < deadline
        assert run.poll() is None
        time.sleep(0.1)
    os.killpg(run.pid, signal.SIGINT)  # as a terminal does
    _, said = run.communicate(timeout=60)
    assert (run.returncode, said) == (130, "mskseg: interrupted\n")


def test_two_runs_at_the_same_time_share_neither_a_kernel_nor_lose_a_record(folder, tmp_path):
    words = [sys.executable, "-c", TWO, str(folder), str(tmp_path / "out")]
    runtime = tmp_path / "runtime"
    environment = {**os.environ, "JUPYTER_RUNTIME_DIR": str(runtime)}
    both = [subprocess.Popen([*words, name], env=environment) for name in ("01", "03")]
    assert [each.wait(timeout=240) for each in both] == [0, 0]
    assert not [path for path in folder.iterdir() if "ipc" in path.name]
    assert not list(runtime.glob("kernel-*"))  # where a killed run would leave it
    assert finished_notebooks(tmp_path / "out") == {"01_count", "03_also"}


def test_runs_that_finish_at_the_same_time_keep_each_others_record(tmp_path):
    path = tmp_path / "finished.json"
    one, other = Record(path, keep=True), Record(path, keep=True)
    for record, name in ((one, "01_a"), (other, "02_b")):
        record.add(NotebookRun(name, "passed", 1.0, tmp_path / "page.html"), "key")
    assert set(json.loads(path.read_text(encoding="utf-8"))) == {"01_a", "02_b"}


def test_what_a_killed_run_left_is_swept_at_the_next_start_and_probes_never_meet(
    tmp_path, monkeypatch
):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    left = [tmp_path / f"{_KERNELS}abc" / "kernel-1"]
    left += [tmp_path / "out" / part / f"{PARTIAL}a.csv" for part in ("tables", "trainings/04/x")]
    foreign = tmp_path / "mskseg-data" / "mine.nii.gz"
    foreign.parent.mkdir()
    foreign.touch()
    os.utime(foreign.parent, (0, 0))
    for path in left:
        path.parent.mkdir(parents=True)
        path.touch()
        for old in (path, path.parent):
            os.utime(old, (0, 0))
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(make_output, [tmp_path / "out"] * 64))
    assert not [path for path in left if path.exists()]
    assert not left[0].parent.exists()
    assert foreign.exists(), "a folder of the user's own"
    assert not [path for path in (tmp_path / "out").rglob("*") if path.is_file()]


def test_a_torn_notebook_of_an_earlier_run_stops_nothing(folder, tmp_path, capsys):
    where = {"folder": folder, "output": tmp_path, "size": "quick", "progress": False}
    run_workbook(["01"], **where)
    torn = tmp_path / "notebooks" / "01_count.ipynb"
    torn.write_text(torn.read_text(encoding="utf-8")[:200], encoding="utf-8")
    assert write_lesson(folder=folder, output=tmp_path) == {
        "01_count": False,
        "02_fail": False,
        "03_also": False,
    }
    assert run_workbook(["03"], **where)[0].status == "passed"
    assert run_workbook(["01"], **where, fresh=True)[0].status == "passed"
    assert executed_notebook(torn) is not None


LIVE = """# %% [markdown]
# # Name tissues
# %% [markdown]
# **What you will do**: name them.
# %%
import pandas as pd
from IPython.display import Markdown, display
# %% tags=["parameters"]
output = "../output"
# %%
whole = None
# %%
tissue = "<img src=x onerror=alert(1)>"
display(Markdown(f"The {tissue} and <script>alert(2)</script>: p < 0.05, [x](javascript:alert(3))"))
pd.DataFrame({tissue: [tissue]}, index=[tissue])
"""


class _Page(HTMLParser):
    def __init__(self, path: Path) -> None:
        super().__init__()
        self.images, self.scripts, self.policy, self._inside = [], [], "", False
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self._inside = tag == "script"
        self.images += [attributes] if tag == "img" else []
        self.scripts += [""] if tag == "script" else []
        if attributes.get("http-equiv") == "Content-Security-Policy":
            self.policy = attributes["content"]

    def handle_endtag(self, tag):
        self._inside = False

    def handle_data(self, data):
        if self._inside:
            self.scripts[-1] += data


def test_names_are_text_in_pages_and_slides_and_only_our_script_may_run(tmp_path):
    folder = tmp_path / "notebooks"
    folder.mkdir()
    (folder / "01_live.py").write_text(LIVE, encoding="utf-8")
    (folder / "sizes.yaml").write_text("01_live: {quick: {}}", encoding="utf-8")
    where = {"folder": folder, "output": tmp_path / "out"}
    (run,) = run_workbook(**where, size="quick", progress=False)
    assert run.status == "passed", run.error
    write_lesson(**where)
    slides = tmp_path / "out" / "lesson" / "slides" / "01_live.html"
    page, shown = _Page(run.page), _Page(slides)
    index = _Page(tmp_path / "out" / "html" / "index.html")
    assert page.images == shown.images == []
    assert "p &lt; 0.05" in run.page.read_text(encoding="utf-8")
    assert page.scripts == index.scripts == []
    (script,) = shown.scripts
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in shown.policy
    for policy in (page.policy, index.policy):
        assert "default-src 'none'" in policy
        assert "script-src 'none'" in policy
    for path in (run.page, slides):
        assert 'href="javascript:' not in path.read_text(encoding="utf-8")


def test_pages_show_results_and_errors_and_load_nothing_from_elsewhere(finished):
    output, _ = finished
    page = (output / "html" / "02_fail.html").read_text(encoding="utf-8")
    assert "KeyError" in page
    assert "<script src=" not in page
    assert "cdnjs" not in page
    index = (output / "html" / "index.html").read_text(encoding="utf-8")
    assert index.count(".html") == 3
    assert "failed" in index


def test_a_page_folds_solutions_and_leaves_out_the_set_up_of_colab_unless_they_failed(tmp_path):
    cells = [
        new_code_cell("'set up'", metadata={"tags": ["colab"]}),
        new_code_cell("'my try'", metadata={"tags": ["exercise"]}),
        new_code_cell("'solved'", metadata={"tags": ["solution"]}),
        new_code_cell("'broken'", metadata={"tags": ["solution"]}),
    ]
    cells[3].outputs = [new_output("error", ename="KeyError", evalue="", traceback=["KeyError"])]
    write_page(new_notebook(cells=cells), tmp_path / "page.html", title="page")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    (folded,) = re.findall(r"<details><summary>Solution</summary>.+?</details>", page, re.S)
    assert "solved" in folded
    unfolded = page.replace(folded, "")
    assert "set up" not in page
    assert "my try" in unfolded
    assert "broken" in unfolded


def test_of_a_widget_with_a_picture_a_page_shows_the_picture(tmp_path):
    views = {"application/vnd.jupyter.widget-view+json": {"model_id": "x"}, "text/plain": "VBox()"}
    pixel = base64.b64encode(b"a picture").decode()
    shown = new_output("display_data", data=views | {"image/png": pixel})
    notebook = new_notebook(cells=[new_code_cell("slider", outputs=[shown])])
    write_page(notebook, tmp_path / "page.html", title="page")
    assert f"data:image/png;base64,{pixel}" in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_a_second_run_keeps_what_is_finished_and_runs_the_failed_one_again(folder, finished):
    output, _ = finished
    runs = run_workbook(folder=folder, output=output, size="quick", progress=False)
    assert [run.status for run in runs] == ["kept", "failed", "kept"]
    assert runs[0].seconds > 0


@pytest.mark.parametrize("change", ["source", "parameters", "fresh"])
def test_a_changed_notebook_is_run_again(folder, finished, tmp_path, change):
    clone = shutil.copytree(folder.parent, tmp_path / "clone")
    first = {"names": ["01"], "folder": clone / "notebooks", "output": clone / "output"}
    run_workbook(**first, size="quick", progress=False)
    if change == "source":
        source = clone / "notebooks" / "01_count.py"
        source.write_text(source.read_text(encoding="utf-8") + "print('more')\n")
    given = {"n": 5} if change == "parameters" else {}
    runs = run_workbook(**first, size="quick", given=given, fresh=change == "fresh", progress=False)
    assert [run.status for run in runs] == ["passed"]


def test_one_notebook_run_afresh_leaves_what_is_known_of_the_others(folder, tmp_path):
    clone = shutil.copytree(folder.parent, tmp_path / "clone")
    where = {"folder": clone / "notebooks", "output": clone / "output", "size": "quick"}
    run_workbook(["01", "03"], **where, progress=False)
    run_workbook(["03"], **where, fresh=True, progress=False)
    assert finished_notebooks(clone / "output") == {"01_count", "03_also"}
    assert run_workbook(["01"], **where, progress=False)[0].status == "kept"


def test_a_choice_that_a_notebook_does_not_use_is_said(folder, tmp_path):
    clone = shutil.copytree(folder.parent, tmp_path / "clone")
    where = {"folder": clone / "notebooks", "output": clone / "output", "size": "quick"}
    runs = run_workbook(["01"], **where, given={"model": "sam_vit_b"}, progress=False)
    assert "--model was not used by 01_count" in report(runs)
    page = (clone / "output" / "html" / "index.html").read_text(encoding="utf-8")
    assert "model sam_vit_b (not in 01_count, which name their own)" in page


def test_data_that_came_since_are_a_reason_to_run_again(folder, tmp_path, monkeypatch):
    source = tmp_path / "01_real.py"
    source.write_text('real = "qmritools_thigh"')
    state = SimpleNamespace(state="missing")
    monkeypatch.setattr("mskseg.workbook.record.verify", lambda _: [state])
    before = result_key(source, {})
    assert result_key(source, {}) == before
    state.state = "present"
    assert result_key(source, {}) != before


def test_a_failure_does_not_leave_an_earlier_result_to_be_kept(folder, finished, tmp_path):
    clone = shutil.copytree(folder.parent, tmp_path / "clone")
    source = clone / "notebooks" / "01_count.py"
    where = {"names": ["01"], "folder": source.parent, "output": clone / "output"}
    good = source.read_text(encoding="utf-8")
    run_workbook(**where, size="quick", progress=False)
    source.write_text(good + "raise SystemError('no')\n")
    assert run_workbook(**where, size="quick", progress=False)[0].failed
    source.write_text(good)
    assert run_workbook(**where, size="quick", progress=False)[0].status == "passed"


def test_every_notebook_is_found_once_whether_paired_or_not(tmp_path):
    for name in ("01_a.py", "01_a.ipynb", "02_b.py", "03_c.ipynb", "sizes.yaml"):
        (tmp_path / name).touch()
    found = [path.name for path in find_notebooks(tmp_path)]
    assert found == ["01_a.py", "02_b.py", "03_c.ipynb"]
    assert [path.name for path in find_notebooks(tmp_path, ["notebooks/02_b.ipynb", "01"])] == [
        "01_a.py",
        "02_b.py",
    ]


def test_an_unknown_notebook_is_refused_with_the_names_there_are(folder, tmp_path):
    with pytest.raises(InputError, match="no notebook named '04'; there are 01_count, 02_fail"):
        run_workbook(["04"], folder=folder, output=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_notebook_without_parameters_for_the_size_is_refused(folder, tmp_path):
    with pytest.raises(InputError, match="no 'full' parameters for 02_fail, 03_also"):
        run_workbook(folder=folder, output=tmp_path, size="full")


def test_an_output_that_is_a_file_is_refused(folder, tmp_path):
    (tmp_path / "output").touch()
    with pytest.raises(OutputError, match=r"cannot write to .*choose another --output"):
        run_workbook(folder=folder, output=tmp_path / "output", size="quick")


RESUMING = """# %% [markdown]
# # Train
# %% tags=["parameters"]
output = "../output"
# %%
from pathlib import Path
state = Path(output, "trainings", "06_train", "state")
began = state.is_file()
state.parent.mkdir(parents=True, exist_ok=True)
state.write_text("begun")
if not began:
    raise RuntimeError("interrupted")
"""


def test_a_notebook_resumes_its_own_trainings_and_not_those_of_other_code(tmp_path: Path):
    folder = tmp_path / "notebooks"
    folder.mkdir()
    source = folder / "06_train.py"
    source.write_text(RESUMING)
    (folder / "sizes.yaml").write_text("06_train: {quick: {}}")
    how = {"folder": folder, "output": tmp_path / "output", "size": "quick", "progress": False}

    def status(**more):
        return run_workbook(**how, **more)[0].status

    assert [status(), status()] == ["failed", "passed"]
    assert status(fresh=True) == "failed"
    source.write_text(RESUMING + "# other code\n")
    assert status() == "failed"
    assert status() == "passed"


def test_new_results_make_a_run_old_unless_it_reads_none_of_them(tmp_path: Path):
    folder, results = tmp_path / "notebooks", tmp_path / "results"
    folder.mkdir()
    results.mkdir()
    source = RESUMING.split("# %%")[0] + '# %% tags=["parameters"]\nresults = "../results"\n'
    (folder / "06_train.py").write_text(source)
    (folder / "sizes.yaml").write_text("06_train: {default: {}, study: {results: none}}")

    def statuses(size):
        how = {"folder": folder, "output": tmp_path / size, "size": size, "progress": False}
        first = run_workbook(**how)[0].status
        (results / f"of_{size}.csv").write_text("dice\n0.9\n")
        return [first, run_workbook(**how)[0].status]

    assert statuses("default") == ["passed", "passed"]
    assert statuses("study") == ["passed", "kept"]


def test_notebooks_are_written_into_a_folder_and_never_over_changed_ones(tmp_path: Path):
    n_files = copy_workbook(tmp_path / "mine")
    notebook = tmp_path / "mine" / "notebooks" / "01_explore_the_data.py"
    assert n_files > 20
    assert notebook.read_bytes() == (notebooks_folder() / notebook.name).read_bytes()
    assert copy_workbook(tmp_path / "mine") == n_files  # nothing differs, so nothing to ask
    notebook.write_text("mine", encoding="utf-8")
    (tmp_path / "mine" / "results" / "README.md").unlink()
    with pytest.raises(OutputError, match=r"01_explore_the_data.py differs .* --overwrite"):
        copy_workbook(tmp_path / "mine")
    assert notebook.read_text(encoding="utf-8") == "mine"
    assert not (tmp_path / "mine" / "results" / "README.md").exists()
    assert main(["workbook", str(tmp_path / "mine"), "--overwrite"]) == 0
    assert notebook.read_bytes() == (notebooks_folder() / notebook.name).read_bytes()


def test_a_folder_of_ones_own_notebooks_comes_before_the_installed_ones(tmp_path, monkeypatch):
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "sizes.yaml").write_text("")
    monkeypatch.chdir(tmp_path)
    assert notebooks_folder() == tmp_path / "notebooks"
