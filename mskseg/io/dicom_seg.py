"""Write a label map as a DICOM Segmentation of the series it lies on, by highdicom."""

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
    """Write a binary segment for each label, named "label 7", completely or not at all.

    `label_map` is on the grid that `load_image` gives for the folder `series`, whose files say
    which patient, study and place it is; `model` is named as the algorithm. InputError if the label
    map is empty or on another grid, or the images lack what a DICOM object has to name.
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
