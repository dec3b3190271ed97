"""Published networks besides SAM's own: LiteMedSAM, SAM 2 and MedSAM2, offered by name."""
