"""What a point of the body consists of, how bright that is in each sequence, and T2 from echoes."""

from mskseg_phantom.tissue.relaxometry import fit_t2 as fit_t2
from mskseg_phantom.tissue.relaxometry import noise_level as noise_level
from mskseg_phantom.tissue.sequences import SEQUENCES as SEQUENCES
from mskseg_phantom.tissue.sequences import tissue_signal as tissue_signal
from mskseg_phantom.tissue.sequences import voxel_signal as voxel_signal
from mskseg_phantom.tissue.tissues import TISSUE_SIGNAL as TISSUE_SIGNAL
from mskseg_phantom.tissue.tissues import FieldStrength as FieldStrength
from mskseg_phantom.tissue.tissues import FloatArray as FloatArray
from mskseg_phantom.tissue.tissues import Tissue as Tissue
