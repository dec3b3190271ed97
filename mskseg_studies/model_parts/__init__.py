"""What happens between a click and a mask (notebook 02)."""

from mskseg_studies.model_parts.architecture import draw_architecture as draw_architecture
