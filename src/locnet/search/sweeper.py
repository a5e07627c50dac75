"""Hydra's side of a search: trials become jobs of its launcher, one batch after the other."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.core.plugins import Plugins
from hydra.plugins.launcher import Launcher
from omegaconf import DictConfig, OmegaConf

from locnet.config.jobs import JobRecord, read_record
from locnet.errors import ConfigError
from locnet.search.settings import SearchSettings
from locnet.search.space import ChoiceSpace, FloatSpace, IntSpace, from_override, text
from locnet.search.study import Proposal, Study

log = logging.getLogger(__name__)

_HOPELESS = 3
"""So many trials that all fail by a mistake in the configuration end a search."""

Spaces = dict[str, FloatSpace | IntSpace | ChoiceSpace]


def search(
    settings: SearchSettings, config: DictConfig, arguments: Sequence[str], launcher: Launcher, loader: Any
) -> None:
    """Propose trials, have them done, tell the study, until there are as many as were asked for.

    Args:
        settings: of the search.
        config: of the command, with Hydra's part.
        arguments: the settings as typed.
        launcher: does the jobs.
        loader: Hydra's, for `glob(*)`.

    Raises:
        ConfigError: there is nothing to search, or the first trials all failed by the configuration.
    """
    fixed, spaces = split_arguments(OverridesParser.create(loader).parse_overrides(list(arguments)), settings.space)
    if not spaces:
        raise ConfigError(
            "nothing to search: give hydra.sweeper.space in a file of the group sweep, or type"
            " 'optimizer.lr=interval(1e-4,1e-2)'"
        )
    sweep_dir = Path(config.hydra.sweep.dir)
    mode = OmegaConf.select(config, "monitor_mode", default="max")
    study = Study(settings, spaces, mode, sweep_dir)
    OmegaConf.save(config, sweep_dir / "multirun.yaml")
    log.warning("search         %s", ", ".join(spaces))
    log.warning("to go on later, or to help from another process: the same command with hydra.sweep.dir=%s", sweep_dir)
    records: list[JobRecord | None] = []
    with study.at_work():
        while batch := study.propose(settings.at_once):
            _launch(launcher, batch, fixed)
            for proposal in batch:
                record = read_record(sweep_dir / str(proposal.number))
                study.tell(proposal.number, record)
                records.append(record)
            failed = [record for record in records if record and record.exit_code == ConfigError.exit_code]
            if len(failed) == len(records) >= _HOPELESS:
                raise ConfigError(f"the first {len(failed)} trials all failed: {failed[-1].error}")


def split_arguments(overrides: Sequence[Override], of_file: Spaces) -> tuple[list[str], Spaces]:
    """Settings that all trials share, and the space.

    Args:
        overrides: as typed. A swept one takes the place of the file's space; a fixed one takes its key out of it.
        of_file: the space of the configuration file.
    """
    fixed, typed = [], {}
    for override in overrides:
        key = override.get_key_element()
        if override.is_sweep_override():
            typed[key] = from_override(override)
        else:
            fixed.append(key if override.is_delete() else f"{key}={override.get_value_element_as_str()}")
    given = {text.partition("=")[0].lstrip("+") for text in fixed}
    return fixed, typed or {key: space for key, space in of_file.items() if key.lstrip("+") not in given}


def _launch(launcher: Launcher, batch: Sequence[Proposal], fixed: Sequence[str]) -> None:
    jobs = [
        [
            *fixed,
            *(f"{key}={value if isinstance(value, str) else text(value)}" for key, value in proposal.params.items()),
            f"hydra.sweep.subdir={proposal.number}",
            f"hydra.sweeper.trial={proposal.number}",
        ]
        for proposal in batch
    ]
    for done in launcher.launch(jobs, initial_job_idx=batch[0].number):
        _ = done.return_value  # raises what went wrong before the job began


def launcher_of(hydra_context: Any, task_function: Any, config: DictConfig) -> Launcher:
    """The launcher that the configuration names."""
    return Plugins.instance().instantiate_launcher(
        hydra_context=hydra_context, task_function=task_function, config=config
    )
