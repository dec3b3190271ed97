"""What fine-tuning changes, here and elsewhere (notebook 04)."""

from mskseg_studies.tuning.gain_chart import gain_map as gain_map
