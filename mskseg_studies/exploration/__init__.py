"""Which tissues will be hard, before any model is asked (notebook 01)."""

from mskseg.intensities import to_8_bit as to_8_bit
from mskseg_phantom import limb_of as limb_of
from mskseg_phantom import make_phantom as make_phantom
from mskseg_phantom import texture_of as texture_of
from mskseg_studies.exploration.overview import describe_datasets as describe_datasets
from mskseg_studies.exploration.overview import spectra as spectra
from mskseg_studies.exploration.overview import tissue_chart as tissue_chart
from mskseg_studies.model_parts.parts import model_view as model_view
from mskseg_studies.people import describe_scans as describe_scans
from mskseg_studies.people import load_fetched as load_fetched
from mskseg_studies.tissues import tissue_means as tissue_means
from mskseg_studies.tissues import tissue_properties as tissue_properties
