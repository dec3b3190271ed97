"""How SAM-mini and its sibling were made and measured."""
