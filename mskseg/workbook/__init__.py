"""Execute the notebooks and gather what they produce.

Every notebook that the glob finds is run, none is skipped; one that fails is named with its cell
and error while the others go on. What is finished is remembered in the output folder, so that an
interrupted run continues where it stopped.
"""

from mskseg.workbook.execution import run_workbook, write_run_index
from mskseg.workbook.record import NotebookRun
from mskseg.workbook.sources import (
    declared_parameters,
    find_notebooks,
    load_notebook,
    notebooks_folder,
    read_sizes,
)

__all__ = [
    "NotebookRun",
    "declared_parameters",
    "find_notebooks",
    "load_notebook",
    "notebooks_folder",
    "read_sizes",
    "run_workbook",
    "write_run_index",
]
