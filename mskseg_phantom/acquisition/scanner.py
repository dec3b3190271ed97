"""Scanner: from the tissues of a body to the voxels that a scanner stores.

Signal, shading and phase, several coils, a finite k-space, complex noise, reconstruction,
magnitude, and the vendor's intensity scale. The noise of a voxel does not depend on the resolution:
a finer scan is taken to be averaged for longer.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mskseg.volume import LabelMap, Volume
from mskseg_phantom.acquisition.kspace import (
    ComplexArray,
    coil_maps,
    eighth_of_steps,
    fully_sampled,
    soft_window,
    undersampled,
)
from mskseg_phantom.drawing import Body, PlaneGrid, RandomField, rasterise
from mskseg_phantom.drawing.canvas import centred_axis
from mskseg_phantom.tissue import FieldStrength, FloatArray, fit_t2, noise_level, voxel_signal
from mskseg_phantom.tissue.relaxometry import as_stored
from mskseg_phantom.tissue.sequences import (
    ECHO_IMAGES,
    ECHOES_MS,
    SEQUENCE,
    SEQUENCES,
    UNDERSAMPLED,
    SignalArray,
)


@dataclass(frozen=True)
class Site:
    """Where a scan was made."""

    name: str  # shown in tables
    field: FieldStrength
    noise: float  # standard deviation in each of the two channels; muscle has signal 1
    shading: float  # standard deviation of the logarithm of the smooth sensitivity
    coil_mm: float  # depth over which a surface coil's sensitivity falls by a factor e
    kept: float  # share of k-space acquired along each in-plane axis; the rest is zeros
    scale: float  # stored value of a voxel with signal 1


# Noise and kept of site A bring SNR, edge width and spectrum of the opposed-phase thigh near those
# of the real scan (tests/mskseg_phantom/test_realism.py); everything else is assumed.
SITES: Mapping[str, Site] = {
    "site A (3 T)": Site("site A (3 T)", "3T", 0.028, 0.15, 170.0, 0.90, 210.0),
    "site B (1.5 T)": Site("site B (1.5 T)", "1.5T", 0.055, 0.08, 300.0, 0.72, 640.0),
}

_PHASE_RAD = 0.6  # standard deviation of the smooth phase: assumed


# Streams of randomness: one per purpose, so that a new one never changes the others.
SUBJECT, TEXTURE, SHADING, NOISE = range(4)


@dataclass(frozen=True)
class Randomness:
    """The random numbers of one subject."""

    seed: int  # of the set
    number: int  # of the subject in it
    stream: tuple[int, ...] = ()  # of the anatomy

    def of(self, purpose: int, place: int = 0) -> np.random.Generator:
        """Start the generator of one purpose, for noise that of one sequence."""
        return np.random.default_rng((self.seed, self.number, purpose, place, *self.stream))


def scan_body(
    body: Body,
    images: Sequence[str],
    *,
    shape: tuple[int, int, int],
    site: Site,
    randomness: Randomness,
) -> Iterator[tuple[str, Volume, LabelMap]]:
    """Draw a body once, scan it, and yield each of `images` with its voxels and the reference.

    They are named as `sequences.images_of` does; the echoes of ``mese`` are of one scan.
    """
    content = rasterise(body, shape=shape)
    affine = body.affine(shape)
    reference = LabelMap(content.labels, affine)
    shading = randomness.of(SHADING)  # of subject and coil, the same in every scan
    field = receive_field(shape, site=site, extent_mm=body.extent_mm, rng=shading)
    maps = coil_maps((shape[2], *shape[:2]))

    def scanned(name: str) -> NDArray[np.int16]:
        rng = randomness.of(NOISE, SEQUENCES.index(name))
        return scan(content.fractions, field, maps, sequence=name, site=site, rng=rng)

    echoes = scanned("mese") if ECHO_IMAGES.keys() & set(images) else None
    for name in images:
        if echoes is not None and name in ECHO_IMAGES:
            voxels = echoes[ECHO_IMAGES[name]]
        else:
            voxels = scanned(name)
        yield name, Volume(voxels, affine), reference


def scan(
    fractions: FloatArray,
    field: ComplexArray,
    maps: ComplexArray,
    *,
    sequence: str,
    site: Site,
    rng: np.random.Generator,
) -> NDArray[np.int16]:
    """Scan the tissue shares (n_tissues, ni, nj, nk) of a body; nj is the phase-encoding axis.

    `field` is a `receive_field`, `maps` are `coil_maps`, `rng` draws the noise, new in every scan.
    Returns the magnitude, (ni, nj, nk) int16; for ``t2_map`` T2 in tenths of a millisecond, 0 where
    there is too little signal; for ``mese`` the echoes, (8, ni, nj, nk).
    """
    noise, eighth = SEQUENCE[sequence].noise, sequence in UNDERSAMPLED

    def measured(echo: int, maps: ComplexArray) -> FloatArray:
        signal = voxel_signal(fractions, sequence=sequence, field=site.field, echo=echo)
        return acquire(signal, field, maps, site=site, rng=rng, noise=noise, eighth=eighth)

    if sequence not in ("mese", "t2_map"):
        return stored(measured(0, maps), site)
    one = coil_maps(maps.shape[1:], n_coils=1)  # for speed
    echoes = np.stack([measured(echo, one) for echo in range(len(ECHOES_MS))])
    if sequence == "mese":
        return stored(echoes, site)
    return as_stored(fit_t2(echoes, ECHOES_MS, noise=noise_level(echoes[-1])))


def acquire(
    signal: SignalArray,
    field: ComplexArray,
    maps: ComplexArray,
    *,
    site: Site,
    rng: np.random.Generator,
    noise: float = 1.0,
    eighth: bool = False,
) -> FloatArray:
    """Measure k-space of a signal seen through field and coils; give its magnitude (ni, nj, nk)."""
    image = np.ascontiguousarray(np.moveaxis(signal * field, 2, 0))
    n_slices, n_u, n_v = image.shape
    window = soft_window((n_u, n_v), site.kept)
    strength = noise * site.noise
    if eighth:
        acquired = eighth_of_steps(n_slices, n_v, rng)
        result = undersampled(
            image, maps, window=window, acquired=acquired, noise=strength, rng=rng
        )
    else:
        result = fully_sampled(image, maps, window=window, noise=strength, rng=rng)
    return np.moveaxis(np.abs(result), 0, 2)


def stored(magnitude: FloatArray, site: Site) -> NDArray[np.int16]:
    """Give a magnitude the integers that this site's scanner stores."""
    scaled = np.rint(magnitude * np.float32(site.scale))
    voxels: NDArray[np.int16] = np.clip(scaled, 0, 32767).astype(np.int16)
    return voxels


def receive_field(
    shape: tuple[int, ...],
    *,
    site: Site,
    extent_mm: tuple[float, float, float],
    rng: np.random.Generator,
) -> ComplexArray:
    """Give the smooth complex field a signal is seen through, (ni, nj, nk) complex64.

    Its magnitude is the sensitivity of coil and transmit field, about 1 in the middle; its phase,
    from field and coil, varies by about a radian over the body.
    """
    ni, nj, nk = shape
    grid = PlaneGrid(centred_axis(ni, extent_mm[0]), centred_axis(nj, extent_mm[1]))
    heights = centred_axis(nk, extent_mm[2])
    shading = RandomField(rng, extent_mm, pitch_mm=(60.0, 90.0))
    strongest = rng.uniform(0, 2 * np.pi)
    smooth = RandomField(rng, extent_mm, pitch_mm=(70.0, 90.0))
    slope = rng.normal(0, 1.0, 2)
    u, v = grid.points_mm
    from_axis = (np.hypot(u, v) - 55) / np.float32(site.coil_mm)
    towards = (u * np.cos(strongest) + v * np.sin(strongest)) / np.float32(2.5 * site.coil_mm)
    profile = np.clip(from_axis + towards, -1.0, 0.8).astype(np.float32)
    planes = [shading.plane(grid, float(z)) for z in heights]
    strength = np.exp(np.float32(site.shading) * np.stack(planes) + profile)
    ramp = u * slope[0] / (extent_mm[0] / 2) + v * slope[1] / (extent_mm[1] / 2)
    planes = [smooth.plane(grid, float(z)) for z in heights]
    phase = np.float32(_PHASE_RAD) * np.stack(planes) + ramp.astype(np.float32)
    field: ComplexArray = np.empty(phase.shape, dtype=np.complex64)
    field.real, field.imag = np.cos(phase), np.sin(phase)
    field *= strength
    return np.moveaxis(field, 0, 2)
