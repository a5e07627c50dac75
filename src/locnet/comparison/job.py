"""The job of `python -m locnet.compare`."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from locnet.comparison.matching import match
from locnet.comparison.numbers import Against, Comparison, compared
from locnet.comparison.page import comparison_page, verdict
from locnet.comparison.screen import print_comparison
from locnet.config.app import Job, JobResult
from locnet.config.check import check
from locnet.config.schema import CompareSettings
from locnet.errors import ConfigError
from locnet.report.intervals import Interval
from locnet.report.stored import read_run
from locnet.runtime.files import replace_text
from locnet.runtime.rundir import claim

log = logging.getLogger(__name__)

PAGE, NUMBERS = "compare.html", "compare.json"


def compare(job: Job) -> JobResult:
    """Write compare.html and compare.json, and print the tables.

    Raises:
        LocnetError: a directory holds no finished run, or the runs cannot be compared.
    """
    settings = check(job.config, CompareSettings)
    if settings.names and len(settings.names) != len(settings.runs):
        raise ConfigError(f"names has {len(settings.names)} names for {len(settings.runs)} runs")
    runs = [read_run(Path(path).expanduser()) for path in settings.runs]
    names = settings.names or short_names([run.path for run in runs])
    matched = match(names, [run.predictions for run in runs], common=settings.common)
    comparison = compared(names, matched.tables, [run.config for run in runs], matched.note)
    claim(job.run_dir, job.config, job.overrides)
    root = Path(settings.root).expanduser() if settings.root else runs[0].root
    replace_text(job.run_dir / PAGE, comparison_page(comparison, root=root, images=settings.images))
    content = as_plain(comparison, [str(run.path.resolve()) for run in runs])
    replace_text(job.run_dir / NUMBERS, json.dumps(content, indent=1, default=str) + "\n")
    print_comparison(comparison)
    log.info("%s", verdict(comparison))
    log.info("written        %s: %s, %s", job.run_dir, PAGE, NUMBERS)
    return JobResult()


def short_names(paths: Sequence[Path]) -> list[str]:
    """The shortest ends of paths that tell them apart; the same path twice gets a number."""
    parts = [path.resolve().parts for path in paths]
    for length in range(1, max(map(len, parts)) + 1):
        names = ["/".join(part[-length:]) for part in parts]
        if len(set(names)) == len(set(parts)):
            break
    return [f"{name} ({names[:i].count(name) + 1})" if names.count(name) > 1 else name for i, name in enumerate(names)]


def as_plain(c: Comparison, paths: Sequence[str]) -> dict[str, Any]:
    """Everything as plain Python, for JSON."""
    files = c.tables[0].files

    def against(name: str, a: Against) -> dict[str, Any]:
        return {
            "name": name,
            "scores": _plain(a.scores),
            "classes": {label: _plain(found) for label, found in a.classes.items()},
            "gained": [files[row] for row in a.gained.tolist()],
            "lost": [files[row] for row in a.lost.tolist()],
        }

    return {
        "images": len(files),
        "note": c.note,
        "verdict": verdict(c),
        "runs": [
            {"name": name, "path": path, "scores": _plain(scores)}
            for name, path, scores in zip(c.names, paths, c.scores, strict=True)
        ],
        "against_first": [against(name, a) for name, a in zip(c.names[1:], c.against, strict=True)],
        "settings": c.settings,
    }


def _plain(found: dict[str, Interval]) -> dict[str, dict[str, float | None]]:
    return {
        key: {name: value if value == value else None for name, value in interval._asdict().items()}  # noqa: PLR0124
        for key, interval in found.items()
    }
