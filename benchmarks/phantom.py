"""CPU seconds of drawing each phantom and of each further sequence, for 256 x 256 x 24 voxels.

    python benchmarks/phantom.py

One thread. Bars: 3 s of geometry and 1 s of each sequence for a volume of that size.
"""

from __future__ import annotations

import time

import numpy as np

from mskseg_phantom.acquisition import SITES, scan
from mskseg_phantom.acquisition.kspace import coil_maps
from mskseg_phantom.acquisition.scanner import SUBJECT, TEXTURE, Randomness, receive_field
from mskseg_phantom.anatomies import ANATOMIES
from mskseg_phantom.drawing import rasterise

SHAPE = (256, 256, 24)
REPEATS = 3


def seconds(work):
    """Least CPU seconds of a few repetitions, and the result of the last."""
    taken = []
    for _ in range(REPEATS):
        start = time.process_time()
        result = work()
        taken.append(time.process_time() - start)
    return min(taken), result


def main():
    site = SITES["site A (3 T)"]
    for name, anatomy in ANATOMIES.items():
        randomness = Randomness(0, 1, anatomy.stream)
        person = anatomy.sample_subject(randomness.of(SUBJECT), 1)
        body = anatomy.body(person, randomness.of(TEXTURE))
        drawn_s, content = seconds(lambda b=body: rasterise(b, shape=SHAPE))
        print(f"{name:<18} geometry {drawn_s:.2f} s")
        rng, extent_mm = np.random.default_rng(1), body.extent_mm
        field = receive_field(SHAPE, site=site, extent_mm=extent_mm, rng=rng)
        seen = content.fractions, field, coil_maps((SHAPE[2], *SHAPE[:2]))
        for sequence in anatomy.sequences:
            scan_s, _ = seconds(
                lambda sequence=sequence, seen=seen: scan(
                    *seen, sequence=sequence, site=site, rng=np.random.default_rng(2)
                )
            )
            print(f"{'':<18} {sequence:<14} {scan_s:.2f} s")


if __name__ == "__main__":
    main()
