"""What SAM-mini reaches: on phantoms, real scans and held-out scenes, beside its bars."""
