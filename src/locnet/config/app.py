"""Run a command as a Hydra application whose user errors are one line each."""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
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
from locnet.config.location import config_dir
from locnet.config.messages import one_line
from locnet.config.tree import dotted
from locnet.errors import ConfigError, LocnetError

CRASHED = 70
"""Exit code of a command that failed by a fault of the program: `EX_SOFTWARE` of sysexits.h. Python's own 1
would say that the command is done but skipped something."""
INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it: 128 + SIGINT."""
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
    """

    config: dict[str, Any]
    run_dir: Path
    overrides: list[str] = field(default_factory=list)
    choices: dict[str, str] = field(default_factory=dict)
    multirun: bool = False
    number: int | None = None


@dataclass(frozen=True)
class JobResult:
    """What came of a job.

    Attributes:
        value: the score that a sweeper optimises, if there is one.
        exit_code: 0 done, 1 done but something was skipped or found wrong.
    """

    value: float | None = None
    exit_code: int = 0


def run_app(command: str, job: str | Callable[[Job], JobResult], *, conf: Path | None = None) -> NoReturn:
    """Read the command line, compose the configuration, do the job, and end the process.

    Exit codes: 0 done, 1 done but something was skipped, 2 bad configuration or input (one line on stderr,
    `error: ...`), 70 a fault of the program (with its traceback), 130 interrupted. A multirun goes on after a
    job that failed, and ends with the highest code of its jobs. With HYDRA_FULL_ERROR=1 in the environment
    every error keeps its traceback.

    Args:
        command: name of the primary configuration, `train` for `conf/train.yaml`.
        job: the function, or where it is (`locnet.train:fit`), imported only when a job begins so that
            `--help` and `--cfg job` stay fast.
        conf: the folder of configuration files; ours unless given.
    """
    try:
        sys.exit(_App(command, job).run(conf or config_dir()))
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

    def __init__(self, command: str, job: str | Callable[[Job], JobResult]) -> None:
        self._command = command
        self._job = job
        self._process = os.getpid()
        self._users_setting = os.environ.get(_FULL_ERROR)
        self._exit_codes: list[int] = []
        self._failed: list[str] = []
        self._typed: tuple[str, ...] = ()

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
        self._typed = line.overrides

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
        except Exception as error:
            text = None if _wants_traceback() else explain(error, line)
            if text is None:
                raise
            raise ConfigError(text) from error
        if self._failed and len(self._exit_codes) > 1:
            _complain(f"{len(self._failed)} of {len(self._exit_codes)} jobs failed: {'; '.join(self._failed)}")
        return max(self._exit_codes, default=0)

    def _do(self, config: DictConfig) -> float | None:
        """One job, as Hydra calls it."""
        with _environment(_FULL_ERROR, self._users_setting):  # the job and its child processes see the user's
            try:
                result = self._function()(_describe(config))
            except Exception as error:
                if _wants_traceback() or os.getpid() != self._process:
                    raise  # a launcher's other process can tell us by the error only
                self._exit_codes.append(self._report(error))
                with suppress(OSError):  # Hydra has made the run directory; one that holds nothing helps nobody
                    Path(HydraConfig.get().runtime.output_dir).rmdir()
                return None
        self._exit_codes.append(result.exit_code)
        return result.value

    def _function(self) -> Callable[[Job], JobResult]:
        if callable(self._job):
            return self._job
        module, _, name = self._job.partition(":")
        function: Callable[[Job], JobResult] = getattr(importlib.import_module(module), name)
        return function

    def _report(self, error: Exception) -> int:
        """Say at once what went wrong, since a multirun goes on for hours.

        Hydra would keep the error for the end, and a sweeper would stop at the first.

        Returns:
            The exit code that it stands for.
        """
        label = ""
        about = HydraConfig.get()
        if about.mode == RunMode.MULTIRUN:
            swept = [text for text in about.overrides.task if text not in self._typed]
            label = f"job {about.job.num} ({', '.join(swept or about.overrides.task)})"
            self._failed.append(label)
        if isinstance(error, LocnetError):
            _complain(f"{label}: {error}" if label else str(error))
            return error.exit_code
        traceback.print_exception(type(error), error, error.__traceback__)
        if label:
            _complain(f"{label}: crashed, see the traceback above")
        return CRASHED


def _describe(config: DictConfig) -> Job:
    """The job in plain Python.

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
    multirun = about.mode == RunMode.MULTIRUN
    choices = about.runtime.choices.items()
    return Job(
        config={str(key): value for key, value in plain.items()},
        run_dir=Path(about.runtime.output_dir),
        overrides=list(about.overrides.task),
        choices={str(group): str(name) for group, name in choices if name and group.split("/")[0] != "hydra"},
        multirun=multirun,
        number=int(about.job.num) if multirun else None,
    )


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
    print(f"error: {one_line(message, limit=600)}", file=sys.stderr, flush=True)  # noqa: T201 - the one error line


def _end_of_interrupted() -> NoReturn:
    _complain("interrupted")
    sys.exit(INTERRUPTED)
