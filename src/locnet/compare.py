"""`python -m locnet.compare RUN RUN ...`: metrics side by side, what differs beyond luck, and which images changed.

Nothing here imports torch.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import NoReturn

from locnet.config.app import run_app


def main() -> NoReturn:
    """The command."""
    sys.argv[1:] = with_runs(sys.argv[1:])
    run_app("compare", "locnet.comparison.job:compare")


def with_runs(arguments: Sequence[str]) -> list[str]:
    """Directories that stand alone, before any option, as the setting `runs`.

    Args:
        arguments: without the program's name.
    """
    options = next((i for i, text in enumerate(arguments) if text.startswith("-")), len(arguments))
    typed = list(arguments[:options])
    runs = [text for text in typed if "=" not in text and not text.startswith("~")]
    rest = [text for text in typed if text not in runs]
    quoted = ",".join("'{}'".format(run.replace("\\", "\\\\").replace("'", "\\'")) for run in runs)
    return [*([f"runs=[{quoted}]"] if runs else []), *rest, *arguments[options:]]


if __name__ == "__main__":
    main()
