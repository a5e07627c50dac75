"""How fast images are loaded, and how much memory a million of them takes.

    python benchmarks/data.py speed DRIVING [--rounds 7] [--images 400] [--workers 1]
    python benchmarks/data.py memory DRIVING [--epochs 5]
    python benchmarks/data.py manifest [--rows 1000000]

`speed` lets locnet's loader, without and with `data.cache=disk`, torchvision's ImageFolder with transforms.v2, and
OpenCV in the manner of Ultralytics take turns over the same photos (a manifest folder), and gives ratios by round;
`--augment plain` lets all of them decode and scale only, `light` and `photos` make the changes of these options.
On a busy machine images per second of processor time say more than images per second of the clock: both are given.
`memory` gives the workers' memory (USS) after each epoch over a cache. `manifest` writes a manifest of a million rows
and gives the time to open it, the memory of the process and of four workers that have visited every row.
"""

from __future__ import annotations

import argparse
import csv
import gc
import importlib.util
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import psutil
import torch
from data_peers import OpenCvImages, image_folder
from PIL import Image
from torch.utils.data import DataLoader, Dataset

from locnet.config.check import check
from locnet.config.compose import compose
from locnet.config.schema import TrainSettings
from locnet.data.augment.settings import build_augment
from locnet.data.datamodule import LabelledImagesModule
from locnet.data.records import Records
from locnet.data.samplers import TrainSampler
from locnet.heap import keep_all

CACHED = "locnet, cache=disk"
OURS = "locnet"


class Photos:
    """The training photos as each contender serves them."""

    def __init__(
        self, root: Path, folder: Path, *, side: int, batch_size: int, workers: int, augment: str = "photos"
    ) -> None:
        self.root, self.folder, self.side, self.augment = root, folder, side, augment
        self.options: dict[str, Any] = {"batch_size": batch_size, "num_workers": workers}
        self.options["persistent_workers"] = workers > 0

    def module(self, cache: str = "none") -> LabelledImagesModule:
        """The data module as `python -m locnet.train data=csv augment=...` makes it."""
        batch, workers = self.options["batch_size"], self.options["num_workers"]
        overrides = ["data=csv", f"data.root={self.root}", f"data.cache={cache}"]
        overrides.append(f"augment={'none' if self.augment == 'plain' else self.augment}")
        settings = check(
            compose("train", [*overrides, f"data.batch_size={batch}", f"data.num_workers={workers}"]), TrainSettings
        )
        size = (self.side, self.side)
        augment = None if self.augment == "plain" else build_augment(settings.augment)
        return LabelledImagesModule(settings.data, image_size=size, augment=augment, cache_dir=self.folder / "cache")

    def loaders(self, images: int) -> dict[str, DataLoader[Any]]:
        """All contenders; those that are not installed are left out with a line."""
        loaders: dict[str, DataLoader[Any]] = {}
        for name, cache in ((OURS, "none"), (CACHED, "disk")):
            module = self.module(cache)
            loaders[name] = module.train_dataloader()
            records, augment = module.records.select("train"), module.augment
        classes = self.folder / "classes"
        classes.mkdir()
        others: dict[str, Dataset[Any]] = {"torchvision": image_folder(records, classes, self.side, augment)}
        if importlib.util.find_spec("cv2"):
            mosaic = augment.mosaic if augment else 0
            others["opencv"] = OpenCvImages(records, self.side, mosaic=mosaic, changes=augment is not None)
        else:
            print("opencv is left out: pip install locnet[bench]")
        loaders |= {name: DataLoader(dataset, shuffle=True, **self.options) for name, dataset in others.items()}
        print(f"{len(records)} photos, {images} a round")
        return loaders


def processes() -> list[psutil.Process]:
    """This one and its children; to find them takes a while."""
    this = psutil.Process()
    return [this, *this.children(recursive=True)]


def processor_seconds(of: Iterable[psutil.Process]) -> float:
    """Used so far."""
    return float(sum(times.user + times.system for times in (process.cpu_times() for process in of)))


def run(loader: Iterable[Any], images: int, size: int) -> tuple[float, float]:
    """Seconds by the clock and of the processors for so many images; whole batches."""
    batches = iter(loader)
    next(batches)  # workers are up, and have filled their queue
    workers = processes()
    started, used = time.perf_counter(), processor_seconds(workers)
    for _ in range(images // size):
        next(batches)
    result = time.perf_counter() - started, processor_seconds(workers) - used
    _settle(workers)
    return result


def _settle(workers: list[psutil.Process]) -> None:
    """Wait for those who go on with the next batches: their work is not that of the contender whose turn comes now."""
    used = 0.0
    while used != (used := processor_seconds(workers[1:])):
        time.sleep(0.5)


def speed(arguments: argparse.Namespace) -> dict[str, Any]:
    """Images per second of all contenders, in turns."""
    keep_all()  # as in training
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        photos = Photos(
            arguments.root,
            Path(folder),
            side=arguments.side,
            batch_size=arguments.batch_size,
            workers=arguments.workers,
            augment=arguments.augment,
        )
        loaders = photos.loaders(arguments.images)
        rounds: list[dict[str, tuple[float, float]]] = []
        count = arguments.images // arguments.batch_size * arguments.batch_size
        for number in range(arguments.rounds + 1):
            names = list(loaders) if number % 2 == 0 else list(loaders)[::-1]
            seconds = {name: run(loaders[name], count, arguments.batch_size) for name in names}
            if number:  # the first round fills the page cache
                rounds.append({name: (count / clock, count / cpu) for name, (clock, cpu) in seconds.items()})
                line = ", ".join(f"{name} {rounds[-1][name][0]:.0f} ({rounds[-1][name][1]:.0f})" for name in loaders)
                print(f"round {number}, images/s (of processor time): {line}", flush=True)
    result: dict[str, Any] = {name: getattr(arguments, name) for name in ("augment", "side", "workers", "batch_size")}
    for kind, what in enumerate(("clock", "processor")):
        for name in loaders:
            result[f"{what}/{name}"] = round(statistics.median(r[name][kind] for r in rounds), 1)
        for name in (OURS, CACHED):
            ratios = [r[name][kind] / max(v[kind] for k, v in r.items() if k not in (OURS, CACHED)) for r in rounds]
            result[f"{what}/{name} / best other"] = round(statistics.median(ratios), 3)
            result[f"{what}/{name} / best other, range"] = [round(min(ratios), 3), round(max(ratios), 3)]
    return result


def unique_megabytes() -> list[float]:
    """Memory of each worker that it shares with nobody (USS)."""
    return [round(child.memory_full_info().uss / 1e6, 1) for child in psutil.Process().children()]


def memory(arguments: argparse.Namespace) -> dict[str, Any]:
    """The workers' memory after each epoch, over a cache and without."""
    torch.set_num_threads(1)
    result: dict[str, Any] = {"workers": arguments.workers, "epochs": arguments.epochs}
    with tempfile.TemporaryDirectory() as folder:
        photos = Photos(
            arguments.root, Path(folder), side=arguments.side, batch_size=32, workers=max(arguments.workers, 1)
        )
        for cache in ("none", "disk"):
            loader: Any = photos.module(cache).train_dataloader()
            for epoch in range(arguments.epochs):
                loader.sampler.set_epoch(epoch)
                for _ in loader:
                    pass
                used = unique_megabytes()
                resident = [round(child.memory_info().rss / 1e6, 1) for child in psutil.Process().children()]
                print(f"cache={cache}, epoch {epoch}: USS {used} MB, RSS {resident} MB", flush=True)
                result.setdefault(f"uss_mb/cache={cache}", []).append(max(used))
                result.setdefault(f"rss_mb/cache={cache}", []).append(max(resident))
            del loader
            gc.collect()
    return result


def write_manifest(root: Path, rows: int) -> None:
    """A manifest of as many rows, and a file for each (of no content: labels are opened, not images)."""
    columns = ("filename", "split", "class", "xmin", "ymin", "xmax", "ymax", "width", "height")
    names = ("pedestrian", "car", "motorcycle", "background")
    with (root / "annotations.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(columns)
        for row in range(rows):
            split, name = ("train", "train", "val", "test")[row % 4], names[row // 4 % 4]
            edges = (row % 300, row % 200, row % 300 + 100, row % 200 + 150)
            box = ("",) * 4 if name == "background" else edges
            table.writerow((f"{row // 1000:04}/photo_{row:08}.jpg", split, name, *box, 512, 384))
    (root / "images").mkdir()
    Image.new("RGB", (512, 384)).save(root / "one.jpg")
    for row in range(rows):
        folder = root / "images" / f"{row // 1000:04}"
        if row % 1000 == 0:
            folder.mkdir()
            (folder / "base").write_bytes((root / "one.jpg").read_bytes())
        (folder / f"photo_{row:08}.jpg").hardlink_to(folder / "base")


class _Visit(Dataset[int]):
    """Every column of every row, without the image."""

    def __init__(self, records: Records) -> None:
        self.records = records

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, draw: Any) -> int:
        records, row = self.records, draw.index
        numbers = int(records.labels[row]) + int(records.sizes[row].sum()) + int(records.boxes[row].size)
        return len(str(records.path(row))) + numbers


def manifest(arguments: argparse.Namespace) -> dict[str, Any]:
    """Time and memory of a large manifest."""
    this = psutil.Process()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "data"
        root.mkdir()
        started = time.perf_counter()
        write_manifest(root, arguments.rows)
        print(f"written in {time.perf_counter() - started:.1f} s", flush=True)
        before = this.memory_info().rss
        settings = check(compose("train", ["data=csv", f"data.root={root}"]), TrainSettings)
        started, used = time.perf_counter(), processor_seconds([this])
        module = LabelledImagesModule(settings.data, image_size=(224, 224))
        records = module.records
        clock, cpu = time.perf_counter() - started, processor_seconds([this]) - used
        after = this.memory_info().rss
        sampler = TrainSampler(len(records), seed=0)
        options: dict[str, Any] = {"batch_size": 1000, "num_workers": 4, "persistent_workers": True}
        loader: Any = DataLoader(_Visit(records), sampler=sampler, **options)
        used_by_workers = []
        for epoch in range(arguments.epochs):
            sampler.set_epoch(epoch)
            seen = sum(len(batch) for batch in loader)
            used_by_workers.append(unique_megabytes())
            print(f"pass {epoch}: {seen} rows, USS of workers {used_by_workers[-1]} MB", flush=True)
        return {
            "rows": len(records),
            "open_seconds": round(clock, 2),
            "open_processor_seconds": round(cpu, 2),
            "rss_mb_before": round(before / 1e6, 1),
            "rss_mb_opened": round(after / 1e6, 1),
            "rss_mb_after_passes": round(this.memory_info().rss / 1e6, 1),
            "uss_mb_of_workers": used_by_workers,
        }


def main() -> None:
    """Print lines as they come and the result as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands: dict[str, Callable[[argparse.Namespace], dict[str, Any]]] = {
        "speed": speed,
        "memory": memory,
        "manifest": manifest,
    }
    parser.add_argument("what", choices=commands)
    parser.add_argument("root", type=Path, nargs="?", help="a manifest folder, for speed and memory")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--images", type=int, default=400, help="a round and contender")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--side", type=int, default=224)
    parser.add_argument("--augment", choices=("photos", "light", "plain"), default="photos", help="of all contenders")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--rows", type=int, default=1_000_000)
    arguments = parser.parse_args()
    if arguments.what != "manifest" and arguments.root is None:
        parser.error(f"{arguments.what} needs a manifest folder")
    print(json.dumps(commands[arguments.what](arguments)))


if __name__ == "__main__":
    main()
