"""Embedding and prompting: upstream's numbers, our shapes, and errors that teach."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from conftest_models import build_small_sam
from segment_anything import SamPredictor
from torch.nn import functional

from mskseg.errors import InputError
from mskseg.models.preprocessing import MedSamPreprocessing, SamPreprocessing, as_rgb_uint8
from mskseg.models.segmenter import Segmenter
