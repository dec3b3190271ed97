"""Where everything in a knee lies: drawn by hand after anatomy atlases.

The overall dimensions were compared with the real right knee of the manifest (`pymskt_knee`).
Frame and unit: the docstring of `knee`.
"""

from __future__ import annotations

from mskseg_phantom.anatomies.knee_columns import Column
from mskseg_phantom.tissue import Tissue

# The distal femur: distance of its surface from an axis through both condyles, at 18 angles (first
# column -130 degrees, then every 20; 0 is to the front, -90 down) and 15 positions across.
CONDYLE_AXIS = (1.0, 22.0)  # a, s
FIRST_ANGLE = -130
CONDYLE_RADII: dict[float, tuple[float, ...]] = {
    -40.0: (3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3),
    -37.0: (11, 10, 9, 9, 9, 10, 11, 12, 14, 16, 16, 14, 12, 11, 11, 11, 12, 12),
    -32.0: (17, 17.5, 18, 18.5, 19.5, 21, 22, 22, 23, 22, 22, 18, 16, 16, 16.5, 17, 17, 17),
    -25.0: (19, 19, 19.5, 20.5, 22.5, 26, 28, 30, 31, 30, 28, 22, 20, 19, 19, 19, 19, 19),
    -17.0: (19, 19.5, 20, 21, 23, 27, 33, 36, 38, 38, 36, 24, 21, 19, 18, 18.5, 19, 19),
    -11.0: (16.5, 17, 18, 19.5, 22, 25.5, 34.5, 39, 40, 38, 36, 24, 20, 17, 17, 17, 16.5, 16),
    -7.0: (17, 17, 17.5, 18.5, 21, 25, 33, 38.5, 39.5, 38, 36, 24, 20, 17, 17, 17, 17, 17),
    -1.0: (16, 16, 16, 17, 19.5, 22, 29.5, 37, 39, 38, 36, 25, 20, 17, 16, 16, 16, 16),
    6.0: (16, 15.5, 16, 17, 19, 22.5, 31, 38.5, 40, 38, 36, 26, 19, 17, 16.5, 16, 16, 16),
    12.0: (17, 16.5, 16.5, 17, 19.5, 25.5, 35, 41, 42, 40, 36, 27, 19, 18, 17.5, 17.5, 17.5, 17),
    19.0: (18, 17, 17, 18, 20, 27, 36, 42, 42, 39, 34, 27, 19, 19, 18.5, 18, 18, 18),
    25.0: (17, 16.5, 16.5, 17.5, 20, 25, 33, 37, 35, 30, 26, 22, 18, 18, 17.5, 16.5, 16.5, 16.5),
    31.0: (14, 14, 14.5, 15.5, 17, 19, 23, 24, 21, 18, 17, 16, 14, 14, 13, 12.5, 13, 13.5),
    35.5: (7, 7, 7.5, 8, 8, 8, 8, 8, 9, 10, 10, 9, 9, 8, 7, 7, 7, 7),
    38.5: (3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3),
}
NOTCH_L, NOTCH_HALF_MM = -1.0, 8.5
NOTCH_ROOF = ((16.0, 10.0), (0.0, 33.0))  # a, s of two points of the roof's line


# Columns: rows (s, l, a, half l, half a), from the top down.
FEMUR_SHAFT = Column.of(
    (95, 3, 20, 16, 14),
    (73, 2.5, 20.5, 17.5, 14.5),
    (63, 1.5, 20.5, 19, 15.5),
    (53, 1, 20, 22, 17.5),
    (48, 0, 19.5, 25, 18.5),
    (43, -1.5, 19, 29, 20),
    (38, -1, 18, 31, 20.5),
    (30, -1, 16, 30, 20),
    (16, -1, 14, 24, 13),
    tissue=Tissue.CORTEX,
)
TIBIA_COLUMN = Column.of(
    (8, 2, 2, 34.5, 23.5),
    (-6, 2, 2, 34.5, 23.5),
    (-11, 2, 2, 34, 24),
    (-16, 2.5, 3.3, 33.2, 23),
    (-21, 2, 5.5, 31.5, 21.5),
    (-26, 2, 7.3, 28.3, 21),
    (-31, 1, 8.2, 25, 20.5),
    (-36, 1, 8.4, 22.7, 19.8),
    (-42, 1, 7.3, 21, 18.4),
    (-52, 0, 6, 19, 17),
    (-65, 0, 4, 17, 16),
    (-95, 0, 2, 15, 15),
    tissue=Tissue.CORTEX,
)
FIBULA_COLUMN = Column.of(
    (-9, 34, -25, 3, 3),
    (-14, 34, -22, 8, 7),
    (-20, 33.5, -18.5, 11, 9.5),
    (-26, 32.5, -18.3, 10.5, 9.5),
    (-33, 30.5, -18.8, 8, 8.2),
    (-42, 28.5, -20.5, 6.5, 7),
    (-60, 26, -24, 5.5, 6),
    (-95, 24, -26, 5.5, 6),
    tissue=Tissue.CORTEX,
)
PATELLA_CENTRE = (7.0, 33.0)  # l, s; how far in front it lies follows from the trochlea
PATELLA_RIDGE_L, PATELLA_FACETS = 4.0, (0.42, 0.24)  # slopes of the medial and lateral facet
PATELLA_COLUMN = Column.of(  # s and a relative to the centre and to the ridge
    (18, 0, 9, 5, 4),
    (15, 0, 8.5, 13, 8),
    (9, 0, 8, 18.5, 9.5),
    (2, 0, 8, 19.5, 9.8),
    (-5, 0, 7.5, 17.5, 9),
    (-12, 0, 7.5, 11.5, 7),
    (-17, 0, 8, 6, 4.5),
    (-20, 0, 8.5, 3, 2.5),
    tissue=Tissue.CORTEX,
)

# Plateaus: centre (l, a) and half-axes of the cartilage; the same of the meniscus' outer border.
PLATEAU = {"medial": (-20.5, 2.5, 13.5, 19.5), "lateral": (21.5, -0.5, 13.8, 16.5)}
MENISCUS = {"medial": (-20.0, 1.5, 15.5, 22.5), "lateral": (21.0, -0.5, 15.0, 18.0)}
MENISCUS_WIDTH = {"medial": (7.5, 11.0), "lateral": (9.0, 9.5)}  # mm in front and behind
MENISCUS_OPEN = {"medial": 0.85, "lateral": 0.55}  # half-angle of the gap, in radians

# Polylines (l, a, s) and radius of the cruciate ligaments.
CRUCIATES: tuple[tuple[tuple[tuple[float, float, float], ...], float], ...] = (
    (((-0.5, 13.0, 1.0), (1.5, 4.0, 11.0), (5.0, -7.5, 25.0)), 4.2),
    (((0.0, -22.0, -11.0), (-1.0, -18.5, 1.0), (-2.5, -10.0, 12.5), (-4.5, 4.0, 17.0)), 4.3),
)

FASCIA = Column.of(
    (95, 1, 2, 58, 60),
    (70, 1, 3, 56, 58),
    (52, 0, 5, 53, 57.5),
    (33, 0, 8, 50, 57),
    (15, 0, 6, 47.5, 53.5),
    (0, 0, 1.5, 46, 47.5),
    (-20, 0, -5, 46, 42.5),
    (-36, 0, -8, 46, 41.5),
    (-60, 0, -10.5, 47, 41.5),
    (-95, 0, -13, 49, 43),
    tissue=Tissue.FIBROUS,
)
MUSCLES = (
    Column.of(  # gastrocnemius, medial head
        (33, -20, -20, 7, 4),
        (15, -20, -29, 12, 9),
        (0, -20, -33, 15, 11),
        (-20, -19, -35, 18, 13),
        (-50, -18, -38, 22, 14),
        (-95, -18, -42, 24, 14),
    ),
    Column.of(  # gastrocnemius, lateral head
        (33, 20, -19, 7, 4),
        (12, 20, -28, 11, 9),
        (-10, 20, -33, 15, 12),
        (-50, 21, -37, 19, 14),
        (-95, 22, -41, 21, 14),
    ),
    Column.of(  # popliteus, tibialis posterior
        (-6, 17, -24, 7, 3), (-20, 3, -21, 17, 6), (-40, -5, -17, 17, 8), (-95, 6, -17, 13, 9)
    ),
    Column.of((-26, 18, -27, 9, 2), (-45, 9, -28, 22, 7), (-95, 3, -30, 29, 11)),  # soleus
    Column.of((-20, 26, 8, 5, 4), (-45, 27, 5, 11, 14), (-95, 26, 5, 14, 17)),  # tibialis anterior
    Column.of((-33, 39, -13, 4, 7), (-95, 39, -12, 8, 13)),  # peroneus
    Column.of(  # biceps femoris
        (95, 28, -35, 18, 17),
        (50, 33, -31, 14, 15),
        (25, 37, -26, 8, 11),
        (0, 39, -23, 5, 7),
        (-14, 37, -21, 3, 4),
    ),
    Column.of(  # semimembranosus
        (95, -24, -36, 18, 15),
        (50, -26, -33, 16, 13),
        (25, -28, -30, 12, 10),
        (5, -32, -25, 6, 6),
        (-10, -34, -19, 3, 3),
    ),
    Column.of((95, -12, -49, 11, 8), (55, -19, -46, 6, 5), (42, -22, -45, 3, 3)),  # semitendinosus
    Column.of(  # sartorius
        (95, -47, -14, 9, 15), (40, -45, -18, 6, 12), (10, -43, -17, 3.5, 9), (-15, -40, -10, 2, 6)
    ),
    Column.of(  # vastus medialis
        (95, -29, 19, 22, 28),
        (60, -29, 23, 19, 25),
        (45, -28, 29, 14, 17),
        (34, -26, 34, 8, 10),
        (25, -24, 37, 3, 4),
    ),
    Column.of(  # vastus lateralis
        (95, 31, 19, 23, 28), (62, 31, 22, 18, 23), (50, 30, 27, 13, 16), (41, 28, 34, 6, 8)
    ),
    Column.of((95, 4, 43, 24, 10), (68, 4, 43, 18, 7), (55, 4, 43, 7, 2.5)),  # vastus intermedius
)
VESSELS = (
    Column.of(
        (95, -10, -12, 3, 3),
        (50, -2, -14, 3, 3),
        (20, 1, -25, 3, 3),
        (0, 1, -29, 3, 3),
        (-30, 0, -27, 2.8, 2.8),
        (-95, -2, -25, 2.4, 2.4),
        tissue=Tissue.ARTERY,
    ),
    Column.of(
        (95, -7, -19, 4, 3.6),
        (50, 1, -21, 4, 3.6),
        (20, 3, -32, 4, 3.4),
        (-30, 3, -32, 3.4, 3),
        (-95, 1, -30, 3, 2.6),
        tissue=Tissue.VEIN,
    ),
    Column.of(
        (95, 2, -32, 4, 3),
        (40, 4, -37, 3.4, 2.6),
        (0, 4, -39, 3, 2.4),
        (-30, 3, -37, 2.6, 2),
        tissue=Tissue.NERVE,
    ),
)
COLLATERALS = (
    Column.of(
        (30, -37.5, 2, 1.6, 6), (0, -36.5, 3, 1.4, 6), (-40, -25, 6, 1.4, 5), tissue=Tissue.FIBROUS
    ),
    Column.of((24, 36.5, -3, 1.6, 2), (-12, 37, -18, 1.6, 2), tissue=Tissue.FIBROUS),
    Column.of(
        (95, 52, 2, 1.2, 12), (20, 42, 10, 1.3, 8), (-14, 33, 19, 1.5, 5), tissue=Tissue.FIBROUS
    ),
    Column.of(
        (46, -22, -45, 2, 2), (10, -36, -38, 2, 2), (-30, -36, -10, 1.6, 3), tissue=Tissue.FIBROUS
    ),
)
