"""One room for each question that a notebook asks."""
