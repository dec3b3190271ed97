"""Read and write medical images, label maps and the names of labels."""

from mskseg.io.dicom import list_echoes as list_echoes
from mskseg.io.label_names import load_label_names as load_label_names
from mskseg.io.reading import load_image as load_image
from mskseg.io.reading import load_label_map as load_label_map
from mskseg.io.writing import save_nifti as save_nifti
