"""The promise "unchanged on the official data and checkpoints", kept with stand-ins.

Two data sets lie in their own layouts, SPIDER's and OAI-ZIB's, small and drawn. The checkpoint has
random weights under the official names: in notebooks 03 and 05 a ViT-B of full size, elsewhere a
ViT of two blocks, which another package offers as an architecture. Only the manifest's checksum
differs, and for the small one the name of its architecture.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from segment_anything import sam_model_registry
from support.small_sams import build_small_sam

from mskseg.datasets.fetching import cache_path
from mskseg.datasets.manifest import load_manifest
from mskseg.workbook import NotebookRun, run_workbook
from mskseg_studies.claims.output_ledger import judge_output

_ROOT = Path(__file__).parents[2]
_TREES = _ROOT / "tests" / "mskseg" / "datasets" / "layouts" / "trees.py"


def trees():
    described = importlib.util.spec_from_file_location("trees", _TREES)
    module = importlib.util.module_from_spec(described)
    described.loader.exec_module(module)
    return module


def noisy(labels: np.ndarray, levels: dict[int, int], seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    image = rng.integers(60, 100, labels.shape)
    for label, brightness in levels.items():
        image[labels == label] += brightness
    return image.astype(np.int16)


def spine() -> np.ndarray:
    """Labels (left to right, front to back, feet to head): vertebral bodies, discs, canal."""
    labels = np.zeros((4, 48, 64), np.uint8)
    for level in range(3):
        bottom = 6 + 19 * level
        labels[:, 14:30, bottom : bottom + 13] = 1 + level
        labels[:, 14:30, bottom + 14 : bottom + 18] = 201 + level
    labels[:, 33:39] = 100
    return labels


def knee() -> np.ndarray:
    """Labels (columns to the back, rows down, slices to the right): bones and their cartilage."""
    labels = np.zeros((48, 64, 4), np.uint8)
    labels[10:38, 4:28] = 1
    labels[10:38, 28:32] = 2
    labels[12:36, 34:37] = 4
    labels[12:36, 37:60] = 3
    return labels


def write_data(folder: Path) -> None:
    files = trees()
    labels = spine()
    for subject in range(1, 6):
        for n, (kind, bright) in enumerate((("t1", 150), ("t2", -40))):
            image = noisy(labels, dict.fromkeys(np.unique(labels)[1:], bright), 2 * subject + n)
            for part, array in (("images", image), ("masks", labels)):
                path = folder / "spider" / part / f"{subject}_{kind}.mha"
                files.write_mha(path, array, spacing=(4.0, 1.5, 1.5))
    bones = knee()
    levels = {1: -40, 2: 100, 3: -40, 4: 100}
    files.oai_zib(
        folder / "oai_zib",
        subjects=[f"900110{n}" for n in range(5)],
        draw=lambda n: (noisy(bones, levels, n), bones),
    )


OFFERED = """
from functools import partial
from mskseg.models.checkpoints import Architecture
from support.small_sams import build_small_sam

TWO_BLOCKS = Architecture(partial(build_small_sam, image_size=256))
"""


def offer_two_blocks(folder: Path) -> None:
    """Write an installed package that offers the small network."""
    about = folder / "two_blocks-1.dist-info"
    about.mkdir(parents=True)
    (folder / "two_blocks.py").write_text(OFFERED, encoding="utf-8")
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: two-blocks\nVersion: 1\n")
    (about / "entry_points.txt").write_text(
        "[mskseg.architectures]\nvit_two_blocks = two_blocks:TWO_BLOCKS\n"
    )


@pytest.fixture(scope="module")
def stand_ins(tmp_path_factory) -> Path:
    """Write both data sets, both checkpoints, each with its manifest and cache, and the package."""
    folder = tmp_path_factory.mktemp("promise")
    write_data(folder / "data")
    offer_two_blocks(folder / "packages")
    torch.manual_seed(0)
    models = {"vit_b": sam_model_registry["vit_b"](), "vit_two_blocks": build_small_sam(0, 256)}
    for architecture, model in models.items():
        home = folder / architecture
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("MSKSEG_CACHE", str(home / "cache"))
            weights = cache_path("sam_vit_b", load_manifest().models["sam_vit_b"].weights.name)
        weights.parent.mkdir(parents=True)
        torch.save(model.state_dict(), weights)
        manifest = yaml.safe_load((_ROOT / "data_manifest.yaml").read_text(encoding="utf-8"))
        manifest["models"]["sam_vit_b"]["architecture"] = architecture
        manifest["models"]["sam_vit_b"]["weights"] |= {
            "bytes": weights.stat().st_size,
            "sha256": hashlib.sha256(weights.read_bytes()).hexdigest(),
        }
        (home / "manifest.yaml").write_text(yaml.safe_dump(manifest), encoding="utf-8")
    return folder


ONE_EACH = {"train": 1, "validation": 1, "test": 1}
SMALLEST = {
    "01": {},
    "02": {"points_per_side": 4, "judged_points_per_side": 4, "n_clicks": 2, "n_draws": 2},
    "03": {"real_slice_step": 4},
    "04": {
        "n_people": {**ONE_EACH, "inference": 1},
        "training_sizes": {"curve": [1], "modes": []},
        "steps": 2,
        "epochs": 1,
        "slice_steps": {"train": 2, "validation": 4, "test": 4, "inference": 4},
    },
    "05": {"real_step": 4, "real_volume_step": 4},
    "06": {"n_points": 2, "phases": {"spider": ["T1-weighted", "T2-weighted"]}},
    "07": {
        "other_sequences": ["T2-weighted"],
        "steps": 2,
        "training_sizes": [1],
        "slice_step": 2,
        "tuning_steps": 1,
        "nnunet_kinds": [],
    },
    "08": {
        "tuned_on": "spider",
        "n_people": ONE_EACH,
        "steps": 1,
        "slice_step": 2,
        "nnunet_runs": [],
    },
    "09": {},
}
FULL_SIZE = ("03", "05")
NAMED = {"datasets": ["spider", "oai_zib"], "models": ["sam_vit_b"]}


def keep_promise(number: str, stand_ins: Path) -> NotebookRun:
    """Run a notebook, or keep what an earlier test made; all write into one folder."""
    home = stand_ins / ("vit_b" if number in FULL_SIZE else "vit_two_blocks")
    paths = [stand_ins / "packages", _ROOT / "tests", os.environ.get("PYTHONPATH", "")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MSKSEG_CACHE", str(home / "cache"))
        patch.setenv("MSKSEG_DATA", str(stand_ins / "data"))
        patch.setenv("MSKSEG_MANIFEST", str(home / "manifest.yaml"))
        patch.setenv("PYTHONPATH", os.pathsep.join(map(str, filter(None, paths))))
        (run,) = run_workbook(
            [number],
            folder=_ROOT / "notebooks",
            output=stand_ins / "output",
            size="quick",
            given={**NAMED, **SMALLEST[number]},
            progress=False,
        )
    assert not run.failed, f"{run.name}, cell {run.cell}: {run.error}"
    return run


def tables_of(number: str, stand_ins: Path) -> pd.DataFrame:
    """All tables of a notebook, one below the other."""
    paths = sorted((stand_ins / "output" / "tables").glob(f"{number}_*.csv"))
    return pd.concat([pd.read_csv(path, comment="#") for path in paths], ignore_index=True)


@pytest.mark.slow
@pytest.mark.parametrize("number", [number for number in SMALLEST if number != "09"])
def test_both_data_sets_and_the_checkpoint_go_through(number, stand_ins):
    run = keep_promise(number, stand_ins)
    assert run.stderr_lines == 0
    assert [one.why for one in judge_output(stand_ins / "output").vanished] == []
    if number != "01":  # which measures scans and no model
        assert "sam_vit_b" in run.page.read_text(encoding="utf-8")
    table = tables_of(number, stand_ins)
    if "miniature" in table:
        names = table.get("segmenter", pd.Series("", table.index)).astype(str)
        asked = table[~names.str.startswith("U-Net")]  # those are trained here
        assert not asked["miniature"].any(), (
            "the checkpoint is published, and nothing else is asked"
        )
    assert set(table["dataset"].dropna()) <= set(NAMED["datasets"])
    if number == "03":
        assert set(table["segmenter"].dropna()) == {"sam_vit_b"}
        assert {"vertebra L5", "spinal canal", "femoral cartilage"} <= set(table["tissue"])


@pytest.mark.slow
def test_the_ledger_judges_what_the_others_wrote(stand_ins):
    for number in SMALLEST:
        keep_promise(number, stand_ins)
    judged = judge_output(stand_ins / "output")
    assert judged.not_run == []
    assert [one.why for one in judged.vanished] == []
    sampled = [one for one in judged.judgements if one.claim.rule and one.claim.rule.sampled]
    found = [one for one in sampled if one.measured_on]
    assert {"sam_vit_b on spider", "sam_vit_b on spider, oai_zib"} <= {o.measured_on for o in found}
    decided = {o.claim.id for o in found if o.verdict in ("holds here", "does not hold here")}
    assert not decided, "one person of each is no verdict"
