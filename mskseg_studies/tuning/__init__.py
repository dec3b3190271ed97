"""What fine-tuning changes, here and elsewhere (notebook 04)."""

from mskseg_studies.tuning.bench import TuningBench as TuningBench
from mskseg_studies.tuning.bench import keep_stale_iou as keep_stale_iou
from mskseg_studies.tuning.bench import mean_dice as mean_dice
from mskseg_studies.tuning.bench import score_parts as score_parts
from mskseg_studies.tuning.charts import TrainingPlot as TrainingPlot
from mskseg_studies.tuning.charts import gain_map as gain_map
from mskseg_studies.tuning.gains import cross_table as cross_table
from mskseg_studies.tuning.gains import tissue_changes as tissue_changes
from mskseg_studies.tuning.subsets import describe_subsets as describe_subsets
from mskseg_studies.tuning.subsets import find_subset as find_subset
