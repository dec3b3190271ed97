"""What prompts do: the margin of a box (notebook 03), points, pixels, phases and costs (06)."""

from mskseg_studies.prompting.annotation_time import Costs as Costs
from mskseg_studies.prompting.annotation_time import clicks_to_reach as clicks_to_reach
from mskseg_studies.prompting.annotation_time import share_reached as share_reached
from mskseg_studies.prompting.annotation_time import time_saved as time_saved
from mskseg_studies.prompting.charts import agreement_chart as agreement_chart
from mskseg_studies.prompting.charts import phase_bars as phase_bars
from mskseg_studies.prompting.charts import seconds_chart as seconds_chart
from mskseg_studies.prompting.clicks import HU_POINTS as HU_POINTS
from mskseg_studies.prompting.clicks import click_curves as click_curves
from mskseg_studies.prompting.hu_comparison import NOT_TESTABLE as NOT_TESTABLE
from mskseg_studies.prompting.hu_comparison import beside_hu as beside_hu
from mskseg_studies.prompting.margins import margin_means as margin_means
from mskseg_studies.prompting.margins import margin_panels as margin_panels
from mskseg_studies.prompting.margins import model_ahead as model_ahead
from mskseg_studies.prompting.margins import seen_margins_px as seen_margins_px
from mskseg_studies.prompting.phases import phase_agreement as phase_agreement
from mskseg_studies.prompting.phases import phase_gains as phase_gains
from mskseg_studies.prompting.phases import score_phases as score_phases
from mskseg_studies.prompting.resolutions import COARSER_IMAGE as COARSER_IMAGE
from mskseg_studies.prompting.resolutions import OTHER_FRAME as OTHER_FRAME
from mskseg_studies.prompting.resolutions import resolution_changes as resolution_changes
from mskseg_studies.prompting.resolutions import score_resolutions as score_resolutions
from mskseg_studies.prompting.scans import make_fine_knees as make_fine_knees
from mskseg_studies.prompting.scans import make_phases as make_phases
from mskseg_studies.prompting.scans import read_echoes as read_echoes
from mskseg_studies.published import reported as reported
