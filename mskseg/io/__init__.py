"""Read and write medical images and label maps."""
