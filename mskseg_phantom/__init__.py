"""Synthetic MR scans with exact labels.

Where to look:

* `anatomies`: where bones, cartilage and muscles are drawn, and how subjects differ;
* `drawing`: what all anatomies are drawn with: distances, random fields, canvas, voxels;
* `tissue`: what a point consists of, and how T1, T2 and fat become brightness in each sequence;
* `acquisition`: where coils, k-space, undersampling and noise make a scan of the signal;
* `scans`: makes a scan of a subject by name; `provider`: offers them to `mskseg` as data sets;
* `realism`: measures a drawn and a real thigh alike.
"""

from mskseg_phantom.anatomies import ANATOMIES as ANATOMIES
from mskseg_phantom.realism import limb_of as limb_of
from mskseg_phantom.realism import texture_of as texture_of
from mskseg_phantom.scans import PHANTOM_VERSION as PHANTOM_VERSION
from mskseg_phantom.scans import SPLIT as SPLIT
from mskseg_phantom.scans import make_phantom as make_phantom
from mskseg_phantom.scans import scan_phantom as scan_phantom
from mskseg_phantom.scans import split_of as split_of
from mskseg_phantom.tissue import SEQUENCES as SEQUENCES
