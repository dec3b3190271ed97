"""Models trained for one task: U-Net, DeepLabV3+ and nnU-Net, with a box or without."""
