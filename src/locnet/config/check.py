"""Check a plain configuration against its schema and say in one line what is wrong with it."""

from __future__ import annotations

import json
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ValidationError

from locnet.config.describe import Kind
from locnet.config.messages import choices, join_or, nearest, one_line, shown, suggest, unknown_key
from locnet.config.places import Problem, discriminator_of, fields_of, join, problems
from locnet.errors import ConfigError

M = TypeVar("M", bound=BaseModel)

_OWN_WORDS = {"value_error", "assertion_error"}  # our validators write whole sentences
_BY_KIND = (  # ends of pydantic's error types that a description of what may stand there answers
    *("_type", "_parsing", "_from_float", "_equal", "_than", "too_short", "too_long", "instance_of"),
    *("missing", "literal_error", "enum"),
)
_MORE_NAMED = 3


def check(config: dict[str, Any], model: type[M], *, prefix: str = "") -> M:
    """Validate a resolved configuration.

    The check is as strict as YAML can tell types apart, whatever the model's own setting: 3.5, `three` and
    `true` are no whole numbers, `3` is a number but no text; a list may stand for a tuple, text for a path.

    Args:
        config: plain containers and values, as a command's `Job.config` holds them.
        model: a pydantic model; its nested models must forbid extra keys for unknown keys to be found.
        prefix: dotted key of `config` inside the whole configuration, for the message.

    Raises:
        ConfigError: one line with the dotted key, the value and what may stand there. Unknown keys go first,
            since a misspelt key is also a missing one; the number and the keys of the other errors follow.
    """
    try:
        # As JSON: pydantic's strict mode then knows that a list can be a tuple and text can be a path.
        return model.model_validate_json(json.dumps(config, default=str), strict=True)
    except ValidationError as error:
        found = list(problems(error, model, config))
    found.sort(key=lambda problem: problem.error["type"] != "extra_forbidden")
    lines: dict[str, str] = {}
    for problem in found:
        lines.setdefault(problem.dotted(prefix), _line(problem, model, prefix))
    (_, line), *more = lines.items()
    if more:
        named = ", ".join(key or "the whole" for key, _ in more[:_MORE_NAMED])
        line += f" (and {len(more)} more: {named}{', ...' if len(more) > _MORE_NAMED else ''})"
    raise ConfigError(one_line(line, limit=400))


def keys_of(model: type[BaseModel], prefix: str = "") -> list[str]:
    """All dotted keys that a model knows, inner ones included.

    Args:
        model: a pydantic model.
        prefix: put before each key.
    """
    keys = []
    for name, field in model.model_fields.items():
        key = join(prefix, field.alias or name)
        keys.append(key)
        kind = Kind.of(field)
        for member in kind.members or (kind.type,):
            inner = Kind.of(member).model
            if inner is not None and inner is not model:
                keys += keys_of(inner, key)
    return list(dict.fromkeys(keys))


def _line(problem: Problem, model: type[BaseModel], prefix: str) -> str:
    key, value, error_type = problem.dotted(prefix), problem.error["input"], problem.error["type"]
    if error_type == "extra_forbidden":
        return _unknown(problem, model, prefix)
    if error_type in _OWN_WORDS:
        said = one_line(str(problem.error["ctx"]["error"]))
        return said if not key or key in said else f"{key}: {said} (got {shown(value)})"
    if error_type.startswith("union_tag") and discriminator_of(problem.kind):
        return _wrong_tag(problem, key)
    missing = error_type == "missing" and isinstance(problem.error["loc"][-1], str)
    if problem.kind is None or not error_type.endswith(_BY_KIND):
        said = problem.error["msg"]
        return f"{key}: {said[:1].lower()}{said[1:]} (got {shown(value)})"
    return _wrong_value(key, problem.kind, value, missing)


def _wrong_value(key: str, kind: Kind, value: Any, missing: bool) -> str:
    if missing:
        one_of = f", one of {choices('', kind.names)}" if kind.names else ""
        return f"{key} has no value; give it: {key}=...{one_of}"
    if not kind.names:
        return f"{key} must be {kind.words()}, got {shown(value)}{_hint(key, kind, value)}"
    name = str(value)
    close = f"; {suggest(name, kind.names)}" if nearest(name, kind.names) else ""
    null = " or null" if kind.nullable else ""
    return f"{key} must be one of {choices(name, kind.names)}{null}, got {shown(value)}{close}"


def _wrong_tag(problem: Problem, key: str) -> str:
    """The key that chooses among the models of a union has no value, or a wrong one."""
    union, name = problem.kind, discriminator_of(problem.kind)
    assert union is not None and name is not None
    fields = [fields_of(Kind.of(member))[name] for member in union.members]
    kind = Kind(Literal[tuple(tag for field in fields for tag in Kind.of(field).names)])
    tag = problem.error.get("ctx", {}).get("tag")
    return _wrong_value(join(key, name), kind, tag, missing=tag is None)


def _unknown(problem: Problem, model: type[BaseModel], prefix: str) -> str:
    key, value = problem.dotted(prefix), problem.error["input"]
    parent, _, name = key.rpartition(".")
    discriminator = discriminator_of(problem.union)
    if problem.union and discriminator:
        others = [kind for kind in map(Kind.of, problem.union.members) if name in fields_of(kind)]
        tags = [tag for kind in others for tag in Kind.of(fields_of(kind)[discriminator]).names]
        if tags:
            chosen = f"{parent}.{discriminator}={join_or(tags)}"
            return f"unknown key {key} (={shown(value)}): it goes with {chosen} only"
    elsewhere = {other for other in keys_of(model, prefix) if other.rpartition(".")[0] != parent}
    return unknown_key(key, shown(value), elsewhere | {join(parent, field) for field in fields_of(problem.level)})


def _hint(key: str, kind: Kind, value: Any) -> str:
    if kind.type in (int, float) and isinstance(value, str) and shown(value) == f'"{value}"':
        return "; write it without quotes"
    if kind.type is str and isinstance(value, (int, float, bool)):
        return f"""; to mean text, quote it: '{key}="{shown(value)}"'"""
    return ""
