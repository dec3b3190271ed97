from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from mskseg.datasets.fetching import fetch
from mskseg.datasets.loading import load_cases
from mskseg.errors import InputError
from mskseg.io import load_image, load_label_map
from mskseg_phantom.acquisition import SITES, scan
from mskseg_phantom.acquisition.kspace import coil_maps
from mskseg_phantom.acquisition.scanner import receive_field
from mskseg_phantom.anatomies.thigh import CORTEX_LABEL, MARROW_LABEL, sample_subject
from mskseg_phantom.anatomies.thigh_body import EXTENT_MM, ThighBody
from mskseg_phantom.drawing import rasterise
from mskseg_phantom.realism import (
    Limb,
    Realism,
    edge_width_mm,
    muscle_snr,
    spectrum_slope,
    texture_of,
)
from mskseg_phantom.scans import make_phantom

TOLERANCE = 0.25
SHAPE = (170, 170, 24)  # pixels of 1.5 mm, slices of 6 mm, as the real scan has
SUBJECTS = (1, 9, 14)


def disc(radius: float, n: int = 96) -> np.ndarray:
    axis = np.arange(n) - n / 2
    return np.hypot(axis[:, None], axis) < radius


# --- the figures measure what they say ------------------------------------------------------------


@pytest.mark.parametrize("snr", [10, 30])
def test_snr_is_signal_over_noise_whatever_the_shading(snr) -> None:
    rng = np.random.default_rng(0)
    image = 100 + 20 * np.arange(96) / 96 + rng.normal(0, 110 / snr, (96, 96))
    assert muscle_snr(image, disc(40), 1.5) == pytest.approx(snr, rel=0.06)


@pytest.mark.parametrize("blur_px", [0.8, 1.5])
def test_edge_width_is_that_of_a_blurred_edge(blur_px) -> None:
    cortex = disc(10) & ~disc(4)
    image = ndimage.gaussian_filter(np.where(cortex, 0.0, 100.0), blur_px)
    expected = 2 * 0.8416 * blur_px * 1.5  # 20 % to 80 % of an error function
    assert edge_width_mm(image, disc(10), 1.5) == pytest.approx(expected, rel=0.15)


@pytest.mark.parametrize("slope", [-1.0, -2.5])
def test_spectrum_slope_is_that_of_coloured_noise(slope) -> None:
    frequency = np.hypot(np.fft.fftfreq(128)[:, None], np.fft.fftfreq(128))
    frequency[0, 0] = 1
    white = np.fft.fft2(np.random.default_rng(0).normal(size=(128, 128)))
    image = np.fft.ifft2(white * frequency ** (slope / 2)).real
    assert spectrum_slope(image, disc(60, 128), 1.5) == pytest.approx(slope, abs=0.2)


def test_what_does_not_fit_is_refused() -> None:
    stack, mask = np.ones((2, 96, 96)), np.stack([disc(20)] * 2)
    with pytest.raises(InputError, match="expected square pixels"):
        _ = Limb(stack, mask, mask, (1, 2)).realism
    with pytest.raises(InputError, match="expected a slice with muscle and femur"):
        _ = Limb(stack, mask, ~mask & mask, (1, 1)).realism


# --- the phantom beside the real scan -------------------------------------------------------------


@lru_cache
def phantom(subject: int) -> Realism:
    def rng(*key: int) -> np.random.Generator:
        return np.random.default_rng((0, subject, *key))

    content = rasterise(ThighBody(sample_subject(rng(0)), rng(1)), shape=SHAPE)
    site, maps = SITES["site A (3 T)"], coil_maps((SHAPE[2], *SHAPE[:2]))
    field = receive_field(SHAPE, site=site, extent_mm=EXTENT_MM, rng=rng(2))
    sequence = "dixon_opposed"
    image = scan(content.fractions, field, maps, sequence=sequence, site=site, rng=rng(3, 1))
    stack, labels = (np.moveaxis(array, 2, 0) for array in (image, content.labels))
    pixel = EXTENT_MM[0] / SHAPE[0]
    muscle = (labels > 0) & (labels < CORTEX_LABEL)
    femur = np.isin(labels, (CORTEX_LABEL, MARROW_LABEL))
    return Limb(stack, muscle, femur, (pixel, pixel)).realism


def real_thighs(folder: Path) -> list[Realism]:
    image = load_image(folder / "qmritools" / "thigh_image.nii.gz")
    labels = load_label_map(folder / "qmritools" / "thigh_labels.nii.gz").stack("axial")
    stack, spacing = image.stack("axial"), image.slice_spacing_mm("axial")
    muscle = (labels >= 31) & (labels <= 64)
    return [  # odd values are left, even ones right; 103 and 104 the femurs
        Limb(stack, muscle & (labels % 2 == odd), labels == femur, spacing).realism
        for odd, femur in ((1, 103), (0, 104))
    ]


@pytest.mark.real
@pytest.mark.parametrize("figure", ["snr", "edge_width_mm", "spectrum_slope"])
def test_the_opposed_phase_thigh_measures_like_the_real_one(real_data, figure) -> None:
    real = np.mean([getattr(one, figure) for one in real_thighs(real_data)])
    for subject in SUBJECTS:
        assert getattr(phantom(subject), figure) == pytest.approx(real, rel=TOLERANCE), subject


def test_a_kind_that_a_case_does_not_show_has_no_texture() -> None:
    with pytest.raises(InputError, match="expected meniscus in"):
        texture_of(make_phantom("spine", 17, shape=(64, 64, 12)), kind="meniscus")


@pytest.mark.real
def test_a_drawn_spine_is_near_real_vertebrae_that_nobody_tuned_to(
    real_data, tmp_path, monkeypatch
) -> None:
    """Wider than for the thigh, which the phantom was tuned to: a factor of two, three tenths."""
    monkeypatch.setenv("MSKSEG_CACHE", str(tmp_path))
    fetch("spine_vertebrae", from_dir=real_data)
    (case,) = load_cases("spine_vertebrae", subjects=["VB2_17"], progress=False)
    real = texture_of(case, kind="vertebra")
    drawn = texture_of(make_phantom("spine", 17, sequence="t2w"), kind="vertebra")
    assert 0.5 < drawn["snr"] / real["snr"] < 2
    assert drawn["spectrum_slope"] == pytest.approx(real["spectrum_slope"], rel=0.3)
