"""Batch-1 latency in ONNX Runtime: the localizer, its bare backbone, and any other ONNX model, taking turns in one run.

    python benchmarks/latency.py --backbone mobilenetv2_100 --strides 8 16 32 --other peer=PEER.onnx

Machines are noisy: read the ratios. The localizer is exported without the normalisation of its input, like the others.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import onnxruntime
import timm
import torch
from torch import Tensor, nn

from locnet.models.network import Network


class Answer(nn.Module):
    """The y of a localizer alone: what an exported network answers."""

    def __init__(self, localizer: Network) -> None:
        """Take backbone and head."""
        super().__init__()
        self.backbone, self.head = localizer.backbone, localizer.head

    def forward(self, images: Tensor) -> Tensor:
        """`(B, 3, H, W)` float, normalised, to `(B, 5 + C)` float."""
        return cast(Tensor, self.head(self.backbone(images)).y)


def export(network: nn.Module, images: Tensor, path: Path) -> Path:
    """Write the network as ONNX for images of this shape."""
    torch.onnx.export(network.eval(), (images,), path, dynamo=True, verbose=False, external_data=False)
    return path


def session(path: Path, threads: int) -> Callable[[], Any]:
    """A call that runs the model once on an empty image."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    model = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    entry = model.get_inputs()[0]
    feed = {entry.name: np.zeros([side if isinstance(side, int) else 1 for side in entry.shape], np.float32)}
    return lambda: model.run(None, feed)


def measure(calls: dict[str, Callable[[], Any]], *, rounds: int, repeats: int) -> dict[str, list[float]]:
    """Seconds of each call; the models take turns, so that all of them meet the same noise."""
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for number in range(rounds + 1):
        for name, call in calls.items():
            for _ in range(repeats):
                started = time.perf_counter()
                call()
                if number:  # the first round warms up
                    seconds[name].append(time.perf_counter() - started)
    return seconds


def main() -> None:
    """Export, measure, print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backbone", default="mobilenetv2_100")
    parser.add_argument("--strides", type=int, nargs="+", default=[8, 16, 32])
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--depth", type=int, default=2)
    parser.add_argument("--bins", type=int, default=0)
    parser.add_argument("--classes", type=int, default=3)
    parser.add_argument("--size", type=int, default=224, help="pixels")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--other", action="append", default=[], metavar="NAME=FILE.onnx")
    arguments = parser.parse_args()

    images = torch.zeros(1, 3, arguments.size, arguments.size)
    head = {"name": "grid", **{key: getattr(arguments, key) for key in ("strides", "width", "depth", "bins")}}
    backbone = {"name": arguments.backbone, "image_size": arguments.size}
    localizer = Network([f"class {n}" for n in range(arguments.classes)], backbone=backbone, head=head)
    bare = timm.create_model(arguments.backbone, num_classes=0, global_pool="")
    with tempfile.TemporaryDirectory() as folder:
        files = {
            f"{arguments.backbone} alone": export(bare, images, Path(folder) / "bare.onnx"),
            "locnet": export(Answer(localizer), images, Path(folder) / "locnet.onnx"),
            **{name: Path(file) for name, _, file in (text.partition("=") for text in arguments.other)},
        }
        calls = {name: session(file, arguments.threads) for name, file in files.items()}
        seconds = measure(calls, rounds=arguments.rounds, repeats=arguments.repeats)

    reference = statistics.median(seconds["locnet"])
    print(f"ONNX Runtime {onnxruntime.__version__}, {arguments.threads} thread(s), batch 1, {arguments.size} px")
    print("| model | median ms | lowest ms | of locnet |\n|---|---|---|---|")
    for name, values in seconds.items():
        median = statistics.median(values)
        print(f"| {name} | {median * 1e3:.2f} | {min(values) * 1e3:.2f} | {median / reference:.2f} |")


if __name__ == "__main__":
    main()
