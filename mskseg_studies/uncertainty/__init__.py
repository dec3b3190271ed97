"""Whether a model knows when it is wrong (notebook 08)."""

from mskseg_studies.uncertainty.case_tables import average_committed as average_committed
from mskseg_studies.uncertainty.case_tables import average_subjects as average_subjects
from mskseg_studies.uncertainty.case_tables import measure_uncertainty as measure_uncertainty
from mskseg_studies.uncertainty.map_figures import fat_page as fat_page
from mskseg_studies.uncertainty.map_figures import maps_below as maps_below
from mskseg_studies.uncertainty.map_figures import maps_beside as maps_beside
from mskseg_studies.uncertainty.map_figures import uncertainty_maps as uncertainty_maps
from mskseg_studies.uncertainty.map_sources import VolumeMaps as VolumeMaps
from mskseg_studies.uncertainty.prompted_maps import PromptedMaps as PromptedMaps
from mskseg_studies.uncertainty.reading import reading_page as reading_page
from mskseg_studies.uncertainty.reliability import opinion_charts as opinion_charts
from mskseg_studies.uncertainty.reliability import referral_chart as referral_chart
from mskseg_studies.uncertainty.reliability import reliability_charts as reliability_charts
from mskseg_studies.uncertainty.reliability import risk_coverage_chart as risk_coverage_chart
from mskseg_studies.uncertainty.selective import doubt_and_error as doubt_and_error
from mskseg_studies.uncertainty.selective import referral_curves as referral_curves
from mskseg_studies.uncertainty.temperature import temperatures_of as temperatures_of
