"""A run that is broken off anywhere and resumed ends in the bits of the run that never was."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import EarlyStopping
from scenes import trainer
from torch import Tensor

from locnet.callbacks.checkpoint import Checkpoints
from locnet.callbacks.ema import Ema
from locnet.callbacks.history import History
from locnet.callbacks.seeds import StepSeeds
from locnet.config.defaults import data_settings
from locnet.data.augment.settings import build_augment
from locnet.data.datamodule import LabelledImagesModule
from locnet.errors import DataError
from locnet.module import LocalizerModule
from locnet.runtime.checkpoint_io import CheckpointFiles
from locnet.runtime.resume import newest_checkpoint
from locnet.runtime.storage import LAST, is_damaged

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*LeafSpec.*", "ignore:.*does not have many workers.*", "ignore:.*srun.*"),
    pytest.mark.filterwarnings("ignore:.*not resumable.*", "ignore:.*number of training batches.*"),
]

Settings = Callable[..., dict[str, Any]]
BATCHES, EPOCHS = 5, 3


class KilledError(Exception):
    """What ends the process."""


class Kill(pl.Callback):
    """Ends the run at a batch, or within a validation, or just before the end of an epoch is saved."""

    def __init__(self, moment: str, number: int) -> None:
        self.moment, self.number = moment, number

    def _strike(self, moment: str, number: int) -> None:
        if (moment, number) == (self.moment, self.number):
            raise KilledError

    def on_train_batch_start(self, trainer: pl.Trainer, *_: Any) -> None:
        self._strike("batch", trainer.fit_loop.total_batch_idx)

    def on_validation_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        self._strike("validation", trainer.current_epoch)

    def on_train_epoch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        self._strike("epoch", trainer.current_epoch)


class Run:
    """A run in a folder, that can be started again and again."""

    def __init__(self, folder: Path, root: Path, settings: dict[str, Any], **options: Any) -> None:
        self.folder, self.root, self.settings = folder, root, settings
        self.workers = options.pop("workers", 0)
        self.ema, self.patience = options.pop("ema", True), options.pop("patience", None)
        self.options = {"max_epochs": EPOCHS, "steps": 1} | options
        self.trainer: pl.Trainer | None = None
        self.module: LocalizerModule | None = None

    def go(self, *kills: Kill) -> bool:
        """Start or resume; whether it came to its end."""
        options = dict(self.options)
        data = data_settings(
            "csv", root=str(self.root), batch_size=4, num_workers=self.workers, resize="squash", cache="none"
        )
        callbacks = [Checkpoints("val/loss", "min", steps=options.pop("steps")), StepSeeds(3), *kills]
        callbacks += [Ema(0.6)] if self.ema else []
        callbacks += [EarlyStopping("val/loss", patience=self.patience, min_delta=9.0)] if self.patience else []
        callbacks += [History(self.folder / "history.jsonl")]
        augment = build_augment({"flip": 0.5, "zoom_in": 0.3})
        datamodule = LabelledImagesModule(data, image_size=(32, 32), augment=augment, seed=5)
        torch.manual_seed(0)
        self.module = LocalizerModule(classes=("car", "dog", "person"), model=self.settings)
        options |= {"default_root_dir": self.folder, "use_distributed_sampler": False, "gradient_clip_val": 1.0}
        self.trainer = trainer(*callbacks, enable_checkpointing=True, **options)
        self.trainer.strategy.checkpoint_io = CheckpointFiles()
        resume = newest_checkpoint(self.folder) if (self.folder / "checkpoints").exists() else None
        try:
            self.trainer.fit(self.module, datamodule=datamodule, ckpt_path=resume, weights_only=True)
        except KilledError:
            return False
        return True

    def result(self) -> tuple[dict[str, Tensor], list[dict[str, Any]]]:
        """All that the last checkpoint holds of weights and optimizer, and the history without its clock."""
        content = torch.load(self.folder / "checkpoints" / LAST, weights_only=True)
        tensors = content["state_dict"] | {f"raw {k}": v for k, v in content.get("raw_state_dict", {}).items()}
        for number, state in content["optimizer_states"][0]["state"].items():
            tensors |= {f"optimizer {number} {name}": value for name, value in state.items()}
        rows = [json.loads(line) for line in (self.folder / "history.jsonl").read_text().splitlines()]
        clock = ("train/seconds", "train/images_per_second")
        return tensors, [{k: v for k, v in row.items() if k not in clock} for row in rows]


@pytest.fixture(scope="module")
def root(manifest: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return manifest(tmp_path_factory.mktemp("data") / "scenes", train=4 * BATCHES + 1, val=6, test=1)


@pytest.fixture
def settings(tiny_model: Settings) -> dict[str, Any]:
    """With dropout, so that chance counts."""
    head = {"name": "linear", "strides": [32], "activation": "probability", "dropout": 0.3}
    made = tiny_model(head=head, image_size=32)
    made["scheduler"] = {"name": "cosine", "warmup_epochs": 1.0, "final_lr_scale": 0.01}
    return made


def same(first: Run, second: Run) -> None:
    (tensors, rows), (others, other_rows) = first.result(), second.result()
    assert rows == other_rows
    assert tensors.keys() == others.keys()
    assert [name for name, value in tensors.items() if not torch.equal(value, others[name])] == []


VARIANTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "without-ema": {"ema": False},
    "every-other-step": {"steps": 2},
    "accumulating": {"accumulate_grad_batches": 2},
    "stopped-early": {"patience": 1, "max_epochs": 9},
    "validating-rarely": {"check_val_every_n_epoch": 2, "max_epochs": 4},
    "validating-often": {"val_check_interval": 2},
    "two-workers": {"workers": 2},
}
QUICK = ("accumulating", "stopped-early", "validating-often")
MOMENTS = [("batch", 0), ("batch", 3), ("validation", 0), ("epoch", 1), ("batch", 7), ("batch", 12), ("batch", 13)]


@pytest.mark.parametrize(
    "variant", [pytest.param(name, marks=[] if name in QUICK else pytest.mark.slow) for name in VARIANTS]
)
def test_bit_by_bit(variant: str, settings: dict[str, Any], root: Path, tmp_path: Path) -> None:
    """One run is killed again and again; it never gets anywhere that the other one does not."""
    whole = Run(tmp_path / "whole", root, settings, **VARIANTS[variant])
    broken = Run(tmp_path / "broken", root, settings, **VARIANTS[variant])
    for run in (whole, broken):
        run.folder.mkdir()
    assert whole.go()
    finished = [broken.go(Kill(*moment)) for moment in (MOMENTS[1::2] if variant in QUICK else MOMENTS)]
    assert finished.count(False) >= 2
    assert broken.go()
    same(whole, broken)
    assert broken.go()  # killed while it tested: nothing is trained any more
    same(whole, broken)
    if variant == "stopped-early":
        assert len(broken.result()[1]) == 2


@pytest.mark.slow
def test_the_number_of_workers_does_not_matter(settings: dict[str, Any], root: Path, tmp_path: Path) -> None:
    runs = [Run(tmp_path / str(workers), root, settings, workers=workers, max_epochs=2) for workers in (0, 1, 3)]
    for run in runs:
        run.folder.mkdir()
        assert run.go()
    same(runs[0], runs[1])
    same(runs[0], runs[2])


def test_the_seed_does(settings: dict[str, Any], root: Path, tmp_path: Path) -> None:
    """The comparison could fail: without the seeds of the steps, dropout differs between two runs."""
    run = Run(tmp_path, root, settings, max_epochs=1)
    assert run.go()
    first = run.result()[0]
    other = tmp_path / "other"
    other.mkdir()
    changed = dict(settings)
    changed["head"] = settings["head"] | {"dropout": 0.31}
    again = Run(other, root, changed, max_epochs=1)
    assert again.go()
    assert any(not torch.equal(value, again.result()[0][name]) for name, value in first.items())


def test_a_damaged_last_checkpoint_gives_way_to_the_one_before(
    settings: dict[str, Any], root: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    whole, broken = (Run(tmp_path / name, root, settings) for name in ("whole", "broken"))
    for run in (whole, broken):
        run.folder.mkdir()
    whole.go()
    broken.go(Kill("batch", 8))
    last = broken.folder / "checkpoints" / LAST
    content = bytearray(last.read_bytes())
    content[len(content) // 3] ^= 1
    last.write_bytes(content)
    assert is_damaged(last)
    assert broken.go()
    assert "last.ckpt is damaged: its content does not fit its checksum; going on from the one before it" in caplog.text
    assert (last.parent / "damaged.ckpt").read_bytes() == content
    same(whole, broken)


def test_a_run_does_not_go_on_with_other_labels(
    settings: dict[str, Any], manifest: Callable[..., Path], root: Path, tmp_path: Path
) -> None:
    run = Run(tmp_path, root, settings)
    run.go(Kill("batch", 3))
    run.root = manifest(tmp_path / "others", train=21, val=6, test=1, seed=1)
    with pytest.raises(DataError, match="the labels have changed since the run began"):
        run.go()
