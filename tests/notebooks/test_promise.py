"""The promise "unchanged on the official data and checkpoints", kept with stand-ins.

The data set is a small tree in SPIDER's own layout, the checkpoint a ViT-B of full size with random
weights under the official keys. Only the manifest's checksum of the checkpoint differs.
"""

from __future__ import annotations

import hashlib
import importlib.util
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from segment_anything import sam_model_registry

from mskseg.cli.main import main
from mskseg.datasets.fetching import cache_path
from mskseg.datasets.manifest import load_manifest

_TREES = Path(__file__).parents[1] / "mskseg" / "datasets" / "layouts" / "trees.py"


def trees():
    described = importlib.util.spec_from_file_location("trees", _TREES)
    module = importlib.util.module_from_spec(described)
    described.loader.exec_module(module)
    return module


def spine(subject: int, brightness: int) -> tuple[np.ndarray, np.ndarray]:
    """Image and labels (left to right, front to back, feet to head): bodies, discs, canal."""
    labels = np.zeros((8, 48, 64), np.uint8)
    for level in range(3):
        bottom = 6 + 19 * level
        labels[2:6, 14:30, bottom : bottom + 13] = 1 + level
        labels[2:6, 14:30, bottom + 14 : bottom + 18] = 201 + level
    labels[3:5, 33:39] = 100
    rng = np.random.default_rng(subject)
    return (60 + brightness * (labels > 0) + rng.integers(0, 40, labels.shape)), labels


@pytest.fixture
def official(tmp_path, monkeypatch):
    """A SPIDER folder, a ViT-B file in the cache, and the manifest that knows its checksum."""
    monkeypatch.setenv("MSKSEG_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("MSKSEG_DATA", str(tmp_path / "data"))
    write_mha = trees().write_mha
    for subject in range(1, 6):
        for kind, brightness in (("t1", 150), ("t2", -40)):
            image, labels = spine(subject, brightness)
            name = f"{subject}_{kind}.mha"
            for folder, array in (("images", image.astype(np.int16)), ("masks", labels)):
                write_mha(tmp_path / "data/spider" / folder / name, array, spacing=(4.0, 1.5, 1.5))
    weights = cache_path("sam_vit_b", load_manifest().models["sam_vit_b"].weights.name)
    weights.parent.mkdir(parents=True)
    torch.manual_seed(0)
    torch.save(sam_model_registry["vit_b"]().state_dict(), weights)
    manifest = yaml.safe_load(
        (Path(__file__).parents[2] / "data_manifest.yaml").read_text(encoding="utf-8")
    )
    manifest["models"]["sam_vit_b"]["weights"] |= {
        "bytes": weights.stat().st_size,
        "sha256": hashlib.sha256(weights.read_bytes()).hexdigest(),
    }
    (tmp_path / "manifest.yaml").write_text(yaml.safe_dump(manifest), encoding="utf-8")
    monkeypatch.setenv("MSKSEG_MANIFEST", str(tmp_path / "manifest.yaml"))
    return tmp_path


@pytest.mark.slow
def test_spider_and_vit_b_go_through_notebooks_01_and_03(official, capsys):
    output = official / "output"
    named = ["01", "03", "--dataset", "spider", "--model", "sam_vit_b", "--size", "quick"]
    assert main(["run", *named, "--output", str(output)]) == 0, capsys.readouterr().out
    table = pd.concat(
        pd.read_csv(path) for path in output.glob("tables/*.csv") if path.name.startswith("03")
    )
    scored = table.dropna(subset=["segmenter"])
    assert set(scored["segmenter"]) == {"sam_vit_b"}
    assert not scored["miniature"].any()
    assert {"vertebra L5", "spinal canal"} <= set(scored["tissue"])
    page = (output / "html" / "03_segment_zero_shot.html").read_text(encoding="utf-8")
    assert "semi-automatic" in page
