"""`data.cache`: decoded images in one memory-mapped file that all workers and processes share."""

from locnet.data.cache.build import CachedImages, cached
from locnet.data.cache.keep import keep_for

__all__ = ["CachedImages", "cached", "keep_for"]
