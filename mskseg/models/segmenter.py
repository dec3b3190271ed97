"""Embed a slice once, then predict masks from prompts: the wrapper around a SAM-like model."""

import hashlib
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from mskseg.errors import InputError
from mskseg.models.decoding import ONE_MASK, THREE_MASKS, decode
from mskseg.models.embeddings import EmbeddingCache, ImageEmbedding, embedding_key
from mskseg.models.encoding import encode
from mskseg.models.preprocessing import Preprocessing, as_rgb_uint8
from mskseg.models.upstream import Sam
from mskseg.prompts.checks import plain_array
from mskseg.prompts.prompt import Prompt

Precision = Literal["float32", "bfloat16"]
Follow = Callable[..., list[dict[int, Any]]]
"""Propagates labels by the model's memory: `mskseg_networks.sam2.labels.follow_labels`."""
TensorPair = tuple[Tensor, Tensor]
PROMPT_KINDS = frozenset({"box", "point", "mask"})

# Numbers of the image tokens: one prompt of SAM, eight of SAM-mini. Measured beforehand
# (benchmarks/decode_chunks.py): other chunks round differently, and two runs must give the same
# masks. "cuda" and "mps" were not measured: they only bound the memory.
_AT_ONCE = 64
_NUMBERS_AT_ONCE = {"cpu": 2**20, "mps": 2**24, "cuda": 2**26}


def prompts_at_once(n_numbers: int, device_type: str) -> int:
    """Say how many prompts one call of the decoder answers, by the numbers of an embedding."""
    return max(1, _NUMBERS_AT_ONCE.get(device_type, 2**20) // n_numbers)


@dataclass(frozen=True, eq=False)
class Prediction:
    """Masks of N prompts, M each (1, or 3 with ``multimask=True``), of the size of the slice."""

    masks: NDArray[np.bool_]  # (N, M, H, W)
    # (N, M, H, W) in [0, 1]. SAM: sigmoid of the upsampled logits; MedSAM: upsampled sigmoid.
    probabilities: NDArray[np.float32]
    predicted_iou: NDArray[np.float32]  # (N, M) the model's own; NaN if it never learned it
    # (N, M, h, w) of the decoder (256 x 256 for SAM, 128 x 128 for SAM-mini). One of the M may be
    # fed back: ``mask_logits=prediction.low_res_logits[:, 0]``.
    low_res_logits: NDArray[np.float32]

    def __repr__(self) -> str:
        n, m, height, width = self.masks.shape
        return f"Prediction({n} prompts x {m} masks of {height} x {width})"


class Segmenter:
    """A promptable model with its preprocessing, on a device; see `mskseg.load_segmenter`.

    Parameters
    ----------
    model : segment_anything.modeling.Sam
        Moved to `device`, set to evaluation mode and kept by reference. If its weights change
        later (training), the fingerprint follows and embeddings of an old encoder are refused.
    preprocessing : Preprocessing
        Its `image_size` must be the model's.
    miniature : bool
        Whether this is one of our small stand-ins; every table that shows it says so.
    learned_iou : bool
        False for models whose IoU head was never trained: `predicted_iou` is then NaN.
    precision : {"float32", "bfloat16"}
        "bfloat16" runs the *encoder* under autocast: quicker on processors that compute in it,
        slower elsewhere. Masks may differ: CONTRIBUTING says by how much, for which model.
    prompt_kinds : frozenset of {"box", "point", "mask"}
        What the model answers; `predict` refuses the others. LiteMedSAM answers boxes alone.
    cache : EmbeddingCache, optional
        Where embeddings are kept; by default in memory.
    follow : Follow, optional
        What `propagate` calls for the plan `Memory`; SAM 2 and MedSAM2 have one.
    """

    def __init__(
        self,
        model: Sam,
        preprocessing: Preprocessing,
        *,
        name: str,
        device: str | torch.device = "auto",
        miniature: bool = False,
        learned_iou: bool = True,
        prompt_kinds: frozenset[str] = PROMPT_KINDS,
        precision: Precision = "float32",
        cache: EmbeddingCache | None = None,
        follow: Follow | None = None,
    ) -> None:
        self.device = available_device(device)
        if precision not in ("float32", "bfloat16"):
            raise InputError(f"precision {precision!r} is unknown; choose float32 or bfloat16")
        if preprocessing.image_size != model.image_encoder.img_size:
            raise InputError(
                f"expected preprocessing for the model's {model.image_encoder.img_size} px, "
                f"got {preprocessing.image_size} px; give both the same size"
            )
        self.model = model.to(self.device).eval()
        self.preprocessing = preprocessing
        self.name = name
        self.miniature = miniature
        self.learned_iou = learned_iou
        self.prompt_kinds = prompt_kinds
        self.precision: Precision = precision
        self.cache = EmbeddingCache() if cache is None else cache
        self.follow = follow
        self.chunk_size: int | None = None  # prompts in a call of the decoder; None: as measured
        self._fingerprints: dict[bool, tuple[int, str]] = {}
        self._for_inference: tuple[str, nn.Module] = ("", nn.Identity())

    def __repr__(self) -> str:
        kind = " (miniature)" if self.miniature else ""
        recipe = f"{self.preprocessing.name} preprocessing"
        return f"Segmenter({self.name!r}{kind}, {recipe}, {self.device})"

    @property
    def fingerprint(self) -> str:
        """sha256 of weights, preprocessing and precision; it follows changes of the weights."""
        return self._fingerprint_of(self.model, encoder_only=False)

    @property
    def encoder_fingerprint(self) -> str:
        """The same of the image encoder alone: models that share it share their embeddings."""
        return self._fingerprint_of(self.model.image_encoder, encoder_only=True)

    def _fingerprint_of(self, part: nn.Module, *, encoder_only: bool) -> str:
        tensors = part.state_dict(keep_vars=True) | getattr(part, "memory_weights", {})
        # Hashing ViT-H takes seconds: repeat it only once a tensor was replaced or written to.
        state = hash(tuple((t.data_ptr(), t._version) for t in tensors.values()))
        kept = self._fingerprints.get(encoder_only)
        if kept is None or kept[0] != state:
            kept = self._fingerprints[encoder_only] = (state, self._hash(tensors))
        return kept[1]

    def _hash(self, tensors: dict[str, Tensor]) -> str:
        statistics = [t.flatten().tolist() for t in (self.model.pixel_mean, self.model.pixel_std)]
        digest = hashlib.sha256(f"{self.preprocessing!r} {statistics} {self.precision}".encode())
        for key in sorted(tensors):
            tensor = tensors[key].detach().cpu().contiguous()
            digest.update(f" {key} {tuple(tensor.shape)} {tensor.dtype} ".encode())
            digest.update(tensor.flatten().view(torch.uint8).numpy().data)
        return digest.hexdigest()

    def embed(self, image: NDArray[Any]) -> ImageEmbedding:
        """Encode one slice, (H, W) of any real dtype or (H, W, 3) uint8, or fetch what was.

        8-bit values are taken as they are; others are stretched from the slice's minimum and
        maximum to 0..255. InputError for another shape or dtype, an empty slice, NaN or infinite
        pixels.
        """
        image = plain_array(image, "an image")
        rgb = as_rgb_uint8(image)
        fingerprint = self.encoder_fingerprint
        key = embedding_key(image, fingerprint)
        return self.cache.get(key, lambda: self._encode(rgb, key, fingerprint), device=self.device)

    def _encode(self, rgb: NDArray[np.uint8], key: str, fingerprint: str) -> ImageEmbedding:
        start = time.perf_counter()
        half = self.precision == "bfloat16"
        with torch.inference_mode():
            tensor = self.preprocessing.image_tensor(rgb, self.model)
            if self._for_inference[0] != fingerprint:  # once for each state of the weights
                encoder = self.model.image_encoder
                quick = getattr(encoder, "for_inference", lambda: encoder)
                self._for_inference = (fingerprint, quick())
            with torch.autocast(self.device.type, torch.bfloat16, enabled=half):
                features = encode(self._for_inference[1], tensor)
            features = features.float()
            if self.device.type == "cuda":
                torch.cuda.synchronize(self.device)  # else the clock stops before the work does
        encode_s = time.perf_counter() - start
        height, width = rgb.shape[:2]
        return ImageEmbedding(features, (height, width), key, fingerprint, encode_s)

    def predict(
        self,
        embedding: ImageEmbedding,
        prompt: Prompt | None = None,
        *,
        boxes_xyxy: ArrayLike | None = None,
        point_coords: ArrayLike | None = None,
        point_labels: ArrayLike | None = None,
        mask_logits: ArrayLike | None = None,
        multimask: bool = False,
    ) -> Prediction:
        """Predict masks of an embedded slice for N prompts.

        A prompt is a box, P points, an earlier mask, or any of them together; what is given must
        agree in N. Coordinates are continuous pixels of the original slice.

        Parameters
        ----------
        embedding : ImageEmbedding
            From this segmenter's `embed`, or that of one with the same image encoder.
        prompt : Prompt, optional
            Boxes, points and masks in one; or give them by name:
        boxes_xyxy : (N, 4) or (4,) float, optional
            x0, y0, x1, y1, half-open: the pixel (3, 5) alone is 3, 5, 4, 6. N may be 0.
        point_coords : (N, P, 2) or (P, 2) float, optional
            x, y; the centre of that pixel is (3.5, 5.5). ``(P, 2)`` is one prompt of P points.
        point_labels : (N, P) or (P,) int, optional
            1 inside the object, 0 outside; needed with `point_coords`.
        mask_logits : (N, h, w) or (h, w) float, optional
            `Prediction.low_res_logits` of an earlier prediction, one per prompt.
        multimask : bool
            Give three masks a prompt (whole, part, sub-part) instead of one. MedSAM's authors
            train and use one mask and boxes only; the rest is possible but means little there.

        Raises
        ------
        InputError
            Without any prompt, for a kind that the model does not answer, shapes that do not agree,
            coordinates outside the slice, or another segmenter's embedding.
        """
        if not isinstance(embedding, ImageEmbedding):
            raise InputError(
                f"expected an embedding, got {type(embedding).__name__}; "
                "pass what segmenter.embed(image) returns"
            )
        if embedding.fingerprint != self.encoder_fingerprint:
            raise InputError(
                f"the embedding was made by another encoder than that of {self.name} as it is now; "
                "embed the image with this segmenter"
            )
        if prompt is not None:
            if any(x is not None for x in (boxes_xyxy, point_coords, point_labels, mask_logits)):
                raise InputError(
                    "expected one prompt, got a `prompt` and another by name; pass one of the two"
                )
            boxes_xyxy, mask_logits = prompt.boxes_xyxy, prompt.mask_logits
            point_coords, point_labels = prompt.point_coords, prompt.point_labels
        given = {"box": boxes_xyxy, "point": point_coords, "mask": mask_logits}
        asked = [kind for kind, value in given.items() if value is not None]
        self.check_answers(asked, multimask=multimask)
        mask_shape = self.model.prompt_encoder.mask_input_size
        checked = Prompt.checked(
            boxes_xyxy,
            point_coords,
            point_labels,
            mask_logits,
            image_shape=embedding.original_size,
            mask_shape=mask_shape,
        )
        n, m = len(checked), 3 if multimask else 1
        prediction = Prediction(
            masks=np.empty((n, m, *embedding.original_size), np.bool_),
            probabilities=np.empty((n, m, *embedding.original_size), np.float32),
            predicted_iou=np.full((n, m), np.nan, np.float32),
            low_res_logits=np.empty((n, m, *mask_shape), np.float32),
        )
        step = self.chunk_size or prompts_at_once(embedding.features.numel(), self.device.type)
        for start in range(0, len(checked), step):
            chunk = slice(start, min(start + step, len(checked)))
            self._decode(embedding, checked, chunk, prediction, multimask)
        return prediction

    def check_answers(self, kinds: Iterable[str], *, multimask: bool = False) -> None:
        """Raise InputError if the model was not trained for these kinds of prompt.

        Three masks a prompt are learned from points, so that they need a model that takes these.
        """
        plural = {"box": "boxes", "point": "points", "mask": "masks"}
        got = [plural[kind] for kind in plural if kind in set(kinds) - self.prompt_kinds]
        if multimask and not got and "point" not in self.prompt_kinds:
            got.append("a wish for three masks")
        if got:
            known = " and ".join(plural[kind] for kind in plural if kind in self.prompt_kinds)
            raise InputError(
                f"{self.name} was trained with {known} alone, got {' and '.join(got)}; give "
                f"{known}, or use sam_vit_mini or sam_vit_b"
            )

    @torch.inference_mode()
    def _decode(
        self,
        embedding: ImageEmbedding,
        prompt: Prompt,
        chunk: slice,
        into: Prediction,
        multimask: bool,
    ) -> None:
        """Decode one chunk and write it into its rows of the result: nothing is held twice."""
        sparse, dense = self.encode_prompts(prompt[chunk], embedding.original_size)
        logits, predicted_iou = decode(
            self.model.mask_decoder,
            embedding.features,
            self.model.prompt_encoder.get_dense_pe(),
            sparse,
            dense,
            masks=THREE_MASKS if multimask else ONE_MASK,
        )
        if not logits.isfinite().all():
            raise InputError(
                f"{self.name} answered with NaN or infinite logits, expected finite ones; its "
                "weights or the mask logits that it was given are too large, or broken"
            )
        masks, probabilities = self.preprocessing.upsample(
            logits, embedding.original_size, self.model
        )
        into.masks[chunk] = masks.cpu().numpy()
        into.probabilities[chunk] = probabilities.cpu().numpy()
        into.low_res_logits[chunk] = logits.cpu().numpy()
        if self.learned_iou:
            into.predicted_iou[chunk] = predicted_iou.cpu().numpy()

    def encode_prompts(self, prompt: Prompt, original_size: tuple[int, int]) -> TensorPair:
        """Encode checked prompts for the decoder: sparse (N, T, C) and dense (N, C, h, w)."""
        points = boxes = masks = None
        if prompt.point_coords is not None and prompt.point_labels is not None:
            coords = self.preprocessing.points(prompt.point_coords, original_size)
            labels = torch.as_tensor(prompt.point_labels, dtype=torch.int)
            points = (self._tensor(coords), labels.to(self.device))
        if prompt.boxes_xyxy is not None:
            boxes = self._tensor(self.preprocessing.boxes(prompt.boxes_xyxy, original_size))
        if prompt.mask_logits is not None:
            masks = self._tensor(prompt.mask_logits[:, None])
        sparse, dense = self.model.prompt_encoder(points=points, boxes=boxes, masks=masks)
        return sparse, dense

    def _tensor(self, array: NDArray[Any]) -> Tensor:
        return torch.as_tensor(array, dtype=torch.float32).to(self.device)


def available_device(device: str | torch.device) -> torch.device:
    """Look up a torch device by its name; InputError if this machine has no such device.

    "auto" is the fastest that is there: cuda, then mps, then cpu.
    """
    if device == "auto":
        mps = "mps" if torch.backends.mps.is_available() else "cpu"
        device = "cuda" if torch.cuda.is_available() else mps
    try:
        found = torch.device(device)
        torch.zeros(1, device=found).item()  # which a device without memory, "meta", cannot
    except Exception as error:  # torch raises whatever the name leads to
        raise InputError(
            f"the device {str(device)!r} is not available here (torch {torch.__version__}); "
            "use 'cpu'"
        ) from error
    return found


def predict_label_map(
    segmenter: Segmenter, image: NDArray[Any], prompts: Iterable[tuple[int, Prompt]]
) -> NDArray[np.uint16]:
    """Segment a slice by prompts for labels, 1 to 65535; the surer label has a pixel."""
    embedding = segmenter.embed(image)
    label_map = np.zeros(embedding.original_size, np.uint16)
    highest = np.zeros(embedding.original_size, np.float32)
    # A few prompts at a time, whose masks the memory holds, however many there are.
    parts = [(k, p[i : i + _AT_ONCE]) for k, p in prompts for i in range(0, len(p) or 1, _AT_ONCE)]
    for label, prompt in parts:
        prediction = segmenter.predict(embedding, prompt)
        for mask, probability in zip(
            prediction.masks[:, 0], prediction.probabilities[:, 0], strict=True
        ):
            won = mask & (probability > highest)
            label_map[won] = label
            highest[won] = probability[won]
    return label_map
