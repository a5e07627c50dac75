"""Stop a trial that does worse than the others did at the same epoch."""

from __future__ import annotations

import logging
import math
from typing import Any

import pytorch_lightning as pl

from locnet.search.settings import SearchSettings, open_storage, pruner, read_settings

log = logging.getLogger(__name__)


class Pruning(pl.Callback):
    """Tells the study the monitored metric after each validation and stops the fit where its pruner says so.

    One process asks the study, all of them stop. optuna-integration has such a callback too; it needs the study's
    storage set up in its own way for DDP and raises out of the fit, which a logger takes for a failure.

    Args:
        trial: `hydra.sweeper` of the configuration, `trial` being its number.
        monitor: log name of the metric.
    """

    def __init__(self, trial: dict[str, Any], monitor: str) -> None:
        super().__init__()
        self.settings: SearchSettings = read_settings(trial)
        self.monitor = monitor
        self.pruned = False
        self._trial: Any = None

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Report, ask, stop."""
        if trainer.sanity_checking or trainer.state.fn != "fit" or self.settings.pruner == "none":
            return
        value = trainer.callback_metrics.get(self.monitor)
        stop = False
        if trainer.is_global_zero and value is not None and math.isfinite(float(value)):
            stop = self._report(float(value), trainer.current_epoch)
        if trainer.strategy.broadcast(stop):
            self.pruned = trainer.should_stop = True
            if trainer.is_global_zero:
                log.info("pruned         after epoch %d: other trials did better", trainer.current_epoch)

    def _report(self, value: float, epoch: int) -> bool:
        """Tell the study; whether the trial should stop. A storage that fails must not take the training down."""
        try:
            if self._trial is None:
                self._trial = self._open()
            self._trial.report(value, epoch)
            return bool(self._trial.should_prune())
        except Exception as error:
            log.warning("the search cannot be told of epoch %d: %s", epoch, error)
            return False

    def _open(self) -> Any:
        import optuna

        storage = open_storage(self.settings.storage)
        study = optuna.load_study(study_name=self.settings.study, storage=storage, pruner=pruner(self.settings))
        number = self.settings.trial
        assert number is not None
        trial_id = storage.get_trial_id_from_study_id_trial_number(study._study_id, number)
        return optuna.trial.Trial(study, trial_id)
