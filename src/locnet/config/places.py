"""Where in the configuration an error of pydantic lies, and what may stand there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from locnet.config.describe import Kind


@dataclass(frozen=True)
class Problem:
    """One error at its place in the configuration.

    Attributes:
        error: what pydantic says.
        key: the place, without the union members that pydantic puts into it.
        kind: what may stand there; None where nothing may.
        level: the model that the last part of the key was looked up in.
        union: the union that `level` was chosen from, if it was.
        branches: which member of which undiscriminated union was tried on the way.
    """

    error: ErrorDetails
    key: tuple[str | int, ...]
    kind: Kind | None
    level: Kind | None
    union: Kind | None
    branches: tuple[tuple[tuple[str | int, ...], str], ...]

    def dotted(self, prefix: str) -> str:
        """The dotted key inside the whole configuration."""
        return join(prefix, *self.key)


def problems(error: ValidationError, model: type[BaseModel], config: Any) -> Iterator[Problem]:
    """The errors with their places, without those of union members that the value is not meant to be.

    Args:
        error: what the validation raised.
        model: the model that was validated against.
        config: what was validated.
    """
    details = error.errors(include_url=False)
    found = [problem for item in details if (problem := _place(item, model, config))]
    if not found:  # a union of a sort that is not known here
        yield Problem(details[0], details[0]["loc"], None, None, None, ())
    counts = Counter(branch for problem in found for branch in problem.branches)
    for problem in found:
        for key, member in problem.branches:
            rivals = [branch for branch in counts if branch[0] == key]  # in the order of the union
            if min(rivals, key=lambda branch: counts[branch]) != (key, member):
                break
        else:
            yield problem


def _place(details: ErrorDetails, model: type[BaseModel], data: Any) -> Problem | None:
    """Walk the location through the types: a location alone does not tell keys from union members."""
    kind: Kind | None = Kind(model)
    level: Kind | None = None
    union: Kind | None = None
    key: list[str | int] = []
    branches: list[tuple[tuple[str | int, ...], str]] = []
    steps = details["loc"]
    if details["type"] == "missing" and isinstance(steps[-1], int):
        steps = steps[:-1]  # a tuple that is too short is wrong as a whole
    for step in steps:
        if kind is None:
            break
        if kind.members:
            if not isinstance(data, dict) or not any(Kind.of(member).model for member in kind.members):
                break  # the union as a whole is what the value must be
            member = _member(kind, str(step))
            if member is None:
                return None  # not what a group of keys is meant to be
            if discriminator_of(kind) is None:
                branches.append((tuple(key), str(step)))
            union, kind = kind, member
            continue
        union = union if kind.model else None
        key.append(step)
        data = _get(data, step)
        level, kind = kind, _inner(kind, step)
        if kind is not None:
            union = None
    return Problem(details, tuple(key), kind, level, union, tuple(branches))


def _inner(kind: Kind, step: str | int) -> Kind | None:
    if kind.model:
        fields = fields_of(kind)
        return Kind.of(fields[str(step)]) if step in fields else None
    return Kind.of(kind.item(step if isinstance(step, int) else 0))


def fields_of(kind: Kind | None) -> dict[str, FieldInfo]:
    """The fields of a model by the name that the configuration uses; empty for every other type."""
    if kind is None or kind.model is None:
        return {}
    return {field.alias or name: field for name, field in kind.model.model_fields.items()}


def _get(data: Any, step: str | int) -> Any:
    try:
        return data[step]
    except (KeyError, IndexError, TypeError):
        return None


def discriminator_of(kind: Kind | None) -> str | None:
    """The key that chooses among the members of a union, if one does."""
    found = [getattr(item, "discriminator", None) for item in (kind.metadata if kind else ())]
    return next((name for name in found if isinstance(name, str)), None)


def _member(kind: Kind, tag: str) -> Kind | None:
    """The member of a union of models that pydantic calls `tag`."""
    name = discriminator_of(kind)
    for member in map(Kind.of, kind.members):
        if member.model is None:
            continue
        if name is None and member.model.__name__ == tag:
            return member
        if name is not None and tag in Kind.of(member.model.model_fields[name]).names:
            return member
    return None


def join(*parts: str | int) -> str:
    """A dotted key from its parts; empty ones do not count."""
    return ".".join(str(part) for part in parts if part != "")
