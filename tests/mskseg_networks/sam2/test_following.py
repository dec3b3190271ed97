"""Objects are followed through a volume as `transformers` follows them through a video."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from support.small_sam2s import FRAME, SMALL_FOR_AUTHORS, liven
from torch.nn import functional

from mskseg.cli.main import main
from mskseg.errors import InputError
from mskseg.evaluation import propagate, score_cases
from mskseg.evaluation.propagation import Propagation
from mskseg.io import load_label_map, save_nifti
from mskseg.models.checkpoints import load_segmenter
from mskseg.prompts import Memory, Prompt
from mskseg.prompts.files import SlicePrompt
from mskseg_networks.sam2 import following, labels
from mskseg_networks.sam2.following import FollowedObject, follow
from mskseg_networks.sam2.labels import follow_labels

SHAPE = (100, 90)
GAPS = [(0, "not seen"), (3, "prompt"), (0, "not seen"), (0, "not seen"), (4, "remembered"),
        (0, "not seen")]  # fmt: skip
BOX = np.array([[20.0, 30.0, 60.0, 70.0]])


@pytest.fixture(scope="module")
def images():
    """Nine slices with a disc that wanders, in noise."""
    rng, (rows, columns) = np.random.default_rng(0), np.mgrid[: SHAPE[0], : SHAPE[1]]
    discs = [np.hypot(rows - 45 - 2 * k, columns - 38 - k) < 18 for k in range(9)]
    return [(100 * disc + rng.integers(0, 80, SHAPE)).astype(np.uint8) for disc in discs]


@pytest.fixture
def scan_case(draw_case):
    """Twelve axial slices with two labels that grow."""
    labels = np.zeros((12, 80, 72), np.uint8)
    for k in range(12):
        labels[k, 20 : 40 + k, 20:50] = 1
        labels[k, 55:75, 30 : 50 + k] = 2
    return draw_case(labels)


def followed(segmenter, images, *objects, corrections=None):
    """Probabilities by position and number of the object."""
    said = [FollowedObject(prompts, corrections or {}) for prompts in objects]
    found: dict[tuple[int, int], np.ndarray] = {}
    for at in follow(segmenter, images, said):
        assert at.seconds > 0
        for number, probabilities in at.probabilities.items():
            assert (at.position, number) not in found
            found[at.position, number] = probabilities
    return found


def by_transformers(model, segmenter, images, prompts, *, reverse):
    """The same by `transformers`' own session and iterator."""
    from transformers import Sam2VideoInferenceSession

    frames = [
        segmenter.preprocessing.image_tensor(np.repeat(i[:, :, None], 3, axis=2), segmenter.model)
        for i in images
    ]
    session = Sam2VideoInferenceSession(torch.cat(frames), *SHAPE, dtype=torch.float32)
    number = session.obj_id_to_idx(7)
    scale = FRAME / np.array([SHAPE[1], SHAPE[0]] * 2)
    for position, box in prompts.items():
        corners = torch.tensor((box - [0, 0, 1, 1]) * scale, dtype=torch.float32).view(1, 1, 2, 2)
        point_labels = torch.tensor([[[2, 3]]])
        session.add_point_inputs(
            number, position, {"point_coords": corners, "point_labels": point_labels}
        )
    found = {}
    with torch.inference_mode():
        for position in prompts:
            session.obj_with_new_inputs = [7]
            model(session, frame_idx=position)
        for out in model.propagate_in_video_iterator(session, min(prompts), reverse=reverse):
            logits = functional.interpolate(out.pred_masks, SHAPE, mode="bilinear")
            found[out.frame_idx] = torch.sigmoid(logits)[0, 0].numpy()
    return found


@pytest.mark.parametrize("prompts", [{4: BOX}, {3: BOX, 6: BOX + 3}], ids=["one", "two"])
def test_masks_on_all_slices_are_those_of_transformers(small_sam2, video_model, images, prompts):
    asked = {position: Prompt(boxes_xyxy=box) for position, box in prompts.items()}
    found = followed(small_sam2, images, asked)
    expected = {
        **by_transformers(video_model, small_sam2, images, prompts, reverse=True),
        **by_transformers(video_model, small_sam2, images, prompts, reverse=False),
    }
    assert {position for position, _ in found} == set(range(9))
    for position, probabilities in expected.items():
        np.testing.assert_allclose(found[position, 0], probabilities, atol=1e-4)
    assert min(np.ptp(found[position, 0]) for position in range(9)) > 0.5


@pytest.mark.parametrize("prompts", [{4: BOX}, {3: BOX, 6: BOX + 3}], ids=["one", "two"])
def test_masks_on_all_slices_are_the_authors(
    small_sam2_known, images, tmp_path, monkeypatch, prompts
):
    pytest.importorskip("sam2", reason="no sam2 here: make, or pip install --no-deps sam2==1.1.0")
    from sam2 import build_sam, sam2_video_predictor

    overrides = [f"++model.{name}={value}" for name, value in SMALL_FOR_AUTHORS.items()]
    predictor = build_sam.build_sam2_video_predictor(
        "configs/sam2.1/sam2.1_hiera_t.yaml", device="cpu", hydra_overrides_extra=overrides
    )
    predictor.fill_hole_area = 0  # their CUDA part alone fills holes
    liven(predictor)
    torch.save({"model": predictor.state_dict()}, tmp_path / "small.pt")
    segmenter = load_segmenter(
        tmp_path / "small.pt", architecture="sam2_test", preprocessing="sam2", device="cpu"
    )
    frames = [
        segmenter.preprocessing.image_tensor(np.repeat(i[:, :, None], 3, axis=2), segmenter.model)
        for i in images
    ]
    monkeypatch.setattr(
        sam2_video_predictor, "load_video_frames", lambda **_: (torch.cat(frames), *SHAPE)
    )
    found = followed(segmenter, images, {k: Prompt(boxes_xyxy=box) for k, box in prompts.items()})
    state = predictor.init_state("frames")
    for reverse in (False, True):
        predictor.reset_state(state)  # as MedSAM2's authors do between the two ways
        for position, box in prompts.items():
            inclusive = (box[0] - [0, 0, 1, 1]).astype(np.float32)
            predictor.add_new_points_or_box(state, position, 1, box=inclusive)
        for position, _, logits in predictor.propagate_in_video(
            state, min(prompts), reverse=reverse
        ):
            expected = torch.sigmoid(logits)[0, 0].numpy()
            np.testing.assert_allclose(found[position, 0], expected, atol=1e-3)


def test_a_turned_volume_gives_the_turned_masks(small_sam2, images):
    there = followed(small_sam2, images, {4: Prompt(boxes_xyxy=BOX)})
    back = followed(small_sam2, images[::-1], {4: Prompt(boxes_xyxy=BOX)})
    for position in range(9):
        np.testing.assert_allclose(there[position, 0], back[8 - position, 0], atol=1e-5)


def test_objects_do_not_disturb_each_other_and_each_slice_is_encoded_once(small_sam2, images):
    first, second = {4: Prompt(boxes_xyxy=BOX)}, {6: Prompt(boxes_xyxy=BOX + 5)}
    together = followed(small_sam2, images, first, second)
    assert small_sam2.cache.n_misses == len(images)
    for number, alone in enumerate((first, second)):
        for (position, _), probabilities in followed(small_sam2, images, alone).items():
            np.testing.assert_array_equal(together[position, number], probabilities)


def test_points_refine_a_box(small_sam2, images):
    points = {"point_coords": np.array([[[40.5, 50.5]]]), "point_labels": np.array([[0]])}
    with_points = followed(small_sam2, images[:2], {0: Prompt(boxes_xyxy=BOX, **points)})
    expected = small_sam2.predict(small_sam2.embed(images[0]), boxes_xyxy=BOX, **points)
    np.testing.assert_allclose(with_points[0, 0], expected.probabilities[0, 0], atol=1e-4)


def test_one_slice(small_sam2, images):
    found = followed(small_sam2, images[:1], {0: Prompt(boxes_xyxy=BOX)})
    expected = small_sam2.predict(small_sam2.embed(images[0]), boxes_xyxy=BOX)
    np.testing.assert_allclose(found[0, 0], expected.probabilities[0, 0], atol=1e-4)


def test_a_file_of_sam_2_0_has_two_parts_less(small_sam2, images):
    expected = followed(small_sam2, images, {4: Prompt(boxes_xyxy=BOX)})
    of_2_1 = ("occlusion_spatial_embedding", "temporal_positional_encoding_projection_layer")
    for name in list(small_sam2.model.memory_weights):
        if name.removeprefix("memory.").startswith(of_2_1):
            del small_sam2.model.memory_weights[name]
    found = followed(small_sam2, images, {4: Prompt(boxes_xyxy=BOX)})
    np.testing.assert_array_equal(found[4, 0], expected[4, 0])
    assert not np.allclose(found[8, 0], expected[8, 0])


def test_an_object_that_is_not_seen_is_lost(small_sam2, images):
    with torch.no_grad():
        small_sam2.model.mask_decoder.pred_obj_score_head.proj_out.bias.fill_(-50.0)
    found = followed(small_sam2, images, {4: Prompt(boxes_xyxy=BOX)})
    assert all((probabilities == 0).all() for probabilities in found.values())


def test_what_is_remembered_does_not_grow_with_the_volume(small_sam2, images):
    kept = []

    class Watched(following._Followed):
        def find(self, position, features, step):
            found = super().find(position, features, step)
            outputs = self._session.output_dict_per_obj[0].values()
            tensors = [t for each in outputs for out in each.values() for t in out.values()]
            kept.append(sum(t.nbytes for t in tensors if torch.is_tensor(t)))
            assert not self._session.cache._vision_features
            return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(following, "_Followed", Watched)
        followed(small_sam2, images * 5, {0: Prompt(boxes_xyxy=BOX)})
    assert kept[20] == kept[-1] > 0


# --- behind `propagate`, `score_cases` and the command line ---------------------------------------


def test_labels_of_a_case(small_sam2, scan_case):
    prompts = [
        SlicePrompt(slice=4, label=1, boxes_xyxy=((20, 20, 60, 60),)),
        SlicePrompt(slice=4, label=2, boxes_xyxy=((10, 20, 30, 50), (40, 50, 70, 78))),
    ]
    seen: list[int] = []
    found = propagate(
        small_sam2, scan_case, prompts, plan=Memory(), slices=(2, 7), progress=seen.append
    )
    assert sorted(seen) == [2, 3, 4, 5, 6, 7]
    rows = found.table.set_index(["label", "slice"])
    assert set(rows.index) == {(label, k) for label in (1, 2) for k in range(2, 8)}
    assert set(rows.loc[(slice(None), 4), "reason"]) <= {"prompt", "not seen"}
    assert (rows["area_mm2"] > 0).sum() > 4
    remembered = rows.query("reason == 'remembered'")
    assert remembered["overlap"].notna().any()
    assert remembered[["x0", "y1"]].isna().all(axis=None)


def test_a_slice_without_signal_is_empty(small_sam2, scan_case):
    stack = scan_case.image.stack("axial").copy()
    stack[6] = 0
    dark = scan_case.image.from_stack(stack, "axial")
    case = replace(scan_case, image=dark, reference=None)
    asked = [SlicePrompt(slice=4, label=1, boxes_xyxy=((20, 20, 50, 60),))]
    found = propagate(small_sam2, case, asked, plan=Memory()).table.set_index("slice")
    assert found.loc[6, "area_mm2"] == 0
    assert found.loc[6, "reason"] == "not seen"
    assert (found["reason"] == "remembered").any()


def test_gaps_are_said():
    rows = [(1, k, area, why) for k, (area, why) in enumerate(GAPS)]
    table = pd.DataFrame(rows, columns=["label", "slice", "area_mm2", "reason"])
    said = Propagation(label_map=None, table=table).ends[1]
    assert said == "slices 1 to 4, not seen on 2 of them (below: not seen; above: not seen)"


def test_a_correction_mends_its_slice_and_what_follows(small_sam2, images):
    first = {4: Prompt(boxes_xyxy=BOX)}
    click = Prompt(point_coords=np.array([[[45.5, 60.5]]]), point_labels=np.array([[0]]))
    before = followed(small_sam2, images, first)
    mended = followed(small_sam2, images, first, corrections={6: click})
    for position in range(9):
        same = np.array_equal(before[position, 0], mended[position, 0])
        assert same == (position < 6)


def test_points_on_another_slice_are_a_correction(small_sam2, scan_case):
    asked = [
        SlicePrompt(slice=4, label=1, boxes_xyxy=((20, 20, 50, 60),)),
        SlicePrompt(slice=7, label=1, point_coords=((30, 30),), point_labels=(0,)),
    ]
    rows = propagate(small_sam2, scan_case, asked, plan=Memory()).table.set_index("slice")
    assert rows.loc[4, "reason"] == "prompt"
    assert rows.loc[7, "reason"] in ("correction", "not seen")


def test_the_caller_is_not_left_in_inference_mode(small_sam2, images):
    way = follow(small_sam2, images, [FollowedObject({4: Prompt(boxes_xyxy=BOX)})])
    next(way)
    assert not torch.is_inference_mode_enabled()


def test_weights_of_a_memory_that_do_not_fit_are_named(small_sam2, images):
    memory = small_sam2.model.memory_weights
    kept = memory.pop("memory.memory_attention.layer_norm.bias")
    with pytest.raises(InputError, match=r"memory of small_sam2 does not fit: .*bias is missing"):
        followed(small_sam2, images, {4: Prompt(boxes_xyxy=BOX)})
    memory["memory.memory_attention.layer_norm.bias"] = kept[:3]
    with pytest.raises(InputError, match=r"layer_norm.bias is \(3,\), expected \(256,\)"):
        followed(small_sam2, images, {4: Prompt(boxes_xyxy=BOX)})
    memory["memory.memory_attention.layer_norm.bias"] = kept
    memory["memory.ema.x"] = kept
    with pytest.raises(InputError, match=r"ema.x is \(256,\), expected missing"):
        followed(small_sam2, images, {4: Prompt(boxes_xyxy=BOX)})


def test_the_network_is_built_once_and_another_memory_is_another_model(small_sam2, images):
    first = {4: Prompt(boxes_xyxy=BOX)}
    before = small_sam2.fingerprint
    expected = followed(small_sam2, images, first)
    kept = small_sam2.model.video
    followed(small_sam2, images, first)
    assert small_sam2.model.video is kept
    memory = small_sam2.model.memory_weights
    memory["memory.memory_temporal_positional_encoding"] = (
        memory["memory.memory_temporal_positional_encoding"] + 1
    )
    assert small_sam2.fingerprint != before
    assert not np.array_equal(followed(small_sam2, images, first)[8, 0], expected[8, 0])


def test_it_is_scored_as_any_plan(small_sam2, scan_case):
    table = score_cases(small_sam2, [scan_case], prompts=Memory(), slice_step=4)
    assert set(table["box_source"]) == {"memory"}
    assert table["dice"].notna().any()
    assert (table["decode_s"] > 0).all()


def test_a_model_without_a_memory(segmenter, small_sam2, images, scan_case):
    with pytest.raises(InputError, match=r"expected a model with a memory, got small; name a SAM"):
        score_cases(segmenter, [scan_case], prompts=Memory())
    small_sam2.model.memory_weights = {}
    with pytest.raises(InputError, match="has no weights of a memory"):
        followed(small_sam2, images, {4: Prompt(boxes_xyxy=BOX)})


def test_the_command_line(small_sam2_known, sam2_file, scan_case, tmp_path, capsys):
    save_nifti(scan_case.image, tmp_path / "scan.nii.gz")
    asked = [
        "segment", str(tmp_path / "scan.nii.gz"), "--box", "4 20 20 60 60",
        "--model", str(sam2_file), "--architecture", "sam2_test", "--preprocessing", "sam2",
        "-o", str(tmp_path / "mask.nii.gz"),
    ]  # fmt: skip
    assert main([*asked, "--propagate", "--memory", "--csv", str(tmp_path / "way.csv")]) == 0
    label_map = load_label_map(tmp_path / "mask.nii.gz")
    assert label_map.stack("axial").any(axis=(1, 2)).sum() > 1
    assert "remembered" in (tmp_path / "way.csv").read_text()
    capsys.readouterr()
    assert main([*asked, "--memory"]) == 2
    assert "--range, --csv and --memory are about a propagation" in capsys.readouterr().err


def test_many_scans_are_resumed_after_an_interrupt(
    small_sam2_known, sam2_file, scan_case, tmp_path, monkeypatch, capsys
):
    (tmp_path / "scans").mkdir()
    (tmp_path / "prompts").mkdir()
    for name in ("a", "b"):
        save_nifti(scan_case.image, tmp_path / "scans" / f"{name}.nii.gz")
        (tmp_path / "prompts" / f"{name}.json").write_text(
            '{"plane": "axial", "prompts": [{"slice": 4, "label": 1, '
            '"boxes_xyxy": [[20, 20, 50, 60]]}]}'
        )
    asked = [
        "segment", str(tmp_path / "scans"), "--prompts", str(tmp_path / "prompts"),
        "--model", str(sam2_file), "--architecture", "sam2_test", "--preprocessing", "sam2",
        "--propagate", "--memory", "-o", str(tmp_path / "masks"),
    ]  # fmt: skip
    followed_scans: list[str] = []

    def stop_at_the_second(segmenter, case, *arguments, **options):
        if followed_scans:
            raise KeyboardInterrupt
        followed_scans.append(case.subject)
        return follow_labels(segmenter, case, *arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(labels, "follow_labels", stop_at_the_second)
        assert main(asked) == 130
    assert len(followed_scans) == 1
    with monkeypatch.context() as patch:
        followed_scans.clear()
        patch.setattr(labels, "follow_labels", stop_at_the_second)
        assert main(asked) == 0
    assert len(list((tmp_path / "masks").rglob("*.nii.gz"))) == 2
    by_memory = load_label_map(tmp_path / "masks" / "a.nii.gz").array
    asked.remove("--memory")  # another way is another result, which is not taken for done
    assert main(asked) == 0
    by_boxes = load_label_map(tmp_path / "masks" / "a.nii.gz").array
    assert not np.array_equal(by_memory, by_boxes)
    asked.remove("--propagate")
    assert main([*asked, "--memory"]) == 2
    assert "--range and --memory are about a propagation" in capsys.readouterr().err
