"""Where a model fails, and whether that matters (notebook 05)."""

from mskseg_studies.errors.charts import agreement_panels as agreement_panels
from mskseg_studies.errors.charts import change_chart as change_chart
from mskseg_studies.errors.charts import effect_panels as effect_panels
from mskseg_studies.errors.charts import form_panels as form_panels
from mskseg_studies.errors.galleries import ceiling_chart as ceiling_chart
from mskseg_studies.errors.galleries import drift_chart as drift_chart
from mskseg_studies.errors.galleries import failure_gallery as failure_gallery
from mskseg_studies.errors.galleries import stray_chart as stray_chart
