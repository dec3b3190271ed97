"""Slices, and what is drawn on them.

Every function returns the Axes it drew on and shows nothing. Everywhere `title` states the finding,
`ax` is by default that of a new figure, and `spacing_mm` is the distance of rows and of columns.
"""

from mskseg.display.overlays import montage as montage
from mskseg.display.overlays import overlay as overlay
from mskseg.display.slices import draw_boxes as draw_boxes
from mskseg.display.slices import draw_label_map as draw_label_map
from mskseg.display.slices import draw_points as draw_points
from mskseg.display.slices import frame_around as frame_around
from mskseg.display.slices import show_slice as show_slice
from mskseg.display.style import save_figure as save_figure
from mskseg.display.style import tissue_colours as tissue_colours
