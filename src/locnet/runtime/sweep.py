"""The end of a multirun: what each job was given and what came of it, as a table, a file and a picture."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError  # type: ignore[import-untyped]

from locnet.config.command_line import split
from locnet.config.jobs import JobRecord, read_records
from locnet.report import style
from locnet.report.parallel import plot_parallel
from locnet.report.sweep import SweepRow, best_first, print_sweep, write_csv
from locnet.runtime.rundir import CONFIG

TABLE, PICTURE = "sweep.csv", "sweep.png"


def summarise(sweep_dir: Path) -> list[Path]:
    """Print the table of all jobs in a sweep's directory, those of earlier sessions too, and write it.

    Returns:
        The files written: `sweep.csv`, and `sweep.png` where at least two jobs have a score.
    """
    records = read_records(sweep_dir)
    rows = [_row(sweep_dir, place, record) for place, record in records.items()]
    if not rows:
        return []
    score, mode = _monitor(list(records))
    files = [write_csv(sweep_dir / TABLE, rows)]
    picture = plot_parallel(rows, score=score, mode=mode)
    if picture is not None:
        files.append(style.save(picture, sweep_dir / PICTURE))
    print_sweep(rows, score=score, mode=mode)
    best = best_first(rows, mode)[0]
    if best.score is not None:
        print(f"best: job {best.number}, {sweep_dir / best.run_dir}")  # noqa: T201 - belongs to the table
    print(f"written: {', '.join(map(str, files))}", flush=True)  # noqa: T201
    sys.stdout.flush()
    return files


def _row(sweep_dir: Path, place: Path, record: JobRecord) -> SweepRow:
    swept = {key: value for _, key, value in map(split, record.swept)}
    return SweepRow(
        number=record.number,
        status=record.status,
        settings={key: value.strip("'\"") for key, value in swept.items()},
        score=record.value,
        metrics=_metrics(place / "metrics.json"),
        seconds=record.seconds,
        error=record.error,
        run_dir=place.relative_to(sweep_dir).as_posix(),
    )


def _metrics(path: Path) -> dict[str, float]:
    """The metrics of the splits in a run's metrics.json; empty where there is none."""
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {name: value for name, value in content.items() if name.startswith(("val/", "test/")) and value is not None}


def _monitor(places: list[Path]) -> tuple[str, str]:
    """What the jobs' score is called, and whether `max` or `min` is good; of the first job that says so."""
    for place in places:
        try:
            config = OmegaConf.load(place / CONFIG)
        except (OSError, YAMLError, OmegaConfBaseException):
            continue
        monitor = OmegaConf.select(config, "monitor")
        if monitor:
            return str(monitor), str(OmegaConf.select(config, "monitor_mode", default="max"))
    return "score", "max"
