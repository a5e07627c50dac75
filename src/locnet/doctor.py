"""`python -m locnet.doctor`: look at every label and every image of a data set, and say what is wrong.

Nothing here imports torch, and neither does the job unless a checkpoint is to rank suspect labels.
"""

from __future__ import annotations

import os
from typing import NoReturn

from locnet.config.app import run_app


def main() -> NoReturn:
    """The command."""
    # Spinning OpenMP threads on busy cores cost up to 40 times; it must be said before torch is imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    run_app("doctor", "locnet.checkup.examination:examine")


if __name__ == "__main__":
    main()
