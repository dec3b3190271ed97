"""Tissues: what a point of the body consists of, and the MR parameters of each tissue.

Relaxation times are of healthy adults, rounded. Checked against the papers' abstracts or figures:
de Bazelaire 2004, Drake-Perez 2018, Baum 2018, the meniscus values of
PMC7016502, and Pai 2008 (doi 10.1016/j.mri.2008.02.017: T2 of cartilage 36 and of muscle 34 ms at
3 T), which agrees with Gold 2004. The tables of Gold 2004 and Stanisz 2005 themselves were not at
hand: their values stand as they are commonly quoted. Proton densities and fat fractions are assumed
unless the source says otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Literal

import numpy as np
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


_GOLD = "T1, T2: Gold 2004, doi 10.2214/ajr.183.2.1830343; density, fat fraction: assumed"
_STANISZ = "T1, T2: Stanisz 2005, doi 10.1002/mrm.20605; density, fat fraction: assumed"
_MENISCUS = (
    "T1, T2: about 600 and 15 ms, PMC7016502, figure 3, taken for both fields; density: assumed, "
    "low since a part decays within a millisecond (Juras 2014, doi 10.1002/mrm.24760), and so that "
    "DESS shows the meniscus darker than half of muscle"
)
_DISC = (
    "assumed, around the whole disc of Drake-Perez 2018, PMC7410772: T1 1165 ms, T2 102 ms, "
    "density 0.79; with the annulus nearer to their desiccated disc (554 ms, 56 ms, 0.48)"
)
_VERTEBRA = (
    "T1 at 3 T: de Bazelaire 2004, doi 10.1148/radiol.2303021331 (586 ms); T1 at 1.5 T and T2: "
    "Drake-Perez 2018, PMC7410772 (515 ms, 101 ms; de Bazelaire has T2 49 ms); fat fraction: Baum "
    "2018, doi 10.3389/fendo.2018.00141 (27 to 35 % at 20 to 39 years); density: assumed"
)
_VEIN = "assumed, artery with a shorter T2"
_CSF = "T1, T2 (taken for both fields): Drake-Perez 2018, PMC7410772; density: assumed"

# Columns: proton density, T1 in ms at (1.5 T, 3 T), T2 in ms at (1.5 T, 3 T), fat fraction, source.
TISSUE_SIGNAL: Mapping[Tissue, TissueSignal] = {
    Tissue.AIR: TissueSignal(0.0, (1000, 1000), (1, 1), 0.0, "no protons"),
    Tissue.MUSCLE: TissueSignal(0.80, (1130, 1420), (35, 32), 0.0, _GOLD),
    Tissue.FAT: TissueSignal(0.90, (288, 371), (165, 133), 0.95, _GOLD),
    Tissue.MARROW: TissueSignal(0.85, (288, 365), (165, 133), 0.90, _GOLD),
    Tissue.CORTEX: TissueSignal(0.15, (250, 250), (0.5, 0.5), 0.0, "assumed"),
    Tissue.FIBROUS: TissueSignal(0.35, (500, 600), (4, 4), 0.0, "assumed"),
    Tissue.SKIN: TissueSignal(0.60, (900, 1100), (22, 20), 0.10, "assumed"),
    Tissue.ARTERY: TissueSignal(0.85, (1441, 1932), (290, 275), 0.0, _STANISZ),
    Tissue.VEIN: TissueSignal(0.85, (1441, 1932), (180, 120), 0.0, _VEIN),
    Tissue.NERVE: TissueSignal(0.75, (1000, 1150), (75, 70), 0.25, "assumed"),
    Tissue.CARTILAGE: TissueSignal(0.75, (1060, 1240), (42, 37), 0.0, _GOLD),
    Tissue.MENISCUS: TissueSignal(0.28, (600, 600), (15, 15), 0.0, _MENISCUS),
    Tissue.SYNOVIAL: TissueSignal(1.00, (2850, 3620), (1210, 767), 0.0, _GOLD),
    Tissue.DISC_NUCLEUS: TissueSignal(0.85, (1165, 1300), (115, 105), 0.0, _DISC),
    Tissue.DISC_ANNULUS: TissueSignal(0.55, (700, 800), (45, 40), 0.0, _DISC),
    Tissue.CANCELLOUS: TissueSignal(0.65, (515, 586), (101, 101), 0.35, _VERTEBRA),
    Tissue.CSF: TissueSignal(1.00, (4273, 4273), (1578, 1578), 0.0, _CSF),
    Tissue.CORD: TissueSignal(0.75, (745, 993), (74, 78), 0.0, _STANISZ),
    Tissue.LIGAMENT: TissueSignal(0.45, (600, 700), (7, 6), 0.0, "assumed"),
    Tissue.BOWEL: TissueSignal(0.80, (1000, 1250), (60, 50), 0.10, "assumed"),
}
