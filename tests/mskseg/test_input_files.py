"""Whatever a small file holds, a reader gives its meaning or one line: a property of each kind."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from mskseg.case import CaseDescription
from mskseg.cli.main import main
from mskseg.datasets.layouts import DicomNiftiLayout, NnunetLayout
from mskseg.datasets.manifest import load_manifest
from mskseg.errors import InputError, MsksegError
from mskseg.files import write_text
from mskseg.input_files import check_regular, parse_json, read_text, user_path
from mskseg.io import load_label_names
from mskseg.prompts.files import read_prompts
from mskseg.provenance import read_provenance, sidecar_path
from mskseg.splits import load_split
from mskseg.workbook.sources import read_sizes
from mskseg_studies.committed import committed_results

HOSTILE = [
    b"",
    b"{}",
    b"[]",
    b"null",
    b"\xff\xfe\x00",
    b"\x80\xff",
    b"a\0b",
    b"[" * 50_000,
    b'{"a":' * 50_000,
    b"- " * 20_000,
    b"{" * 3_000,
    b"9" * 6_000,
    b'{"parts": ' + b"9" * 6_000 + b"}",
    b'{"images": [{"scan_id": 1}], "labels": 3, "prompts": [{"slice": 1e400}]}',
    b'{"prompts": [{"slice": 1, "boxes_xyxy": [[1e999, 0, 1, 1]]}]}',
    rb'{"plane": "\ud800", "labels": {"\ud800": 1}, "dataset": "\udfff"}',
    b"a: !!python/object/apply:os.system [ls]",
    b"a: !!timestamp 2001-99-99",
    b"a: !!int 0b2\nb: !!float x\nc: !!binary '*'",
    b"? {a: b}\n: c",
    b"<<: 3",
    b"&a [*a, *a]",
    b"label,name\n1," + b"x" * 140_000,
    b'a,b\n"1,2\n',
    b"1\t2\t3\n4\t5\n",
]


def read_nnunet(path: Path) -> object:
    (path.parent / "dataset.json").write_bytes(path.read_bytes())
    return NnunetLayout().list_scans(path.parent, CaseDescription(subject=""))


def read_owners(path: Path) -> object:
    (path.parent / "dicoms" / "a").mkdir(parents=True, exist_ok=True)
    return DicomNiftiLayout(subjects=path.name).list_scans(path.parent, CaseDescription(subject=""))


def read_manifest(path: Path) -> object:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MSKSEG_MANIFEST", str(path))
        load_manifest.__globals__["_load"].cache_clear()
        return load_manifest()


def read_sidecar(path: Path) -> object:
    sidecar_path(path).write_bytes(path.read_bytes())
    return read_provenance(path)


def read_table_of_sizes(path: Path) -> object:
    (path.parent / "sizes.yaml").write_bytes(path.read_bytes())
    return read_sizes(path.parent)


def read_picture(path: Path) -> object:
    return read_provenance(path.rename(path.with_suffix(".png")))


READERS = {
    "names.txt": load_label_names,
    "names.csv": load_label_names,
    "names.json": load_label_names,
    "prompts.json": read_prompts,
    "split.json": load_split,
    "manifest.yaml": read_manifest,
    "of_nnunet.json": read_nnunet,
    "owners.json": read_owners,
    "results.csv": lambda path: committed_results(path.parent, path.name),
    "sidecar.csv": read_sidecar,
    "of_sizes.yaml": read_table_of_sizes,
    "figure": read_picture,
}


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", READERS)
@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    content=st.sampled_from(HOSTILE)
    | st.binary(max_size=60)
    | st.text(max_size=60).map(lambda text: text.encode("utf-8", "surrogatepass"))
)
def test_any_bytes_are_read_or_refused_in_one_line_that_names_the_file(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    said = str(tmp_path)
    with suppress(MsksegError):
        try:
            READERS[name](path)
        except MsksegError as error:
            said = str(error)
            raise
    assert str(tmp_path) in said
    assert "\n" not in said
    assert len(said) < 1_500


for hostile in HOSTILE:
    test_any_bytes_are_read_or_refused_in_one_line_that_names_the_file = example(content=hostile)(
        test_any_bytes_are_read_or_refused_in_one_line_that_names_the_file
    )


@pytest.mark.parametrize("reader", ["names.txt", "prompts.json", "split.json", "manifest.yaml"])
def test_only_regular_files_of_a_stated_size_are_read(tmp_path, reader):
    os.mkfifo(tmp_path / "pipe")
    with (tmp_path / "large").open("wb") as large:
        large.truncate(200 * 10**6)
    for path, said in [
        (Path("/dev/zero"), "it is a pipe or a device, expected a file"),
        (tmp_path / "pipe", "it is a pipe or a device"),
        (tmp_path, "it is a folder"),
        (tmp_path / "none", "no such file"),
        (tmp_path / "large", r"holds 200\.0 MB, expected \d+ MB at most"),
        (tmp_path / ("x" * 300), "cannot be read"),
    ]:
        with pytest.raises(InputError, match=said) as caught:
            READERS[reader](path)
        assert str(caught.value).startswith(f"{path}: ")


def test_a_home_that_nobody_knows_is_said(monkeypatch, capsys, tmp_path):
    with pytest.raises(InputError, match=r"~nosuchuser/a: .*; give the whole path"):
        user_path("~nosuchuser/a")
    monkeypatch.setenv("MSKSEG_MANIFEST", "~nosuchuser/manifest.yaml")
    assert main(["data", "list"]) == 2
    monkeypatch.delenv("MSKSEG_MANIFEST")
    monkeypatch.delenv("MSKSEG_CACHE")
    monkeypatch.setattr("pooch.os_cache", lambda _name: "~/.cache/mskseg")
    assert main(["data", "list"]) == 2
    assert "no home folder for the cache; name one in MSKSEG_CACHE" in capsys.readouterr().err


def test_an_empty_manifest_lists_nothing(monkeypatch, capsys, tmp_path):
    (tmp_path / "m.yaml").write_text("datasets: {}\nmodels: {}\n")
    monkeypatch.setenv("MSKSEG_MANIFEST", str(tmp_path / "m.yaml"))
    assert main(["models", "list"]) == 0
    assert main(["models", "fetch", "x"]) == 2
    assert "'x' is not among the models; there are none" in capsys.readouterr().err


def test_what_no_encoding_holds_is_written_as_an_escape_that_json_reads_back(tmp_path):
    write_text(tmp_path / "a.json", json.dumps({"a": "Kn\udcf6chel"}, ensure_ascii=False))
    assert parse_json(read_text(tmp_path / "a.json")) == {"a": "Kn\udcf6chel"}


def test_a_size_is_asked_before_the_file_is_opened(tmp_path):
    (tmp_path / "a").write_bytes(bytes(2000))
    check_regular(tmp_path / "a", most_mb=0.002)
    with pytest.raises(InputError, match=r"holds 0\.0 MB"):
        check_regular(tmp_path / "a", most_mb=0.0019)
