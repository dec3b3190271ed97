"""nnU-Net v2, the real package, on our cases: export, plan, train, predict, import."""
