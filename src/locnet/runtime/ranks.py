"""The processes of one run: started once, agreed on one run directory, ended together."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch.distributed as dist
from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from lightning_fabric.utilities.distributed import _set_num_threads_if_needed
from pytorch_lightning.strategies.launchers.subprocess_script import _SubprocessScriptLauncher

from locnet.errors import ConfigError, LocnetError

_GRACE = 10.0  # seconds that a process has to notice by itself that another one is gone
_GONE = ("Connection closed by peer", "Connection reset by peer", "gloo", "NCCL", "ncclRemoteError", "Broken pipe")


class ProcessDiedError(LocnetError):
    """Another process of the run ended; its own message is the one to read."""

    exit_code = 70


def check_launch(trainer: Mapping[str, Any], environment: Mapping[str, str] = os.environ) -> None:
    """Compare what a launcher has started with what the configuration is going to start.

    Args:
        trainer: the node `trainer`.
        environment: of this process.

    Raises:
        ConfigError: there would be more processes than devices, or some would wait for others for ever.
    """
    devices, nodes = trainer.get("devices"), trainer.get("num_nodes", 1)
    count = len(devices) if isinstance(devices, list) else devices
    if not isinstance(count, int) or count < 1:  # auto
        return
    if "LOCAL_RANK" not in environment:
        return
    started = environment.get("WORLD_SIZE")
    if started is None and count * nodes > 1:
        raise ConfigError(
            f"LOCAL_RANK={environment['LOCAL_RANK']} is in the environment, as if a launcher had started this process, "
            "but WORLD_SIZE is not: the run would wait for processes that nobody starts; unset LOCAL_RANK"
        )
    if started is not None and int(started) != count * nodes:
        local = environment.get("LOCAL_WORLD_SIZE", started)
        raise ConfigError(
            f"a launcher (torchrun?) has started {started} processes, but trainer.devices={count} and "
            f"trainer.num_nodes={nodes} make {count * nodes}: set trainer.devices={local} "
            f"trainer.num_nodes={max(int(started) // max(int(local), 1), 1)} with a strategy such as trainer=ddp, "
            "or start the command without the launcher, and it starts the others itself"
        )


def prepare(trainer: pl.Trainer) -> None:
    """Have the processes that this trainer starts end together."""
    strategy = trainer.strategy
    if type(strategy.launcher) is _SubprocessScriptLauncher:
        old = strategy.launcher
        strategy._launcher = Launcher(old.cluster_environment, old.num_processes, old.num_nodes)


def agree(trainer: pl.Trainer, run_dir: Path) -> Path:
    """The first process's run directory, on all processes that a launcher such as torchrun or srun has started.

    Each of them has made up a name with its own clock. (Processes that Lightning starts are told the directory.)
    """
    environment = getattr(trainer.strategy, "cluster_environment", None)
    if trainer.world_size == 1 or environment is None or isinstance(environment, LightningEnvironment):
        return run_dir
    trainer.strategy.setup_environment()  # done again by the fit, where it finds everything in place
    agreed = Path(trainer.strategy.broadcast(str(run_dir.absolute())))
    if agreed != run_dir.absolute():
        with suppress(OSError):  # Hydra has made it; one that holds nothing helps nobody
            run_dir.rmdir()
    return agreed


def lost_peer(error: BaseException) -> bool:
    """Whether an error only says that another process is gone."""
    if isinstance(error, dist.DistError):
        return True
    return isinstance(error, RuntimeError) and any(word in str(error) for word in _GONE)


class Launcher(_SubprocessScriptLauncher):
    """Starts the other processes of this machine and takes them down when one of them, or this one, fails.

    Lightning's observer (2.6) kills the first process with SIGKILL when another one fails: with it go its message,
    its loggers and the rest of a multirun. Here the first process gets the time to end by itself, and is ended only
    when it waits for the dead one for ever, as it does with NCCL.
    """

    ending = False
    watched = False

    def launch(self, function: Callable[..., Any], *args: Any, trainer: Any = None, **kwargs: Any) -> Any:
        """Start the others, unless they are there already, and call the function.

        Raises:
            ProcessDiedError: another process ended.
        """
        self.cluster_environment.validate_settings(num_devices=self.num_processes, num_nodes=self.num_nodes)
        if not self.cluster_environment.creates_processes_externally:
            self._call_children_scripts()
            self.ending = False
            threading.Thread(target=self._watch_others, daemon=True).start()
        elif isinstance(self.cluster_environment, LightningEnvironment) and not self.procs and not self.watched:
            self.watched = True
            threading.Thread(target=_watch_parent, args=(os.getppid(),), daemon=True).start()
        _set_num_threads_if_needed(num_processes=self.num_processes)
        try:
            return function(*args, **kwargs)
        except BaseException as error:
            self.ending = True
            if isinstance(error, LocnetError):
                self._end_others()
                raise
            codes = self._end_others()
            if lost_peer(error):
                raise _died(codes) from error
            raise

    def _end_others(self) -> dict[int, int]:
        """Wait until the others have ended, then end them; returns the exit codes of those that ended by themselves."""
        deadline = time.monotonic() + _GRACE
        while any(process.poll() is None for process in self.procs) and time.monotonic() < deadline:
            time.sleep(0.05)
        codes = {rank: process.returncode for rank, process in enumerate(self.procs, 1) if process.returncode}
        for process in self.procs:
            if process.poll() is None:
                process.kill()
        return codes

    def _watch_others(self) -> None:
        procs = self.procs
        while not self.ending and not all(process.poll() == 0 for process in procs):
            if any(process.returncode for process in procs):
                break
            time.sleep(0.5)
        codes = {rank: process.returncode for rank, process in enumerate(procs, 1) if process.returncode}
        deadline = time.monotonic() + _GRACE
        while codes and not self.ending and time.monotonic() < deadline:
            time.sleep(0.1)
        if codes and not self.ending:
            for process in procs:
                process.kill()
            _leave(_died(codes))


def _watch_parent(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    time.sleep(_GRACE)
    _leave(ProcessDiedError("the first process of this run has died"))


def _died(codes: Mapping[int, int]) -> ProcessDiedError:
    if not codes:
        return ProcessDiedError("another process of this run has died; its message is the one to read")
    rank, code = next(iter(codes.items()))
    how = f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
    error = ProcessDiedError(f"process {rank} of this run {how}; its message stands above")
    error.exit_code = code if code > 0 else 128 - code
    return error


def _leave(error: ProcessDiedError) -> None:
    """End a process whose main thread waits for one that is gone."""
    print(f"error: {error}", file=sys.stderr, flush=True)  # noqa: T201 - nobody else can say it
    os._exit(error.exit_code)
