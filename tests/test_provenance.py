"""Provenance: what it says, what it keeps to itself, and that it stays with its file."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from types import SimpleNamespace

import pytest

from mskseg.errors import InputError
from mskseg.provenance import provenance, read_provenance, sidecar_path, sidecar_text

module = sys.modules["mskseg.provenance"]


def case(fingerprint, *, subject="s1"):
    return SimpleNamespace(
        dataset="thighs", subject=subject, reference_provenance="automatic", fingerprint=fingerprint
    )


SEGMENTER = SimpleNamespace(name="tiny", fingerprint="ab12", miniature=True, device="cpu")


def test_it_names_version_command_data_weights_seed_and_machine():
    facts = provenance(
        command="mskseg evaluate 'my scan.nii.gz'",
        cases=[case("1"), case("2", subject="s2")],
        segmenter=SEGMENTER,
        seed=7,
        prompts="oracle boxes",
    )
    assert facts["command"] == "mskseg evaluate 'my scan.nii.gz'"
    assert facts["data"]["subjects"] == ["s1", "s2"]
    assert facts["data"]["references"] == ["automatic"]
    assert facts["segmenter"] == {
        "name": "tiny",
        "sha256": "ab12",
        "miniature": True,
        "device": "cpu",
    }
    assert (facts["seed"], facts["prompts"]) == (7, "oracle boxes")
    assert facts["hardware"]["cores"] >= 1
    assert facts["packages"]["numpy"]
    assert {"mskseg", "commit", "written", "python"} <= set(facts)
    json.dumps(facts)


def test_the_data_hash_changes_with_the_data_and_not_with_its_order():
    hashes = [
        provenance(cases=cases)["data"]["sha256"]
        for cases in ([case("1"), case("2")], [case("2"), case("1")], [case("1"), case("3")])
    ]
    assert hashes[0] == hashes[1] != hashes[2]


def test_the_command_of_this_process_comes_without_its_folder(monkeypatch):
    monkeypatch.setattr(module.sys, "argv", ["/home/somebody/bin/mskseg", "run", "a b"])
    assert provenance()["command"] == "mskseg run 'a b'"


def test_what_was_not_given_is_none():
    facts = provenance(command="x")
    assert (facts["data"], facts["segmenter"], facts["seed"]) == (None, None, None)


def test_without_git_there_is_no_commit(monkeypatch):
    def missing(*_, **__):
        raise FileNotFoundError("git")

    monkeypatch.setattr(module.subprocess, "check_output", missing)
    assert module.git_commit() is None


def git(folder, *arguments):
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A repository with a file that stands for this package's."""
    file = tmp_path / "package" / "provenance.py"
    file.parent.mkdir()
    file.write_text("")
    git(tmp_path, "init")
    monkeypatch.setattr(module, "__file__", str(file))
    return tmp_path


def test_a_checkout_gives_its_commit_and_says_if_files_differ(checkout):
    assert module.git_commit() is None  # nothing is committed yet
    git(checkout, "add", ".")
    git(checkout, "commit", "-m", "first")
    commit = module.git_commit()
    assert len(commit) == 40
    (checkout / "package" / "provenance.py").write_text("changed")
    assert module.git_commit() == f"{commit}+changes"


def test_a_package_installed_inside_another_repository_does_not_take_its_commit(checkout):
    (checkout / "own.py").write_text("")
    git(checkout, "add", "own.py")
    git(checkout, "commit", "-m", "somebody else's work")
    assert module.git_commit() is None


def test_a_sidecar_is_read_back_with_the_hash_of_its_file(tmp_path):
    path = tmp_path / "dice.csv"
    path.write_bytes(b"a,b\n")
    sidecar_path(path).write_text(sidecar_text({"seed": 1}, content=b"a,b\n"), encoding="utf-8")
    expected = {"seed": 1, "sha256": hashlib.sha256(b"a,b\n").hexdigest()}
    assert read_provenance(path) == expected


def test_a_file_that_was_changed_does_not_pass_under_its_old_provenance(tmp_path):
    path = tmp_path / "dice.csv"
    path.write_bytes(b"edited by hand\n")
    sidecar_path(path).write_text(sidecar_text({}, content=b"a,b\n"), encoding="utf-8")
    with pytest.raises(InputError, match="was changed after its provenance was written"):
        read_provenance(path)


@pytest.mark.parametrize("name", ["dice.csv", "figure.png"])
def test_a_file_without_provenance_is_an_error_that_says_so(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(b"")
    with pytest.raises(InputError, match="provenance"):
        read_provenance(path)
