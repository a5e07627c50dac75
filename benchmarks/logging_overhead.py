"""What the default dashboard costs: seconds inside logging calls over all seconds of one training run.

Everything that a run does for its dashboard (start and end, metrics, panel, alarm, throughput, pictures, charts,
table, artifacts) is timed where it is called, inside one real run: both figures see the same machine at the same time.
wandb's own process works beside the run, and is not in these seconds.

    python benchmarks/logging_overhead.py [--keep RUN_DIR] [data=csv data.root=DRIVING experiment=small ...]
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from locnet.callbacks.alarm import Alarm
from locnet.callbacks.panel import Panel
from locnet.callbacks.throughput import Throughput
from locnet.config.app import Job
from locnet.config.compose import compose
from locnet.loggers.wandb import WandbRun
from locnet.runtime import fit as training
from locnet.runtime import loggers as run_loggers


class Clock:
    """Seconds inside the functions that it wraps; nested ones count once."""

    def __init__(self) -> None:
        self.by_name: dict[str, float] = {}
        self.inside = False

    def wrap(self, owner: Any, name: str, label: str) -> None:
        """Have a function of a class or module timed."""
        original: Callable[..., Any] = getattr(owner, name)

        @functools.wraps(original)
        def timed(*args: Any, **kwargs: Any) -> Any:
            if self.inside:
                return original(*args, **kwargs)
            self.inside, started = True, time.perf_counter()
            try:
                return original(*args, **kwargs)
            finally:
                self.inside = False
                self.by_name[label] = self.by_name.get(label, 0.0) + time.perf_counter() - started

        setattr(owner, name, timed)


def watch(clock: Clock) -> None:
    """Time all that the dashboard needs."""
    clock.wrap(run_loggers, "open_logger", "start")
    clock.wrap(run_loggers, "finish", "end")
    clock.wrap(run_loggers, "show_test", "results")
    clock.wrap(WandbRun, "log_metrics", "metrics")
    clock.wrap(WandbRun, "use_data", "data artifact")
    for callback in (Panel, Throughput, Alarm):
        for name in vars(callback):
            if name.startswith("on_"):
                clock.wrap(callback, name, callback.__name__.lower())


def main() -> None:
    """Train once and print the share as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keep", type=Path, help="run directory to leave behind")
    parser.add_argument("overrides", nargs="*", help="of the configuration")
    arguments = parser.parse_args()
    os.environ.setdefault("WANDB_MODE", "offline")
    clock = Clock()
    watch(clock)
    with tempfile.TemporaryDirectory() as folder:
        run_dir = (arguments.keep or Path(folder) / "run").absolute()
        config = compose("train", arguments.overrides, run_dir=str(run_dir))
        started, processor = time.perf_counter(), time.process_time()
        training.fit(Job(config=config, run_dir=run_dir, overrides=arguments.overrides))
        seconds, processor = time.perf_counter() - started, time.process_time() - processor
        metrics = json.loads((run_dir / "metrics.json").read_text())
        size = sum(file.stat().st_size for file in (run_dir / "wandb").rglob("*") if file.is_file())
    spent = sum(clock.by_name.values())
    result = {
        "share_of_training": round(spent / metrics["seconds/fit"], 4),
        "share_of_the_run": round(spent / seconds, 4),
        "seconds_logging": round(spent, 2),
        "seconds_fit": metrics["seconds/fit"],
        "seconds_run": round(seconds, 2),
        "processor_seconds": round(processor, 2),
        "megabytes_to_upload": round(size / 2**20, 2),
        "by_part": {name: round(value, 3) for name, value in sorted(clock.by_name.items())},
        "images": {split: metrics[f"samples/{split}"] for split in ("train", "val", "test")},
        "overrides": arguments.overrides,
    }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
