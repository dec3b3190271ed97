"""Data sets by name: the manifest, the files it names, and folders of scans in known layouts."""

from mskseg.datasets.fetching import fetch as fetch
from mskseg.datasets.fetching import verify as verify
from mskseg.datasets.layouts import read_folder as read_folder
from mskseg.datasets.loading import at_hand as at_hand
from mskseg.datasets.loading import fullest_slice as fullest_slice
from mskseg.datasets.loading import list_at_hand as list_at_hand
from mskseg.datasets.loading import list_subjects as list_subjects
from mskseg.datasets.loading import load_cases as load_cases
from mskseg.datasets.loading import load_some as load_some
from mskseg.datasets.loading import load_splits as load_splits
from mskseg.datasets.loading import real_scans as real_scans
from mskseg.datasets.manifest import load_manifest as load_manifest
from mskseg.splits import Split as Split
