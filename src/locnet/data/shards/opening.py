"""From the settings of `data=shards` to the index. Nothing here imports torch."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

from locnet.config.schema import ShardsSettings
from locnet.data.labels.assemble import Reading
from locnet.data.shards.index import INDEX, ShardIndex, read_index
from locnet.data.shards.store import Remote, is_url
from locnet.errors import DataError


def open_index(settings: ShardsSettings, classes: Sequence[str] | None = None) -> ShardIndex:
    """The index of packed images.

    Args:
        settings: of the data.
        classes: of a trained model, in its order.

    Raises:
        DataError: there is none, or it cannot be used.
    """
    if is_url(settings.root):
        where = f"{settings.root.rstrip('/')}/{INDEX}"
        content = io.BytesIO(Remote(settings.root, settings.retries).read(INDEX))
        return read_index(content, where, Path(settings.root), classes)
    root = Path(settings.root.removeprefix("file://")).expanduser()
    path = root / INDEX
    if not path.is_file():
        raise DataError(f"data.root={settings.root}: there is no {INDEX} in it (python -m locnet.pack writes it)")
    return read_index(path, str(path), root, classes)


def as_reading(index: ShardIndex) -> Reading:
    """What is said of labels that were read and checked when they were packed."""
    labels = index.records.labels
    paths = {"with an object": int((labels >= 0).sum()), "background": int((labels < 0).sum())}
    return Reading(index.records, (), 0, len(labels), paths, {}, None, (f"packed in {len(index.shards):,} shards",))
