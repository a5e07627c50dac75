"""`python -m locnet.pack`: write labelled images into tars that `data=shards` streams."""

from __future__ import annotations

from typing import NoReturn

from locnet.config.app import run_app


def main() -> NoReturn:
    """The command."""
    run_app("pack", "locnet.data.shards.job:pack_data")


if __name__ == "__main__":
    main()
