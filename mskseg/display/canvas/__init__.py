"""The prompt canvas: click and draw on a slice, watch the mask and its Dice."""
