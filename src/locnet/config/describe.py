"""A type annotation in plain words: `int` with `ge=1` is `a whole number of at least 1`."""

from __future__ import annotations

import types
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from locnet.config.messages import join_or

_NOUNS: dict[Any, tuple[str, str]] = {
    bool: ("true or false", "true/false values"),
    int: ("a whole number", "whole numbers"),
    float: ("a number", "numbers"),
    str: ("text", "texts"),
    Path: ("a path", "paths"),
    type(None): ("null", "nulls"),
}
_LISTS = (list, tuple, set, frozenset)


@dataclass(frozen=True)
class Kind:
    """A type annotation taken apart.

    Attributes:
        type: the bare type, without `Annotated` and without `None`.
        metadata: what `Annotated` and `Field` say about it (bounds, discriminator).
        nullable: `None` is allowed too.
    """

    type: Any
    metadata: tuple[Any, ...] = ()
    nullable: bool = False

    @classmethod
    def of(cls, annotation: Any, metadata: Iterable[Any] = ()) -> Kind:
        """Take an annotation apart."""
        found, nullable = list(metadata), False
        while True:
            if isinstance(annotation, FieldInfo):
                found += [*annotation.metadata, annotation]
                annotation = annotation.annotation
            elif get_origin(annotation) is Annotated:
                annotation, *more = get_args(annotation)
                found += [part for item in more for part in (*getattr(item, "metadata", ()), item)]
            elif _is_union(annotation) and type(None) in get_args(annotation):
                nullable = True
                rest = tuple(member for member in get_args(annotation) if member is not type(None))
                annotation = Union[rest]  # noqa: UP007 - built at run time
            else:
                return cls(annotation, tuple(found), nullable)

    @property
    def members(self) -> tuple[Any, ...]:
        """The alternatives of a union; empty for every other type."""
        return get_args(self.type) if _is_union(self.type) else ()

    @property
    def model(self) -> type[BaseModel] | None:
        """The pydantic model that this is, if it is one."""
        return self.type if isinstance(self.type, type) and issubclass(self.type, BaseModel) else None

    @property
    def names(self) -> list[str]:
        """The values of a `Literal` or an `Enum` as a user writes them; empty for every other type."""
        if get_origin(self.type) is Literal:
            return [str(value) for value in get_args(self.type)]
        if isinstance(self.type, type) and issubclass(self.type, Enum):
            return [str(member.value) for member in self.type]
        return []

    def item(self, index: int) -> Any:
        """The annotation of an element of a list, tuple, set or dictionary."""
        arguments = [argument for argument in get_args(self.type) if argument is not Ellipsis]
        if not arguments:
            return Any
        if get_origin(self.type) is tuple and Ellipsis not in get_args(self.type):
            return arguments[min(index, len(arguments) - 1)]
        return arguments[-1]  # the value of a dictionary stands last

    def words(self, plural: bool = False) -> str:
        """What may stand here, for `must be ...`."""
        alternatives = self._alternatives(plural) + (["null"] if self.nullable else [])
        return join_or(list(dict.fromkeys(alternatives)))

    def _alternatives(self, plural: bool) -> list[str]:
        if self.names:
            return self.names
        if self.members:
            return [text for member in self.members for text in Kind.of(member)._alternatives(plural)]
        return [self._noun(plural)]

    def _noun(self, plural: bool) -> str:
        origin = get_origin(self.type) or self.type
        if origin in _LISTS:
            return self._list(plural)
        if origin is dict or self.model:
            return "groups of keys" if plural else "a group of keys"
        noun = _NOUNS[self.type][plural] if self.type in _NOUNS else str(getattr(self.type, "__name__", self.type))
        length = self._length()
        return noun + self._bounds() + (f" of {length} characters" if length else "")

    def _list(self, plural: bool) -> str:
        noun = "lists" if plural else "a list"
        arguments = get_args(self.type)
        item = Kind.of(arguments[0]).words(plural=True) if arguments else "values"
        length = self._length()
        if get_origin(self.type) is tuple and Ellipsis not in arguments:
            length = str(len(arguments))
            item = item if len(set(map(repr, arguments))) == 1 else "values"
        return f"{noun} of {length} {item}" if length else f"{noun} of {item}"

    def _bounds(self) -> str:
        low, above = self._limit("ge"), self._limit("gt")
        high, below = self._limit("le"), self._limit("lt")
        if low is not None and high is not None:
            return f" from {low:g} to {high:g}"
        parts = [
            f"of at least {low:g}" if low is not None else None,
            f"above {above:g}" if above is not None else None,
            f"of at most {high:g}" if high is not None else None,
            f"below {below:g}" if below is not None else None,
        ]
        said = " and ".join(part for part in parts if part)
        return f" {said}" if said else ""

    def _length(self) -> str:
        fewest, most = self._limit("min_length"), self._limit("max_length")
        if fewest is None and most is None:
            return ""
        if most is None:
            return f"at least {fewest}"
        return str(most) if fewest == most else f"{fewest or 0} to {most}"

    def _limit(self, name: str) -> Any:
        found = [getattr(item, name, None) for item in self.metadata if not isinstance(item, FieldInfo)]
        return next((value for value in found if value is not None), None)


def _is_union(annotation: Any) -> bool:
    return get_origin(annotation) in (Union, types.UnionType)
