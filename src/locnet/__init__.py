"""locnet: classification with localization, one image, at most one object, one forward pass."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from locnet.inference.localizer import Localizer
    from locnet.inference.result import Box, Crop, Result

__version__ = "0.1.0"

__all__ = ["Box", "Crop", "Localizer", "Result", "__version__"]

_PLACES = {
    "Localizer": "locnet.inference.localizer",
    "Result": "locnet.inference.result",
    "Box": "locnet.inference.result",
    "Crop": "locnet.inference.result",
}


def __getattr__(name: str) -> Any:
    """The Python API, imported when it is first asked for: commands answer `--help` without torch."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_PLACES[name]), name)
