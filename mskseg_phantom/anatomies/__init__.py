"""The parts of the body that can be drawn: thigh, knee, lumbar spine and hip, and a table of them.

Each has a file that says how subjects differ and where its structures lie (`thigh`, `knee` with
`knee_atlas`, `spine`, `hip`), and a `*_body` that says what lies at each point of a plane, with the
bones (`*_bones`) and the soft tissue (`*_soft`) in files of their own where there is much to them.
"""

from mskseg_phantom.anatomies.catalogue import ANATOMIES as ANATOMIES
from mskseg_phantom.anatomies.catalogue import find_anatomy as find_anatomy
