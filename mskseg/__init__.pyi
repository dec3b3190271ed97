from .case import Case as Case
from .case import CaseSet as CaseSet
from .case import CaseSlice as CaseSlice
from .datasets.loading import at_hand as at_hand
from .datasets.loading import fullest_slice as fullest_slice
from .datasets.loading import load_cases as load_cases
from .datasets.loading import load_some as load_some
from .display.canvas.widget import PromptExplorer as PromptExplorer
from .errors import InputError as InputError
from .errors import MsksegError as MsksegError
from .errors import OutputError as OutputError
from .io import list_echoes as list_echoes
from .io import load_image as load_image
from .io import load_label_map as load_label_map
from .io import load_label_names as load_label_names
from .io import save_nifti as save_nifti
from .models.checkpoints import load_segmenter as load_segmenter
from .models.embeddings import EmbeddingCache as EmbeddingCache
from .provenance import provenance as provenance
from .volume import LabelMap as LabelMap
from .volume import Volume as Volume

__version__: str
