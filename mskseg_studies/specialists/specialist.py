"""A trained U-Net or DeepLabV3+, prompted with boxes or automatic."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from tqdm.auto import tqdm

from mskseg.case import Case
from mskseg.errors import InputError
from mskseg.models.segmenter import Prediction, available_device
from mskseg.prompts import Prompt, check_boxes
from mskseg.volume import LabelMap
from mskseg_studies.calibration import checked_probabilities
from mskseg_studies.specialists.config import SpecialistConfig
from mskseg_studies.specialists.networks import box_frames, image_frame, out_of_frame
from mskseg_studies.specialists.predictions import Predictions

_TITLES = {"unet": "U-Net", "deeplabv3plus": "DeepLabV3+"}
_BATCH_SIZE = 16  # objects or slices: bounds the memory
HISTORY = ("step", "loss", "validation_dice", "seconds")


class Specialist:
    """A network trained for one task.

    With ``prompt="box"`` it has `embed` and `predict` like a `Segmenter`, so that `score_cases`
    takes it with the same boxes; without, `segment` gives label maps for `score_label_maps`. The
    network is moved to the configuration's device and set to evaluation mode; `labels` are those
    that it was trained on, with their names, ascending; `history` has the columns `HISTORY`; `data`
    says what it was trained on, for tables and provenance.
    """

    prompt_kinds = frozenset({"box"})
    miniature = True  # small frame, small encoder, few steps: no published specialist

    def __init__(
        self,
        network: nn.Module,
        config: SpecialistConfig,
        labels: Mapping[int, str],
        *,
        history: pd.DataFrame,
        data: str = "",
    ) -> None:
        self.device = available_device(config.device)
        self.network = network.to(self.device).eval()
        self.config, self.labels, self.history, self.data = config, dict(labels), history, data

    def __repr__(self) -> str:
        return f"Specialist({self.name!r}, {len(self.labels)} labels, trained on {self.data})"

    @property
    def name(self) -> str:
        """For tables: architecture and prompt."""
        prompt = "box channel" if self.config.prompt == "box" else "automatic"
        return f"{_TITLES[self.config.architecture]}, {prompt}"

    @property
    def fingerprint(self) -> str:
        """The sha256 of weights, configuration and labels; the device does not count."""
        settings = asdict(self.config) | {"device": None}
        digest = hashlib.sha256(repr((settings, sorted(self.labels.items()))).encode())
        for key, tensor in sorted(self.network.state_dict().items()):
            digest.update(f" {key} {tuple(tensor.shape)} {tensor.dtype} ".encode())
            digest.update(tensor.cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()

    def embed(self, image: NDArray[Any]) -> NDArray[Any]:
        """Give the slice (H, W) uint8 itself; the network runs for each object."""
        return image

    def predict(self, embedding: NDArray[Any], prompt: Prompt) -> Prediction:
        """Segment the object in each box; the result is as of `Segmenter.predict`.

        `predicted_iou` is NaN: nothing of the kind was learned. Raises InputError for points,
        without a box, or if this specialist takes no box.
        """
        shape = (embedding.shape[0], embedding.shape[1])
        if self.config.prompt != "box":
            raise InputError(f"{self.name} takes no prompt; call segment(cases)")
        if prompt.boxes_xyxy is None or prompt.point_coords is not None:
            raise InputError(f"{self.name} was trained with boxes only; pass boxes_xyxy")
        boxes = torch.from_numpy(check_boxes(prompt.boxes_xyxy, shape)).float()
        images = image_frame(embedding, self.config.frame_px).expand(len(boxes), -1, -1)
        inputs = torch.stack([images, box_frames(boxes, shape, self.config.frame_px)], dim=1)
        logits = self._logits(inputs)
        probabilities = out_of_frame(logits, shape).sigmoid().numpy()
        return Prediction(
            masks=probabilities > 0.5,
            probabilities=probabilities,
            predicted_iou=np.full((len(boxes), 1), np.nan, np.float32),
            low_res_logits=logits.numpy(),
        )

    def segment(self, cases: Iterable[Case], *, progress: bool = True) -> Predictions:
        """Segment whole cases, slice by slice in the acquired plane.

        Probabilities are computed when they are asked for. Raises InputError if this specialist
        takes a box.
        """
        if self.config.prompt != "none":
            raise InputError(f"{self.name} needs a box for each object; score it with a plan")
        label_maps, readers = {}, {}
        values = np.array((0, *self.labels), np.min_scalar_type(max(self.labels)))
        for case in tqdm(list(cases), desc=self.name, unit="case", disable=not progress):
            stack = np.stack([values[p.argmax(0)] for p in self._slice_probabilities(case)])
            label_maps[case.name] = LabelMap(
                case.image.from_stack(stack, case.plane).array, case.image.affine
            )
            readers[case.name] = partial(self.probabilities, case)
        return Predictions(label_maps, (), tuple(self.labels), readers)

    def probabilities(self, case: Case) -> NDArray[np.float32]:
        """Probability of background and of each label, (C, ni, nj, nk) on the case's grid."""
        stacks = np.stack(list(self._slice_probabilities(case)), axis=1)
        array = np.stack([case.image.from_stack(s, case.plane).array for s in stacks])
        return checked_probabilities(array, shape=array.shape, what=case.name)

    def _slice_probabilities(self, case: Case) -> Iterator[NDArray[np.float32]]:
        """Softmax (C, H, W) of each slice."""
        slices = list(case.slices())
        for start in range(0, len(slices), _BATCH_SIZE):
            batch = slices[start : start + _BATCH_SIZE]
            frames = torch.stack([image_frame(at.image, self.config.frame_px) for at in batch])
            logits = out_of_frame(self._logits(frames[:, None]), batch[0].image.shape[:2])
            yield from logits.softmax(1).numpy()

    @torch.inference_mode()
    def _logits(self, inputs: Tensor) -> Tensor:
        """Run the network on (N, C, S, S), some at a time; N may be 0."""
        if not len(inputs):
            return torch.empty(0, 1, *inputs.shape[-2:])
        starts = range(0, len(inputs), _BATCH_SIZE)
        parts = [self.network(inputs[k : k + _BATCH_SIZE].to(self.device)).cpu() for k in starts]
        return torch.cat(parts).float()
