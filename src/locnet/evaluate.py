"""`python -m locnet.evaluate`: metrics, predictions and plots of a checkpoint on any labelled data and split.

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
    run_app(
        "evaluate",
        "locnet.runtime.evaluation:evaluate",
        module="locnet.evaluate",
        summary="locnet.runtime.sweep:summarise",
    )


if __name__ == "__main__":
    main()
