"""What came of each job of a multirun: one small file in the job's directory, whichever process wrote it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

RECORD = "job.json"

Status = Literal["running", "done", "pruned", "failed", "interrupted"]


@dataclass(frozen=True)
class JobRecord:
    """One job of a multirun.

    Attributes:
        number: among the jobs, from 0.
        swept: its settings that are not those of every job, `key=value`.
        status: `running` also where the process died without a word; the one that started it corrects that.
        session: of the command that started it; a sweep that is continued has several.
        exit_code: as a command of its own would have it; None while it runs.
        value: the score that a sweeper optimises, if there is one.
        error: why it failed, in one line.
        seconds: from start to end.
        more: whatever else the job says about itself.
    """

    number: int
    swept: list[str]
    status: Status = "running"
    session: str = ""
    exit_code: int | None = None
    value: float | None = None
    error: str | None = None
    seconds: float | None = None
    more: dict[str, Any] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """How messages call it: `job 3 (lr=0.1, head=grid)`."""
        return f"job {self.number}" + (f" ({', '.join(map(_short, self.swept))})" if self.swept else "")

    def write(self, run_dir: Path) -> None:
        """Write the file so that a reader sees the old one or the new one, never half of it."""
        run_dir.mkdir(parents=True, exist_ok=True)
        partial = run_dir / f"{RECORD}.{os.getpid()}.tmp"
        partial.write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")
        partial.replace(run_dir / RECORD)


def read_record(run_dir: Path) -> JobRecord | None:
    """The record of a directory; None where there is none that can be read."""
    try:
        content = json.loads((run_dir / RECORD).read_text(encoding="utf-8"))
        return JobRecord(**{f.name: content[f.name] for f in fields(JobRecord) if f.name in content})
    except (OSError, ValueError, TypeError):
        return None


def read_records(sweep_dir: Path) -> dict[Path, JobRecord]:
    """The records of all jobs of a sweep by directory, in the order of their numbers."""
    found = {path.parent: read_record(path.parent) for path in sweep_dir.rglob(RECORD)}
    known = [(place, record) for place, record in found.items() if record is not None]
    return dict(sorted(known, key=lambda item: (item[1].number, str(item[0]))))


def _short(setting: str) -> str:
    """A setting with at most four digits of a number."""
    key, _, value = setting.partition("=")
    try:
        return setting if len(value) <= 6 else f"{key}={float(value):.4g}"
    except ValueError:
        return setting


def exit_code(records: Iterable[JobRecord]) -> int:
    """Of the whole sweep: 0 all is well, 1 some jobs failed or skipped something, otherwise that of the jobs.

    Args:
        records: of the jobs.
    """
    codes = [1 if record.exit_code is None else record.exit_code for record in records]
    return min(max(codes, default=0), 1) if min(codes, default=0) <= 1 else max(codes)
