"""All plots in one place: slices, overlays, charts, and figures written with their provenance.

Every plot returns Axes and shows nothing; the notebook's last line, or `save_figure`, does.
"""

from __future__ import annotations

from mskseg.display.answers import draw_masks, embedding_beside, estimate_chart, masks_beside
from mskseg.display.architecture import draw_architecture
from mskseg.display.charts import dice_by_tissue
from mskseg.display.colours import tissue_colours
from mskseg.display.distributions import histograms, spectra
from mskseg.display.dots import dot_rows
from mskseg.display.doubt import fat_page, maps_below, maps_beside, uncertainty_maps
from mskseg.display.error_charts import (
    agreement_panels,
    change_chart,
    effect_panels,
    form_panels,
)
from mskseg.display.figures import save_figure
from mskseg.display.gain_chart import gain_map
from mskseg.display.galleries import ceiling_chart, drift_chart, failure_gallery, stray_chart
from mskseg.display.montage import montage
from mskseg.display.outlines import outlines_beside
from mskseg.display.overlays import overlay, triptych
from mskseg.display.pages import ranking_page, scene_page
from mskseg.display.reading import reading_page
from mskseg.display.reliability import (
    opinion_charts,
    referral_chart,
    reliability_charts,
    risk_coverage_chart,
)
from mskseg.display.slices import (
    draw_boxes,
    draw_label_map,
    draw_points,
    frame_around,
    show_slice,
)
from mskseg.display.sweeps import agreement_chart, ranked_bars, seconds_chart, sweep_chart
from mskseg.display.tissue_chart import tissue_chart
from mskseg.display.verdicts import interval_chart, verdict_bars

__all__ = [
    "agreement_chart",
    "agreement_panels",
    "ceiling_chart",
    "change_chart",
    "dice_by_tissue",
    "dot_rows",
    "draw_architecture",
    "draw_boxes",
    "draw_label_map",
    "draw_masks",
    "draw_points",
    "drift_chart",
    "effect_panels",
    "embedding_beside",
    "estimate_chart",
    "failure_gallery",
    "fat_page",
    "form_panels",
    "frame_around",
    "gain_map",
    "histograms",
    "interval_chart",
    "maps_below",
    "maps_beside",
    "masks_beside",
    "montage",
    "opinion_charts",
    "outlines_beside",
    "overlay",
    "ranked_bars",
    "ranking_page",
    "reading_page",
    "referral_chart",
    "reliability_charts",
    "risk_coverage_chart",
    "save_figure",
    "scene_page",
    "seconds_chart",
    "show_slice",
    "spectra",
    "stray_chart",
    "sweep_chart",
    "tissue_chart",
    "tissue_colours",
    "triptych",
    "uncertainty_maps",
    "verdict_bars",
]
