"""A trial that does worse than the others is stopped; a study that cannot be told stops nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from scenes import batches, module, trainer

from locnet.search.pruning import Pruning

optuna = pytest.importorskip("optuna")


def settings_of(folder: Path, pruner: str, number: int) -> dict[str, Any]:
    return {
        "_target_": "hydra_plugins.locnet_search.SearchSweeper",
        "sampler": "tpe",
        "trials": 3,
        "at_once": 1,
        "seed": 0,
        "pruner": pruner,
        "pruner_startup_trials": 1,
        "pruner_warmup_epochs": 1,
        "storage": f"sqlite:///{folder}/study.db",
        "study": "locnet",
        "trial": number,
        "space": {},
    }


def study_of(folder: Path, pruner: Any = None) -> Any:
    storage = f"sqlite:///{folder}/study.db"
    return optuna.create_study(
        study_name="locnet", storage=storage, direction="maximize", pruner=pruner, load_if_exists=True
    )


@pytest.mark.parametrize(("others", "epochs"), [(2.0, 2), (-1.0, 4)])
def test_a_bad_trial_is_stopped_after_its_warm_up(
    tmp_path: Path, tiny_model: Callable[..., dict[str, Any]], others: float, epochs: int
) -> None:
    study = study_of(tmp_path)
    other = study.ask()
    for epoch in range(4):
        other.report(others, epoch)  # an IoU of 2 cannot be beaten, one of -1 not be undercut
    study.tell(other, others)
    number = study.ask().number
    pruning = Pruning(settings_of(tmp_path, "median", number), "val/iou")
    fit = trainer(pruning, max_epochs=4)
    fit.fit(module(tiny_model(image_size=32)), batches(8), batches(6))
    assert fit.current_epoch == epochs
    assert pruning.pruned == (epochs < 4)
    told = study_of(tmp_path).trials[number].intermediate_values
    assert list(told) == list(range(epochs))
    assert told[epochs - 1] == pytest.approx(float(fit.callback_metrics["val/iou"]))


def test_hyperband_stops_a_bad_trial_at_a_rung_of_its_bracket(
    tmp_path: Path, tiny_model: Callable[..., dict[str, Any]]
) -> None:
    """Optuna puts trial 3 of a study of this name into the bracket whose rungs are the epochs 1, 3 and 9."""
    study = study_of(tmp_path, optuna.pruners.HyperbandPruner(min_resource=1))
    for _ in range(3):
        other = study.ask()
        for epoch in range(9):
            other.report(2.0, epoch)
            assert not other.should_prune()
        study.tell(other, 2.0)
    pruning = Pruning(settings_of(tmp_path, "hyperband", study.ask().number), "val/iou")
    fit = trainer(pruning, max_epochs=9)
    fit.fit(module(tiny_model(image_size=32)), batches(4), batches(4))
    assert (fit.current_epoch, pruning.pruned) == (4, True)


def test_without_a_pruner_nothing_is_told(tmp_path: Path, tiny_model: Callable[..., dict[str, Any]]) -> None:
    fit = trainer(Pruning(settings_of(tmp_path, "none", 0), "val/iou"), max_epochs=1)
    fit.fit(module(tiny_model(image_size=32)), batches(4), batches(4))
    assert not (tmp_path / "study.db").exists()


def test_a_study_that_fails_does_not_stop_the_training(
    tmp_path: Path, tiny_model: Callable[..., dict[str, Any]], caplog: pytest.LogCaptureFixture
) -> None:
    study_of(tmp_path)
    pruning = Pruning(settings_of(tmp_path, "hyperband", 7), "val/iou")  # there is no trial 7
    fit = trainer(pruning, max_epochs=2)
    fit.fit(module(tiny_model(image_size=32)), batches(4), batches(4))
    assert (fit.current_epoch, pruning.pruned) == (2, False)
    assert "the search cannot be told of epoch 0" in caplog.text
