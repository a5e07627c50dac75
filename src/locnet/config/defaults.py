"""The values that an option of `conf/` sets, for code that chooses an option after the configuration is composed."""

from __future__ import annotations

from typing import Any, cast

from omegaconf import OmegaConf
from pydantic import TypeAdapter

from locnet.config.location import config_dir
from locnet.config.schema import DataSettings


def option_values(group: str, option: str) -> dict[str, Any]:
    """The keys of `conf/GROUP/OPTION.yaml` and of the parts that it is made of, interpolations unresolved.

    Raises:
        FileNotFoundError: there is no such option.
    """
    content = cast("dict[str, Any]", OmegaConf.to_container(OmegaConf.load(config_dir() / group / f"{option}.yaml")))
    values: dict[str, Any] = {}
    for part in content.pop("defaults", []):
        if part != "_self_":
            values |= option_values(group, str(part).partition("@")[0])
    return values | content


def data_settings(name: str, **changes: Any) -> DataSettings:
    """The settings that `data=NAME` gives, some of them changed.

    Args:
        name: of a format.
        **changes: by key; a mapping changes the keys that it has.

    Raises:
        FileNotFoundError: there is no such format.
        pydantic.ValidationError: the settings do not fit.
    """
    values = OmegaConf.merge(option_values("data", name), changes)
    settings: DataSettings = TypeAdapter(DataSettings).validate_python(OmegaConf.to_container(values))
    return settings
