"""Reads what wandb has written to the disk of an offline run."""

from __future__ import annotations

import json
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class WandbRun:
    """What a .wandb file says; keys of nested values are joined with dots."""

    folder: Path
    id: str = ""
    name: str = ""
    project: str = ""
    group: str = ""
    tags: list[str] = field(default_factory=list)
    config: dict[str, Any] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)
    summary: dict[str, Any] = field(default_factory=dict)
    exit_code: int | None = None
    job_type: str = ""
    notes: str = ""
    axes: dict[str, str] = field(default_factory=dict)
    artifacts: list[Any] = field(default_factory=list)
    alerts: list[tuple[str, str]] = field(default_factory=list)

    def column(self, key: str) -> list[Any]:
        return [row[key] for row in self.history if key in row]

    def table(self, key: str) -> dict[str, list[Any]]:
        """The columns of a table by name; pictures in it are in the table's artifact only."""
        [path] = self.column(f"{key}.path")
        return read_table(self.folder / "files" / path)


def read_table(path: Path) -> dict[str, list[Any]]:
    """The columns of a table's file by name."""
    content = json.loads(path.read_text())
    return dict(zip(content["columns"], map(list, zip(*content["data"], strict=True)), strict=True))


def read_wandb(folder: Path) -> WandbRun:
    """Read a finished run; wandb's own process may still be writing the last block of the file."""
    end = time.monotonic() + 20
    while (run := _read(folder)).exit_code is None and time.monotonic() < end:
        time.sleep(0.1)
    return run


def _read(folder: Path) -> WandbRun:
    from wandb.proto import wandb_internal_pb2

    [path] = folder.glob("*.wandb")
    run = WandbRun(folder)
    for content in _leveldb(path.read_bytes()):
        record = wandb_internal_pb2.Record()
        record.ParseFromString(content)
        kind = record.WhichOneof("record_type")
        if kind == "run":
            run.id, run.name, run.project = record.run.run_id, record.run.display_name, record.run.project
            run.group, run.job_type, run.notes = record.run.run_group, record.run.job_type, record.run.notes
            run.tags = list(record.run.tags)
            run.config |= _items(record.run.config.update)
        elif kind == "history":
            run.history.append(_items(record.history.item))
        elif kind == "summary":
            run.summary |= _items(record.summary.update)
        elif kind == "metric":
            run.axes[record.metric.name or record.metric.glob_name] = record.metric.step_metric
        elif kind == "artifact":
            run.artifacts.append(record.artifact)
        elif kind == "alert":
            run.alerts.append((record.alert.title, record.alert.text))
        elif kind == "exit":
            run.exit_code = record.exit.exit_code
    return run


def _items(items: Any) -> dict[str, Any]:
    return {item.key or ".".join(item.nested_key): json.loads(item.value_json) for item in items}


def _leveldb(data: bytes) -> Iterator[bytes]:
    """Records of a LevelDB log: blocks of 32 KiB, parts of records with checksum, length and kind in front.

    wandb 0.31 has no reader of its own in Python any more.
    """
    assert data[:4] == b":W&B"
    position, parts = 7, b""
    while position + 7 <= len(data):
        left = -position % 32768 or 32768
        if left < 7:
            position += left
            continue
        _, length, kind = struct.unpack_from("<IHB", data, position)
        parts += data[position + 7 : position + 7 + length]
        position += 7 + length
        if kind in (1, 4):  # a whole record, or the last part of one
            yield parts
            parts = b""
