"""Settings that cannot be read as `key=value`, and how to write them."""

from __future__ import annotations

import re

from locnet.config.command_line import split
from locnet.config.messages import join_or, shown
from locnet.config.tree import Tree

_PAIRS = (("(", ")"), ("[", "]"), ("{", "}"))


def explain_syntax(override: str, said: str, tree: Tree) -> str:  # noqa: PLR0911 - one answer for each fault
    """How a setting that Hydra's grammar refuses should be written.

    Args:
        override: the setting as typed.
        said: Hydra's message.
        tree: the configuration files, for suggestions.
    """
    sign, key, value = split(override)
    start = f"cannot read {shown(override)}"
    if "=" not in override:
        owners = [f"{group}={override}" for group in tree.groups() if override in tree.options(group)]
        meant = f"; did you mean {join_or(owners)}?" if owners else ""
        return f"{start}: settings are written key=value{meant}"
    if not key:
        return f"{start}: there is no key before ="
    if "[" in key:
        dotted = re.sub(r"[\[\]]+", ".", key).strip(".")
        return f"{start}: an item of a list is written {sign}{dotted}={value}"
    if value.startswith("="):
        return f"{start}: write {sign}{key}={value.lstrip('=')}"
    if _is_open(value):
        quoted = f"'{sign}{key}=...'"
        return f"{start}: a bracket or quotation mark is not closed; put the setting in quotes, {quoted}"
    if re.search(r"[=()\[\]{}'\"#&!*|<>;,^`]", value) or not value.isascii():
        return f"""{start}: put the value in quotes, '{sign}{key}="{value}"'"""
    reason = said.split("\n", maxsplit=1)[0]
    return f"{start}: {reason}"


def _is_open(value: str) -> bool:
    quotes = any(value.count(mark) % 2 for mark in "'\"")
    return quotes or any(value.count(left) != value.count(right) for left, right in _PAIRS)
