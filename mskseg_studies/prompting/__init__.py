"""Whether more points, pixels and phases help (notebook 06)."""
