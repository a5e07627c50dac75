"""`python -m locnet.report`: write the page of a finished run anew, with more images or other groups.

Nothing here imports torch before a job begins: `--help` and `--cfg job` answer at once.
"""

from __future__ import annotations

from typing import NoReturn

from locnet.config.app import run_app


def main() -> NoReturn:
    """The command."""
    run_app("report", "locnet.report.rewrite:rewrite")


if __name__ == "__main__":
    main()
