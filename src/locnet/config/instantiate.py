"""Build objects from `_target_` nodes; the one place that calls Hydra's `instantiate`."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Container, Iterable, Mapping
from types import ModuleType
from typing import Any

from locnet.config.messages import nearest, one_line, shown, suggest
from locnet.errors import ConfigError

ALLOWED = ("pytorch_lightning", "lightning_fabric", "locnet", "torch", "torchmetrics", "wandb")
"""The packages whose classes a configuration may build; `allow_targets` adds the user's own."""

_HYDRAS_KEYS = frozenset({"_target_", "_partial_", "_recursive_", "_convert_"})
_NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


def build(node: Mapping[str, Any], *, key: str, allow_targets: Iterable[str] = (), **extra: Any) -> Any:
    """Build what a node describes, the nodes inside it first.

    What can be checked is checked before the target is called: that it may be built at all, that it exists,
    and that the keys fit its signature. `_partial_: true` gives a callable that waits for the rest.

    Args:
        node: a plain dictionary with `_target_` and keyword arguments; nodes inside it are built too.
        key: the node's dotted key, for the messages.
        allow_targets: packages (`mypkg`) or objects (`mypkg.callbacks.Mine`) that are allowed besides
            `ALLOWED`. Functions are allowed from these and from locnet only: much in torch is no constructor.
        **extra: live arguments that the program itself sets; the node must not set them.

    Returns:
        The object. It never sees a container of OmegaConf: those have leaked into optimisers and pickles.

    Raises:
        ConfigError: one line with the dotted key, the value and the way out.
    """
    allowed = tuple(name.rstrip(".") for name in allow_targets)
    return _build(node, key, allowed, extra)


def _build(node: Mapping[str, Any], key: str, allowed: tuple[str, ...], extra: Mapping[str, Any]) -> Any:
    if "_target_" not in node:
        raise ConfigError(f"{key}._target_ has no value; give it the class to build: {key}._target_=...")
    if "_args_" in node:
        raise ConfigError(f"{key}._args_: arguments must be named; write {key}.NAME=...")
    target = _find(node["_target_"], f"{key}._target_", allowed)
    partial = node.get("_partial_") is True
    given = {name: value for name, value in node.items() if name not in _HYDRAS_KEYS}
    for name in given.keys() & extra.keys():
        raise ConfigError(f"{key}.{name} cannot be set here: the program sets it")
    _check_arguments(target, node["_target_"], given, key)
    if not partial:
        _check_complete(target, node["_target_"], {*given, *extra}, key)
    arguments = {name: _inner(value, f"{key}.{name}", allowed) for name, value in given.items()}
    return _call(node["_target_"], {**arguments, **extra}, key, partial)


def _inner(value: Any, key: str, allowed: tuple[str, ...]) -> Any:
    if isinstance(value, Mapping):
        if "_target_" in value:
            return _build(value, key, allowed, {})
        return {name: _inner(item, f"{key}.{name}", allowed) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_inner(item, f"{key}.{index}", allowed) for index, item in enumerate(value)]
    return value


def _find(target: Any, key: str, allowed: tuple[str, ...]) -> Callable[..., Any]:
    """The object that a target names, if a configuration may build it."""
    if not isinstance(target, str) or not all(part.isidentifier() for part in target.split(".")):
        raise ConfigError(f"{key} must be the dotted name of a class, got {shown(target)}")
    _refuse_unless_below(target, (*ALLOWED, *allowed), f"{key} (={target})")
    found = _locate(target, key)
    # `torch.os.system` is spelt like torch's and is not: what counts is where the object was defined.
    home = f"{getattr(found, '__module__', '')}.{getattr(found, '__qualname__', '')}"
    _refuse_unless_below(home, (*ALLOWED, *allowed), f"{key} (={target}), which is {home}")
    if not isinstance(found, type) and not (callable(found) and _is_below(target, ("locnet", *allowed))):
        raise ConfigError(f"{key} (={target}) is not a class")
    constructor: Callable[..., Any] = found
    return constructor


def _refuse_unless_below(name: str, allowed: tuple[str, ...], start: str) -> None:
    if not _is_below(name, allowed):
        way_out = f"if you trust it, set allow_targets=[{name.partition('.')[0]}]"
        raise ConfigError(f"{start}: only classes of {', '.join(allowed)} may be built; {way_out}")


def _is_below(name: str, packages: Iterable[str]) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def _locate(target: str, key: str) -> Any:
    """Import the module of a dotted name, then go down its attributes."""
    first, *rest = target.split(".")
    found: Any = _import(first, target, key)
    path = first
    for part in rest:
        if isinstance(found, ModuleType) and not hasattr(found, part):
            inner = _import(f"{path}.{part}", target, key)
            if inner is None:
                names = [name for name in dir(found) if not name.startswith("_")]
                close = f"; {suggest(part, names)}" if nearest(part, names) else ""
                raise ConfigError(f"{key} (={target}): there is no {part} in {path}{close}")
            found = inner
        elif not hasattr(found, part):
            raise ConfigError(f"{key} (={target}): there is no {part} in {path}")
        else:
            found = getattr(found, part)
        path = f"{path}.{part}"
    return found


def _import(module: str, target: str, key: str) -> ModuleType | None:
    """The module; None if there is none of this name inside an existing package."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name == module and "." in module:
            return None
        raise ConfigError(f"{key} (={target}): cannot import {module}: {one_line(str(error))}") from error
    except ImportError as error:
        raise ConfigError(f"{key} (={target}): cannot import {module}: {one_line(str(error))}") from error


def _check_arguments(target: Callable[..., Any], name: str, given: Mapping[str, Any], key: str) -> None:
    """Find keys of a node that its target has no parameter for."""
    parameters = _parameters(target)
    known = [parameter.name for parameter in parameters if parameter.kind in _NAMED]
    if not parameters or any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters):
        return
    for argument, value in given.items():
        if argument not in known:
            close = [f"{key}.{other}" for other in nearest(argument, known)]
            hint = suggest(f"{key}.{argument}", close) if close else suggest(argument, known)
            start = f"unknown key {key}.{argument} (={shown(value)})"
            raise ConfigError(f"{start}: {name.rpartition('.')[2]} has no such parameter; {hint}")


def _check_complete(target: Callable[..., Any], name: str, given: Container[str], key: str) -> None:
    """Find parameters without a default that nothing is given for."""
    for parameter in _parameters(target):
        needed = parameter.kind in _NAMED and parameter.default is inspect.Parameter.empty
        if needed and parameter.name not in given:
            full, short = f"{key}.{parameter.name}", name.rpartition(".")[2]
            raise ConfigError(f"{full} has no value, and {short} needs it; give it: {full}=...")


def _parameters(target: Callable[..., Any]) -> list[inspect.Parameter]:
    try:
        return list(inspect.signature(target).parameters.values())
    except ValueError:  # some classes written in C do not say
        return []


def _call(target: str, arguments: dict[str, Any], key: str, partial: bool) -> Any:
    """Have Hydra make a factory, with its block-list, and call that with plain Python.

    Hydra sees the target alone: arguments that pass through its `instantiate` are merged into a config, which
    copies live objects and takes dataclasses apart. hydra-core 1.4 deprecates `instantiate` without a white
    list and renames that argument from one pre-release to the next (hydra-core is below 1.4 for this reason);
    pass `ALLOWED` there when 1.4 is out.
    """
    from functools import partial as bind

    from hydra.errors import InstantiationException
    from hydra.utils import instantiate

    try:
        factory = instantiate({"_target_": target, "_partial_": True}, _convert_="all")
        return bind(factory, **arguments) if partial else factory(**arguments)
    except InstantiationException as error:
        raise ConfigError(f"{key}._target_ (={target}): {one_line(str(error))}") from error
    except (TypeError, ValueError, ImportError) as error:
        raise ConfigError(_refusal(key, target, error)) from error
    except Exception as error:
        if _is_misconfiguration(error):
            raise ConfigError(_refusal(key, target, error)) from error
        raise


def _is_misconfiguration(error: Exception) -> bool:
    """Whether Lightning says that its user made a mistake (by name: a tiny target needs no Lightning)."""
    return any(cls.__name__ == "MisconfigurationException" for cls in type(error).__mro__)


def _refusal(key: str, target: str, error: Exception) -> str:
    said = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
    return f"{key}: {target.rpartition('.')[2]} refuses these settings: {one_line(said)}"
