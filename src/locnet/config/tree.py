"""The tree of configuration files as Hydra sees it: what could have been typed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

# Private, and yet the only way to see the tree when a composition has failed; look again at hydra-core 1.4.
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.utils import create_config_search_path
from hydra.core.config_search_path import SearchPathQuery
from hydra.core.object_type import ObjectType
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from locnet.config.command_line import CommandLine, split


class Tree:
    """Groups, options and keys, for suggestions in error messages; built only when there is an error.

    Args:
        line: what was typed; `--config-dir` and `hydra.searchpath` count.
    """

    def __init__(self, line: CommandLine) -> None:
        self.line = line
        search_path = create_config_search_path(str(line.conf.absolute()))
        added = [f"file://{line.extra.absolute()}"] if line.extra is not None else []
        for place in added + _searched(line):
            search_path.prepend("typed", place, SearchPathQuery(provider="schema"))  # Hydra wants the schema last
        self._loader = ConfigLoaderImpl(search_path)
        self._composed: dict[str, DictConfig] = {}

    def options(self, group: str = "") -> list[str]:
        """The options of a group; the primary configurations for the empty group."""
        return self._list(group, ObjectType.CONFIG)

    def groups(self, parent: str = "") -> list[str]:
        """All groups that have options, with their parents' names (`a/b`), without Hydra's own."""
        found = []
        for name in self._list(parent, ObjectType.GROUP):
            group = f"{parent}/{name}" if parent else name
            if group != "hydra":
                found += [group] if self.options(group) else []
                found += self.groups(group)
        return found

    def is_group(self, key: str) -> bool:
        """Whether a key chooses an option (`head=grid`) and is no value."""
        return bool(self.options(key))

    def keys(self, choice: str = "", *, hydra: bool = False) -> set[str]:
        """The dotted keys of the configuration that the typed choices give, and the groups.

        Args:
            choice: `group=option`, put in the place of what was typed for this group.
            hydra: Hydra's own keys, instead of ours.
        """
        keys = dotted(OmegaConf.to_container(self._compose(choice), resolve=False))
        ours = set() if hydra else set(self.groups())
        return ours | {key for key, _ in keys if (key.split(".")[0] == "hydra") == hydra}

    def is_open(self, key: str) -> bool:
        """Whether the composed configuration has an empty dictionary there, for keys of the user's own."""
        value = OmegaConf.select(self._compose(), key) if key else None
        return isinstance(value, DictConfig) and not value

    def chosen(self, group: str) -> str | None:
        """The option of a group that the typed choices and the defaults give, if one is."""
        choices = OmegaConf.select(self._compose(), "hydra.runtime.choices", default={})
        option: str | None = choices.get(group)
        return option

    def owners(self, key: str) -> tuple[str, list[str]]:
        """The group that a key would belong to, and the options of it that have the key."""
        for group in self.groups():
            if key.startswith(f"{group.replace('/', '.')}."):
                options = [option for option in self.options(group) if key in self.keys(f"{group}={option}")]
                if options:
                    return group, options
        return "", []

    def who_asks(self, group: str, option: str = "") -> str:
        """The file whose defaults list names `group: option` (any option if none is given), or nothing."""
        start = rf"^\s*-\s*(?:(?:override|optional)\s+)*/?{re.escape(group)}(?:@\S+)?\s*:\s*"
        wanted = re.compile(start + (re.escape(option) + r"(?!\S)" if option else ""), re.MULTILINE)
        for path in self.files():
            if wanted.search(path.read_text(encoding="utf-8", errors="replace")):
                return str(path)
        return ""

    def files(self) -> Iterator[Path]:
        """The user's and our YAML files."""
        for folder in filter(None, (self.line.extra, self.line.conf)):
            yield from sorted(folder.rglob("*.yaml"))

    def _compose(self, choice: str = "") -> DictConfig:
        """The configuration without the typed values, which may be wrong; empty if a choice is wrong too."""
        if choice not in self._composed:
            group = split(choice)[1]
            typed = [text for text in self.line.overrides if self._is_valid_choice(text)]
            kept = [text for text in typed if split(text)[1] != group]
            overrides = [*kept, *([choice] if choice else [])]
            try:
                self._composed[choice] = self._loader.load_configuration(
                    self.line.name, overrides, RunMode.MULTIRUN, validate_sweep_overrides=False
                )
            except Exception:  # wrong in a way of its own; then there is nothing to suggest
                self._composed[choice] = OmegaConf.create()
        return self._composed[choice]

    def _is_valid_choice(self, override: str) -> bool:
        sign, key, value = split(override)
        return not sign and value in self.options(key)

    def _list(self, group: str, kind: ObjectType) -> list[str]:
        return self._loader.repository.get_group_options(group, kind)


def _searched(line: CommandLine) -> list[str]:
    """The places that `hydra.searchpath=[...]` adds."""
    for text in line.overrides:
        if split(text)[1] == "hydra.searchpath":
            places = OverridesParser.create().parse_override(text).value()
            return [str(place) for place in places] if isinstance(places, list) else []
    return []


def dotted(config: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The dotted keys of nested dictionaries with their values, inner ones included."""
    if isinstance(config, Mapping):
        for name, value in config.items():
            key = f"{prefix}.{name}" if prefix else str(name)
            yield key, value
            yield from dotted(value, key)
