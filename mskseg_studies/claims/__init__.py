"""Which statements of the five studies hold on what was computed here (notebook 09)."""

from mskseg_studies.claims.verdicts import interval_chart as interval_chart
from mskseg_studies.claims.verdicts import verdict_bars as verdict_bars
