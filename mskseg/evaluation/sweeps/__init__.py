"""Sweeps after Hu 2023 and Ma 2024: clicks and what they cost, resolutions, phases."""
