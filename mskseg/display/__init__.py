"""Slices, overlays and the charts that several notebooks share; every plot returns Axes."""

from mskseg.display.charts import dice_by_tissue as dice_by_tissue
from mskseg.display.masks import draw_masks as draw_masks
from mskseg.display.masks import embedding_beside as embedding_beside
from mskseg.display.masks import estimate_chart as estimate_chart
from mskseg.display.masks import masks_beside as masks_beside
from mskseg.display.montage import montage as montage
from mskseg.display.overlays import overlay as overlay
from mskseg.display.overlays import triptych as triptych
from mskseg.display.slices import draw_boxes as draw_boxes
from mskseg.display.slices import draw_label_map as draw_label_map
from mskseg.display.slices import draw_points as draw_points
from mskseg.display.slices import frame_around as frame_around
from mskseg.display.slices import show_slice as show_slice
from mskseg.display.style import save_figure as save_figure
from mskseg.display.style import tissue_colours as tissue_colours
from mskseg.display.sweeps import agreement_chart as agreement_chart
from mskseg.display.sweeps import ranked_bars as ranked_bars
from mskseg.display.sweeps import seconds_chart as seconds_chart
from mskseg.display.sweeps import sweep_chart as sweep_chart
