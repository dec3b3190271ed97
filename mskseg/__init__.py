"""Promptable foundation models on musculoskeletal MRI: what they do, and where they fail.

The names that ``__init__.pyi`` lists are imported when first used, so that ``import mskseg`` is
quick and silent.
"""

from typing import Any

import lazy_loader

_lazy_attribute, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from mskseg.environment import package_version

        return package_version("mskseg") or "0+unknown"  # a source tree that was never installed
    return _lazy_attribute(name)
