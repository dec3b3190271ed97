"""Unpacking: all of it, inside its folder, or nothing."""

from __future__ import annotations

import shutil
import zipfile

import pytest

from mskseg.datasets import archives
from mskseg.datasets.archives import is_unpacked, unpack
from mskseg.errors import InputError, OutputError

SHA = "a" * 64


def archive(path, members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, content in members.items():
            opened.writestr(name, content)
    return path


def below(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def test_an_archive_is_unpacked_once_and_known_by_its_hash(tmp_path):
    path = archive(tmp_path / "x.zip", {"images/1_t1.mha": b"1", "images/2_t1.mha": b"2"})
    folder = tmp_path / "cache" / "images"
    unpack(path, folder, sha256=SHA, progress=False)
    assert below(folder) == [archives.MARK, "images/1_t1.mha", "images/2_t1.mha"]
    assert is_unpacked(folder, sha256=SHA)
    assert not is_unpacked(folder, sha256="b" * 64)
    assert not is_unpacked(tmp_path / "none", sha256=SHA)
    unpack(archive(tmp_path / "y.zip", {"new": b"3"}), folder, sha256="b" * 64, progress=False)
    assert below(folder) == [archives.MARK, "new"]


@pytest.mark.parametrize(
    "member", ["../evil", "a/../../evil", "/etc/evil", "C:/evil", "a\\..\\..\\evil"]
)
def test_a_member_that_leaves_the_folder_stops_all(tmp_path, member):
    path = archive(tmp_path / "x.zip", {"good": b"1", member: b"evil"})
    with pytest.raises(InputError, match="would lie outside its folder; nothing was") as caught:
        unpack(path, tmp_path / "cache" / "images", sha256=SHA, progress=False)
    assert "\n" not in str(caught.value)
    assert below(tmp_path) == ["x.zip"]


def test_a_link_is_refused(tmp_path):
    link = zipfile.ZipInfo("link")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as opened:
        opened.writestr(link, "/etc/passwd")
    with pytest.raises(InputError, match="'link' that is a link"):
        unpack(tmp_path / "x.zip", tmp_path / "out", sha256=SHA, progress=False)


@pytest.mark.parametrize("cut", [0, 40, -30])
def test_a_broken_archive_is_one_line_and_leaves_nothing(tmp_path, cut):
    path = archive(tmp_path / "x.zip", {"a": bytes(1000), "b": bytes(1000)})
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(InputError, match="not a complete zip archive"):
        unpack(path, tmp_path / "out", sha256=SHA, progress=False)
    assert below(tmp_path) == ["x.zip"]


def test_a_damaged_member_leaves_what_was_there(tmp_path):
    unpack(archive(tmp_path / "x.zip", {"a": b"old"}), tmp_path / "out", sha256=SHA, progress=False)
    with zipfile.ZipFile(tmp_path / "y.zip", "w") as opened:
        opened.writestr("a", b"some content to be damaged")
    content = (tmp_path / "y.zip").read_bytes().replace(b"some content", b"SOME content")
    (tmp_path / "y.zip").write_bytes(content)
    with pytest.raises(InputError, match="not a complete zip archive"):
        unpack(tmp_path / "y.zip", tmp_path / "out", sha256="b" * 64, progress=False)
    assert (tmp_path / "out" / "a").read_bytes() == b"old"
    assert below(tmp_path) == ["out/.mskseg-unpacked", "out/a", "x.zip", "y.zip"]


def test_a_cache_that_would_fill_the_disk_is_named_before_anything_is_written(
    tmp_path, monkeypatch
):
    path = archive(tmp_path / "x.zip", {"a": bytes(5000)})
    usage = shutil.disk_usage(tmp_path)._replace(free=4999)
    monkeypatch.setattr(archives.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(OutputError, match="GB are free; free space there, or choose") as caught:
        unpack(path, tmp_path / "cache" / "images", sha256=SHA, progress=False)
    assert "\n" not in str(caught.value)
    assert below(tmp_path) == ["x.zip"]


def test_a_disk_that_is_full_half_way_leaves_nothing(tmp_path, monkeypatch):
    path = archive(tmp_path / "x.zip", {"a": b"1", "b": b"2"})
    extract = zipfile.ZipFile.extract

    def full(self, member, folder):
        if member.filename == "b":
            raise OSError(28, "No space left on device")
        return extract(self, member, folder)

    monkeypatch.setattr(zipfile.ZipFile, "extract", full)
    with pytest.raises(OutputError, match="No space left on device; free space"):
        unpack(path, tmp_path / "cache" / "images", sha256=SHA, progress=False)
    assert below(tmp_path) == ["x.zip"]


def test_progress_is_shown_on_request_only(tmp_path, capfd):
    path = archive(tmp_path / "x.zip", {"a": b"1"})
    unpack(path, tmp_path / "out", sha256=SHA, progress=False)
    assert capfd.readouterr() == ("", "")
    unpack(path, tmp_path / "out", sha256=SHA, progress=True)
    assert "unpack out" in capfd.readouterr().err


def test_what_another_process_unpacked_meanwhile_is_left_alone(tmp_path, monkeypatch):
    path = archive(tmp_path / "x.zip", {"a": b"1"})
    folder = tmp_path / "cache" / "images"
    unpack(path, folder, sha256=SHA, progress=False)
    read = (folder / "a").open("rb")  # by a notebook that runs beside this one
    before = (folder / "a").stat().st_ino
    again = tmp_path / "cache" / ".partial-b"
    shutil.copytree(folder, again)
    archives._put_in_place(again, folder, sha256=SHA)
    assert (folder / "a").stat().st_ino == before
    read.close()


def test_a_folder_that_appears_between_two_steps_is_no_error(tmp_path, monkeypatch):
    path = archive(tmp_path / "x.zip", {"a": b"1"})
    folder, late = tmp_path / "cache" / "images", tmp_path / "late"
    unpack(path, late, sha256=SHA, progress=False)
    mine = tmp_path / "mine"
    shutil.copytree(late, mine)
    monkeypatch.setattr(archives.shutil, "rmtree", lambda *_, **__: shutil.copytree(late, folder))
    archives._put_in_place(mine, folder, sha256=SHA)
    assert is_unpacked(folder, sha256=SHA)
