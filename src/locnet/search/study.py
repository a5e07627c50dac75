"""The study of a search: which trials there are, which comes next, what came of it. All of it is in the storage."""

from __future__ import annotations

import logging
import math
import os
import socket
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from filelock import FileLock, Timeout

from locnet.config.jobs import JobRecord, read_record
from locnet.errors import ConfigError
from locnet.search.settings import Mode, SearchSettings, open_storage, pruner
from locnet.search.space import ChoiceSpace, FloatSpace, IntSpace, distribution, grid

log = logging.getLogger(__name__)

_WORKER, _ABANDONED = "worker", "abandoned"


class Proposal(NamedTuple):
    """A trial to be done: its number in the study, and a value for each key."""

    number: int
    params: dict[str, Any]


class Study:
    """A study that several workers share and that goes on after all of them were killed.

    A worker holds a lock on a file as long as it lives, whatever ends it. Trials of a worker whose lock is free are
    abandoned: they are marked as failed, and their settings are tried again.

    Args:
        settings: of the search.
        spaces: of each key.
        mode: `max` or `min` of the score.
        sweep_dir: of the multirun.
    """

    def __init__(
        self,
        settings: SearchSettings,
        spaces: Mapping[str, FloatSpace | IntSpace | ChoiceSpace],
        mode: Mode,
        sweep_dir: Path,
    ) -> None:
        self._settings = settings
        self._sweep_dir = sweep_dir
        self._workers = sweep_dir / "workers"
        self._workers.mkdir(parents=True, exist_ok=True)
        self._lock = FileLock(self._workers / "study.lock")
        with self._lock:  # whoever is first makes the tables
            self._storage = open_storage(settings.storage)
        import optuna

        self._optuna = optuna
        self._name = f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:6]}.lock"
        self._points = grid(spaces) if settings.sampler == "grid" else None
        self._distributions = {key: distribution(space) for key, space in spaces.items()}
        wanted = settings.trials or (len(self._points) if self._points is not None else 0)
        if not wanted:
            raise ConfigError(f"hydra.sweeper.trials has no value, and sampler={settings.sampler} would never end")
        self._trials = min(wanted, len(self._points)) if self._points is not None else wanted
        with self._lock:
            self._study = optuna.create_study(
                storage=self._storage,
                study_name=settings.study,
                direction="maximize" if mode == "max" else "minimize",
                pruner=pruner(settings),
                load_if_exists=True,
            )

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Be one of the workers of the study."""
        own = FileLock(self._workers / self._name)
        with own:
            yield
        (self._workers / self._name).unlink(missing_ok=True)

    def propose(self, count: int) -> list[Proposal]:
        """Up to `count` trials to be done by this worker; none when the study has all that were asked for.

        Raises:
            ConfigError: the study was made with another space.
        """
        with self._lock:
            self._give_up_abandoned()
            left = self._trials - sum(not trial.user_attrs.get(_ABANDONED) for trial in self._begun())
            return [self._next() for _ in range(min(count, left))]

    def tell(self, number: int, record: JobRecord | None) -> None:
        """What came of a trial, by the record of its job."""
        state = self._optuna.trial.TrialState
        score = record.value if record else None
        if record is not None and record.status == "done" and score is not None and math.isfinite(score):
            self._study.tell(number, score, skip_if_finished=True)
        elif record is not None and record.status == "pruned":
            self._study.tell(number, state=state.PRUNED, skip_if_finished=True)
        else:
            self._study.tell(number, state=state.FAIL, skip_if_finished=True)

    def _next(self) -> Proposal:
        if self._points is not None and not self._waiting():
            tried = [trial.params for trial in self._begun() if not trial.user_attrs.get(_ABANDONED)]
            self._study.enqueue_trial(next(point for point in self._points if point not in tried))
        self._study.sampler = self._sampler()
        try:
            trial = self._study.ask(self._distributions)
        except ValueError as error:  # "CategoricalDistribution does not support dynamic value space"
            raise ConfigError(
                f"{self._sweep_dir} holds a search of another space ({error}); choose another directory"
            ) from error
        trial.set_user_attr(_WORKER, self._name)
        return Proposal(trial.number, dict(trial.params))

    def _give_up_abandoned(self) -> None:
        """Mark the running trials of workers that are no more, and queue their settings again."""
        for trial in self._study.get_trials(False, (self._optuna.trial.TrialState.RUNNING,)):
            worker = trial.user_attrs.get(_WORKER)
            if worker is None or worker == self._name or not self._is_gone(worker):
                continue
            self._storage.set_trial_user_attr(trial._trial_id, _ABANDONED, True)
            self._study.tell(trial.number, state=self._optuna.trial.TrialState.FAIL)
            self._study.enqueue_trial(trial.params)
            place = self._sweep_dir / str(trial.number)
            record = read_record(place)
            if record is not None and record.status == "running":
                replace(record, status="interrupted", error="its sweep was killed", exit_code=130).write(place)
            log.warning("trial %d was interrupted; its settings are tried again", trial.number)

    def _is_gone(self, worker: str) -> bool:
        try:
            with FileLock(self._workers / worker, timeout=0):
                return True
        except Timeout:
            return False

    def _begun(self) -> list[Any]:
        waiting = self._optuna.trial.TrialState.WAITING
        return [trial for trial in self._study.get_trials(False) if trial.state != waiting]

    def _waiting(self) -> bool:
        return bool(self._study.get_trials(False, (self._optuna.trial.TrialState.WAITING,)))

    def _sampler(self) -> Any:
        """Seeded by the trial, so that what is drawn does not depend on which worker or session draws it."""
        seed = self._settings.seed + len(self._study.get_trials(False))
        samplers = self._optuna.samplers
        return samplers.TPESampler(seed=seed) if self._settings.sampler == "tpe" else samplers.RandomSampler(seed=seed)
