"""Follow objects through slices by SAM 2's memory, as it follows them through a video."""

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from mskseg.errors import InputError
from mskseg.models.segmenter import Segmenter
from mskseg.prompts.prompt import Prompt

_BOX_CORNERS = (2, 3)  # how SAM 2 labels them among points


class FollowedObject(NamedTuple):
    """What is said of one object, by position of the slice; each prompt is of length 1."""

    prompts: Mapping[int, Prompt]  # boxes, points or both: what it looks like there
    corrections: Mapping[int, Prompt] = {}  # of what was found there by memory


class Found(NamedTuple):
    """Objects on one slice."""

    position: int
    probabilities: dict[int, NDArray[np.float32]]  # (H, W) by number of the object; 0: not seen
    seconds: float  # without the image encoder


@torch.inference_mode()
def follow(
    segmenter: Segmenter, images: Sequence[NDArray[Any]], objects: Sequence[FollowedObject]
) -> Iterator[Found]:
    """Follow objects from their prompts through all slices: all of them up, then all down.

    Each object has a memory of its own, which starts on its lowest prompted slice: what it finds
    upwards is forgotten before it goes downwards. Its other prompts are remembered on both ways; a
    correction from its slice on. Holes are not filled, as the authors' code does on CUDA.

    Parameters
    ----------
    segmenter : Segmenter
        A SAM 2, loaded from a file with the weights of the memory.
    images : sequence of (H, W) arrays
        The slices, from the lowest to the highest.
    objects : sequence of FollowedObject

    Yields
    ------
    Found
        Of the objects that come past a slice; above its start an object does so on the way up.

    Raises
    ------
    InputError
        If the file of the weights had none for the memory, or they do not fit.
    """
    if not getattr(segmenter.model, "memory_weights", {}):
        raise InputError(
            f"{segmenter.name} has no weights of a memory, expected those of a SAM 2 for videos; "
            "give the published checkpoint, or leave out --memory"
        )
    from mskseg_networks.sam2.network import with_memory

    video = with_memory(segmenter.model, name=segmenter.name, key=segmenter.fingerprint)
    followed = [_Followed(segmenter, video, images, each) for each in objects]
    for step in (1, -1):
        for position in range(len(images))[::step]:
            passing = [n for n, each in enumerate(followed) if each.passes(position, step)]
            if passing:
                features = _features(segmenter, video, images[position])
                start = time.perf_counter()
                found = {n: followed[n].find(position, features, step) for n in passing}
                prompted = sum(followed[n].prompt_s.get(position, 0.0) for n in passing)
                yield Found(position, found, time.perf_counter() - start + prompted)
        for each in followed:
            each.forget_found()


def _features(segmenter: Segmenter, video: Any, image: NDArray[Any]) -> dict[str, Any]:
    """Encode a slice, or take what was encoded, and lay it out as the video network wants it."""
    from mskseg_networks.sam2.network import scales

    maps = scales(segmenter.embed(image).features)
    encoding = video.vision_encoder.neck.position_encoding
    places = encoding(maps[-1].shape, maps[-1].device, maps[-1].dtype)
    flat = [scale.flatten(2).permute(2, 0, 1) for scale in (*maps, places)]
    return {"vision_feats": flat[:-1], "vision_pos_embeds": flat[-1:]}


class _Followed:
    """One object on its way: `transformers` follows it, over embeddings of the segmenter's."""

    def __init__(
        self,
        segmenter: Segmenter,
        video: Any,
        images: Sequence[NDArray[Any]],
        said: FollowedObject,
    ) -> None:
        from transformers import Sam2VideoInferenceSession

        self._segmenter, self._video, self._said = segmenter, video, said
        self._shape = images[0].shape[:2]
        self._first = min(said.prompts)
        device = segmenter.device
        self._session = Sam2VideoInferenceSession(
            inference_device=device, inference_state_device=device, dtype=torch.float32
        )
        self._session.processed_frames = dict.fromkeys(range(len(images)))  # only counted
        self._session.obj_id_to_idx(0)
        self.prompt_s: dict[int, float] = {}  # seconds of each prompt
        for position, prompt in said.prompts.items():
            features = _features(segmenter, video, images[position])
            start = time.perf_counter()
            self._ask(prompt, position, features, down=False)
            self.prompt_s[position] = time.perf_counter() - start

    def passes(self, position: int, step: int) -> bool:
        """Whether a slice lies on the way up, which has the first one, or on the way down."""
        return position >= self._first if step > 0 else position < self._first

    def find(self, position: int, features: dict[str, Any], step: int) -> NDArray[np.float32]:
        """Find the object on the next slice of the way."""
        logits = self._answer(position, features, down=step < 0)
        if (correction := self._said.corrections.get(position)) is not None:
            logits = self._ask(correction, position, features, down=step < 0)
        # What no later slice looks back at: the memory does not grow with the volume.
        oldest = position - step * self._video.config.max_object_pointers_in_encoder
        self._found.pop(oldest, None)
        self._found.get(position, {}).pop("pred_masks", None)
        preprocessing, sam = self._segmenter.preprocessing, self._segmenter.model
        _, probabilities = preprocessing.upsample(logits, self._shape, sam)
        found: NDArray[np.float32] = probabilities[0, 0].cpu().numpy()
        return found

    def forget_found(self) -> None:
        """Keep what was prompted, forget what was found from there."""
        self._found.clear()
        self._session.frames_tracked_per_obj[0].clear()

    @property
    def _found(self) -> dict[int, dict[str, Any]]:
        outputs: dict[str, dict[int, dict[str, Any]]] = self._session.output_dict_per_obj[0]
        return outputs["non_cond_frame_outputs"]

    def _ask(
        self, prompt: Prompt, position: int, features: dict[str, Any], *, down: bool
    ) -> torch.Tensor:
        self._session.add_point_inputs(0, position, self._points(prompt))
        self._session.obj_with_new_inputs = [0]
        return self._answer(position, features, down=down)

    def _answer(self, position: int, features: dict[str, Any], *, down: bool) -> torch.Tensor:
        self._session.cache.cache_vision_features(position, features)
        answer = self._video(self._session, frame_idx=position, reverse=down)
        self._session.cache.clear_all()  # other objects share the features, none keeps them
        for outputs in self._session.output_dict_per_obj[0].values():
            outputs.get(position, {}).pop("high_res_masks", None)
        logits: torch.Tensor = answer.pred_masks
        return logits

    def _points(self, prompt: Prompt) -> dict[str, torch.Tensor]:
        """Give a box as two points, before the others, as SAM 2's authors do."""
        preprocessing = self._segmenter.preprocessing
        coords, labels = np.empty((0, 2)), np.empty(0, np.int64)
        if prompt.boxes_xyxy is not None:
            coords = preprocessing.boxes(prompt.boxes_xyxy, self._shape).reshape(2, 2)
            labels = np.array(_BOX_CORNERS)
        if prompt.point_coords is not None and prompt.point_labels is not None:
            points = preprocessing.points(prompt.point_coords, self._shape)
            coords = np.concatenate([coords, points[0]])
            labels = np.concatenate([labels, prompt.point_labels[0]])
        return {
            "point_coords": torch.as_tensor(coords, dtype=torch.float32)[None, None],
            "point_labels": torch.as_tensor(labels, dtype=torch.int32)[None, None],
        }
