"""The last lines of a command: what was written where, and what it is for."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path

log = logging.getLogger(__name__)

_WHAT = {
    "report.html": "all of it as a page: open it in a browser",
    "metrics.json": "scores, baselines, counts, versions",
    "predictions.parquet": "an answer an image",
    "history.jsonl": "losses and scores, a row an epoch",
    "defects.jsonl": "labels and images that were repaired or left out",
    "config.yaml": "the whole configuration",
}


def say_written(run_dir: Path, files: Iterable[Path] = (), **notes: str) -> None:
    """Name the files of a run directory, one a line, and those of a folder inside it in one line.

    Args:
        run_dir: of the run.
        files: that were written in it; those of this module's list that lie there are named too.
        notes: what to say of a folder, by its name.
    """
    there = {run_dir / name for name in _WHAT if (run_dir / name).is_file()} | set(files)
    inside: dict[str, list[str]] = {}
    for file in sorted(there):
        parts = file.relative_to(run_dir).parts
        inside.setdefault(parts[0], []).append("/".join(parts[1:]))
    log.info("written        %s", run_dir)
    single = [name for name in _WHAT if name in inside] + [n for n in inside if n not in _WHAT and inside[n] == [""]]
    for name in single:
        log.info("  %-21s  %s", name, _WHAT.get(name, ""))
    for name, names in inside.items():
        if name not in single:
            log.info("  %-21s  %s", f"{name}/", notes.get(name) or ", ".join(names))
