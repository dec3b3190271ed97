"""Arrays in space, and THE conventions page: what an index, an axis, a box and a mean are here.

Space
    A `Volume` is an array in index order ``(i, j, k)`` with a 4x4 affine that takes the *centre* of
    a voxel ``(i, j, k, 1)`` to RAS+ millimetres: x grows to the patient's right, y to the front, z
    to the head. Loading keeps the grid of the file. Changing the orientation permutes and flips
    axes and never resamples, so every way back is exact, for oblique grids too: an oblique axis
    counts as the anatomical axis it is closest to. An image and a label map on different grids are
    never combined: `check_same_grid` says how they differ. One lattice stored otherwise (another
    order of axes, flips, a part cut out by whole voxels) is one grid: a `Case` puts its reference
    on the image's voxels, exactly and with a note.
Slices
    Slices are indexed along the axes of the RAS-reoriented grid and shown as a radiologist sees
    them:

    ========  ========================  =======================  ==========================
    plane     k grows                   rows (top to bottom)     columns (left to right)
    ========  ========================  =======================  ==========================
    axial     inferior to superior      anterior to posterior    patient's right to left
    coronal   posterior to anterior     superior to inferior     patient's right to left
    sagittal  patient's left to right   superior to inferior     anterior to posterior
    ========  ========================  =======================  ==========================

    The default plane is the one across the largest spacing, as the slices were acquired; a volume
    of equal spacing has none, and is shown in axial slices.
Pixels, boxes, points
    A 2-D image is ``(H, W)``; rows are y, columns are x. ``spacing_mm`` of a slice is
    ``(row, column)``. A box is ``box_xyxy = (x0, y0, x1, y1)`` in pixels of the *original* slice,
    half-open in continuous coordinates: the box of the one pixel in column 3 and row 5 is
    ``3, 5, 4, 6``. A point is ``(x, y)`` in the same coordinates, so the centre of that pixel is
    ``3.5, 5.5``; its label is 1 for "inside" and 0 for "outside". Resizing to a model's frame, and
    the pixel-index conventions of the upstream models, live inside the segmenter only.
Intensities
    A `Case` windows the whole volume once (0.5 to 99.5 percentile of the non-zero voxels, clip,
    scale to 8 bit), never slice by slice. Padding (DICOM's PixelPaddingValue, or a negative value
    far below all others that many voxels share) is left out as zeros are, with a note.
Names
    `reference` and `prediction`; `label_map` for integers and `mask` for booleans; units stand in
    names (``spacing_mm``, ``hd95_mm``, ``area_mm2``).
Numbers
    If reference and prediction are both empty the score is NaN, counted and shown; if one is, Dice
    is 0 and a distance infinite. The mean of a table is taken over the slices of a label
    within a subject, then over labels, then over subjects, and a count stands beside it. Components
    under the minimum area get no box, but their pixels stay in the reference.
Chance
    Randomness is an argument (`rng` or `seed`). Splits are by subject. A box taken from the
    reference is an *oracle* box wherever its score is shown, beside the filled-box baseline.
"""

import warnings
from dataclasses import KW_ONLY, dataclass, replace
from functools import cached_property
from itertools import permutations, product
from typing import Any, Literal, Self, TypeVar, get_args

import numpy as np
import numpy.typing as npt
from nibabel import orientations

from mskseg.errors import InputError

Plane = Literal["axial", "coronal", "sagittal"]
Array = npt.NDArray[Any]

# Where slice number, row and column grow to: the whole display convention is this table.
_STACK_ORIENTATION: dict[str, str] = {"axial": "SPL", "coronal": "AIL", "sagittal": "RIP"}

# Sform and qform of a NIfTI file, to RAS+ mm, each with its code; a form of code 0 says nothing.
NiftiForms = tuple[tuple[Array, int], tuple[Array, int]]

GRID_TOLERANCE_MM = 1e-3  # above the float32 rounding of a NIfTI header, below anything visible
_TOLERANCE_VOXELS = 0.05  # what the quaternion of a header may round by; passes with a note

LABEL_TOLERANCE = 0.05  # a scaled or computed label may lie that far from its whole number
_LABEL_NOISE, _LARGEST_LABEL = 1e-3, 2.0**31  # what arithmetic in float32 alone leaves

_Volume = TypeVar("_Volume", bound="Volume")
_nibabel: Any = orientations  # which has no types


@dataclass(frozen=True, eq=False, repr=False)
class Volume:
    """A 3-D array with its place in the patient. Conventions: the docstring of this module.

    Parameters
    ----------
    array : (ni, nj, nk) array of numbers or booleans
        Voxel values in the index order of the file. Taken as it is, not copied.
    affine : (4, 4) float
        From voxel centre ``(i, j, k, 1)`` to RAS+ millimetres. Copied, and read-only.
    nifti_forms : NiftiForms, optional
        Of the file that the grid comes from; `save_nifti` writes both again, with their codes.
    padding : float, optional
        The value of voxels that hold no measurement, where a header says so.

    Raises
    ------
    InputError
        If the array has not three axes, is empty or complex, or the affine is not an invertible
        (4, 4) matrix of finite numbers.
    """

    array: Array
    affine: Array
    _: KW_ONLY
    nifti_forms: NiftiForms | None = None
    padding: float | None = None

    def __post_init__(self) -> None:
        array = np.asarray(self.array)
        if array.ndim != 3 or array.size == 0:
            raise InputError(
                f"a volume needs three non-empty axes, got an array of shape {array.shape}; "
                "give one volume (ni, nj, nk)"
            )
        if array.dtype.kind not in "buif":
            raise InputError(
                f"a volume holds real numbers, got {array.dtype}; give one real value per voxel"
            )
        object.__setattr__(self, "array", array)
        object.__setattr__(self, "affine", _checked_affine(self.affine))

    def __repr__(self) -> str:
        spacing = " x ".join(f"{value:.4g}" for value in self.spacing_mm)
        shape = " x ".join(str(length) for length in self.shape)
        return (
            f"{type(self).__name__}({shape} {self.array.dtype}, {spacing} mm, {self.orientation}"
            f"{' oblique' if self.oblique else ''})"
        )

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of voxels along i, j, k."""
        ni, nj, nk = self.array.shape
        return ni, nj, nk

    @cached_property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Distance between neighbouring voxel centres along i, j, k, in mm."""
        i, j, k = np.linalg.norm(self.affine[:3, :3], axis=0)
        return float(i), float(j), float(k)

    @cached_property
    def orientation(self) -> str:
        """Where i, j, k grow to, as three of RLAPSI; oblique axes by the closest one."""
        return _orientation_of(self.affine)

    @property
    def oblique(self) -> bool:
        """Whether an axis leaves its anatomical axis by more than half a degree."""
        cosines = np.abs(self.affine[:3, :3]).max(axis=0) / np.array(self.spacing_mm)
        return bool((cosines < np.cos(np.radians(0.5))).any())

    @property
    def default_plane(self) -> Plane:
        """The plane across the largest spacing; axial, then coronal, where spacings are equal."""
        planes: tuple[Plane, ...] = get_args(Plane)
        largest = max(self.slice_thickness_mm(plane) for plane in planes)
        return next(p for p in planes if self.slice_thickness_mm(p) >= 0.999 * largest)

    def with_array(self, array: Array) -> Self:
        """Put other values (ni, nj, nk) on this grid; InputError for another shape."""
        if np.shape(array) != self.shape:
            raise InputError(
                f"expected an array of this grid's shape {self.shape}, got {np.shape(array)}"
            )
        return _oriented(replace(self, array=array, padding=None), self.orientation)

    def reoriented(self, orientation: str) -> Self:
        """Permute and flip the axes so that they grow to the given directions; exact.

        An orientation is three letters of RLAPSI, one per patient axis: "RAS", "LAS", "PIR". The
        result is of the same class, and its array is a view of this one's. Raises InputError if
        the orientation is not one.
        """
        wanted = orientation.upper()
        if sorted(wanted.translate(str.maketrans("LPI", "RAS"))) != ["A", "R", "S"]:
            raise InputError(
                f"unknown orientation {orientation!r}; give one letter each of R/L, A/P and S/I"
            )
        if wanted == self.orientation:
            return self
        own, other = (_nibabel.axcodes2ornt(axes) for axes in (self.orientation, wanted))
        change = _nibabel.ornt_transform(own, other)
        array = _nibabel.apply_orientation(self.array, change)
        back = _nibabel.inv_ornt_aff(change, self.shape)
        forms = self.nifti_forms
        if forms is not None:
            forms = ((forms[0][0] @ back, forms[0][1]), (forms[1][0] @ back, forms[1][1]))
        turned = replace(self, array=array, affine=self.affine @ back, nifti_forms=forms)
        return _oriented(turned, wanted)

    def n_slices(self, plane: Plane) -> int:
        """Count the slices of a plane; InputError if the plane is unknown."""
        return len(self.stack(plane))

    def slice(self, plane: Plane, k: int) -> Array:
        """Slice number k of a plane as a radiologist sees it, (H, W), a contiguous copy.

        k counts along the axis of the RAS-reoriented grid, 0 to ``n_slices(plane) - 1``. InputError
        if the plane is unknown, or k is not a slice (negative ones do not count from the end).
        """
        stack = self.stack(plane)
        if not np.issubdtype(type(k), np.integer):
            raise InputError(
                f"expected a whole number for the slice, got {k!r}; choose 0 to {len(stack) - 1}"
            )
        if not 0 <= k < len(stack):
            raise InputError(
                f"{plane} slice {k} does not exist: the volume has {len(stack)}; "
                f"choose 0 to {len(stack) - 1}"
            )
        chosen: Array = stack[k].copy()
        return chosen

    def slice_spacing_mm(self, plane: Plane) -> tuple[float, float]:
        """Distance between (rows, columns) of a slice in a plane, in mm."""
        _, row, column = self._in_plane(plane).spacing_mm
        return row, column

    def slice_thickness_mm(self, plane: Plane) -> float:
        """Distance between the centres of neighbouring slices of a plane, in mm."""
        return self._in_plane(plane).spacing_mm[0]

    def stack(self, plane: Plane) -> Array:
        """Return all slices of a plane, (K, H, W); a view with strides of either sign."""
        return self._in_plane(plane).array

    def from_stack(self, stack: Array, plane: Plane) -> Self:
        """Put a stack of slices (K, H, W) back on this volume's grid, the exact inverse of `stack`.

        The result has the stack's dtype. InputError if the plane is unknown or the stack has
        another shape than ``self.stack(plane)``.
        """
        own = self._in_plane(plane)
        if np.shape(stack) != own.shape:
            raise InputError(
                f"expected a stack of {own.shape} for the {plane} plane of this grid, "
                f"got {np.shape(stack)}"
            )
        placed = _oriented(Volume(stack, own.affine), own.orientation).reoriented(self.orientation)
        return self.with_array(placed.array)  # this affine, not its round trip

    def _in_plane(self, plane: Plane) -> Self:
        if plane not in _STACK_ORIENTATION:
            raise InputError(f"unknown plane {plane!r}; choose axial, coronal or sagittal")
        return self.reoriented(_STACK_ORIENTATION[plane])


def _oriented(volume: _Volume, orientation: str) -> _Volume:
    """Note how a volume was turned: read off its affine again, a tie at 45 degrees could differ."""
    volume.__dict__["orientation"] = orientation  # where `cached_property` looks
    return volume


@dataclass(frozen=True, eq=False, repr=False)
class LabelMap(Volume):
    """A volume of integers: 0 is background, every other value a structure.

    Floating-point arrays are taken if every value is whole (many tools store labels so), or rounded
    to it with a warning where it is 0.05 away at most, and become the smallest integer type that
    holds them.

    Raises
    ------
    InputError
        As `Volume`, and if a value has a fraction or is not finite, or so many different values lie
        close to whole ones as in a probability map.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.array.dtype.kind == "f":
            object.__setattr__(self, "array", _whole_numbers(self.array))
        elif self.array.dtype.kind == "b":
            object.__setattr__(self, "array", self.array.view(np.uint8))

    @cached_property
    def labels(self) -> tuple[int, ...]:
        """The non-zero values that occur, ascending."""
        return tuple(int(value) for value in np.unique(self.array) if value != 0)

    @classmethod
    def from_slices(cls, stack: Array, plane: Plane, *, image: Volume) -> Self:
        """Put labelled slices (K, H, W) of an image's plane on its grid, with its NIfTI forms."""
        placed = image.from_stack(stack, plane)
        return cls(placed.array, placed.affine, nifti_forms=placed.nifti_forms)

    def mask(self, label: int) -> npt.NDArray[np.bool_]:
        """Where one label is: (ni, nj, nk) bool, empty if the label does not occur."""
        if not isinstance(label, int | np.integer):
            raise InputError(f"expected the number of a label, got {label!r}; see `labels`")
        found: npt.NDArray[np.bool_] = self.array == label
        return found


def check_same_grid(
    first: Volume, second: Volume, *, what: tuple[str, str] = ("image", "label map")
) -> None:
    """Make sure that two volumes, called `what` in the message, have the same voxels in space.

    Corner voxels no more than 5 % of a voxel apart pass, above 0.001 mm with a note; so do those of
    NIfTI files that agree in another form.

    Raises
    ------
    InputError
        If the shapes differ, or corner voxels lie farther apart; the message says which of shape,
        orientation, spacing, direction or position differs, and by how much.
    """
    if first.shape == second.shape:
        apart_mm = farthest_corner_mm(first.shape, first.affine, second.affine)
        if apart_mm <= GRID_TOLERANCE_MM:
            return
        if _is_rounding(first.shape, first.affine, second.affine):
            _note(f"{what[1]} and {what[0]} lie {apart_mm:.2g} mm apart, less than 5 % of a voxel")
            return
        pairs = product(_places_of(first), _places_of(second))
        if any(_is_rounding(first.shape, *pair) for pair in pairs):
            _note(
                f"the {what[1]} lies where the other form of the {what[0]}'s NIfTI header puts it "
                "(sform and qform differ); taken voxel by voxel"
            )
            return
        difference = f"{_how_affines_differ(first, second)}; corners up to {apart_mm:.3g} mm apart"
    else:
        difference = f"shape {first.shape} against {second.shape}"
    advice = f"resample the {what[1]} onto the {what[0]}'s grid"
    if first.orientation != second.orientation:
        advice = f"reorient or {advice}"
    raise InputError(f"{what[0]} and {what[1]} lie on different grids: {difference}; {advice}")


def on_grid_of(image: Volume, labels: LabelMap) -> LabelMap:
    """Put a label map on the grid of an image, where both are stored from one lattice.

    Another order or direction of axes is turned back; what was cut out by whole voxels is filled up
    with 0, or cut to the image. Nothing is resampled, and a note says what was done.

    Raises
    ------
    InputError
        As `check_same_grid`, if the two lie on different lattices or one has no clear place.
    """
    to_image = np.linalg.solve(image.affine, labels.affine)  # from label indices to image indices
    whole = np.rint(to_image)
    turn = np.abs(whole[:3, :3])
    apart = farthest_corner_mm(labels.shape, to_image, whole)  # in voxels of the image
    same = image.shape == labels.shape and np.array_equal(whole, np.eye(4))
    is_turn = turn.max() == 1 and (turn.sum(0) == 1).all() and (turn.sum(1) == 1).all()
    unclear = not (_has_one_place(image) and _has_one_place(labels))
    if same or not is_turn or apart > _TOLERANCE_VOXELS or unclear:
        check_same_grid(image, labels)
        return labels
    axes = _nibabel.io_orientation(whole)
    array = _nibabel.apply_orientation(labels.array, axes)
    start = np.rint(whole @ _nibabel.inv_ornt_aff(axes, labels.shape))[:3, 3].astype(int)
    end = start + array.shape
    inside = (start >= 0) & (end <= image.shape)
    if not (inside | ((start <= 0) & (end >= image.shape))).all():
        check_same_grid(image, labels)  # each holds voxels that the other lacks
    placed = np.zeros(image.shape, array.dtype)
    low, high = np.maximum(start, 0), np.minimum(end, image.shape)
    placed[tuple(map(slice, low, high))] = array[tuple(map(slice, low - start, high - start))]
    lost = np.count_nonzero(array) - np.count_nonzero(placed)
    _note(
        f"the label map ({labels.orientation} {labels.shape}) is stored otherwise than the image "
        f"({image.orientation} {image.shape}); put on its voxels exactly, nothing is resampled"
        + (f"; {lost} labelled voxels lie outside the image" if lost else "")
    )
    return LabelMap(placed, image.affine, nifti_forms=image.nifti_forms)


def _note(text: str) -> None:
    warnings.warn(text, stacklevel=4)


def _places_of(volume: Volume) -> list[Array]:
    """Affine, and each form of a NIfTI header that says where the voxels lie."""
    return [volume.affine, *(form for form, code in volume.nifti_forms or () if code > 0)]


def _has_one_place(volume: Volume) -> bool:
    """Whether a NIfTI header says where the voxels lie, and does not say it twice differently."""
    first, *forms = _places_of(volume)
    alike = all(_is_rounding(volume.shape, first, form) for form in forms)
    return volume.nifti_forms is None or (bool(forms) and alike)


def _is_rounding(shape: tuple[int, ...], first: Array, second: Array) -> bool:
    """Whether two affines put every corner voxel at one place, to 5 % of a voxel."""
    apart = farthest_corner_mm(shape, np.eye(4), np.linalg.solve(first, second))
    return apart <= _TOLERANCE_VOXELS


def farthest_corner_mm(shape: tuple[int, ...], first: Array, second: Array) -> float:
    """Largest distance between the places that two affines give to a corner voxel, in mm."""
    corners = np.array(list(product(*((0, n - 1) for n in shape), (1,))), dtype=float)
    return float(np.linalg.norm(corners @ (first - second).T, axis=1).max())


def _how_affines_differ(first: Volume, second: Volume) -> str:
    if first.orientation != second.orientation:
        return f"axes {first.orientation} against {second.orientation}"
    if not np.allclose(first.spacing_mm, second.spacing_mm, rtol=1e-5, atol=0):
        return f"spacing {_numbers(first.spacing_mm)} against {_numbers(second.spacing_mm)} mm"
    cosines = [v.affine[:3, :3] / np.array(v.spacing_mm) for v in (first, second)]
    chord = np.linalg.norm(cosines[0] - cosines[1], axis=0).max()
    angle = np.degrees(2 * np.arcsin(min(chord / 2, 1.0)))
    if angle > 1e-3:
        return f"axes turned by {angle:.3g} degrees"
    return f"origin shifted by {_numbers(second.affine[:3, 3] - first.affine[:3, 3])} mm (R, A, S)"


def _numbers(values: Array | tuple[float, ...]) -> str:
    return "(" + ", ".join(f"{value:.4g}" for value in values) + ")"


def _checked_affine(affine: npt.ArrayLike) -> Array:
    """Return a read-only float64 copy, or raise InputError if it is no invertible affine."""
    checked = np.array(affine, dtype=np.float64)
    if checked.shape != (4, 4) or not np.isfinite(checked).all():
        raise InputError(
            f"an affine is a (4, 4) matrix of finite numbers, got shape {checked.shape} "
            f"with {int((~np.isfinite(checked)).sum())} not finite"
        )
    if not np.array_equal(checked[3], (0, 0, 0, 1)) or np.linalg.matrix_rank(checked[:3, :3]) < 3:
        raise InputError(
            "an affine needs three independent axes and the last row 0, 0, 0, 1, got "
            f"{checked.tolist()}"
        )
    checked.flags.writeable = False
    return checked


def _whole_numbers(array: Array) -> Array:
    """Return a floating-point array as the smallest integer type, or raise InputError."""
    whole = np.rint(array)
    with np.errstate(invalid="ignore"):  # infinity minus itself
        apart = np.abs(array - whole)
    broken = int(np.count_nonzero(~(apart <= LABEL_TOLERANCE)))
    # Rounding of a scale gives each label one value, of arithmetic values next to each other.
    off = np.unique(array[apart > _LABEL_NOISE]) if not broken else array[:0]
    n_labels = len(np.unique(whole[apart > _LABEL_NOISE])) if off.size else 0
    if broken or off.size > 4 * n_labels or np.abs(whole).max(initial=0) > _LARGEST_LABEL:
        what = f"{broken} of {array.size} voxels have a fraction or are not finite"
        if not broken:
            what = f"{off.size} different values lie between them, or one is too large"
        raise InputError(
            f"a label map holds whole numbers, but {what}; give the label map, not an image or a "
            "probability map"
        )
    if farthest := float(apart.max(initial=0)):
        warnings.warn(
            f"labels up to {farthest:.2g} from whole numbers, as scaled or computed ones are: they "
            "were rounded",
            stacklevel=4,
        )
    smallest = np.result_type(
        np.min_scalar_type(int(whole.min())), np.min_scalar_type(int(whole.max()))
    )
    return whole.astype(smallest)


def _orientation_of(affine: Array) -> str:
    """Where i, j, k grow to, as three of RLAPSI; oblique axes by the closest one."""
    left, _, right = np.linalg.svd(affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0))
    cosines = left @ right  # the nearest orthogonal axes, so that a sheared grid has three too
    closeness = {
        p: sum(abs(cosines[p[axis], axis]) for axis in range(3)) for p in permutations(range(3))
    }
    # At 45 degrees two assignments tie: rounding must not decide, or image and labels may differ.
    axes = next(p for p, close in closeness.items() if close > max(closeness.values()) - 1e-3)
    return "".join("RASLPI"[axes[a] + 3 * (cosines[axes[a], a] < 0)] for a in range(3))
