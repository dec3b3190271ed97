"""Tissues: what a point of the body consists of, and the MR parameters of each tissue.

Relaxation times are of healthy adults, rounded. Checked against the papers' abstracts or figures:
de Bazelaire 2004, Drake-Perez 2018, Baum 2018, the meniscus values of
PMC7016502, and Pai 2008 (doi 10.1016/j.mri.2008.02.017: T2 of cartilage 36 and of muscle 34 ms at
3 T), which agrees with Gold 2004. The tables of Gold 2004 and Stanisz 2005 themselves were not at
hand: their values stand as they are commonly quoted. Proton densities and fat fractions are assumed
unless the source says otherwise.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]
FieldStrength = Literal["1.5T", "3T"]
FIELDS: tuple[FieldStrength, FieldStrength] = ("1.5T", "3T")


class Tissue(IntEnum):
    """What a point of the body consists of, as far as its signal goes."""

    AIR = 0
    MUSCLE = 1
    FAT = 2
    MARROW = 3
    CORTEX = 4
    FIBROUS = 5
    SKIN = 6
    ARTERY = 7
    VEIN = 8
    NERVE = 9
    CARTILAGE = 10
    MENISCUS = 11
    SYNOVIAL = 12
    DISC_NUCLEUS = 13
    DISC_ANNULUS = 14
    CANCELLOUS = 15
    CSF = 16
    CORD = 17
    LIGAMENT = 18
    BOWEL = 19


@dataclass(frozen=True)
class TissueSignal:
    """MR parameters of one tissue; relaxation times in ms at each of `FIELDS`."""

    proton_density: float  # relative to water, 0 to 1
    t1_ms: tuple[float, float]
    t2_ms: tuple[float, float]
    fat_fraction: float  # share of the protons that resonate as fat, 0 to 1
    source: str  # where the values come from, or "assumed"


_TABLE = pd.read_csv(Path(__file__).with_name("tissues.csv"), index_col="tissue")
TISSUE_SIGNAL: Mapping[Tissue, TissueSignal] = {
    Tissue[name.upper()]: TissueSignal(density, (t1, t1_3t), (t2, t2_3t), fat_fraction, source)
    for name, density, t1, t1_3t, t2, t2_3t, fat_fraction, source in _TABLE.itertuples()
}
