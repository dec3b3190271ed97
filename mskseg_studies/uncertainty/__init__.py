"""Whether a model knows when it is wrong (notebook 08)."""

from ipywidgets import interact as interact

from mskseg_studies.bootstrap import compare_models as compare_models
from mskseg_studies.calibration import ReliabilityBins as ReliabilityBins
from mskseg_studies.calibration import as_classes as as_classes
from mskseg_studies.calibration import checked_probabilities as checked_probabilities
from mskseg_studies.people import asked_about as asked_about
from mskseg_studies.people import describe_scans as describe_scans
from mskseg_studies.published import beside_casali as beside_casali
from mskseg_studies.specialists.comparison import rank_finders as rank_finders
from mskseg_studies.specialists.config import short_tuning as short_tuning
from mskseg_studies.specialists.nnunet.config import NnunetConfig as NnunetConfig
from mskseg_studies.specialists.nnunet.running import train_nnunet as train_nnunet
from mskseg_studies.uncertainty.charts import referral_chart as referral_chart
from mskseg_studies.uncertainty.charts import region_chart as region_chart
from mskseg_studies.uncertainty.charts import reliability_charts as reliability_charts
from mskseg_studies.uncertainty.ensembles import tune_ensemble as tune_ensemble
from mskseg_studies.uncertainty.map_charts import reading_page as reading_page
from mskseg_studies.uncertainty.map_charts import uncertainty_maps as uncertainty_maps
from mskseg_studies.uncertainty.people import load_tissues as load_tissues
from mskseg_studies.uncertainty.probability_maps import PromptedMaps as PromptedMaps
from mskseg_studies.uncertainty.probability_maps import VolumeMaps as VolumeMaps
from mskseg_studies.uncertainty.selective_prediction import entropy_and_dice as entropy_and_dice
from mskseg_studies.uncertainty.selective_prediction import referral_curves as referral_curves
from mskseg_studies.uncertainty.tables import alone as alone
from mskseg_studies.uncertainty.tables import average_subjects as average_subjects
from mskseg_studies.uncertainty.tables import describe_committed as describe_committed
from mskseg_studies.uncertainty.tables import measure_as_they_are as measure_as_they_are
from mskseg_studies.uncertainty.tables import measure_uncertainty as measure_uncertainty
from mskseg_studies.uncertainty.temperature import compare_regions as compare_regions
from mskseg_studies.uncertainty.temperature import temperatures_of as temperatures_of
