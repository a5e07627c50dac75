"""The jobs of one multirun: started, recorded, counted."""

from __future__ import annotations

import os
import secrets
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import OverrideParseException
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf, open_dict

from locnet.config import isolation, resolvers
from locnet.config.command_line import CommandLine
from locnet.config.jobs import JobRecord, Status, read_record, read_records
from locnet.runtime.rundir import CONFIG

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it: 128 + SIGINT."""
TERMINATED = 143
"""Exit code after SIGTERM."""
_BY_A_SIGNAL = (INTERRUPTED, TERMINATED, -2, -15)
_places: list[Path] = []


class SweepDir(Callback):
    """Settles the directory of a multirun before its first job; `conf/hydra/default.yaml` names it.

    `hydra.sweep.dir` holds the time of day and a token, and a launcher's other process would work both out anew.
    """

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        """Write the settled directory into the configuration that all jobs are made of."""
        place = Path(config.hydra.sweep.dir).absolute()
        with open_dict(config):
            config.hydra.sweep.dir = str(place)
            config.hydra.overrides.hydra.append(f"hydra.sweep.dir={isolation.quoted(str(place))}")
        _places.append(place)


@dataclass
class Multirun:
    """What a command knows about its multirun; launchers copy it into their processes.

    Attributes:
        module: `python -m module` does one job; None does the jobs in this process.
        line: what was typed.
        session: tells the jobs of this command from those of an earlier one in the same directory.
        process: the command's own; in another one a launcher is at work.
    """

    module: str | None
    line: CommandLine
    session: str = field(default_factory=lambda: secrets.token_hex(4))
    process: int = field(default_factory=os.getpid)
    started: int = field(default_factory=lambda: len(_places))

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Come to life in a launcher's process, which knows none of our resolvers."""
        resolvers.register()
        self.__dict__.update(state)

    def do(self, about: Any, job: Callable[[JobRecord], JobRecord]) -> float | None:
        """One job, as a launcher calls it.

        Args:
            about: Hydra's part of the job's configuration.
            job: does it in this process; takes the record of its beginning and gives that of its end.

        Returns:
            The score that a sweeper optimises.
        """
        place = Path(about.runtime.output_dir)
        trial = OmegaConf.select(about, "sweeper.trial")  # of a search that several processes share
        record = JobRecord(int(about.job.num if trial is None else trial), self._swept(about), session=self.session)
        # SLURM has started this process for this job alone, perhaps as one of several ranks
        if self.module is None or os.environ.get("SUBMITIT_EXECUTOR") == "slurm":
            ended = job(record)
            if ended.exit_code == TERMINATED:
                sys.exit(TERMINATED)  # no result: the launcher waits for the one of the requeued job
            return ended.value
        record.write(place)
        own = os.getpid() == self.process
        started = time.monotonic()
        if own:
            print(f"\n{record.label}  {place}", file=sys.stderr, flush=True)  # noqa: T201 - where it is on a terminal
        command = isolation.single_run(self.module, self.line, about)
        try:
            code = isolation.run(command, output=None if own else place / isolation.OUTPUT)
        except (KeyboardInterrupt, SystemExit):
            self._end(place, record, "interrupted", INTERRUPTED, "interrupted", time.monotonic() - started)
            raise
        return self._end(place, record, "failed", code, None, time.monotonic() - started).value

    def records(self) -> dict[Path, JobRecord]:
        """All jobs in the directory of this multirun, by directory; none when there was no multirun."""
        place = self.place
        return read_records(place) if place else {}

    @property
    def place(self) -> Path | None:
        """The directory of this multirun; None when there was none."""
        return _places[-1] if len(_places) > self.started else None

    def _end(
        self, place: Path, record: JobRecord, status: Status, code: int, error: str | None, seconds: float
    ) -> JobRecord:
        """The job's own record of its end; the given one where it died without a word."""
        last = read_record(place)
        if last is not None and last.status != "running":
            return last
        if code in _BY_A_SIGNAL:
            status, error = "interrupted", error or "interrupted"
        said = error or f"died without a word ({isolation.how_it_ended(code)})"
        ended = replace(record, status=status, exit_code=code if code > 0 else 128 - code, error=said, seconds=seconds)
        ended.write(place)
        if status == "failed":
            print(f"error: {record.label}: {said}", file=sys.stderr, flush=True)  # noqa: T201
        return ended

    def _swept(self, about: Any) -> list[str]:
        fixed = _normalised(self.line.overrides)
        overrides = OmegaConf.to_container(about.overrides.task)
        return [str(text) for text in overrides if text not in fixed] if isinstance(overrides, list) else []


def _normalised(overrides: tuple[str, ...]) -> set[str]:
    """Settings as sweepers write them down (`a=[1, 2]` becomes `a=[1,2]`), and as typed."""
    try:
        parsed = OverridesParser.create().parse_overrides(list(overrides))
    except OverrideParseException:  # Hydra will say so
        return set(overrides)
    plain = [override for override in parsed if not override.is_sweep_override() and not override.is_delete()]
    return {*overrides, *(f"{override.get_key_element()}={override.get_value_element_as_str()}" for override in plain)}


def goes_on(run_dir: Path) -> bool:
    """Whether SLURM has requeued a job of a multirun whose run had begun."""
    return bool(int(os.environ.get("SLURM_RESTART_COUNT") or 0)) and (run_dir / CONFIG).is_file()


def is_one_of_several() -> bool:
    """Whether torchrun or srun has started several processes that all run the same multirun."""
    torchrun = os.environ.get("WORLD_SIZE", "1") if "RANK" in os.environ else "1"
    srun = os.environ.get("SLURM_STEP_NUM_TASKS", "1")
    return "SUBMITIT_EXECUTOR" not in os.environ and (torchrun, srun) != ("1", "1")
