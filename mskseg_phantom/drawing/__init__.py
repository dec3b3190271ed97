"""How any anatomy is drawn: distances to solids, random fields, a canvas, and voxels from it."""

from mskseg_phantom.drawing.canvas import Body as Body
from mskseg_phantom.drawing.canvas import rasterise as rasterise
from mskseg_phantom.drawing.fields import PlaneGrid as PlaneGrid
from mskseg_phantom.drawing.fields import RandomField as RandomField
