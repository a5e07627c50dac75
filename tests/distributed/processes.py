"""What test_exact_evaluation.py runs in several processes: `python processes.py COUNT CHECKPOINT OUTPUT ROOT...`.

Each process writes what it saw to `OUTPUT/RANK.json`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from torch.utils.data import DataLoader, SequentialSampler

from locnet.callbacks.ema import Ema
from locnet.callbacks.history import History
from locnet.config.defaults import data_settings
from locnet.data.datamodule import LabelledImagesModule
from locnet.errors import DataError
from locnet.runtime.checkpoints import load_module
from locnet.runtime.collect import Collector

BATCH = 4


def data_module(root: Path) -> LabelledImagesModule:
    """The splits at the size of the tiny network."""
    settings = data_settings("csv", root=str(root), batch_size=BATCH, num_workers=0, resize="letterbox")
    return LabelledImagesModule(settings, image_size=(64, 64))


def trainer_of(
    root: Path, *, devices: int, pad: bool = False, more: Sequence[pl.Callback] = (), **options: Any
) -> pl.Trainer:
    """A quiet trainer with our collector; `pad` leaves samplers to Lightning."""
    return pl.Trainer(
        accelerator="cpu",
        strategy="ddp" if devices > 1 else "auto",
        devices=devices,
        use_distributed_sampler=pad,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        default_root_dir=root,
        callbacks=[Collector(), *more],
        **options,
    )


def evaluated(root: Path, checkpoint: Path, devices: int) -> dict[str, Any]:
    """Metrics of test and val, and the table of predictions."""
    data, module = data_module(root), load_module(checkpoint)
    trainer = trainer_of(root, devices=devices)
    [test] = trainer.test(module, datamodule=data, verbose=False)
    collector: Any = trainer.callbacks[0]  # type: ignore[attr-defined]
    predictions = collector.predictions(data.records.select("test"), threshold=0.5, has_box=True)
    [val] = trainer_of(root, devices=devices).validate(module, datamodule=data, verbose=False)
    return {"test": test, "val": val, "predictions": predictions.columns()}


class Losses(pl.Callback):
    """This process's loss of each step, and what was logged for all of them."""

    def __init__(self) -> None:
        self.seen: list[tuple[float, float]] = []

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, *_: Any) -> None:
        """Note both."""
        self.seen.append((float(outputs["parts"]["loss"]), float(trainer.callback_metrics["train/loss"])))


def _complaint(run: Any) -> str:
    try:
        run()
    except (AssertionError, DataError) as error:
        return str(error)
    return "none"


def _main() -> None:
    devices, places = int(sys.argv[1]), [Path(text) for text in sys.argv[2:]]
    checkpoint, output, *roots = places
    seen: dict[str, Any] = {root.name: evaluated(root, checkpoint, devices=devices) for root in roots}
    root = roots[0]
    module, data = load_module(checkpoint), data_module(root)

    padded = DataLoader(data.dataset("test"), batch_size=BATCH, sampler=SequentialSampler(range(9)))
    trainer = trainer_of(root, devices=devices, pad=True)
    seen["padded"] = _complaint(lambda: trainer.test(module, dataloaders=padded, verbose=False))
    trainer = trainer_of(root, devices=devices, pad=True)
    seen["dealt twice"] = _complaint(lambda: trainer.test(module, datamodule=data, verbose=False))

    data.trainer = trainer
    trains: Any = data.train_dataloader()
    seen["train"] = [draw.index for draw in trains.sampler]
    history = History(output / "history.jsonl")
    trainer = trainer_of(root, devices=devices, more=[Ema(0.5), Losses(), history], max_epochs=2, log_every_n_steps=1)
    trainer.fit(module, datamodule=data_module(root))  # validates unequal numbers of batches
    fitted = {name: float(value) for name, value in trainer.callback_metrics.items()}
    seen["fit"] = {name: value for name, value in fitted.items() if name.startswith("val/")}
    losses: Any = next(c for c in trainer.callbacks if isinstance(c, Losses))  # type: ignore[attr-defined]
    seen["losses"] = losses.seen
    ema: Any = next(c for c in trainer.callbacks if isinstance(c, Ema))  # type: ignore[attr-defined]
    seen["statistics"] = {name: value.tolist() for name, value in ema.ema.module.named_buffers() if "mean" in name}
    (output / f"{trainer.global_rank}.json").write_text(json.dumps(seen))


if __name__ == "__main__":
    _main()
