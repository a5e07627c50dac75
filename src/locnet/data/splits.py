"""Splits by a stable hash: an image's split depends on its key alone, so more images move no old one."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from locnet.config.messages import suggest
from locnet.data.strings import Strings
from locnet.errors import ConfigError


def hash_split(keys: Iterable[str], *, val: float, test: float, seed: int = 0) -> NDArray[np.str_]:
    """Assign each key to train, val or test.

    Args:
        keys: one string an image, e.g. its relative path; equal keys get the same split.
        val: expected share of val, in [0, 1).
        test: expected share of test, in [0, 1); `val + test < 1`.
        seed: another seed gives another assignment.

    Returns:
        `(len(keys),)` str.
    """
    points = np.array([_unit(f"{seed}:{key}") for key in keys])
    return np.where(points < test, "test", np.where(points < test + val, "val", "train"))


def complete(
    splits: NDArray[np.str_], keys: Callable[[], Iterable[str]], *, val: float, test: float, seed: int = 0
) -> tuple[NDArray[np.str_], str]:
    """Fill in what the labels leave open.

    Where they name no split at all, the hash decides for every image. Where they name train and only one of val
    and test, the missing one is cut from train, by the same hash and with its share.

    Args:
        splits: `(N,)` str, empty for all or for none.
        keys: gives the keys of `hash_split`, when they are needed.
        val: see `hash_split`.
        test: see `hash_split`.
        seed: see `hash_split`.

    Returns:
        `(N,)` str without empty ones, and what was done, in words; empty for nothing.
    """
    given = {name for name in ("train", "val", "test") if (splits == name).any()}
    if not given:
        return hash_split(keys(), val=val, test=test, seed=seed), f"split by hash: val {val:.0%}, test {test:.0%}"
    missing = [name for name, share in (("val", val), ("test", test)) if name not in given and share > 0]
    if "train" not in given or not missing:
        return splits, ""
    hashed = hash_split(keys(), val=val, test=test, seed=seed)
    moved = (splits == "train") & np.isin(hashed, missing)
    shares = {"val": val, "test": test}
    words = ", ".join(f"{shares[name]:.0%} of train by hash are {name}" for name in missing)
    return np.where(moved, hashed, splits), f"the labels name no {' and no '.join(missing)}: {words}"


def split_keys(files: Strings, group: str | None, extra: Mapping[str, Strings], ignore: str = "") -> list[str]:
    """What the hash looks at: images of one key stay together.

    Args:
        files: image paths.
        group: None for each image's path; the name of a column; or a regular expression with a group in
            parentheses, whose match in the path is the key.
        extra: the columns.
        ignore: a folder that all paths begin with and that has no say, so that moving the images changes nothing.

    Raises:
        ConfigError: there is no such column, or the expression is none, or does not match a path.
    """
    if group is None:
        return [file.removeprefix(ignore) for file in files]
    if "(" not in group:
        if group not in extra:
            known = suggest(group, extra) or "the labels have no further columns"
            raise ConfigError(
                f"data.split.group={group}: no such column ({known}); a regular expression needs a group in "
                "parentheses, such as 'patient_(\\d+)'"
            )
        return extra[group].tolist()
    try:
        pattern = re.compile(group)
    except re.error as error:
        raise ConfigError(f"data.split.group={group} is no regular expression: {error}") from error
    keys = []
    for file in files:
        match = pattern.search(file)
        if match is None or match.lastindex is None:
            raise ConfigError(f"data.split.group={group} finds no key in {file}; it must match every path")
        keys.append("\0".join(text or "" for text in match.groups()))
    return keys


def _unit(text: str) -> float:
    """A point in [0, 1) that depends on the text alone, on every machine."""
    return int.from_bytes(hashlib.sha256(text.encode(errors="surrogateescape")).digest()[:7], "big") / 2**56


def parse_split(name: Any) -> str:
    """The split that a folder or file name means: `Training`, `valid`, `val2017`; empty for none."""
    word = re.sub(r"[\d_\-]+$", "", str(name).lower())
    return _NAMES.get(word, "")


_NAMES = {
    **dict.fromkeys(("train", "training", "trainval"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev"), "val"),
    **dict.fromkeys(("test", "testing"), "test"),
}
