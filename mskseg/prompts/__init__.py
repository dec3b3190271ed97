"""Prompts: boxes and points from masks, jittered, or as simulated clicks.

Everything is in pixels of the slice: boxes ``(x0, y0, x1, y1)`` half-open in continuous
coordinates, points ``(x, y)`` with pixel centres at .5 (see `mskseg.volume`). Components are
8-connected: a muscle that hangs together over a corner is one muscle and gets one box.
"""

from mskseg.prompts.boxes import MIN_AREA_MM2 as MIN_AREA_MM2
from mskseg.prompts.boxes import boxes_from_mask as boxes_from_mask
from mskseg.prompts.boxes import fill_boxes as fill_boxes
from mskseg.prompts.boxes import jitter_boxes as jitter_boxes
from mskseg.prompts.boxes import label_components as label_components
from mskseg.prompts.boxes import pad_boxes as pad_boxes
from mskseg.prompts.checks import check_boxes as check_boxes
from mskseg.prompts.checks import check_points as check_points
from mskseg.prompts.files import SlicePrompt as SlicePrompt
from mskseg.prompts.files import read_prompts as read_prompts
from mskseg.prompts.plans import FOLLOW as FOLLOW
from mskseg.prompts.plans import Memory as Memory
from mskseg.prompts.plans import NeighbourBox as NeighbourBox
from mskseg.prompts.plans import OracleBox as OracleBox
from mskseg.prompts.plans import OraclePoint as OraclePoint
from mskseg.prompts.plans import SpecialistBox as SpecialistBox
from mskseg.prompts.points import central_point as central_point
from mskseg.prompts.points import error_point as error_point
from mskseg.prompts.points import random_points as random_points
from mskseg.prompts.prompt import Prompt as Prompt
