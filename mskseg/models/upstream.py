"""The one place where `segment_anything` is imported.

Its networks need torch alone. The package's own ``__init__`` imports torchvision, and with it
torch's compiler, for seconds: it runs only when a name of the package itself is asked for.
"""

import importlib.util
import os
import sys
from typing import Any


def _run_when_asked(name: str) -> None:
    """Import a package without running its ``__init__`` before the first of its own names."""
    spec: Any = importlib.util.find_spec(name)
    if name in sys.modules or spec is None:
        return
    package = importlib.util.module_from_spec(spec)

    def run(attribute: str) -> Any:
        del package.__dict__["__getattr__"]
        spec.loader.exec_module(package)
        return getattr(package, attribute)

    package.__dict__["__getattr__"] = run  # PEP 562
    sys.modules[name] = package


_run_when_asked("segment_anything")

# ruff: noqa: E402  (the package must be prepared first)
from segment_anything.build_sam import sam_model_registry as sam_model_registry
from segment_anything.modeling import MaskDecoder as MaskDecoder
from segment_anything.modeling import PromptEncoder as PromptEncoder
from segment_anything.modeling import Sam as Sam
from segment_anything.modeling import TwoWayTransformer as TwoWayTransformer
from segment_anything.modeling.image_encoder import get_rel_pos as get_rel_pos
from segment_anything.modeling.transformer import Attention as Attention

if "__getattr__" in vars(sys.modules["segment_anything"]):
    del sys.modules["segment_anything"].build_sam  # the module hides the function of its name

AS_PUBLISHED = bool(os.environ.get("MSKSEG_AS_PUBLISHED"))
"""Whether models are computed by their authors' code alone, which is slower."""


def is_upstream(part: Any, name: str, module: str) -> bool:
    """Whether a part of a model is of a class of SAM's authors, or of a copy of their package."""
    of = type(part)
    return of.__name__ == name and of.__module__.endswith(f"segment_anything.modeling.{module}")
