"""Groups of images that results are told apart by: source, camera, day, whatever the labels or the paths say."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence

from locnet.config.messages import suggest
from locnet.errors import ConfigError
from locnet.predictions import Predictions

_MOST_VALUES = 30
_NO_MATCH = "(no match)"


def groups(p: Predictions, wanted: Sequence[str] | None) -> dict[str, list[str]]:
    """The group of every image, for each way to group them.

    Args:
        p: truth and answer for N images.
        wanted: names of columns of the labels, and regular expressions with a group in parentheses, whose match in
            the path is the group. None takes every column that has 2 to 30 values, each of two images on average.

    Returns:
        By what was wanted, N strings each.

    Raises:
        ConfigError: as `check_groups`.
    """
    if wanted is None:
        counts = {name: len(set(column)) for name, column in p.extra.items()}
        return {name: p.extra[name] for name, n in counts.items() if 2 <= n <= min(_MOST_VALUES, len(p) // 2)}
    check_groups(wanted, p.extra)
    return {name: p.extra[name] if name in p.extra else _matches(name, p.files) for name in wanted}


def check_groups(wanted: Sequence[str] | None, columns: Collection[str] | Mapping[str, object]) -> None:
    """Find mistakes before a run begins rather than when it ends.

    Args:
        wanted: as `groups` has it.
        columns: further columns of the labels.

    Raises:
        ConfigError: there is no such column, or a regular expression is none.
    """
    for name in wanted or ():
        if name in columns:
            continue
        if "(" not in name:
            known = suggest(name, columns) or "the labels have no further columns"
            raise ConfigError(
                f"report.groups: no such column {name} ({known}); a regular expression needs a group in parentheses, "
                "such as 'camera_(\\d+)'"
            )
        try:
            re.compile(name)
        except re.error as error:
            raise ConfigError(f"report.groups: {name} is no regular expression: {error}") from error


def _matches(expression: str, files: Sequence[str]) -> list[str]:
    found = (re.search(expression, file) for file in files)
    return [_NO_MATCH if match is None else " ".join(text or "" for text in match.groups()) for match in found]
