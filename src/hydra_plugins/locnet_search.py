"""Where Hydra looks for sweepers; every Hydra command on the machine imports this, so it does nothing at import."""

from __future__ import annotations

from typing import Any

from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf


class SearchSweeper(Sweeper):
    """`hydra/sweeper=search`: see `locnet.search`."""

    def __init__(self, **settings: Any) -> None:
        """Keep the settings as they stand in the configuration."""
        self.settings = settings

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Hydra tells what it will launch."""
        self.context, self.task, self.command = hydra_context, task_function, config

    def sweep(self, arguments: list[str]) -> None:
        """Do the search."""
        from locnet.search.settings import read_settings
        from locnet.search.sweeper import launcher_of, search

        plain = {
            key: OmegaConf.to_container(v, resolve=True) if OmegaConf.is_config(v) else v
            for key, v in self.settings.items()
        }
        settings = read_settings(plain)
        launcher = launcher_of(self.context, self.task, self.command)
        search(settings, self.command, arguments, launcher, self.context.config_loader)
