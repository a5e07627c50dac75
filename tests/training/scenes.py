"""A few images in memory and a quiet trainer, for tests of what happens during a fit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader

from locnet import target
from locnet.data.dataset import Sample
from locnet.module import LocalizerModule

SIDE = 32


def samples(count: int, seed: int = 0) -> list[Sample]:
    """Dark noise with one bright rectangle; every third image has none."""
    generator = torch.Generator().manual_seed(seed)
    made = []
    for index in range(count):
        label = index % 3 - 1
        corner = torch.rand(2, generator=generator) * 0.5
        box = torch.cat((corner, corner + 0.4)) if label >= 0 else torch.full((4,), torch.nan)
        image = torch.randint(0, 60, (3, SIDE, SIDE), generator=generator, dtype=torch.uint8)
        if label >= 0:
            left, top, right, bottom = (box * SIDE).int().tolist()
            image[label, top:bottom, left:right] += 150
        made.append(
            Sample(
                image=image,
                target=target.encode(torch.tensor(label), box, 2),
                label=torch.tensor(label),
                box_xyxy=box,
                placement=torch.tensor((0.0, 0.0, 1.0, 1.0)),
                size=torch.tensor((SIDE, SIDE)),
                index=torch.tensor(index),
            )
        )
    return made


def batches(count: int, size: int = 4) -> DataLoader[Any]:
    """The images in order."""
    return DataLoader(samples(count), batch_size=size)  # type: ignore[arg-type]  # a list is a data set


def module(settings: Mapping[str, Any], seed: int = 0) -> LocalizerModule:
    """An untrained network for the classes `a` and `b`."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return LocalizerModule(classes=("a", "b"), model=settings)


def trainer(*callbacks: pl.Callback, **options: Any) -> pl.Trainer:
    """A trainer that says and writes nothing unless it is told to."""
    quiet = dict.fromkeys(("logger", "enable_progress_bar", "enable_model_summary"), False)
    plain: dict[str, Any] = {"num_sanity_val_steps": 0, "enable_checkpointing": False, "accelerator": "cpu"}
    return pl.Trainer(callbacks=list(callbacks), **(quiet | plain | options))
