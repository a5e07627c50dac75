"""What many tests share: tiny labelled images, and a tiny checkpoint.

Run with `OMP_NUM_THREADS=1` these networks are faster than with many threads; the suite sets it for itself.
"""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

# before anything imports torch: waiting threads of two test processes must not burn each other's core
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
import pytest
from PIL import Image

COLUMNS = ("filename", "split", "class", "xmin", "ymin", "xmax", "ymax", "width", "height")
CLASSES = ("car", "dog", "person")

MakeManifest = Callable[..., Path]
MakeCheckpoint = Callable[..., Path]


@pytest.fixture(scope="session")
def manifest() -> MakeManifest:
    """Make a manifest folder: `manifest(folder)`; see `make_manifest`."""
    return make_manifest


def make_manifest(
    folder: Path,
    *,
    train: int = 8,
    val: int = 5,
    test: int = 5,
    classes: Sequence[str] = CLASSES,
    columns: Sequence[str] = COLUMNS,
    width: int = 48,
    height: int = 40,
    seed: int = 0,
) -> Path:
    """Write `annotations.csv` and `images/` into a folder and return it.

    Every image is dark noise with one bright rectangle, or without one: classes and background take turns.

    Args:
        folder: made where it is missing.
        train: images of the split train.
        val: of val.
        test: of test.
        classes: the class names.
        columns: of the CSV file.
        width: of the images, pixels.
        height: of the images, pixels.
        seed: of pixels and boxes.
    """
    generator = np.random.default_rng(seed)
    (folder / "images").mkdir(parents=True)
    splits = ["train"] * train + ["val"] * val + ["test"] * test
    names = [*classes, "background"]
    with (folder / "annotations.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, columns, extrasaction="ignore")
        table.writeheader()
        for number, split in enumerate(splits):
            name = names[number % len(names)]
            pixels = generator.integers(0, 64, (height, width, 3), dtype=np.uint8)
            row: dict[str, Any] = {"filename": f"{number:03}.png", "split": split, "class": name}
            if name != "background":
                left, top = int(generator.integers(0, width // 2)), int(generator.integers(0, height // 2))
                right, bottom = left + int(generator.integers(6, width // 2)), top + height // 2
                pixels[top:bottom, left:right] += np.uint8(150)
                row |= {"xmin": left, "ymin": top, "xmax": right, "ymax": bottom}
            Image.fromarray(pixels).save(folder / "images" / row["filename"])
            table.writerow(row | {"width": width, "height": height})
    return folder


def model_settings(
    head: Mapping[str, Any] | None = None, loss: Mapping[str, Any] | None = None, image_size: int = 64
) -> dict[str, Any]:
    """Settings of the smallest network that does the whole job."""
    linear = {"name": "linear", "strides": [32], "activation": "probability", "dropout": 0.0}
    parts = {"objectness": 1.0, "classes": 1.0, "box": 2.0, "l1": 1.0, "cells": 0.0, "edges": 0.0}
    multipart = {"name": "multipart", **parts, "box_term": "giou", "label_smoothing": 0.0}
    return {
        "backbone": {
            "name": "test_resnet",
            "pretrained": False,
            "checkpoint": None,
            "freeze": False,
            "drop_path_rate": 0.0,
            "image_size": image_size,
            "mean": None,
            "std": None,
        },
        "head": dict(head or linear),
        "loss": dict(loss or multipart),
        "optimizer": {
            "name": "adamw",
            "lr": 1e-3,
            "backbone_lr_scale": 1.0,
            "weight_decay": 0.05,
            "momentum": 0.9,
        },
        "scheduler": {"name": "constant", "warmup_epochs": 0.0, "final_lr_scale": 1.0},
    }


CLASSIFIER: dict[str, Any] = {
    "head": {"name": "classifier", "strides": [32], "dropout": 0.0},
    "loss": {"name": "cross_entropy", "box": 0.0, "box_term": "smooth_l1", "label_smoothing": 0.0},
}


def make_checkpoint(
    path: Path,
    *,
    classes: Sequence[str] = CLASSES,
    resize: str = "squash",
    data: Mapping[str, Any] | None = None,
    boxes: bool = True,
    seed: int = 0,
) -> Path:
    """Write the checkpoint of an untrained network, as Lightning writes it, and return its path.

    Args:
        path: of the file.
        classes: the class names, in the model's order.
        resize: `squash` or `letterbox`.
        data: settings of the data that it claims to be trained on.
        boxes: False makes a plain classifier.
        seed: of the weights.
    """
    import pytorch_lightning as pl
    import torch

    from locnet.module import LocalizerModule

    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = model_settings() if boxes else model_settings(**CLASSIFIER)
        module = LocalizerModule(classes=classes, model=model, resize=resize, data=data)
    trainer = pl.Trainer(
        accelerator="cpu",
        devices=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=path.parent,
    )
    trainer.strategy.connect(module)
    trainer.save_checkpoint(path)
    return path


@pytest.fixture(scope="session")
def checkpoint_of() -> MakeCheckpoint:
    """Make another checkpoint: `checkpoint_of(path, classes=...)`; see `make_checkpoint`."""
    return make_checkpoint


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkpoint of an untrained network of 0.4 M parameters for `CLASSES`, 64 x 64 pixels."""
    return make_checkpoint(tmp_path_factory.mktemp("checkpoint") / "tiny.ckpt")


@pytest.fixture(scope="session")
def tiny_model() -> Callable[..., dict[str, Any]]:
    """Settings of a tiny network; see `model_settings`."""
    return model_settings


@pytest.fixture(scope="session")
def run_script() -> Callable[..., None]:
    """Run `script(path, *arguments, timeout=seconds)` in a process of its own, which must end well."""
    environment = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE", "CUDA_VISIBLE_DEVICES": ""}

    def run(script: Path, *arguments: object, timeout: float) -> None:
        done = subprocess.run(
            [sys.executable, str(script), *map(str, arguments)],
            env=os.environ | environment,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-3000:]

    return run


@pytest.fixture(scope="module")
def s3_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Port of a server on this machine that speaks the API of S3; `s3://` means it as long as the module lasts."""
    pytest.importorskip("s3fs", reason="pip install 'locnet[s3]'")
    moto = pytest.importorskip("moto.server", reason="moto is not installed")
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    port: int = server.get_host_and_port()[1]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", "nobody")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "nothing")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        patch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
        patch.setenv("AWS_CONFIG_FILE", str(tmp_path_factory.mktemp("aws") / "none"))
        patch.setenv("AWS_MAX_ATTEMPTS", "1")
        yield port
    server.stop()
