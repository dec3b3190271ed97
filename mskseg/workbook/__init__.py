"""Execute the notebooks and gather what they produce.

Every notebook that the glob finds is run, none is skipped; one that fails is named with its cell
and error while the others go on. What is finished is remembered in the output folder, so that an
interrupted run continues where it stopped.
"""

from mskseg.workbook.execution import run_workbook as run_workbook
from mskseg.workbook.pages import write_run_index as write_run_index
from mskseg.workbook.record import NotebookRun as NotebookRun
from mskseg.workbook.sources import declared_parameters as declared_parameters
from mskseg.workbook.sources import find_notebooks as find_notebooks
from mskseg.workbook.sources import load_notebook as load_notebook
from mskseg.workbook.sources import read_sizes as read_sizes
