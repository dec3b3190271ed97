"""Shapes that are drawn get the class they were drawn as."""

from __future__ import annotations

import numpy as np
import pytest

from mskseg.case import Case
from mskseg.volume import LabelMap, Volume
from mskseg_studies.errors.shapes import ellipse_dice, shape_class, shape_classes

MM = (1.0, 1.0)
Y, X = np.mgrid[:120, :120] - 60.0
SHAPES = {
    "ellipse": np.hypot(X / 40, Y / 20) < 1,
    "ring": (np.hypot(X, Y) < 40) & (np.hypot(X, Y) > 30),
    "thin": (np.abs(X) < 50) & (np.abs(Y) < 3),
    "bulk": ((np.abs(X) < 30) & (np.abs(Y) < 30)) & ~((X > 0) & (Y > 0)),
}


@pytest.mark.parametrize("name", SHAPES)
def test_each_shape_has_its_class(name):
    assert shape_class(SHAPES[name], spacing_mm=MM) == name


def test_an_ellipse_is_its_own_and_a_rectangle_has_what_the_limit_was_set_by():
    assert ellipse_dice(SHAPES["ellipse"], spacing_mm=MM) > 0.98
    rectangle = (np.abs(X) < 40) & (np.abs(Y) < 20)
    assert ellipse_dice(rectangle, spacing_mm=MM) == pytest.approx(0.905, abs=0.01)


def test_the_class_is_of_the_body_and_not_of_the_pixels():
    stretched = SHAPES["ellipse"].repeat(3, axis=0)
    same = ellipse_dice(stretched, spacing_mm=(1 / 3, 1.0))
    assert same == pytest.approx(ellipse_dice(SHAPES["ellipse"], spacing_mm=MM), abs=0.01)


def test_a_pixel_has_no_ellipse():
    one = np.zeros((5, 5), dtype=bool)
    one[2, 2] = True
    assert np.isnan(ellipse_dice(one, spacing_mm=MM))


def test_a_tissue_has_the_class_of_most_of_its_area():
    grid = Volume(np.zeros((120, 120, 3)), np.diag([1.0, 1.0, 5.0, 1.0]))
    stack = np.stack([SHAPES["ellipse"], SHAPES["ellipse"], SHAPES["thin"]]).astype(np.int16)
    reference = LabelMap(grid.from_stack(stack, "axial").array, grid.affine)
    image = Volume(reference.array * 9.0 + 1, grid.affine)
    case = Case(subject="a", image=image, reference=reference, tissues={1: "t"}, dataset="d")
    (row,) = shape_classes([case]).to_dict("records")
    assert (row["tissue"], row["shape_class"]) == ("t", "ellipse")
