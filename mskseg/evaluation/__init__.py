"""Scores of masks, prompt plans and tidy tables of both."""
