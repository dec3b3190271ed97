"""Which tissues will be hard, before any model is asked (notebook 01)."""

from mskseg_studies.exploration.distributions import histograms as histograms
from mskseg_studies.exploration.distributions import spectra as spectra
from mskseg_studies.exploration.tissue_chart import tissue_chart as tissue_chart
