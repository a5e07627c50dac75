"""The network: a timm backbone, a head, and what joins them."""

from __future__ import annotations

import sys

# timm imports wandb wherever it is installed, for a training script of its own (1.0.31, utils/summary.py): seconds, and
# a dependency, that someone who only wants answers has no use for. None makes Python say that there is no such module.
_had = "wandb" in sys.modules
if not _had:
    sys.modules["wandb"] = None  # type: ignore[assignment]
try:
    import timm as timm
finally:
    if not _had:
        del sys.modules["wandb"]
