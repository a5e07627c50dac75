"""Where the configuration files lie, in a checkout and in an installed wheel."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]


def config_dir() -> Path:
    """The folder `conf/` as an absolute path, ready for Hydra's `config_path`.

    The wheel carries it inside the package (`locnet/conf`); in a checkout it stands at the top level, beside
    `src/locnet`. An absolute path needs no `__init__.py` in `conf/`, unlike Hydra's `pkg://`.

    Raises:
        FileNotFoundError: neither place has it; the installation is damaged.
    """
    places = [_PACKAGE / "conf", _PACKAGE.parents[1] / "conf"]
    for place in places:
        if place.is_dir():
            return place
    raise FileNotFoundError(f"no folder conf/ at {' or '.join(map(str, places))}; install locnet again")
