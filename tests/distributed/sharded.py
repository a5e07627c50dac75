"""What test_sharded.py runs in two processes: `python sharded.py ROOT OUTPUT [OPTIMIZER...]`.

OUTPUT holds `model.json`, the settings of the network. The first process writes `seen.json`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch

from locnet.callbacks.checkpoint import Checkpoints
from locnet.callbacks.ema import Ema
from locnet.callbacks.history import History
from locnet.callbacks.seeds import StepSeeds
from locnet.callbacks.throughput import Throughput
from locnet.config.defaults import data_settings
from locnet.data.datamodule import LabelledImagesModule
from locnet.module import LocalizerModule
from locnet.runtime.checkpoint_io import CheckpointFiles
from locnet.runtime.checkpoints import load_module
from locnet.runtime.collect import Collector
from locnet.runtime.fsdp import FullySharded
from locnet.runtime.resume import newest_checkpoint


class StoppedHereError(Exception):
    """What ends a fit."""


class Stop(pl.Callback):
    """Ends the fit before a batch, in both processes."""

    def __init__(self, batch: int) -> None:
        self.batch = batch

    def on_train_batch_start(self, trainer: pl.Trainer, *_: Any) -> None:
        """Stop."""
        if trainer.fit_loop.total_batch_idx == self.batch:
            raise StoppedHereError


class Shares(pl.Callback):
    """Notes which share of the weights a process holds, and the norms of the gradients before they are clipped."""

    def __init__(self) -> None:
        self.share, self.norms = 1.0, list[float]()

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any) -> None:
        """Note both."""
        held = [getattr(p, "_local_tensor", p).numel() for p in pl_module.parameters()]
        self.share = sum(held) / sum(p.numel() for p in pl_module.parameters())
        throughput: Any = next(c for c in trainer.callbacks if isinstance(c, Throughput))  # type: ignore[attr-defined]
        if throughput._gradient_norm is not None:  # not before the first step, where batches are accumulated
            self.norms.append(float(throughput._gradient_norm))


class Run:
    """A run in a folder."""

    def __init__(
        self, folder: Path, root: Path, strategy: Callable[[], Any], *, optimizer: str = "sgd", **options: Any
    ) -> None:
        self.folder, self.root, self.strategy, self.options = folder, root, strategy, options
        self.shares = Shares()
        self.settings = json.loads((folder.parent / "model.json").read_text())
        self.settings["optimizer"]["name"] = optimizer
        if optimizer == "sgd":
            self.settings["optimizer"]["lr"] = 0.005

    def trainer(self, *callbacks: pl.Callback) -> pl.Trainer:
        """Quiet, on the CPU."""
        quiet = dict.fromkeys(("logger", "enable_progress_bar", "enable_model_summary"), False)
        trainer = pl.Trainer(
            callbacks=[*callbacks, Collector()],
            accelerator="cpu",
            devices=2,
            use_distributed_sampler=False,
            num_sanity_val_steps=0,
            log_every_n_steps=1,
            default_root_dir=self.folder,
            strategy=self.strategy(),
            **(quiet | {"max_epochs": 3, "gradient_clip_val": 0.5} | self.options),
        )
        trainer.strategy.checkpoint_io = CheckpointFiles()
        return trainer

    def go(self, *more: pl.Callback) -> bool:
        """Start or resume; whether it came to its end."""
        checkpoints = Checkpoints("val/loss", "min", steps=1)
        checkpoints.directory = self.folder / "checkpoints"
        history = History(self.folder / "history.jsonl")
        trainer = self.trainer(checkpoints, Ema(0.6), StepSeeds(3), history, Throughput(), self.shares, *more)
        data = self.data()
        torch.manual_seed(0)
        module = LocalizerModule(classes=data.records.classes, model=self.settings)
        try:
            trainer.fit(module, datamodule=data, ckpt_path=newest_checkpoint(self.folder), weights_only=True)
        except StoppedHereError:
            return False
        return True

    def test(self) -> dict[str, float]:
        """Metrics of the best checkpoint, by both processes together."""
        trainer = self.trainer()
        [metrics] = trainer.test(load_module(self.folder / "checkpoints" / "best.ckpt"), self.data(), verbose=False)
        return dict(metrics)

    def data(self) -> LabelledImagesModule:
        """The splits at the size of the tiny network."""
        settings = data_settings("csv", root=str(self.root), batch_size=4, num_workers=0, resize="squash", cache="none")
        return LabelledImagesModule(settings, image_size=(32, 32))


def copies() -> str:
    """The whole network in each process."""
    return "ddp"


def shares(least: int = 20_000, *, reshard: bool = True) -> FullySharded:
    """Weights in shares."""
    return FullySharded(min_parameters=least, reshard_after_forward=reshard)


def _main() -> None:
    root, output = map(Path, sys.argv[1:3])
    seen: dict[str, Any] = {}

    def run(name: str, strategy: Callable[[], Any], **options: Any) -> Run:
        made = Run(output / name, root, strategy, **options)
        assert made.go()
        seen[name] = {"norms": made.shares.norms, "share": made.shares.share}
        return made

    # by SGD: AdamW divides small gradients by their own size, which makes much of the order of a sum
    run("copies", copies)
    seen["test"] = run("shares", shares).test()
    run("kept", partial(shares, 10**9, reshard=False))
    run("whole", shares, optimizer="adamw")
    broken = Run(output / "broken", root, shares, optimizer="adamw")
    assert not broken.go(Stop(4))
    assert broken.go()
    assert broken.go()  # one that is over stays over
    run("halves", shares, precision="bf16-true", max_epochs=1).test()
    for optimizer in sys.argv[3:]:
        for strategy in (copies, shares):
            run(f"{strategy.__name__} {optimizer}", strategy, optimizer=optimizer, accumulate_grad_batches=2)
    if torch.distributed.get_rank() == 0:
        (output / "seen.json").write_text(json.dumps(seen))


if __name__ == "__main__":
    _main()
