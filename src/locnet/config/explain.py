"""Hydra's errors in one line each: the key, the value, and what could have been meant."""

from __future__ import annotations

import re
from collections.abc import Callable

from hydra.errors import (
    ConfigCompositionException,
    HydraException,
    MissingConfigException,
    OverrideParseException,
    SearchPathException,
)
from omegaconf.errors import OmegaConfBaseException
from yaml import MarkedYAMLError  # type: ignore[import-untyped]

from locnet.config.command_line import CommandLine, split
from locnet.config.messages import choices, join_or, nearest, one_line, suggest, unknown_key
from locnet.config.syntax import explain_syntax
from locnet.config.tree import Tree

_ALL_KEYS = " (all keys: --cfg job)"


def explain(error: Exception, line: CommandLine) -> str | None:
    """What is wrong with what was typed, or with a configuration file.

    Args:
        error: what Hydra raised before the job began.
        line: what was typed.

    Returns:
        One line; None for an error that is not the user's.
    """
    if isinstance(error, OSError) and not isinstance(error, HydraException):
        hint = "" if str(error.filename).endswith(".yaml") else "; choose another run directory: hydra.run.dir=DIR"
        return f"{error.filename}: {error.strerror}{hint}" if error.filename else None
    try:
        text = _explain(error, Tree(line))
    except Exception:  # a failure to explain must not hide what there was to explain
        text = str(error)
    return None if text is None else one_line(text)


def explain_value(error: OmegaConfBaseException, keys: set[str]) -> str:
    """Why the value of a key cannot be worked out.

    Args:
        error: what OmegaConf raised.
        keys: the dotted keys of the configuration.
    """
    said = str(error).split("\n")[0]
    key = error.full_key or ""
    missing = re.match(r"Interpolation key '(.*)' not found", said)
    if missing:
        close = f"; {suggest(missing[1], keys, keys=True)}" if nearest(missing[1], keys, keys=True) else ""
        said = f"there is no key {missing[1]} to take the value from{close}"
    said = re.sub(r"^\w+ (raised )?while resolving interpolation: ", "", said).strip('"')
    said = re.sub(r"^Unsupported interpolation type (.*)", r"there is no resolver ${\1:...}", said)
    return one_line(f"{key}: {said[:1].lower()}{said[1:]}" if key else said)


def _explain(error: Exception, tree: Tree) -> str | None:  # noqa: PLR0911 - one answer for each type
    if isinstance(error, OverrideParseException):
        return explain_syntax(error.override, str(error), tree)
    if isinstance(error, MissingConfigException):
        return _no_such_option(error.missing_cfg_file or "", tree) if error.missing_cfg_file else str(error)
    if isinstance(error, SearchPathException):
        return f"--config-dir {tree.line.extra}: no such folder"
    if isinstance(error, ConfigCompositionException):
        return _not_composed(error, tree)
    if isinstance(error, OmegaConfBaseException):
        return explain_value(error, tree.keys())
    if isinstance(error, MarkedYAMLError):
        mark = error.problem_mark
        place = f"{mark.name} line {mark.line + 1}" if mark else "a configuration file"
        return f"{place}: {error.problem}"
    if isinstance(error, UnicodeDecodeError):
        return f"{_not_utf8(tree)}: not UTF-8 text"
    if isinstance(error, HydraException) or (isinstance(error, ValueError) and _is_raised_by_hydra(error)):
        return _wrong_choice(tree) if "Config group override must be" in str(error) else str(error)
    return None


def _not_composed(error: ConfigCompositionException, tree: Tree) -> str:
    said, cause = str(error), error.__cause__
    if isinstance(cause, OmegaConfBaseException) and cause.full_key:  # `head={a: 1}`: the unknown key is head.a
        said = re.sub(r"(?<=override ')(.+?)(?='\.)", lambda match: _longer(cause.full_key, match[0]), said)
    for pattern, answer in _ANSWERS:
        match = re.match(pattern, said)
        if match:
            return answer(match, tree)
    if isinstance(cause, OmegaConfBaseException):
        return explain_value(cause, tree.keys())
    return re.sub(r"\n\s*(full_key|object_type|reference_type)\b.*", "", said)


def _longer(full: str | None, key: str) -> str:
    return full if full and full.startswith(f"{key}.") else key


def _unknown(match: re.Match[str], tree: Tree) -> str:
    """`Could not override 'x'`: a key that is not there, or a group."""
    key = match[1]
    value = next((split(text)[2] for text in tree.line.overrides if split(text)[1] == key), match["value"])
    group, owners = tree.owners(key)
    if owners:
        have = join_or([f"{group}={option}" for option in owners])
        chosen = tree.chosen(group)
        if chosen:
            return f"unknown key {key} (={value}): {group}={chosen} has no such key, {have} has{_ALL_KEYS}"
        return f"unknown key {key} (={value}): no {group} is chosen; choose {have}{_ALL_KEYS}"
    if tree.is_group(key):
        return f"group {key} is not part of this command (={value}); to add it write +{key}={value}"
    if tree.is_open(key.rpartition(".")[0]):
        return f"{key} is not there yet; to add it write +{key}={value}"
    return unknown_key(key, value, tree.keys(hydra=key.startswith("hydra"))) + _ALL_KEYS


def _unknown_group(match: re.Match[str], tree: Tree) -> str:
    """A defaults list overrides a group that is not there."""
    config, group = match[1], match[2]
    place = tree.who_asks(group) or f"{config}.yaml"
    if tree.is_group(group):
        return f"{place}: group {group} is not part of this command, so there is nothing to override"
    return f"{place}: unknown group {group}; {suggest(group, tree.groups())}"


def _no_such_option(missing: str, tree: Tree) -> str:
    group, _, option = missing.rpartition("/")
    if missing in _EXTRAS:
        return f"{group}={option} needs a package: pip install 'locnet[{_EXTRAS[missing]}]'"
    options = tree.options(group)
    if not group:
        options = [name for name in options if not name.startswith("_")]
        return f"--config-name {option}: no such configuration in {tree.line.conf}; {suggest(option, options)}"
    if not options:
        place = tree.who_asks(group, option) or tree.who_asks(group)
        return f"{place + ': ' if place else ''}unknown group {group}; {suggest(group, tree.groups())}"
    typed = any(split(text)[1] == group and option in split(text)[2] for text in tree.line.overrides)
    place = "" if typed else tree.who_asks(group, option)
    close = [f"{group}={name}" for name in nearest(option, options, count=1)]
    meant = f"did you mean {close[0]}? " if close else ""
    return (
        f"{place + ': ' if place else ''}unknown option {group}={option}; "
        f"{meant}options of {group}: {choices(option, options)}"
    )


def _wrong_choice(tree: Tree) -> str:
    """A group was given something that is no name, such as 3 or null."""
    for text in tree.line.overrides:
        _, key, value = split(text)
        if not key:
            return f"cannot read {text}: there is no key before ="
        if tree.is_group(key) and value not in tree.options(key):
            without = f"; to leave the group out write ~{key}" if value in ("null", "") else ""
            return _no_such_option(f"{key}/{value}", tree) + without
    return "a group must be given the name of an option"


def _not_chosen(match: re.Match[str], tree: Tree) -> str:
    group = match[1]
    return f"no {group} is chosen; choose {group}=OPTION, options: {choices('', tree.options(group))}"


def _is_there_already(match: re.Match[str], tree: Tree) -> str:
    plain = next((text for text in tree.line.overrides if split(text)[1] == match[1]), match[1]).lstrip("+")
    return f"{match[1]} is there already; write {plain} (without +)"


def _chosen_twice(match: re.Match[str], tree: Tree) -> str:
    group = match[1]
    added = [text for text in tree.line.overrides if split(text)[:2] == ("+", group)]
    if added:
        return f"{group} is chosen already; write {added[0].lstrip('+')} (without +)"
    return f"{group} is chosen in two configuration files; write 'override /{group}: ...' in the later one"


def _several_values(match: re.Match[str], _tree: Tree) -> str:
    text = match[1]
    key, value = text.split("=", 1)
    as_list = f", for one list write '{key}=[{value}]'" if "(" not in value else ""
    return f"{text} has several values: to run them all add -m{as_list}"


def _not_deleted(match: re.Match[str], tree: Tree) -> str:
    key = match[1].split("=")[0]
    chosen = tree.chosen(key)
    if chosen:
        return f"cannot remove {match[1]}: the choice is {key}={chosen}"
    close = f"; {suggest(key, tree.keys(), keys=True)}" if nearest(key, tree.keys(), keys=True) else ""
    return f"cannot remove {match[1]}: it is not there{close}"


def _not_utf8(tree: Tree) -> str:
    broken = (path for path in tree.files() if not _is_utf8(path.read_bytes()))
    return str(next(broken, "a configuration file"))


def _is_utf8(content: bytes) -> bool:
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _is_raised_by_hydra(error: Exception) -> bool:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is not None and str(trace.tb_frame.f_globals.get("__name__")).startswith("hydra.")


# Options that other packages bring, and our extra that installs them.
_EXTRAS = {
    "hydra/launcher/joblib": "joblib",
    "hydra/launcher/submitit_local": "slurm",
    "hydra/launcher/submitit_slurm": "slurm",
}

# The texts of hydra-core 1.3; a text that is not here is passed on as one line. Look again at hydra-core 1.4.
_ANSWERS: list[tuple[str, Callable[[re.Match[str], Tree], str]]] = [
    (r"In '(.+?)': Could not override '(.+?)'", _unknown_group),
    (r"(?s)Could not override '(.+?)'.*use \+[^=]*=?(?P<value>.*)", _unknown),
    (r"You must specify '(.+?)'", _not_chosen),
    (r"Ambiguous value for argument '(.*)'", _several_values),
    (r"Sweep parameters '(.*)' requires --multirun", _several_values),
    (r"Could not append to config. An item is already at '(.+?)'", _is_there_already),
    (r"Multiple values for (\S+)\.", _chosen_twice),
    (r"Could not delete from config. '(.+?)' does not exist", _not_deleted),
    (r"Could not delete '(.+?)'. No match", _not_deleted),
]
