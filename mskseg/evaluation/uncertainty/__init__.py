"""Whether a model knows when it is wrong: maps, calibration, ensembles, referral."""
