"""Words for error lines: nearest names, bounded lists, values as a user would write them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher
from typing import Any

_ENOUGH = 0.6  # the cutoff of difflib.get_close_matches; below it a suggestion is a guess
_CLEAR_WIN = 0.06  # the best name stands alone when it is so much better than the next
_LONGEST_LIST = 8
_YAML_WORDS = frozenset({"", "true", "false", "null", "none", "yes", "no", "on", "off", "~"})


def nearest(
    name: str, valid: Iterable[str], count: int = 3, cutoff: float = _ENOUGH, *, keys: bool = False
) -> list[str]:
    """The names that a user may have meant, best first.

    Args:
        name: what was written.
        valid: what may be written.
        count: at most so many.
        cutoff: likeness in [0, 1] that a name needs; 0 ranks all of them.
        keys: the names are dotted keys: those at the same level or with the same last part are likely.

    Returns:
        Names of `valid`, the likest first, ties in alphabetical order.
    """
    likeness = _key_likeness if keys else _likeness
    ranked = sorted((-likeness(name, other), other) for other in set(valid))
    return [other for score, other in ranked if -score >= cutoff][:count]


def suggest(name: str, valid: Iterable[str], *, keys: bool = False) -> str:
    """`did you mean grid?`, or the valid names when none is close; empty when there are none.

    Args:
        name: what was written.
        valid: what may be written; thousands of names are fine, only the nearest are shown.
        keys: see `nearest`.
    """
    names = sorted(set(valid))
    close = nearest(name, names, keys=keys)
    if close:
        likeness = _key_likeness if keys else _likeness
        best = likeness(name, close[0])
        return f"did you mean {join_or([o for o in close if likeness(name, o) > best - _CLEAR_WIN])}?"
    return f"valid: {choices(name, names)}" if names else ""


def choices(name: str, valid: Iterable[str]) -> str:
    """All valid names, the nearest to `name` first; only the nearest five when there are many."""
    names = sorted(set(valid))
    ranked = nearest(name, names, count=len(names), cutoff=0.0)
    if len(ranked) <= _LONGEST_LIST:
        return ", ".join(ranked)
    return f"{', '.join(ranked[:5])} (the nearest of {len(ranked):,})"


def unknown_key(key: str, value: str, valid: Iterable[str]) -> str:
    """`unknown key trainer.max_epoch (=3); did you mean trainer.max_epochs?`.

    Args:
        key: the dotted key as written.
        value: its value, as `shown` or as typed.
        valid: dotted keys that exist.
    """
    names = set(valid)
    parent = key.rpartition(".")[0]
    start = f"unknown key {key} (={value})"
    others = {name for name in names if not f"{key}.".startswith(f"{name}.")}  # neither itself nor its parents
    if nearest(key, others, keys=True):
        return f"{start}; {suggest(key, others, keys=True)}"
    siblings = {name for name in others if name.rpartition(".")[0] == parent}
    if siblings:
        return f"{start}; valid: {choices(key, siblings)}" if len(siblings) <= _LONGEST_LIST else start
    if parent in names:
        return f"{start}: {parent} is a single value"
    return f"{start}; {suggest(parent, names, keys=True)}" if nearest(parent, names, keys=True) else start


def join_some(names: Sequence[str], most: int = 5) -> str:
    """`a, b, c`; only the first ones when there are many."""
    return ", ".join(names[:most]) + (", ..." if len(names) > most else "")


def join_or(names: Sequence[str]) -> str:
    """`a`, `a or b`, `a, b or c`."""
    return " or ".join(part for part in (", ".join(names[:-1]), names[-1]) if part)


def shown(value: Any, limit: int = 60) -> str:
    """A value as it would stand in a YAML file, on one line, cut to `limit` characters."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    if isinstance(value, str) and (_needs_quotes(value) or not value.isprintable()):
        text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= limit else f"{text[: limit - 3]}..."


def one_line(text: str, limit: int = 300) -> str:
    """The text with line breaks and runs of blanks made into one blank each, cut to `limit` characters."""
    flat = " ".join(text.split())
    return flat if len(flat) <= limit else f"{flat[: limit - 3]}..."


def _needs_quotes(text: str) -> bool:
    if text.lower() in _YAML_WORDS or text != text.strip():
        return True
    try:
        float(text)
    except ValueError:
        return False
    return True


def _likeness(name: str, other: str) -> float:
    """How like two names are, in [0, 1]: 1 is equal but for case, `-` and `_`."""
    name, other = _folded(name), _folded(other)
    if name == other:
        return 1.0
    score = SequenceMatcher(None, name, other).ratio()
    inside = len(name) >= 3 and (name in other or other in name)
    return max(score, 0.75) if inside else score


def _key_likeness(key: str, other: str) -> float:
    """How like two dotted keys are: what matters is the last part, then where it stands."""
    parent, _, last = key.rpartition(".")
    other_parent, _, other_last = other.rpartition(".")
    if parent == other_parent:
        return _likeness(last, other_last)
    whole = SequenceMatcher(None, _folded(key), _folded(other)).ratio()
    if _folded(last) == _folded(other_last):
        return 0.9 + 0.05 * whole
    return max(0.8 * whole, 0.85 * _likeness(last, other_last) if not parent else 0.0)


def _folded(text: str) -> str:
    return text.lower().replace("-", "_")
