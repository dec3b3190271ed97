"""Synthetic scenes with exact masks: the only images that the miniatures are trained on."""

from mskseg_mini.scenes.batch import SCENES_VERSION as SCENES_VERSION
from mskseg_mini.scenes.batch import SceneBatch as SceneBatch
from mskseg_mini.scenes.batch import random_scenes as random_scenes
from mskseg_mini.scenes.medical import random_medical_scenes as random_medical_scenes
