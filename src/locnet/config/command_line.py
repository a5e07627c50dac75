"""The command line of a Hydra application, read before Hydra does."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

# Private, and yet the only way to read the command line just as Hydra 1.3 will; look again at hydra-core 1.4.
from hydra._internal.utils import get_args_parser

from locnet.config.messages import shown
from locnet.errors import ConfigError

_KEY = re.compile(r"(?P<sign>[+~]*)(?P<key>[^=@]*)(?P<package>@[^=]*)?(?:=(?P<value>.*))?", re.DOTALL)


@dataclass(frozen=True)
class CommandLine:
    """What the user typed.

    Attributes:
        conf: the folder of the configuration files.
        name: the primary configuration.
        overrides: the settings, `key=value`, as typed.
        extra: the folder of `--config-dir`.
        flags: the options that say where configuration files are, as typed.
    """

    conf: Path
    name: str
    overrides: tuple[str, ...]
    extra: Path | None = None
    flags: tuple[str, ...] = ()


def read(arguments: Sequence[str], conf: Path, name: str) -> tuple[CommandLine, list[str]]:
    """Read the arguments and put settings that stand after an option to the others.

    argparse takes settings in one run only, so that `lr=1,2 -m seed=1` would be an error without this.

    Args:
        arguments: without the program's name.
        conf: the folder of the configuration files.
        name: the primary configuration, unless `--config-name` says otherwise.

    Returns:
        What was typed, and the arguments for Hydra.

    Raises:
        ConfigError: an option that does not exist, or one with a wrong value.
    """
    parser = get_args_parser()
    parser.exit_on_error = False
    try:
        options, rest = parser.parse_known_args(arguments)
    except argparse.ArgumentError as error:
        raise ConfigError(f"{error.argument_name}: {error.message}") from error
    unknown = [text for text in rest if text.startswith("-")]
    if unknown:
        key = unknown[0].lstrip("-").replace("-", "_")
        example = key if "=" in key else f"{key}=..."
        raise ConfigError(f"unknown option {shown(unknown[0])}; settings are written without dashes: {example}")
    arguments = list(arguments)
    for text in reversed(rest):
        del arguments[len(arguments) - 1 - arguments[::-1].index(text)]
    last = arguments.index(options.overrides[-1]) + 1 if options.overrides else len(arguments)
    arguments[last:last] = rest
    places = {name: getattr(options, name) for name in ("config_path", "config_name", "config_dir")}
    line = CommandLine(
        Path(options.config_path or conf),
        options.config_name or name,
        (*options.overrides, *rest),
        Path(options.config_dir) if options.config_dir else None,
        tuple(f"--{name.replace('_', '-')}={value}" for name, value in places.items() if value),
    )
    return line, arguments


def split(override: str) -> tuple[str, str, str]:
    """Sign (`+`, `++`, `~` or none), key and value of a setting; the value is empty when there is none."""
    match = _KEY.fullmatch(override)
    return (match["sign"], match["key"], match["value"] or "") if match else ("", override, "")
