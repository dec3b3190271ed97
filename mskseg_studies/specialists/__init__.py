"""Models trained for one task: U-Net, DeepLabV3+ and nnU-Net, with a box or without (notebook 07).

>>> config = SpecialistConfig(prompt="box")
>>> config.prompt
'box'

With it, ``train_specialist(train, validation, config)`` returns what `score_cases` scores like any
segmenter. For nnU-Net v2, ``run = train_nnunet(train, validation, NnunetConfig(), folder="runs")``
and ``score_label_maps(run, test, run.predict(test).label_maps)``.
"""

from mskseg_studies.charts import sweep_chart as sweep_chart
from mskseg_studies.committed import committed_results as committed_results
from mskseg_studies.panels import boxes_and_predictions as boxes_and_predictions
from mskseg_studies.specialists.charts import curve_chart as curve_chart
from mskseg_studies.specialists.charts import dot_rows as dot_rows
from mskseg_studies.specialists.comparison import arm_means as arm_means
from mskseg_studies.specialists.comparison import by_test_set as by_test_set
from mskseg_studies.specialists.comparison import crossings as crossings
from mskseg_studies.specialists.comparison import effort_table as effort_table
from mskseg_studies.specialists.comparison import finder_table as finder_table
from mskseg_studies.specialists.comparison import rank_all as rank_all
from mskseg_studies.specialists.comparison import score_arms as score_arms
from mskseg_studies.specialists.comparison import score_families as score_families
from mskseg_studies.specialists.comparison import score_found as score_found
from mskseg_studies.specialists.comparison import score_test_sets as score_test_sets
from mskseg_studies.specialists.comparison import told_sentence as told_sentence
from mskseg_studies.specialists.config import SpecialistConfig as SpecialistConfig
from mskseg_studies.specialists.config import short_tuning as short_tuning
from mskseg_studies.specialists.nnunet.config import NnunetConfig as NnunetConfig
from mskseg_studies.specialists.nnunet.conversion import import_predictions as import_predictions
from mskseg_studies.specialists.nnunet.running import NnunetRun as NnunetRun
from mskseg_studies.specialists.nnunet.running import learning_curves as learning_curves
from mskseg_studies.specialists.nnunet.running import train_nnunets as train_nnunets
from mskseg_studies.specialists.people import load_people as load_people
from mskseg_studies.specialists.people import load_test_sets as load_test_sets
from mskseg_studies.specialists.training import train_specialist as train_specialist
