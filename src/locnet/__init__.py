"""locnet: classification with localization, one image, at most one object, one forward pass."""

__version__ = "0.1.0"
