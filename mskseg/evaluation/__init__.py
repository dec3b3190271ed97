"""Scores of masks, the loop that scores cases, and tidy tables with the project's own mean."""

from mskseg.evaluation.averaging import nested_mean as nested_mean
from mskseg.evaluation.averaging import subject_means as subject_means
from mskseg.evaluation.averaging import summarise as summarise
from mskseg.evaluation.loop import PromptedSlice as PromptedSlice
from mskseg.evaluation.loop import prompt_slice as prompt_slice
from mskseg.evaluation.loop import prompted_slices as prompted_slices
from mskseg.evaluation.metrics import dice as dice
from mskseg.evaluation.metrics import iou as iou
from mskseg.evaluation.metrics import relative_volume_error as relative_volume_error
from mskseg.evaluation.metrics import surface_distances_mm as surface_distances_mm
from mskseg.evaluation.prediction import SlicePredictor as SlicePredictor
from mskseg.evaluation.prediction import predict_slice as predict_slice
from mskseg.evaluation.propagation import Propagation as Propagation
from mskseg.evaluation.propagation import propagate as propagate
from mskseg.evaluation.scoring import KeptPredictions as KeptPredictions
from mskseg.evaluation.scoring import score_cases as score_cases
from mskseg.evaluation.scoring import score_label_maps as score_label_maps
from mskseg.evaluation.tables import volume_table as volume_table
from mskseg.evaluation.tables import write_table as write_table
