"""Figures and interactive canvases."""
