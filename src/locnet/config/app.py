"""Run a command as a Hydra application whose user errors are one line each."""

from __future__ import annotations

import importlib
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NoReturn

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from locnet import __version__
from locnet.config import command_line, resolvers
from locnet.config.explain import explain, explain_value
from locnet.config.jobs import JobRecord, Status, read_record
from locnet.config.jobs import exit_code as jobs_exit_code
from locnet.config.location import config_dir
from locnet.config.messages import one_line
from locnet.config.multirun import INTERRUPTED, TERMINATED, Multirun, goes_on, is_one_of_several
from locnet.config.tree import dotted
from locnet.errors import ConfigError, DiskFullError, LocnetError, StoppedError
from locnet.runtime.rundir import is_main_process, process_label

CRASHED = 70
"""Exit code of a command that failed by a fault of the program: `EX_SOFTWARE` of sysexits.h. Python's own 1
would say that the command is done but skipped something."""
_BROKEN_PIPE = 141
_FULL_ERROR = "HYDRA_FULL_ERROR"


@dataclass(frozen=True)
class Job:
    """What a command is asked to do.

    Attributes:
        config: the configuration, plain and resolved, without Hydra's own part.
        run_dir: the directory of this run; it exists.
        overrides: the settings of this job as typed, one job's worth in a multirun.
        choices: the chosen option of each config group, such as `{"head": "grid"}`, without unchosen groups.
        multirun: the job is one of several.
        number: its number among them, from 0; None outside a multirun.
        sweep_dir: the directory of the multirun; None outside one.
        swept: its settings that are not those of every job of the multirun.
        trial: settings of the search that the job is a trial of, `hydra.sweeper` of the configuration; None outside.
    """

    config: dict[str, Any]
    run_dir: Path
    overrides: list[str] = field(default_factory=list)
    choices: dict[str, str] = field(default_factory=dict)
    multirun: bool = False
    number: int | None = None
    sweep_dir: Path | None = None
    swept: list[str] = field(default_factory=list)
    trial: dict[str, Any] | None = None


@dataclass(frozen=True)
class JobResult:
    """What came of a job.

    Attributes:
        value: the score that a sweeper optimises, if there is one.
        exit_code: 0 done, 1 done but something was skipped or found wrong.
        pruned: a search has stopped it early, since others do better.
    """

    value: float | None = None
    exit_code: int = 0
    pruned: bool = False


def run_app(
    command: str,
    job: str | Callable[[Job], JobResult],
    *,
    conf: Path | None = None,
    module: str | None = None,
    summary: str | None = None,
) -> NoReturn:
    """Read the command line, compose the configuration, do the job, and end the process.

    Exit codes: 0 done, 1 done but something was skipped, 2 bad configuration or input (one line on stderr,
    `error: ...`), 70 a fault of the program (with its traceback), 130 interrupted. A multirun goes on after a
    job that failed, and ends with 1 if some of its jobs failed, with the highest code of its jobs if all did. With
    HYDRA_FULL_ERROR=1 in the environment every error keeps its traceback.

    Args:
        command: name of the primary configuration, `train` for `conf/train.yaml`.
        job: the function, or where it is (`locnet.runtime.fit:fit`), imported only when a job begins so that
            `--help` and `--cfg job` stay fast.
        conf: the folder of configuration files; ours unless given.
        module: what `python -m` runs for this command; jobs of a multirun then have a process each.
        summary: function that is told the directory of a multirun when it ends (`locnet.runtime.sweep:summarise`).
    """
    try:
        sys.exit(_App(command, job, module, summary).run(conf or config_dir()))
    except LocnetError as error:
        if _wants_traceback():
            raise
        _complain(str(error))
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        _end_of_interrupted()
    except SystemExit as end:
        # Lightning's fit turns Ctrl-C into exit(1) after its clean-up (2.6, trainer/call.py).
        if isinstance(end.__context__, KeyboardInterrupt):
            _end_of_interrupted()
        raise
    except BrokenPipeError:  # `--cfg job | head`: nobody reads on, and Python would complain once more at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(_BROKEN_PIPE)


class _App:
    """One run of a command: which jobs it did and what came of them."""

    def __init__(
        self, command: str, job: str | Callable[[Job], JobResult], module: str | None, summary: str | None
    ) -> None:
        self._command = command
        self._job = job
        self._module = module
        self._summary = summary
        self._users_setting = os.environ.get(_FULL_ERROR)
        self._exit_code = 0

    def run(self, conf: Path) -> int:
        """Hand over to Hydra.

        Returns:
            The exit code of the process.

        Raises:
            ConfigError: the command line or a configuration file is wrong.
        """
        if sys.argv[1:] == ["--version"]:
            print(f"locnet {__version__}")  # noqa: T201 - what the user asked for
            return 0
        resolvers.register()
        line, sys.argv[1:] = command_line.read(sys.argv[1:], conf, self._command)
        self._multirun = Multirun(self._module, line)

        def task(config: DictConfig) -> float | None:
            return self._do(config)

        task.__module__ = f"locnet.{self._command}"  # Hydra names the job by it: hydra.job.name is `train`
        main = hydra.main(version_base="1.3", config_path=str(conf.absolute()), config_name=self._command)
        try:
            # Without this Hydra prints its errors itself and exits (1.3, _internal/utils.py, run_and_report).
            # To be removed when a Hydra lets an application have its errors.
            with _environment(_FULL_ERROR, "1"):
                main(task)()
        except (LocnetError, BrokenPipeError):
            raise
        except (KeyboardInterrupt, SystemExit):
            self._sum_up()  # what is done is done
            raise
        except Exception as error:
            if type(error).__module__.startswith("submitit.") and not _wants_traceback():
                self._sum_up()
                _complain(f"the cluster has lost a job; others may still run: {error}")
                return 1
            text = None if _wants_traceback() else explain(error, line)
            if text is None:
                raise
            raise ConfigError(text) from error
        return self._sum_up()

    def _do(self, config: DictConfig) -> float | None:
        """One job, as Hydra calls it."""
        about = HydraConfig.get()
        with _environment(_FULL_ERROR, self._users_setting):  # the job and its child processes see the user's
            if about.mode == RunMode.MULTIRUN:
                if is_one_of_several():  # not an exception: Hydra would report it once more
                    _complain("a multirun starts the processes of its jobs itself: leave torchrun and srun out")
                    sys.exit(ConfigError.exit_code)
                return self._multirun.do(about, lambda record: self._do_recorded(config, record))
            run_dir = Path(about.runtime.output_dir)
            record = None if OmegaConf.is_missing(about.job, "num") else read_record(run_dir)
            if record is not None:
                record = self._do_recorded(config, record)
                self._exit_code = record.exit_code or 0
                return record.value
            result, self._exit_code, error = self._try(config)
            if error is not None:
                with suppress(OSError):  # Hydra has made the run directory; one that holds nothing helps nobody
                    run_dir.rmdir()
            return result.value if result else None

    def _do_recorded(self, config: DictConfig, record: JobRecord) -> JobRecord:
        """A job of a multirun, in this process; the record of its end."""
        run_dir = Path(HydraConfig.get().runtime.output_dir)
        writes = is_main_process()
        if writes:
            record.write(run_dir)
        if not isinstance(config.get("resume", False), bool) and goes_on(run_dir):
            config.resume = str(run_dir)
        started = time.monotonic()
        result, code, error = self._try(config, record)
        status: Status = "failed" if result is None else "pruned" if result.pruned else "done"
        if code in (INTERRUPTED, TERMINATED):
            status = "interrupted"
        value = result.value if result else None
        seconds = round(time.monotonic() - started, 2)
        ended = replace(record, status=status, exit_code=code, value=value, error=error, seconds=seconds)
        if writes:
            ended.write(run_dir)
        return ended

    def _try(self, config: DictConfig, record: JobRecord | None = None) -> tuple[JobResult | None, int, str | None]:
        """Do a job; its result, its exit code, and what went wrong, said at once since a multirun goes on for hours."""
        label = f"{record.label}: " if record else ""
        try:
            job = _describe(config, record)
            result = self._function()(job)
        except Exception as caught:
            if _wants_traceback():
                raise
            error = DiskFullError.of(caught) or caught
            if isinstance(error, LocnetError):
                if is_main_process() or not isinstance(error, StoppedError):  # all processes stop, one says so
                    _complain(f"{label}{error}")
                return None, error.exit_code, str(error)
            traceback.print_exception(type(error), error, error.__traceback__)
            if label:
                _complain(f"{label}crashed, see the traceback above")
            return None, CRASHED, one_line(f"{type(error).__name__}: {error}")
        return result, result.exit_code, None

    def _function(self) -> Callable[[Job], JobResult]:
        return self._job if callable(self._job) else _import(self._job)

    def _sum_up(self) -> int:
        """Say what came of a multirun; the exit code of the process."""
        place = self._multirun.place
        if place is None:
            return self._exit_code
        records = self._multirun.records().values()
        if self._summary and records:
            _import(self._summary)(place)
        ours = [record for record in records if record.session == self._multirun.session]
        failed = [record.label for record in ours if record.status == "failed"]
        if failed and len(ours) > 1:
            _complain(f"{len(failed)} of {len(ours)} jobs failed: {'; '.join(failed)}")
        return jobs_exit_code(ours)


def _import(place: str) -> Callable[..., Any]:
    """The function at `module:name`."""
    module, _, name = place.partition(":")
    function: Callable[..., Any] = getattr(importlib.import_module(module), name)
    return function


def _describe(config: DictConfig, record: JobRecord | None = None) -> Job:
    """The job in plain Python.

    Args:
        config: as Hydra composed it.
        record: of a job of a multirun.

    Raises:
        ConfigError: a value is missing or cannot be worked out.
    """
    about = HydraConfig.get()
    values = dict(dotted(OmegaConf.to_container(config, resolve=False)))
    missing = [key for key, value in values.items() if value == "???"]
    if missing:
        verb, them = ("have", "them") if len(missing) > 1 else ("has", "it")
        example = " ".join(f"{key}=..." for key in missing)
        raise ConfigError(f"{', '.join(missing)} {verb} no value; give {them}: {example}")
    try:
        plain = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    except OmegaConfBaseException as error:
        raise ConfigError(explain_value(error, set(values))) from error
    if not isinstance(plain, dict):
        raise ConfigError("the configuration is no group of keys")
    choices = about.runtime.choices.items()
    return Job(
        config={str(key): value for key, value in plain.items()},
        run_dir=Path(about.runtime.output_dir),
        overrides=list(about.overrides.task),
        choices={str(group): str(name) for group, name in choices if name and group.split("/")[0] != "hydra"},
        multirun=record is not None,
        number=record.number if record else None,
        sweep_dir=Path(about.sweep.dir) if record else None,
        swept=list(record.swept) if record else [],
        trial=_trial(about),
    )


def _trial(about: Any) -> dict[str, Any] | None:
    """The settings of the search that this job is a trial of, if it is one."""
    if OmegaConf.select(about, "sweeper.trial") is None:
        return None
    settings = OmegaConf.to_container(about.sweeper, resolve=True)
    return {str(key): value for key, value in settings.items()} if isinstance(settings, dict) else None


@contextmanager
def _environment(name: str, value: str | None) -> Iterator[None]:
    """Set an environment variable, or unset it with None, and put it back afterwards."""

    def put(new: str | None) -> None:
        if new is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = new

    before = os.environ.get(name)
    put(value)
    try:
        yield
    finally:
        put(before)


def _wants_traceback() -> bool:
    return os.environ.get(_FULL_ERROR) == "1"


def _complain(message: str) -> None:
    sys.stdout.flush()
    print(f"error: {process_label()}{one_line(message, limit=600)}", file=sys.stderr, flush=True)  # noqa: T201 - the one error line


def _end_of_interrupted() -> NoReturn:
    _complain("interrupted")
    sys.exit(INTERRUPTED)
