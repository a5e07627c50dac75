"""How Lightning writes checkpoint files in a locnet run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lightning_fabric.plugins.io.torch_io import TorchCheckpointIO

from locnet.runtime.storage import LAST, PREVIOUS, write_checkpoint


class CheckpointFiles(TorchCheckpointIO):
    """Whole or not there, and with a checksum; the last one before is kept too."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None) -> None:
        """See `write_checkpoint`."""
        place = Path(path)
        write_checkpoint(checkpoint, place, previous=place.with_name(PREVIOUS) if place.name == LAST else None)
