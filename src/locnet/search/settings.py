"""Settings of a search, `hydra.sweeper` of the configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from locnet.config.check import check
from locnet.config.schema import Positive, Settings
from locnet.errors import ConfigError
from locnet.search.space import Space

Mode = Literal["max", "min"]


class SearchSettings(Settings):
    """`hydra/sweeper=search`: what `sweep=optuna`, `random` and `grid` are made of."""

    sampler: Literal["tpe", "random", "grid"]
    trials: Positive | None
    at_once: Positive
    seed: Annotated[int, Field(ge=0)]
    pruner: Literal["none", "median", "hyperband"]
    pruner_startup_trials: Annotated[int, Field(ge=0)]
    pruner_warmup_epochs: Annotated[int, Field(ge=0)]
    storage: str
    study: str
    trial: int | None
    space: dict[str, Space]


def read_settings(node: dict[str, Any]) -> SearchSettings:
    """Check the node.

    Raises:
        ConfigError: one line with the key and the value.
    """
    content = {key: value for key, value in node.items() if key != "_target_"}
    return check(content, SearchSettings, prefix="hydra.sweeper")


def open_storage(url: str) -> Any:
    """The storage of a study, which several processes may use at the same time.

    Raises:
        ConfigError: Optuna is not installed, or the storage cannot be opened.
    """
    try:
        import optuna
    except ModuleNotFoundError as error:
        raise ConfigError(f"this sweep needs a package: pip install 'locnet[sweep]' ({error})") from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    options: dict[str, Any] = {}
    if url.startswith("sqlite:///"):
        Path(url.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
        options = {"connect_args": {"timeout": 60}}  # seconds that a writer waits for the others
    try:
        return optuna.storages.RDBStorage(url, engine_kwargs=options)
    except Exception as error:  # as many types as there are databases and drivers
        raise ConfigError(f"hydra.sweeper.storage={url} cannot be opened: {error}") from error


def pruner(settings: SearchSettings) -> Any:
    """Optuna's pruner for the settings."""
    import optuna

    if settings.pruner == "median":
        return optuna.pruners.MedianPruner(settings.pruner_startup_trials, settings.pruner_warmup_epochs)
    if settings.pruner == "hyperband":
        return optuna.pruners.HyperbandPruner(min_resource=max(1, settings.pruner_warmup_epochs))
    return optuna.pruners.NopPruner()
