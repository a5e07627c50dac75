"""From the configuration's `augment` node to an `Augment`."""

from __future__ import annotations

from collections.abc import Mapping

from locnet.config.messages import unknown_key
from locnet.data.augment.pipeline import RANGES, Augment
from locnet.errors import ConfigError


def build_augment(settings: Mapping[str, float]) -> Augment:
    """The augmentation that the settings describe; what they leave out keeps its default.

    Raises:
        ConfigError: an unknown setting, or one out of its range.
    """
    for key, value in settings.items():
        if key not in RANGES:
            raise ConfigError(unknown_key(f"augment.{key}", str(value), [f"augment.{name}" for name in RANGES]))
    return Augment(**settings)
