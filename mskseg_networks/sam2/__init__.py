"""SAM 2.1 and MedSAM2 behind the same prompts as SAM; the networks are those of `transformers`."""
