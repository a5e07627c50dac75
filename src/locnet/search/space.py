"""The search space: what each key may be, typed, from a configuration file or from the command line."""

from __future__ import annotations

import itertools
import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from hydra.core.override_parser.types import IntervalSweep, Override, RangeSweep
from pydantic import Field, model_validator

from locnet.config.isolation import quoted
from locnet.config.schema import Settings
from locnet.errors import ConfigError

MAX_GRID = 10_000
_PLAIN = re.compile(r"(?!(?:null|true|false|nan|inf)$)[a-z_][\w./-]*", re.ASCII | re.IGNORECASE)


class FloatSpace(Settings):
    """A number from `low` to `high`, both included."""

    type: Literal["float"]
    low: float
    high: float
    log: bool = False
    step: Annotated[float, Field(gt=0)] | None = None

    @model_validator(mode="after")
    def _is_a_range(self) -> FloatSpace:
        _check_range(self.low, self.high, self.log)
        if self.log and self.step:
            raise ValueError("log and step exclude each other")
        return self


class IntSpace(Settings):
    """A whole number from `low` to `high`, both included."""

    type: Literal["int"]
    low: int
    high: int
    log: bool = False
    step: Annotated[int, Field(ge=1)] = 1

    @model_validator(mode="after")
    def _is_a_range(self) -> IntSpace:
        _check_range(self.low, self.high, self.log)
        if self.log and self.step > 1:
            raise ValueError("log and step exclude each other")
        return self


class ChoiceSpace(Settings):
    """One of several values, or of several options of a config group."""

    type: Literal["choice"]
    values: Annotated[list[Any], Field(min_length=1)]


Space = Annotated[FloatSpace | IntSpace | ChoiceSpace, Field(discriminator="type")]


def _check_range(low: float, high: float, log: bool) -> None:
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ValueError(f"low={low} must be below high={high}")
    if log and low <= 0:
        raise ValueError(f"log needs a range above 0, low is {low}")


def from_override(override: Override) -> FloatSpace | IntSpace | ChoiceSpace:
    """The space of a swept setting of the command line.

    `a,b`, `choice(a,b)` and `glob(*)` are choices, `range(a,b,step)` keeps the order of its numbers (`b` excluded, as
    Hydra has it), `interval(a,b)` is continuous, `int(interval(a,b))` whole, `tag(log,interval(a,b))` logarithmic.
    """
    value = override.value()
    log = "log" in getattr(value, "tags", ())
    try:
        if isinstance(value, IntervalSweep):
            low, high = value.start, value.end
            if isinstance(low, int) and isinstance(high, int) and "int(" in (override.input_line or ""):
                return IntSpace(type="int", low=low, high=high, log=log)
            return FloatSpace(type="float", low=float(low or 0), high=float(high or 0), log=log)
        numbers = list(value.range()) if isinstance(value, RangeSweep) else []
    except ValueError as error:
        raise ConfigError(f"{override.input_line}: {_said(error)}") from error
    if isinstance(value, RangeSweep) and not value.shuffle and len(numbers) > 1:
        step, low, high = abs(value.step), min(numbers), max(numbers)
        if all(isinstance(number, int) for number in (step, *numbers)):
            return IntSpace(type="int", low=int(low), high=int(high), step=int(step))
        return FloatSpace(type="float", low=float(low), high=float(high), step=float(step))
    # written as Hydra would write them: they go back to it unchanged
    return ChoiceSpace(type="choice", values=[_Text(text) for text in override.sweep_string_iterator()])


def distribution(space: FloatSpace | IntSpace | ChoiceSpace) -> Any:
    """Optuna's word for a space."""
    from optuna import distributions

    if isinstance(space, FloatSpace):
        return distributions.FloatDistribution(space.low, space.high, log=space.log, step=space.step)
    if isinstance(space, IntSpace):
        return distributions.IntDistribution(space.low, space.high, log=space.log, step=space.step)
    return distributions.CategoricalDistribution([text(value) for value in space.values])


def grid(spaces: Mapping[str, FloatSpace | IntSpace | ChoiceSpace]) -> list[dict[str, Any]]:
    """All points of a space, the last key changing fastest.

    Raises:
        ConfigError: a space is continuous, or there are too many points.
    """
    axes = [_axis(key, space) for key, space in spaces.items()]
    size = math.prod(len(axis) for axis in axes)
    if size > MAX_GRID:
        raise ConfigError(f"the grid has {size:,} points, more than {MAX_GRID:,}; search with sweep=optuna")
    return [dict(zip(spaces, point, strict=True)) for point in itertools.product(*axes)]


def _axis(key: str, space: FloatSpace | IntSpace | ChoiceSpace) -> Sequence[Any]:
    if isinstance(space, ChoiceSpace):
        return [text(value) for value in space.values]
    if isinstance(space, IntSpace) and not space.log:
        return range(space.low, space.high + 1, space.step)
    if isinstance(space, FloatSpace) and space.step:
        steps = math.floor((space.high - space.low) / space.step * (1 + 1e-9))
        return [space.low + index * space.step for index in range(steps + 1)]
    raise ConfigError(f"sweep=grid needs single values: give {key} a step, or type: choice with values")


def text(value: Any) -> str:
    """A value as it stands behind `key=` on the command line."""
    if isinstance(value, _Text):
        return str(value)
    if isinstance(value, str):
        return value if _PLAIN.fullmatch(value) else quoted(value)
    return repr(value) if isinstance(value, float) else json.dumps(value)


class _Text(str):
    """Text that Hydra's grammar has written itself."""

    __slots__ = ()


def _said(error: ValueError) -> str:
    lines = [line.strip() for line in str(error).splitlines()]
    return next((line.partition(", ")[2].split(" [")[0] for line in lines if line.startswith("Value error")), lines[0])
