"""Write a label map as a DICOM Segmentation of the series it lies on, by highdicom."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from mskseg.environment import package_version
from mskseg.errors import InputError, naming
from mskseg.files import written_atomically
from mskseg.input_files import reason_of
from mskseg.io.dicom import list_stack
from mskseg.volume import LabelMap


def save_dicom_seg(
    label_map: LabelMap,
    path: str | os.PathLike[str],
    *,
    series: str | os.PathLike[str],
    model: str,
    echo: float | None = None,
    kind: str | None = None,
) -> None:
    """Write a DICOM Segmentation: a binary segment for each label, on the images of a series.

    Segments are numbered from 1 in the order of the labels, and carry "label 7" as their name.
    Needs the extra ``mskseg[dicomseg]``.

    Parameters
    ----------
    label_map : LabelMap
        On the grid that `mskseg.load_image` gives for the series, with one label or more.
    path : path-like
        Written completely or not at all.
    series : path-like
        The DICOM folder; patient, study and place come from its files.
    model : str
        Name of the model, kept as the algorithm.
    echo, kind : optional
        As in `mskseg.load_image`.

    Raises
    ------
    InputError
        If the label map holds nothing, has another number of voxels than the series, or the images
        lack what a DICOM object has to name.
    OutputError
        If the file cannot be written.
    """
    import highdicom as hd
    import pydicom
    from pydicom.sr.codedict import codes

    if not label_map.labels:
        raise InputError("nothing was segmented, so that there is no DICOM segmentation to write")
    with naming(series):
        files = list_stack(Path(series), echo=echo, kind=kind)
        images = [pydicom.dcmread(file) for file in files]
    frames = label_map.array.transpose(2, 1, 0)  # image, row, column: as `load_image` stacked them
    if frames.shape != (len(images), images[0].Rows, images[0].Columns):
        raise InputError(f"the label map {label_map.shape} is not on the grid of {series}")
    version = package_version("mskseg") or "0"
    algorithm = hd.AlgorithmIdentificationSequence(
        name=model, version=version, family=codes.cid7162.ArtificialIntelligence
    )
    segments = [
        hd.seg.SegmentDescription(
            segment_number=number,
            segment_label=f"label {label}",
            segmented_property_category=codes.SCT.AnatomicalStructure,
            segmented_property_type=codes.SCT.AnatomicalStructure,
            algorithm_type=hd.seg.SegmentAlgorithmTypeValues.SEMIAUTOMATIC,
            algorithm_identification=algorithm,
        )
        for number, label in enumerate(label_map.labels, start=1)
    ]
    numbers = np.searchsorted([0, *label_map.labels], frames).astype(np.uint8)
    try:
        made: Any = hd.seg.Segmentation(
            source_images=images,
            pixel_array=numbers,
            segmentation_type=hd.seg.SegmentationTypeValues.BINARY,
            segment_descriptions=segments,
            series_instance_uid=hd.UID(),
            series_number=1000,
            sop_instance_uid=hd.UID(),
            instance_number=1,
            manufacturer="mskseg",
            manufacturer_model_name="mskseg",
            software_versions=version,
            device_serial_number="0",
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"cannot make a DICOM segmentation of {series}: {reason_of(error)}; give the series as "
            "the scanner wrote it, or leave it at NIfTI"
        ) from error
    with written_atomically(path) as temporary:
        made.save_as(temporary)
