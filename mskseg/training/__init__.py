"""Training: pretraining of SAM-mini on synthetic scenes."""
