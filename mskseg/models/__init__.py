"""Promptable segmenters: SAM, SAM 2, MedSAM and kin, and our miniatures behind one pair of verbs.

`load_segmenter` gives a `Segmenter`; ``segmenter.embed(image)`` encodes a slice once and
``segmenter.predict(embedding, boxes_xyxy=...)`` predicts masks for any number of prompts.
"""

from mskseg.models.checkpoints import load_segmenter as load_segmenter
from mskseg.models.checkpoints import save_weights as save_weights
from mskseg.models.embeddings import EmbeddingCache as EmbeddingCache
from mskseg.models.embeddings import ImageEmbedding as ImageEmbedding
from mskseg.models.segmenter import Prediction as Prediction
from mskseg.models.segmenter import Segmenter as Segmenter
from mskseg.models.segmenter import predict_label_map as predict_label_map
