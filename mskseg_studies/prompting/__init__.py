"""Whether more points, pixels and phases help (notebook 06)."""

from mskseg_studies.prompting.charts import agreement_chart as agreement_chart
from mskseg_studies.prompting.charts import ranked_bars as ranked_bars
from mskseg_studies.prompting.charts import seconds_chart as seconds_chart
