"""How much of a plain PyTorch loop's training speed is left when locnet trains.

Same network, loss, optimizer, schedule, clipping, moving average and in-memory batches on both sides; the two take
turns, and each pair of neighbours gives one ratio.

    python benchmarks/train_overhead.py [--rounds 5] [--steps 40] [--batch-size 64]
"""

from __future__ import annotations

import argparse
import json
import logging
import platform
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any, cast

import pytorch_lightning as pl
import torch
from timm.utils import ModelEmaV3
from torch.utils.data import DataLoader, Dataset

from locnet import target
from locnet.callbacks.ema import Ema
from locnet.callbacks.history import History
from locnet.config.check import check
from locnet.config.compose import compose
from locnet.config.schema import ModelSettings, TrainSettings
from locnet.data.dataset import Sample
from locnet.module import LocalizerModule
from locnet.optim import build_optimizer, build_scheduler
from locnet.runtime.quiet import quiet
from locnet.runtime.trainer import build_trainer

CLASSES = ("pedestrian", "car", "motorcycle")


class Batches(Dataset[Sample]):
    """Whole batches that are made once and live in memory."""

    def __init__(self, steps: int, batch_size: int, side: int) -> None:
        generator = torch.Generator().manual_seed(0)
        corner = torch.rand(batch_size, 2, generator=generator) * 0.5
        boxes = torch.cat((corner, corner + 0.1 + torch.rand(batch_size, 2, generator=generator) * 0.4), dim=-1)
        labels = torch.randint(-1, len(CLASSES), (batch_size,), generator=generator)
        images = torch.randint(0, 256, (batch_size, 3, side, side), dtype=torch.uint8, generator=generator)
        self.steps = steps
        self.batch = {"image": images, "target": target.encode(labels, boxes, len(CLASSES))}

    def __len__(self) -> int:
        return self.steps

    def __getitem__(self, index: int) -> Sample:
        return cast(Sample, self.batch)


def new_module(settings: TrainSettings) -> LocalizerModule:
    """The same weights each time."""
    torch.manual_seed(0)
    return LocalizerModule(classes=CLASSES, model=settings.model_dump(include=set(ModelSettings.model_fields)))


def plain_loop(module: LocalizerModule, batches: Batches, settings: TrainSettings) -> float:
    """Seconds of a loop as one would write it without Lightning."""
    optimizer = build_optimizer(module.model, settings.optimizer)
    scheduler = build_scheduler(optimizer, settings.scheduler, steps=len(batches), epochs=1)
    average = ModelEmaV3(module.model, decay=settings.ema.decay, use_warmup=True)
    module.train()
    started = time.perf_counter()
    for step, batch in enumerate(DataLoader(batches, batch_size=None)):
        loss = module.loss(module.model(batch["image"]), batch["target"])["loss"]
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(module.parameters(), settings.trainer["gradient_clip_val"])
        optimizer.step()
        scheduler.step()
        average.update(module.model, step=step)
    return time.perf_counter() - started


class Stopwatch(pl.Callback):
    """Seconds from the first batch to the end of the epoch, as the plain loop is timed."""

    seconds = 0.0

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.seconds = time.perf_counter()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.seconds = time.perf_counter() - self.seconds


def through_locnet(module: LocalizerModule, batches: Batches, settings: TrainSettings) -> float:
    """Seconds of the same steps through the Trainer, with the callbacks that every run has."""
    watch = Stopwatch()
    with tempfile.TemporaryDirectory() as folder:
        node: dict[str, Any] = {
            **settings.trainer,
            "precision": "32-true",
            "max_epochs": 1,
            "accelerator": "cpu",
            "enable_progress_bar": False,
        }
        callbacks = [Ema(settings.ema.decay), History(Path(folder) / "history.jsonl"), watch]
        trainer = build_trainer(
            node,
            allow_targets=(),
            callbacks=callbacks,
            logger=False,
            enable_checkpointing=False,
            default_root_dir=folder,
        )
        trainer.fit(module, train_dataloaders=DataLoader(batches, batch_size=None))
    return watch.seconds


def main() -> None:
    """Print one line a round and the medians as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("overrides", nargs="*", help="of the configuration, e.g. backbone=resnet18")
    arguments = parser.parse_args()
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    settings = check(compose("train", ["logger=none", *arguments.overrides]), TrainSettings)
    side = new_module(settings).model.image_size[0]
    batches = Batches(arguments.steps, arguments.batch_size, side)
    images = arguments.steps * arguments.batch_size
    ratios, speeds = [], []
    with quiet():
        plain_loop(new_module(settings), Batches(3, arguments.batch_size, side), settings)  # warm-up
        for number in range(arguments.rounds):
            order = (plain_loop, through_locnet) if number % 2 == 0 else (through_locnet, plain_loop)
            seconds = {run: run(new_module(settings), batches, settings) for run in order}
            ratios.append(seconds[plain_loop] / seconds[through_locnet])
            speeds.append((images / seconds[plain_loop], images / seconds[through_locnet]))
            plain, ours = speeds[-1]
            print(f"round {number}: plain {plain:.1f} images/s, locnet {ours:.1f}, ratio {ratios[-1]:.3f}")
    result = {
        "ratio_median": round(statistics.median(ratios), 4),
        "ratio_min": round(min(ratios), 4),
        "ratio_max": round(max(ratios), 4),
        "plain_images_per_second": round(statistics.median(s[0] for s in speeds), 1),
        "locnet_images_per_second": round(statistics.median(s[1] for s in speeds), 1),
        "backbone": settings.backbone.name,
        "side": side,
        "batch_size": arguments.batch_size,
        "threads": torch.get_num_threads(),
        "machine": platform.machine(),
        "torch": torch.__version__,
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
