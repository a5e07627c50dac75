"""How much faster training steps are with quick layers: the same network with and without them, in turns.

    python benchmarks/quick_layers.py [--rounds 5] [--steps 8] [--precision bf16] [experiment=finetune ...]

One thread, channels last, a batch of noise that lives in memory, forward and backward pass only.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time

import torch
from torch import Tensor
from train_overhead import Batches, new_module

from locnet.config.check import check
from locnet.config.compose import compose
from locnet.config.schema import TrainSettings
from locnet.models.quick_layers import quicken
from locnet.module import LocalizerModule


def seconds(module: LocalizerModule, images: Tensor, wanted: Tensor, *, steps: int, half: bool) -> float:
    """Of so many steps."""
    started = time.perf_counter()
    for _ in range(steps):
        module.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            loss = module.loss(module.model(images), wanted)["loss"]
        loss.backward()
    return time.perf_counter() - started


def main() -> None:
    """Print images a second and their ratio as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--precision", choices=("32", "bf16"), default="bf16")
    parser.add_argument("overrides", nargs="*", help="of the configuration, e.g. experiment=finetune")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    settings = check(compose("train", ["logger=none", *arguments.overrides]), TrainSettings)
    modules = {name: new_module(settings).train() for name in ("plain", "quick")}
    changed = quicken(modules["quick"].model)
    for module in modules.values():
        module.model.to(memory_format=torch.channels_last)
    batch: int = getattr(settings.data, "batch_size", 16)
    made = Batches(1, batch, modules["plain"].model.image_size[0])[0]
    images, wanted = made["image"].to(memory_format=torch.channels_last), made["target"]
    half = arguments.precision == "bf16"
    speeds: dict[str, list[float]] = {name: [] for name in modules}
    for number in range(arguments.rounds + 1):  # the first warms up
        for name in list(modules)[:: 1 if number % 2 else -1]:
            taken = seconds(modules[name], images, wanted, steps=arguments.steps, half=half)
            if number:
                speeds[name].append(batch * arguments.steps / taken)
    ratios = [quick / plain for plain, quick in zip(speeds["plain"], speeds["quick"], strict=True)]
    print(
        json.dumps(
            {
                "ratio": round(statistics.median(ratios), 3),
                "ratios": [round(ratio, 3) for ratio in ratios],
                "images_per_second": {name: round(statistics.median(values), 1) for name, values in speeds.items()},
                "convolutions_changed": changed,
                "machine": f"{platform.machine()}, torch {torch.__version__}",
            }
        )
    )


if __name__ == "__main__":
    main()
