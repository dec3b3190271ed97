"""Volumes, files, cases and data sets; knows no torch."""
