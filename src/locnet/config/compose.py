"""Compose a configuration without a command line: for tests, benchmarks and notebooks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf, open_dict

from locnet.config import resolvers
from locnet.config.location import config_dir


def compose(command: str, overrides: Sequence[str] = (), *, run_dir: str = "run") -> dict[str, Any]:
    """The configuration of a command as plain, resolved Python.

    Args:
        command: `train`, `evaluate` or `predict`.
        overrides: as typed on the command line.
        run_dir: what stands for the run directory in it.

    Raises:
        omegaconf.errors.OmegaConfBaseException, hydra.errors.HydraException: the overrides do not fit.
    """
    resolvers.register()
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(config_dir().absolute()), version_base="1.3", job_name=command):
        config = hydra_compose(command, overrides=list(overrides), return_hydra_config=True)
    config.hydra.runtime.output_dir = run_dir
    HydraConfig.instance().set_config(config)
    with open_dict(config):
        del config["hydra"]
    return cast("dict[str, Any]", OmegaConf.to_container(config, resolve=True, throw_on_missing=True))
