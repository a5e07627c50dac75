"""What test_exact_evaluation.py runs in two processes: `python two_processes.py ROOT CHECKPOINT OUTPUT`.

Each process writes what it saw to `OUTPUT/RANK.json`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from torch.utils.data import DataLoader, SequentialSampler

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


def trainer_of(root: Path, *, devices: int, pad: bool = False, **options: Any) -> pl.Trainer:
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
        callbacks=[Collector()],
        **options,
    )


def evaluated(root: Path, checkpoint: Path, devices: int) -> dict[str, Any]:
    """Metrics of test and val, and the table of predictions."""
    data, module = data_module(root), load_module(checkpoint)
    trainer = trainer_of(root, devices=devices)
    [test] = trainer.test(module, datamodule=data, verbose=False)
    collector: Any = trainer.callbacks[-1]  # type: ignore[attr-defined]
    predictions = collector.predictions(data.records.select("test"), threshold=0.5, has_box=True)
    [val] = trainer_of(root, devices=devices).validate(module, datamodule=data, verbose=False)
    return {"rank": trainer.global_rank, "test": test, "val": val, "predictions": predictions.columns()}


def _complaint(run: Any) -> str:
    try:
        run()
    except (AssertionError, DataError) as error:
        return str(error)
    return "none"


def _main() -> None:
    root, checkpoint, output = map(Path, sys.argv[1:])
    seen = evaluated(root, checkpoint, devices=2)
    module, data = load_module(checkpoint), data_module(root)

    padded = DataLoader(data.dataset("test"), batch_size=BATCH, sampler=SequentialSampler(range(9)))
    trainer = trainer_of(root, devices=2, pad=True)
    seen["padded"] = _complaint(lambda: trainer.test(module, dataloaders=padded, verbose=False))
    trainer = trainer_of(root, devices=2, pad=True)
    seen["dealt twice"] = _complaint(lambda: trainer.test(module, datamodule=data, verbose=False))

    data.trainer = trainer
    trains: Any = data.train_dataloader()
    seen["train"] = [draw.index for draw in trains.sampler]
    trainer = trainer_of(root, devices=2, max_epochs=1)
    trainer.fit(module, datamodule=data_module(root))  # validates 5 and 4 images: 2 batches and 1
    fitted = {name: float(value) for name, value in trainer.callback_metrics.items()}
    seen["fit"] = {name: value for name, value in fitted.items() if name.startswith("val/")}
    (output / f"{seen['rank']}.json").write_text(json.dumps(seen))


if __name__ == "__main__":
    _main()
