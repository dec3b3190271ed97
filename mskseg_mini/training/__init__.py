"""How the miniatures' weights were made: SAM-mini from nothing, and its sibling from SAM-mini."""
