"""Where images come from: files, folders, patterns, lists and URLs, as a stream of names in an order that is fixed."""

from locnet.sources.search import Source, image_suffixes, open_source

__all__ = ["Source", "image_suffixes", "open_source"]
