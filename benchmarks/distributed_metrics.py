"""Metrics of one checkpoint on 1, 2 and 3 processes: locnet's, and those that stock Lightning reports.

"Stock" is how most projects do it: the metric of each batch is logged with `sync_dist=True`, and Lightning's own
sampler deals the images out. Both sides run the same network on the same images.

    python benchmarks/distributed_metrics.py [--images 101] [--batch-size 16] [--epochs 3]

Trains a small network on drawn scenes first, then starts itself once for each number of processes.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

os.environ |= {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE", "CUDA_VISIBLE_DEVICES": ""}

import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from locnet.answer import read_off
from locnet.boxes import paired_iou
from locnet.config.defaults import data_settings
from locnet.data.datamodule import LabelledImagesModule
from locnet.data.dataset import Sample
from locnet.module import LocalizerModule
from locnet.runtime.checkpoints import find_checkpoint, load_module
from locnet.runtime.quiet import quiet

NAMES = ("iou", "class_accuracy", "accuracy", "loss")
SIDE = 64


class Stock(pl.LightningModule):
    """The same network, its metrics logged batch by batch."""

    def __init__(self, trained: LocalizerModule) -> None:
        super().__init__()
        self.trained = trained

    def test_step(self, batch: Sample, batch_idx: int) -> None:
        """Log the means of the batch."""
        output = self.trained.model(batch["image"])
        answer = read_off(output.y, batch["placement"])
        present, best = batch["label"] >= 0, answer.scores.argmax(-1)
        verdict = torch.where(answer.p_c < self.trained.threshold, -1, best)
        values: dict[str, Tensor] = {
            "accuracy": (verdict == batch["label"]).float().mean(),
            "loss": self.trained.loss(output, batch["target"])["loss"],
        }
        if bool(present.any()):
            values["iou"] = paired_iou(answer.boxes[present], batch["box_xyxy"][present]).mean()
            values["class_accuracy"] = (best == batch["label"])[present].float().mean()
        self.log_dict(values, on_epoch=True, sync_dist=True, batch_size=len(present))


def trainer_of(processes: int, *, stock: bool) -> pl.Trainer:
    """A quiet trainer."""
    return pl.Trainer(
        accelerator="cpu",
        devices=processes,
        strategy="ddp" if processes > 1 else "auto",
        use_distributed_sampler=stock,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )


def evaluate(checkpoint: Path, settings: dict[str, Any], processes: int) -> dict[str, dict[str, float]]:
    """Both sides' metrics."""
    module = load_module(checkpoint)
    data = LabelledImagesModule(data_settings("streets", **settings), image_size=(SIDE, SIDE), cache_dir=cache())
    with quiet():
        [ours] = trainer_of(processes, stock=False).test(module, datamodule=data, verbose=False)
        loader = DataLoader(data.dataset("test"), batch_size=settings["batch_size"])
        [theirs] = trainer_of(processes, stock=True).test(Stock(module), dataloaders=loader, verbose=False)
    return {
        "locnet": {name: float(ours[f"test/{name}"]) for name in NAMES},
        "stock": {name: float(theirs[name]) for name in NAMES},
    }


def cache() -> str:
    """Where the scenes are drawn."""
    return os.environ["LOCNET_CACHE"]


def train(folder: Path, settings: dict[str, Any], epochs: int) -> None:
    """A small network that knows a little."""
    values = [f"data.{name}={value}" for name, value in settings.items()]
    command = [
        *(sys.executable, "-m", "locnet.train", *values, f"backbone.image_size={SIDE}", f"trainer.max_epochs={epochs}"),
        *("trainer.accelerator=cpu", "trainer.enable_progress_bar=false", "logger=none", f"hydra.run.dir={folder}"),
    ]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def table(found: dict[int, dict[str, dict[str, float]]]) -> str:
    """Markdown: a row a side and number of processes."""
    lines = ["| | processes | " + " | ".join(NAMES) + " |", "|---|---|" + "---|" * len(NAMES)]
    for side in ("locnet", "stock"):
        for processes, sides in found.items():
            values = " | ".join(f"{sides[side][name]:.6f}" for name in NAMES)
            lines.append(f"| {'locnet' if side == 'locnet' else 'stock Lightning'} | {processes} | {values} |")
    return "\n".join(lines)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=101)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)  # what it starts itself with: folder, processes
    arguments = parser.parse_args()
    settings = {"size": SIDE, "train": 480, "val": 64, "test": arguments.images, "batch_size": arguments.batch_size}
    settings |= {"num_workers": 0}
    if arguments.one:
        folder, processes = Path(arguments.one[0]), int(arguments.one[1])
        found = evaluate(find_checkpoint(str(folder / "run")), settings, processes)
        if os.environ.get("LOCAL_RANK", "0") == "0":
            (folder / f"{processes}.json").write_text(json.dumps(found))
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        os.environ["LOCNET_CACHE"] = str(folder / "cache")
        train(folder / "run", settings, arguments.epochs)
        for processes in (1, 2, 3):
            typed = [sys.argv[0], "--images", str(arguments.images), "--batch-size", str(arguments.batch_size)]
            subprocess.run([sys.executable, *typed, "--one", str(folder), str(processes)], check=True)
        print(table({count: json.loads((folder / f"{count}.json").read_text()) for count in (1, 2, 3)}))


if __name__ == "__main__":
    main()
