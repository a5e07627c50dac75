"""What a checkpoint remembers of the data that it was trained on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from locnet.config.defaults import data_settings
from locnet.config.schema import DataSettings
from locnet.errors import ConfigError


def trained_on(hparams: Mapping[str, Any]) -> DataSettings:
    """The data settings in a checkpoint's hyperparameters.

    Raises:
        ConfigError: there are none, or another version has written them.
    """
    remembered = hparams.get("data")
    if not remembered:
        raise ConfigError("this checkpoint does not say what it was trained on; give data=csv data.root=DIR")
    try:  # keys that its version did not know have their defaults
        return data_settings(**remembered)
    except (ValidationError, FileNotFoundError, TypeError) as error:
        raise ConfigError(
            "the data settings in this checkpoint are of another version; give data=csv data.root=DIR"
        ) from error
