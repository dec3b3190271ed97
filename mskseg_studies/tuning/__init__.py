"""What fine-tuning changes, here and elsewhere (notebook 04)."""

from dataclasses import replace as replace

from mskseg_studies.charts import sweep_chart as sweep_chart
from mskseg_studies.committed import committed_results as committed_results
from mskseg_studies.panels import boxes_and_predictions as boxes_and_predictions
from mskseg_studies.tuning.bench import TuningBench as TuningBench
from mskseg_studies.tuning.charts import TrainingPlot as TrainingPlot
from mskseg_studies.tuning.charts import gain_map as gain_map
from mskseg_studies.tuning.comparisons import before_and_after as before_and_after
from mskseg_studies.tuning.comparisons import dice_by_boxes as dice_by_boxes
from mskseg_studies.tuning.comparisons import tune_in_sizes as tune_in_sizes
from mskseg_studies.tuning.comparisons import tune_in_ways as tune_in_ways
from mskseg_studies.tuning.gains import committed_curve as committed_curve
from mskseg_studies.tuning.gains import cross_table as cross_table
from mskseg_studies.tuning.gains import enough_people as enough_people
from mskseg_studies.tuning.gains import longer_run as longer_run
from mskseg_studies.tuning.gains import size_curve as size_curve
from mskseg_studies.tuning.gains import tissue_changes as tissue_changes
from mskseg_studies.tuning.subsets import Subset as Subset
from mskseg_studies.tuning.subsets import choose_subsets as choose_subsets
from mskseg_studies.tuning.subsets import describe_subsets as describe_subsets
from mskseg_studies.tuning.subsets import find_subset as find_subset
from mskseg_studies.tuning.subsets import load_parts as load_parts
