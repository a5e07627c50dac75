"""`python -m locnet.export`: a checkpoint as ONNX and friends, each compared with PyTorch on real images.

Nothing here imports torch before a job begins: `--help` and `--cfg job` answer at once.
"""

from __future__ import annotations

import os
from typing import NoReturn

from locnet.config.app import run_app


def main() -> NoReturn:
    """The command."""
    # Spinning OpenMP threads on busy cores cost up to 40 times; it must be said before torch is imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    run_app("export", "locnet.runtime.exporting:export", module="locnet.export")


if __name__ == "__main__":
    main()
