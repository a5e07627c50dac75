"""Millions of images as WebDataset tars beside one index: packed once, streamed from a folder or any fsspec URL."""
