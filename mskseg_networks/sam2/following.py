"""Follow objects through slices by SAM 2's memory, as it follows them through a video."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mskseg.errors import InputError
from mskseg.models.segmenter import Segmenter
from mskseg.prompts.prompt import Prompt

_BOX_CORNERS = (2, 3)  # how SAM 2 labels them among points


def follow(
    segmenter: Segmenter,
    images: Sequence[NDArray[Any]],
    objects: Sequence[Mapping[int, Prompt]],
) -> Iterator[tuple[int, dict[int, NDArray[np.float32]]]]:
    """Follow objects from their prompts through all slices: all of them up, then all down.

    Each object has a memory of its own, which starts on its lowest prompted slice: what it finds
    upwards is forgotten before it goes downwards. Its other prompts are remembered on both ways.

    Parameters
    ----------
    segmenter : Segmenter
        A SAM 2, loaded from a file with the weights of the memory.
    images : sequence of (H, W) arrays
        The slices, from the lowest to the highest.
    objects : sequence of mapping
        For each object, by position in `images`, a prompt of length 1: a box, points, or both.

    Yields
    ------
    position : int
    probabilities : dict of int to (H, W) float32 array
        By number of the object, of those that come past here; 0 everywhere where it is not seen.

    Raises
    ------
    InputError
        If the file of the weights had none for the memory.
    """
    if not getattr(segmenter.model, "beside", {}):
        raise InputError(
            f"{segmenter.name} has no weights of a memory, expected those of a SAM 2 for videos; "
            "give the published checkpoint, or leave the memory out"
        )
    from mskseg_networks.sam2 import network

    with torch.inference_mode():
        video = network.with_memory(segmenter.model)
        followed = [_Followed(segmenter, video, images, prompts) for prompts in objects]
        for step in (1, -1):
            for position in range(len(images))[::step]:
                on_way = [n for n, each in enumerate(followed) if each.comes_past(position, step)]
                if on_way:
                    yield position, {n: followed[n].found_on(position, step) for n in on_way}
            for each in followed:
                each.forget_way()


class _Followed:
    """One object; `transformers` follows it, over embeddings that the segmenter keeps."""

    def __init__(
        self,
        segmenter: Segmenter,
        video: Any,
        images: Sequence[NDArray[Any]],
        prompts: Mapping[int, Prompt],
    ) -> None:
        from transformers import Sam2VideoInferenceSession

        self._segmenter, self._video, self._images = segmenter, video, images
        self._first = min(prompts)
        device = segmenter.device
        self._session = Sam2VideoInferenceSession(
            inference_device=device, inference_state_device=device, dtype=torch.float32
        )
        self._session.processed_frames = dict.fromkeys(range(len(images)))  # only counted
        number = self._session.obj_id_to_idx(0)
        for position, prompt in prompts.items():
            self._session.add_point_inputs(number, position, self._points(prompt, position))
        for position in prompts:
            self._session.obj_with_new_inputs = [0]
            self._answer(position, down=False)

    def comes_past(self, position: int, step: int) -> bool:
        """Whether a slice lies on the way up, which has the first one, or on the way down."""
        return position >= self._first if step > 0 else position < self._first

    def found_on(self, position: int, step: int) -> NDArray[np.float32]:
        """Find the object on the next slice of the way."""
        found = self._answer(position, down=step < 0)
        # What no later slice looks back at: the memory does not grow with the volume.
        oldest = position - step * self._video.config.max_object_pointers_in_encoder
        self._on_way.pop(oldest, None)
        if position in self._on_way:
            del self._on_way[position]["pred_masks"], self._on_way[position]["high_res_masks"]
        return found

    def forget_way(self) -> None:
        """Keep what was prompted, forget what was found from there."""
        self._on_way.clear()
        self._session.frames_tracked_per_obj[0].clear()

    @property
    def _on_way(self) -> dict[int, dict[str, Any]]:
        outputs: dict[str, dict[int, dict[str, Any]]] = self._session.output_dict_per_obj[0]
        return outputs["non_cond_frame_outputs"]

    def _answer(self, position: int, *, down: bool) -> NDArray[np.float32]:
        from mskseg_networks.sam2.network import scales

        image = self._images[position]
        maps = scales(self._segmenter.embed(image).features)
        encoding = self._video.vision_encoder.neck.position_encoding
        place = encoding(maps[-1].shape, maps[-1].device, maps[-1].dtype)
        flat = [scale.flatten(2).permute(2, 0, 1) for scale in (*maps, place)]
        features = {"vision_feats": flat[:-1], "vision_pos_embeds": flat[-1:]}
        self._session.cache.cache_vision_features(position, features)
        logits = self._video(self._session, frame_idx=position, reverse=down).pred_masks
        shape, preprocessing = image.shape[:2], self._segmenter.preprocessing
        _, probabilities = preprocessing.upsample(logits, shape, self._segmenter.model)
        found: NDArray[np.float32] = probabilities[0, 0].cpu().numpy()
        return found

    def _points(self, prompt: Prompt, position: int) -> dict[str, torch.Tensor]:
        """Give a box as two points, before the others, as SAM 2's authors do."""
        shape, preprocessing = self._images[position].shape[:2], self._segmenter.preprocessing
        coords, labels = np.empty((0, 2)), np.empty(0, np.int64)
        if prompt.boxes_xyxy is not None:
            coords = preprocessing.boxes(prompt.boxes_xyxy, shape).reshape(2, 2)
            labels = np.array(_BOX_CORNERS)
        if prompt.point_coords is not None and prompt.point_labels is not None:
            coords = np.concatenate([coords, preprocessing.points(prompt.point_coords, shape)[0]])
            labels = np.concatenate([labels, prompt.point_labels[0]])
        return {
            "point_coords": torch.as_tensor(coords, dtype=torch.float32)[None, None],
            "point_labels": torch.as_tensor(labels, dtype=torch.int32)[None, None],
        }
