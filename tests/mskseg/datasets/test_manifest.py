"""The manifest, the cache, and downloads from a server on this machine."""

from __future__ import annotations

import hashlib
import http.server
import os
import shutil
import threading
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import yaml
from pydantic import ValidationError

from mskseg.datasets import manifest as manifest_module
from mskseg.datasets.fetching import cache_dir, cache_path, fetch, verify
from mskseg.datasets.loading import load_cases
from mskseg.datasets.manifest import Manifest, RemoteFile, load_manifest, manifest_path
from mskseg.errors import InputError, OutputError
from mskseg.io import save_nifti
from mskseg.volume import LabelMap, Volume

CONTENT = bytes(range(256)) * 400
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    folder = tmp_path / "cache"
    monkeypatch.setenv("MSKSEG_CACHE", str(folder))
    for name in ("MSKSEG_DATA", "MSKSEG_MANIFEST"):
        monkeypatch.setenv(name, "")  # restored after the test, whatever it sets
        monkeypatch.delenv(name)
    return folder


ENDLESS = {"/endless"}
NOWHERE = {
    "/loop": "/loop",
    "/no-host": "http://",
    "/other-scheme": "gopher://127.0.0.1/x",
    "/bad-port": "http://127.0.0.1:99999999/",
    "/bad-name": f"http://{'a' * 300}.invalid/",
    "/brackets": "http://[::1/",
}


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers by path: /good, /other, /short (of what it promised), /less, /missing."""

    def do_GET(self):
        body = {
            "/good": CONTENT,
            "/other": CONTENT[::-1],
            "/short": CONTENT[:1000],
            "/less": CONTENT[:1000],
        }.get(self.path)
        if self.path in ENDLESS | NOWHERE.keys():
            self.server.requests.append(self.path)
            self.send_response(200 if self.path in ENDLESS else 302)
            self.send_header("Location", NOWHERE.get(self.path, ""))
            self.end_headers()
            with suppress(ConnectionError):
                while self.path in ENDLESS:
                    self.wfile.write(bytes(2**20))
                    self.server.sent += 2**20
            return
        if body is None:
            self.send_error(404)
            return
        promised = len(CONTENT) if self.path == "/short" else len(body)
        self.server.requests.append(self.path)
        self.send_response(200)
        self.send_header("Content-Length", str(promised))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("MSKSEG_OFFLINE", "")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        running.requests, running.sent = [], 0
        thread = threading.Thread(target=running.serve_forever, args=(0.02,))
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def one_file(url=None, *, name="scan.nii.gz", size=True):
    """Make a manifest with a single entry `toy` of a single file, image, the one in use."""
    file = (
        {"name": name, "sha256": SHA256}
        | ({"bytes": len(CONTENT)} if size else {})
        | ({"url": url} if url else {})
    )
    entry = {
        "title": "Toy",
        "access": "direct" if url else "instructions",
        "instructions": "ask for it.",
        "licence": "none",
        "citation": "none",
        "anatomy": "toy",
        "sequence": "toy",
        "files": {"image": file},
    }
    made = Manifest.model_validate({"datasets": {"toy": entry}, "models": {}})
    path = cache_dir().with_name(f"manifest-{len(list(cache_dir().parent.iterdir()))}.yaml")
    path.write_text(yaml.safe_dump(made.model_dump(mode="json", exclude_none=True)))
    assert load_manifest_at(path) == made
    return made


def load_manifest_at(path):
    os.environ["MSKSEG_MANIFEST"] = str(path)
    return load_manifest()


def address(server, path):
    return f"http://127.0.0.1:{server.server_port}{path}"


def files_below(folder):
    return sorted(path for path in Path(folder).rglob("*") if path.is_file())


# --- the manifest itself


def test_the_manifest_names_what_the_project_relies_on():
    manifest = load_manifest()
    assert {"phantom_thigh", "qmritools_thigh", "qmritools_leg", "tptbox_vertebra"} <= set(
        manifest.datasets
    )
    assert {"sam_vit_mini", "sam_vit_b", "sam_vit_l", "sam_vit_h", "medsam_vit_b"} <= set(
        manifest.models
    )


def test_addresses_are_pinned():
    for entry in (load_manifest().datasets | load_manifest().models).values():
        for file in entry.roles.values():
            if file.url and "githubusercontent" in file.url:
                commit = file.url.split("/")[5]
                assert len(commit) == 40
                assert int(commit, 16)


def test_a_reference_says_where_it_comes_from():
    manifest = load_manifest()
    for entry in manifest.datasets.values():
        assert (entry.reference is not None) == bool(
            entry.access == "package" or entry.layout or "reference" in entry.files
        )
    assert manifest.datasets["phantom_thigh"].reference.provenance == "synthetic"
    assert manifest.datasets["spider"].reference.provenance == "semi-automatic"
    assert manifest.datasets["qmritools_thigh"].reference.provenance == "automatic"
    assert manifest.datasets["qmritools_leg"].labels[13] == "label 13"
    assert manifest.datasets["qmritools_thigh"].labels[103] == "femur left"


def test_what_is_ours_and_what_a_third_party_says_is_marked():
    models = load_manifest().models
    minis = [name for name, model in models.items() if model.miniature]
    assert minis == ["sam_vit_mini", "medsam_vit_mini"]
    assert "third parties" in models["medsam_vit_b"].note
    assert models["medsam_vit_b"].unverified
    assert all(models[f"sam2_1_{size}"].unverified for size in ("tiny", "small", "large"))
    assert not models["medsam_vit_b"].learned_iou


def test_the_manifest_is_found_in_a_package_before_a_checkout(tmp_path, monkeypatch):
    package = tmp_path / "site" / "mskseg"
    package.mkdir(parents=True)
    monkeypatch.setattr(manifest_module.resources, "files", lambda _: package)
    (tmp_path / "site" / "data_manifest.yaml").write_text("datasets: {}\nmodels: {}\n")
    assert manifest_path() == tmp_path / "site" / "data_manifest.yaml"
    (package / "data_manifest.yaml").write_text("datasets: {}\nmodels: {}\n")
    assert manifest_path() == package / "data_manifest.yaml"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"licens": "MIT"}, "licens"),
        ({"licence": None}, "licence"),
        ({"access": "torrent"}, "access"),
        ({"access": "package"}, "say in `package`"),
        ({"access": "package", "package": "toy"}, "a file has a `path` if, and only if"),
        ({"files": {}}, "needs files"),
        ({"instructions": ""}, "how a person gets"),
        ({"access": "direct"}, "url for each"),
        ({"labels": {0: "background"}}, "labels"),
        ({"labels": {1: "a"}, "kinds": {"sinew": 1}}, "kinds"),
        ({"labels": {1: "a"}, "kinds": {"bone": "1 to 2"}}, "kinds"),
        ({"labels": {1: "a"}, "kinds": {"bone": 2}}, "bone 2-2 names no label"),
        ({"labels": {1: "a"}, "kinds": {"bone": 1, "fat": "1"}}, "of another kind too"),
        ({"access": "registration"}, "read from a folder"),
        ({"access": "registration", "files": {}}, "needs the layout"),
        ({"access": "registration", "files": {}, "instructions": ""}, "how a person gets"),
        ({"layout": {"kind": "spider"}}, "this layout end in .zip"),
        ({"layout": {"kind": "matlab"}}, "this layout end in .mat"),
        ({"split": {"test": ["a"], "train": ["a"]}}, "'a' in test and in train"),
        ({"shares_people_with": ["nobody"]}, "toy shares people with nobody"),
        ({"layout": {"kind": "bids"}}, "layout"),
        ({"layout": {"kind": "nifti_pairs", "images": "../x"}}, "may leave the data set's folder"),
        ({"layout": {"kind": "nifti_pairs", "glob": "x"}}, "glob"),
        ({"reference": {"provenance": "exact", "note": ""}}, "provenance"),
        ({"subjects": 0}, "subjects"),
    ],
)
def test_a_malformed_entry_is_one_line_that_names_the_field(tmp_path, change, message):
    content = one_file().model_dump(mode="json", exclude_none=True)
    content["datasets"]["toy"].update(change)
    path = tmp_path / "manifest.yaml"
    path.write_text(yaml.safe_dump(content))
    with pytest.raises(InputError, match=message) as caught:
        load_manifest_at(path)
    assert "toy" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_duplicate_id_is_refused(tmp_path):
    content = yaml.safe_dump(one_file().model_dump(mode="json", exclude_none=True))
    entry = content[content.index("  toy:") : content.index("models:")]
    path = tmp_path / "manifest.yaml"
    path.write_text(content.replace("models:", entry + "models:"))
    with pytest.raises(InputError, match="'toy' is given twice; each name once") as caught:
        load_manifest_at(path)
    assert "\n" not in str(caught.value)


REGISTRATION = {
    "oai_zib",
    "oaizib_cm",
    "skm_tea",
    "iwoai_2019",
    "k2s",
    "myosegmentum_spine",
    "myosegmentum_thigh",
}


def test_what_asks_for_registration_says_how_and_what_was_not_verified():
    datasets = load_manifest().datasets
    found = {name for name, entry in datasets.items() if entry.access == "registration"}
    assert found == REGISTRATION
    for name in found:
        entry = datasets[name]
        assert "he folder holds" in entry.instructions
        assert "doi:10." in entry.citation
        assert entry.unverified
        assert not entry.files


def test_spider_names_every_value_that_its_masks_may_hold():
    spider = load_manifest().datasets["spider"]
    assert set(spider.labels) == {*range(1, 26), 100, *range(101, 126), *range(201, 226)}
    assert (spider.labels[1], spider.labels[100]) == ("vertebra L5", "spinal canal")
    assert spider.labels[201] == "disc L5/S1"
    assert len(set(spider.labels.values())) == len(spider.labels)
    assert "10.5281/zenodo.10159290" in spider.citation
    assert {file.bytes for file in spider.files.values()} == {None}


def test_every_named_tissue_has_a_kind_unless_upstream_does_not_say_what_it_is():
    datasets = load_manifest().datasets
    without = {
        name: [entry.labels[label] for label in entry.labels if label not in entry.label_kinds]
        for name, entry in datasets.items()
    }
    assert {name for name, tissues in without.items() if tissues} == {
        "qmritools_leg", "tptbox_vertebra",
    }  # fmt: skip
    assert without["tptbox_vertebra"] == ["spinal cord"]
    assert set(without["qmritools_leg"]) == {f"label {n}" for n in range(13, 27)}


@pytest.mark.parametrize(
    ("name", "label", "kind"),
    [
        ("qmritools_thigh", 101, "bone"),
        ("qmritools_thigh", 61, "muscle"),
        ("phantom_thigh", 14, "bone"),
        ("phantom_thigh", 15, "fat"),
        ("phantom_spine", 3, "vertebra"),
        ("phantom_spine", 6, "disc"),
        ("spider", 100, "canal"),
        ("spider", 125, "vertebra"),
        ("skm_tea", 6, "meniscus"),
        ("oaizib_cm", 5, "cartilage"),
    ],
)
def test_the_kind_of_a_tissue_stands_in_the_manifest(name, label, kind):
    assert load_manifest().datasets[name].label_kinds[label] == kind


@pytest.mark.parametrize("content", ["a: [", "just text", "", "? [a]\n: b\n"])
def test_what_is_no_manifest_is_refused(tmp_path, content):
    path = tmp_path / "manifest.yaml"
    path.write_text(content)
    with pytest.raises(InputError, match=r"manifest\.yaml is no"):
        load_manifest_at(path)


def test_a_manifest_in_another_encoding_is_refused(tmp_path):
    path = tmp_path / "manifest.yaml"
    path.write_bytes("a: Knöchel".encode("latin-1"))
    with pytest.raises(
        InputError, match=r"manifest\.yaml: cannot be read as text.*save the file as UTF-8"
    ):
        load_manifest_at(path)


def test_a_missing_manifest_is_refused(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        load_manifest_at(tmp_path / "none.yaml")


def test_a_name_cannot_mean_two_things():
    model = load_manifest().models["sam_vit_b"]
    toy = one_file().datasets["toy"]
    with pytest.raises(ValidationError, match="names a data set and a model"):
        Manifest(datasets={"toy": toy}, models={"toy": model})


@pytest.mark.parametrize("name", ["../scan.nii", "/etc/passwd", "a/b.nii", ".hidden", "..", ""])
def test_a_file_name_cannot_leave_the_cache(name):
    with pytest.raises(ValidationError, match="name"):
        RemoteFile(name=name, bytes=1, sha256=SHA256)


@pytest.mark.parametrize("url", ["ftp://x/y", "file:///etc/passwd", "http://example.org/x", "x"])
def test_an_address_must_be_https(url):
    with pytest.raises(ValidationError, match="url"):
        RemoteFile(name="x", url=url, bytes=1, sha256=SHA256)


def test_unknown_entries_list_the_known_ones():
    with pytest.raises(InputError, match="'thigh' is not in the manifest; choose one of "):
        fetch("thigh")
    with pytest.raises(InputError, match="not in the manifest"):
        list(verify("thigh"))


# --- the cache


def test_the_cache_is_where_the_environment_says(cache, monkeypatch):
    assert cache_dir() == cache
    monkeypatch.delenv("MSKSEG_CACHE")
    assert cache_dir().name == "mskseg"


def test_a_link_that_leads_out_of_the_cache_is_refused(cache, tmp_path):
    cache.mkdir()
    (tmp_path / "elsewhere").mkdir()
    (cache / "toy").symlink_to(tmp_path / "elsewhere")
    one_file()
    with pytest.raises(InputError, match="outside the cache"):
        cache_path("toy", "scan.nii.gz")
    with pytest.raises(InputError, match="outside the cache"):
        fetch("toy", from_dir=tmp_path)
    assert files_below(tmp_path / "elsewhere") == []


def test_builtin_entries_need_no_files(cache):
    assert fetch("phantom_thigh") == {}
    assert [status.state for status in verify("phantom_thigh")] == ["builtin"]
    assert not cache.exists()


# --- inside an installed package


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A small package on the path, with a scan, its label map and weights; gives its folder."""
    folder = tmp_path / "site" / "small_package"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("raise ImportError('fetching imports no package')\n")
    labels = np.pad(np.ones((2, 2, 2), np.uint8), 2)
    save_nifti(Volume(labels * 9.0, np.eye(4)), folder / "data" / "scan.nii.gz")
    save_nifti(LabelMap(labels, np.eye(4)), folder / "data" / "labels.nii.gz")
    (folder / "weights.bin").write_bytes(CONTENT)
    monkeypatch.syspath_prepend(str(folder.parent))
    return folder


def packaged(folder, path, **changes):
    sha256 = hashlib.sha256((folder / path).read_bytes()).hexdigest()
    return {"name": Path(path).name, "path": path, "sha256": sha256} | changes


def use_package_manifest(folder, **changes):
    """Name the package's data and weights in a manifest; `changes` are those of its weights."""
    common = {"access": "package", "package": "small_package", "licence": "MIT", "citation": ""}
    scan = {
        "title": "A scan",
        "anatomy": "thigh",
        "sequence": "t1w",
        "labels": {1: "muscle"},
        "reference": {"provenance": "manual", "note": ""},
        "files": {
            "image": packaged(folder, "data/scan.nii.gz"),
            "reference": packaged(folder, "data/labels.nii.gz"),
        },
    }
    model = {
        "title": "Weights",
        "architecture": "vit_b",
        "preprocessing": "sam",
        "weights": packaged(folder, "weights.bin", **changes),
    }
    content = {"datasets": {"their_scan": scan | common}, "models": {"their_model": model | common}}
    path = folder.parent / "manifest.yaml"
    path.write_text(yaml.safe_dump(content))
    manifest_module._load.cache_clear()  # one path, another content
    return load_manifest_at(path)


def test_data_and_weights_of_any_installed_package_can_be_named(cache, package):
    use_package_manifest(package)
    assert fetch("their_model") == {"weights": package / "weights.bin"}
    (case,) = load_cases("their_scan")
    assert case.name == "their_scan/their_scan/t1w"
    assert case.reference.labels == (1,)
    assert {status.state for status in verify()} == {"builtin"}
    assert not cache.exists()


def test_a_file_of_a_package_that_differs_from_the_manifest_is_refused(package):
    use_package_manifest(package, sha256=SHA256[::-1])
    with pytest.raises(InputError, match=f"expected sha256 {SHA256[::-1]}.*small_package again"):
        fetch("their_model")
    use_package_manifest(package)
    (package / "weights.bin").unlink()
    with pytest.raises(InputError, match=r"small_package has no file weights\.bin"):
        fetch("their_model")


@pytest.mark.parametrize(
    ("lost", "message"),
    [
        ("path", "a file has a `path` if, and only if, it lies inside a package"),
        ("package", "say in `package` what an entry of a package comes with"),
    ],
)
def test_an_entry_of_a_package_says_which_package_and_where_in_it(package, lost, message):
    use_package_manifest(package)
    content = yaml.safe_load(manifest_path().read_text())
    entry = content["models"]["their_model"]
    del (entry if lost == "package" else entry["weights"])[lost]
    manifest_path().write_text(yaml.safe_dump(content))
    manifest_module._load.cache_clear()
    with pytest.raises(InputError, match=message) as caught:
        load_manifest()
    assert "their_model" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_package_that_is_not_installed_is_named(package):
    use_package_manifest(package)
    package.rename(package.with_name("elsewhere"))
    with pytest.raises(InputError, match="small_package is not installed; install it"):
        load_cases("their_scan")


# --- from a folder


def test_a_folder_fills_the_cache_by_content_whatever_the_name(cache, tmp_path):
    one_file()
    folder = tmp_path / "stick" / "deep"
    folder.mkdir(parents=True)
    (folder / "renamed.bin").write_bytes(CONTENT)
    (folder / "same size.bin").write_bytes(CONTENT[::-1])
    (folder / "dangling").symlink_to(folder / "nowhere")
    paths = fetch("toy", from_dir=tmp_path / "stick")
    assert paths == {"image": cache / "toy" / "scan.nii.gz"}
    assert paths["image"].read_bytes() == CONTENT
    assert files_below(cache) == [paths["image"]]


def test_what_is_not_in_the_folder_is_named_and_nothing_is_copied(cache, tmp_path):
    one_file()
    (tmp_path / "same size.bin").write_bytes(CONTENT[::-1])
    with pytest.raises(InputError, match=f"scan.nii.gz: expected {len(CONTENT)} bytes.*{SHA256}"):
        fetch("toy", from_dir=tmp_path)
    assert files_below(cache) == []
    with pytest.raises(InputError, match="not a folder"):
        fetch("toy", from_dir=tmp_path / "none")


def test_what_only_a_person_can_get_comes_with_instructions(cache):
    one_file()
    with pytest.raises(InputError, match=f"ask for it.*--from.*{SHA256}"):
        fetch("toy")
    assert not cache.exists()


def test_verify_tells_missing_present_and_damaged_apart(tmp_path):
    one_file()

    def state():
        return [status.state for status in verify()]

    assert state() == ["missing"]
    (tmp_path / "x").write_bytes(CONTENT)
    path = fetch("toy", from_dir=tmp_path)["image"]
    assert state() == ["present"]
    path.write_bytes(CONTENT[::-1])
    assert state() == ["damaged"]
    fetch("toy", from_dir=tmp_path)
    assert state() == ["present"]


def test_a_full_disk_is_named_and_leaves_nothing(cache, tmp_path, monkeypatch):
    one_file()
    (tmp_path / "x").write_bytes(CONTENT)

    def full_disk(source, target):
        Path(target).write_bytes(CONTENT[:100])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", full_disk)
    with pytest.raises(OutputError, match="No space left on device"):
        fetch("toy", from_dir=tmp_path)
    assert files_below(cache) == []


def test_a_cache_that_is_a_file_is_named(cache, tmp_path):
    one_file()
    (tmp_path / "x").write_bytes(CONTENT)
    cache.write_text("not a folder")
    with pytest.raises(OutputError, match="cannot write"):
        fetch("toy", from_dir=tmp_path)


def test_a_folder_is_searched_by_checksum_where_the_size_is_not_known(tmp_path):
    (tmp_path / "a.bin").write_bytes(b"another")
    (tmp_path / "renamed.bin").write_bytes(CONTENT)
    one_file(size=False)
    assert fetch("toy", from_dir=tmp_path)["image"].read_bytes() == CONTENT
    (tmp_path / "renamed.bin").unlink()
    (tmp_path / "cache" / "toy" / "scan.nii.gz").unlink()
    with pytest.raises(InputError, match=f"expected a file with sha256 {SHA256}"):
        fetch("toy", from_dir=tmp_path)


# --- a folder that a person brings


def test_a_registration_folder_is_told_present_or_missing(cache, tmp_path, monkeypatch):
    assert [s.state for s in verify("oai_zib")] == ["missing"]
    with pytest.raises(InputError, match=r"oai_zib is missing.*nda\.nih\.gov") as caught:
        fetch("oai_zib")
    assert "\n" not in str(caught.value)
    (cache / "oai_zib").mkdir(parents=True)
    with pytest.raises(InputError, match="oai_zib is empty"):
        fetch("oai_zib")
    monkeypatch.setenv("MSKSEG_DATA", str(tmp_path / "data"))
    (tmp_path / "data" / "oai_zib" / "segmentation").mkdir(parents=True)
    assert fetch("oai_zib") == {"folder": tmp_path / "data" / "oai_zib"}
    assert [s.state for s in verify("oai_zib")] == ["present"]


@pytest.mark.parametrize("parts", [("..", "x"), ("a", "..", "..", "x"), ("/etc/x",), ("",)])
def test_a_path_that_leaves_the_cache_is_refused(cache, parts):
    with pytest.raises(InputError, match="lies outside the cache"):
        cache_path(*parts)


# --- from a server


def test_a_good_file_is_downloaded_once(cache, server, capfd):
    one_file(address(server, "/good"))
    paths = fetch("toy", progress=False)
    assert paths["image"].read_bytes() == CONTENT
    assert files_below(cache) == [paths["image"]]
    assert fetch("toy") == paths
    assert server.requests == ["/good"]
    assert capfd.readouterr() == ("", "")


def test_progress_is_shown_on_request_only(server, capfd):
    one_file(address(server, "/good"))
    fetch("toy", progress=True)
    shown = capfd.readouterr().err
    assert "scan.nii.gz" in shown
    assert "100%" in shown


@pytest.mark.parametrize("size", [True, False])
def test_a_download_is_cut_at_its_size(cache, server, size, monkeypatch):
    monkeypatch.setattr("mskseg.datasets.fetching._MOST_BYTES", 3 * 2**20)
    one_file(address(server, "/endless"), size=size)
    with pytest.raises(InputError, match=r"sends more than the \d+ bytes that are expected"):
        fetch("toy", progress=False)
    assert server.sent < 64 * 2**20
    assert files_below(cache) == []


@pytest.mark.parametrize("path", NOWHERE)
def test_a_redirect_to_nowhere_is_one_line(cache, server, path):
    one_file(address(server, path))
    with pytest.raises(InputError, match="could not be downloaded from") as caught:
        fetch("toy", progress=False)
    assert "\n" not in str(caught.value)
    assert files_below(cache) == []


def test_a_damaged_file_in_the_cache_is_downloaded_again(server):
    one_file(address(server, "/good"))
    path = fetch("toy", progress=False)["image"]
    path.write_bytes(CONTENT[:-1])
    assert fetch("toy", progress=False)["image"].read_bytes() == CONTENT
    assert server.requests == ["/good", "/good"]


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/other", f"gave {len(CONTENT)} bytes with sha256 .* expected .*{SHA256}"),
        ("/short", "broke off"),
        ("/less", f"broke off after 1000 of {len(CONTENT)} bytes"),
        ("/missing", "404"),
    ],
)
def test_a_bad_download_is_one_line_and_leaves_nothing(cache, server, path, message):
    one_file(address(server, path))
    with pytest.raises(InputError, match=message) as caught:
        fetch("toy", progress=False)
    assert "\n" not in str(caught.value)
    assert files_below(cache) == []


@pytest.mark.parametrize("path", ["/other", "/less"])
def test_a_wrong_checksum_is_found_where_the_size_is_not_known(cache, server, path):
    one_file(address(server, path), size=False)
    with pytest.raises(InputError, match=f"gave .* expected a file with sha256 {SHA256}"):
        fetch("toy", progress=True)
    assert files_below(cache) == []


def test_a_bad_download_leaves_what_was_there(cache, server):
    path = cache / "toy" / "scan.nii.gz"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"an older version")
    one_file(address(server, "/other"))
    with pytest.raises(InputError, match="expected"):
        fetch("toy", progress=False)
    assert path.read_bytes() == b"an older version"


def test_a_server_that_is_gone_is_one_line_and_leaves_nothing(cache, monkeypatch):
    monkeypatch.setenv("MSKSEG_OFFLINE", "")
    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as stopped:
        url = address(stopped, "/good")
    one_file(url)
    with pytest.raises(InputError, match=r"could not be downloaded.*use --from") as caught:
        fetch("toy", progress=False)
    assert "\n" not in str(caught.value)
    assert files_below(cache) == []


# --- the real files


@pytest.mark.real
def test_the_real_scans_fill_the_cache():
    folder = Path(os.environ.get("MSKSEG_REAL_DATA", Path(__file__).parents[4] / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip("no real scans here")
    for name, entry in load_manifest().datasets.items():
        if entry.access != "direct" or (entry.layout and not entry.first_run):
            continue  # sets of many scans are not there
        assert fetch(name, from_dir=folder).keys() == entry.files.keys()
        assert {status.state for status in verify(name)} <= {"present", "builtin"}
