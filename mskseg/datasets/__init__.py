"""The data sets of the manifest: where they are, how they are laid out, how they are split."""
