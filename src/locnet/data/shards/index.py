"""The index of packed images: labels, and where in which tar each image lies. One Parquet file beside the tars."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from locnet.data.records import Records
from locnet.data.strings import Strings
from locnet.errors import DataError

INDEX = "index.parquet"
_VERSION = 1
_EDGES = ("xmin", "ymin", "xmax", "ymax")
_KEY = b"locnet"


class Shard(NamedTuple):
    """One tar.

    Attributes:
        name: of the file.
        size: of the file, bytes.
        crc: CRC-32 of the file.
    """

    name: str
    size: int
    crc: int


@dataclass(frozen=True)
class Positions:
    """Where the images of some rows lie; rows of one shard follow each other.

    Attributes:
        shard: `(N,)` int32, which of the shards.
        offset: `(N,)` int64, of the image's first byte in its tar.
        length: `(N,)` int64, bytes.
    """

    shard: NDArray[np.int32]
    offset: NDArray[np.int64]
    length: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.shard)

    def take(self, rows: NDArray[np.int64]) -> Positions:
        """These rows, in this order."""
        return Positions(self.shard[rows], self.offset[rows], self.length[rows])


@dataclass(frozen=True)
class ShardIndex:
    """All that is known of a packed data set without opening a tar.

    Attributes:
        records: the labels, in the order of the tars.
        positions: of their images.
        shards: the tars.
    """

    records: Records
    positions: Positions
    shards: tuple[Shard, ...]

    def write(self, sink: Any) -> None:
        """Write to a path or an open file."""
        records, positions = self.records, self.positions
        columns: dict[str, Any] = {
            "file": records.files.arrow,
            "split": pa.array(records.splits.tolist()).dictionary_encode(),
            "label": records.labels,
            **{edge: records.boxes[:, number] for number, edge in enumerate(_EDGES)},
            "height": records.sizes[:, 0],
            "width": records.sizes[:, 1],
            "shard": positions.shard,
            "offset": positions.offset,
            "length": positions.length,
        }
        about = {"version": _VERSION, "classes": records.classes, "shards": self.shards}
        table = pa.table(columns).replace_schema_metadata({_KEY: json.dumps(about).encode()})
        pq.write_table(table, sink)


def read_index(source: Any, where: str, root: Any, classes: Sequence[str] | None = None) -> ShardIndex:
    """Read an index.

    Args:
        source: a path or an open file.
        where: it lies, for messages.
        root: of the records.
        classes: names in the order of a trained model's class scores; None takes the index's own.

    Raises:
        DataError: it is none, or it has a class that is not among `classes`.
    """
    try:
        table = pq.read_table(source)
        about = json.loads((table.schema.metadata or {})[_KEY])
        version = about["version"]
    except (pa.ArrowInvalid, KeyError, ValueError, OSError) as error:
        raise DataError(f"{where} is no index of packed images (python -m locnet.pack writes one): {error}") from error
    if version != _VERSION:
        raise DataError(f"{where} was written by another version of locnet (format {version}); pack the images again")
    own = tuple(about["classes"])
    records = Records(
        root=root,
        classes=tuple(classes or own),
        files=Strings(table["file"]),
        splits=np.array(table["split"].to_pylist(), dtype=np.str_),
        labels=_relabel(table["label"].to_numpy(), own, classes, where),
        boxes=np.stack([table[edge].to_numpy() for edge in _EDGES], axis=1),
        sizes=np.stack([table["height"].to_numpy(), table["width"].to_numpy()], axis=1),
    )
    positions = Positions(table["shard"].to_numpy(), table["offset"].to_numpy(), table["length"].to_numpy())
    return ShardIndex(records, positions, tuple(Shard(*shard) for shard in about["shards"]))


def _relabel(
    labels: NDArray[np.int64], own: Sequence[str], wanted: Sequence[str] | None, where: str
) -> NDArray[np.int64]:
    """Labels as numbers of other classes."""
    if wanted is None:
        return labels
    used = np.unique(labels[labels >= 0])
    strange = [own[label] for label in used if own[label] not in wanted]
    if strange:
        raise DataError(f"{where}: class {strange[0]} is none of the {len(wanted)} of the checkpoint")
    table = np.array([*(wanted.index(name) if name in wanted else -1 for name in own), -1], dtype=np.int64)
    return table[labels]  # the last entry is background, -1
