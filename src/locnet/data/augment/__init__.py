"""Augmentation that knows that there is one object, and where."""

from locnet.data.augment.pipeline import Augment

__all__ = ["Augment"]
