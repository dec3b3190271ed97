"""What happens between a click and a mask (notebook 02)."""

from mskseg_studies.automatic import filtered_masks as filtered_masks
from mskseg_studies.automatic import grid_candidates as grid_candidates
from mskseg_studies.automatic import score_grid_masks as score_grid_masks
from mskseg_studies.automatic import selection_gain as selection_gain
from mskseg_studies.model_parts.charts import draw_architecture as draw_architecture
from mskseg_studies.model_parts.charts import draw_masks as draw_masks
from mskseg_studies.model_parts.charts import embedding_beside as embedding_beside
from mskseg_studies.model_parts.charts import estimate_chart as estimate_chart
from mskseg_studies.model_parts.charts import film_strip as film_strip
from mskseg_studies.model_parts.charts import mask_panels as mask_panels
from mskseg_studies.model_parts.clicking import correct_with_clicks as correct_with_clicks
from mskseg_studies.model_parts.clicking import dice_by_click as dice_by_click
from mskseg_studies.model_parts.clicking import simulated_readers as simulated_readers
from mskseg_studies.model_parts.parts import count_parameters as count_parameters
from mskseg_studies.model_parts.parts import describe_prompts as describe_prompts
from mskseg_studies.panels import box_slider as box_slider
from mskseg_studies.panels import masks_beside as masks_beside
