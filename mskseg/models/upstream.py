"""The one place where `segment_anything` is imported, so that a broken installation is explained once."""

from __future__ import annotations

from mskseg.errors import MsksegError

try:
    from segment_anything import sam_model_registry
    from segment_anything.modeling import Sam
    from segment_anything.utils.transforms import ResizeLongestSide
except RuntimeError as error:
    # What torchvision says when its compiled part was built for another torch, for instance a
    # CPU-only torch beside the registry's default torchvision.
    if "torchvision::nms" not in str(error):
        raise
    raise MsksegError(
        "torch and torchvision do not fit each other (torchvision was built for another torch); "
        "install the pair pinned in constraints.txt, for example with `make workbook`"
    ) from error

__all__ = ["ResizeLongestSide", "Sam", "sam_model_registry"]
