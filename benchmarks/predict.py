"""How fast `predict` is beside bare decode + forward, how flat its memory, and what three SIGKILLs cost it.

    python benchmarks/predict.py CHECKPOINT PHOTOS [--files 5000] [--rounds 3] [--workers 1] [--folder DIR] [--plain]

The photos are linked until there are so many files. Bare: the loop that one writes by hand, Pillow's decoding and
scaling in the same number of loader processes, the network in this one, answers thrown away. `predict` is the command
from its first batch to its last format (what it takes to start is told apart). The two take turns. The bare loop keeps
freed memory for its next batch, as `predict` does; with --plain it does not, as nobody's loop does. Then the command is
started once more, killed three times at random moments (its workers too), resumed, and what it has written is compared
with the files.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from locnet.heap import keep_all
from locnet.inference.localizer import Localizer

SUFFIXES = (".jpg", ".jpeg", ".png")


class Bare(Dataset[Tensor]):
    """What a loop by hand does with a file."""

    def __init__(self, files: list[str], height: int, width: int) -> None:
        self.files, self.height, self.width = files, height, width

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> Tensor:
        with Image.open(self.files[index]) as image:
            image.draft("RGB", (self.width, self.height))
            small = image.convert("RGB").resize((self.width, self.height), Image.Resampling.BILINEAR, reducing_gap=3.0)
        return torch.from_numpy(np.array(small)).permute(2, 0, 1)


def bare(localizer: Localizer, files: list[str], workers: int) -> float:
    """Files a second."""
    loader = DataLoader(Bare(files, *localizer.image_size), batch_size=32, num_workers=workers)
    begun = time.monotonic()
    with torch.inference_mode():
        for batch in loader:
            localizer.network(batch)
    return len(files) / (time.monotonic() - begun)


def command(checkpoint: str, source: Path, output: Path, workers: int) -> list[str]:
    """What a user types."""
    return [
        *(sys.executable, "-m", "locnet.predict", f"checkpoint={checkpoint}", f"source={source}", f"output={output}"),
        *("resume=true", "format=[csv,parquet]", "device=cpu", f"num_workers={workers}"),
    ]


def predicted(arguments: list[str], journal: Path, files: int) -> tuple[float, float, list[tuple[float, float]]]:
    """Files a second from the first batch on, seconds to the first batch, and (seconds, resident MB) on the way."""
    begun = time.monotonic()
    process = subprocess.Popen(arguments, stderr=subprocess.DEVNULL)
    memory: list[tuple[float, float]] = []
    first, there = 0.0, 0
    while process.poll() is None:
        time.sleep(0.2)
        now = time.monotonic() - begun
        if not first and journal.is_file() and journal.stat().st_size:
            first, there = now, lines_of(journal)
        if first and len(memory) < now:
            memory.append((now, resident(process.pid)))
    if process.returncode != 0:
        raise SystemExit(f"predict has ended with {process.returncode}")
    return (files - there) / (time.monotonic() - begun - first), first, memory


def resident(pid: int) -> float:
    """Unshared resident memory of a process and its children, MB."""
    try:
        whole = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
        return sum(float(process.memory_full_info().uss) for process in whole) / 2**20
    except psutil.Error:
        return float("nan")


def lines_of(journal: Path) -> int:
    """Whole lines."""
    return journal.read_bytes().count(b"\n") if journal.is_file() else 0


def killed(arguments: list[str], output: Path, files: list[str], seed: int) -> str:
    """Kill three times, resume, compare; what came of it."""
    journal = output / "predictions.jsonl"
    moments = sorted(random.Random(seed).sample(range(len(files)), 3))
    for moment in moments:
        process = subprocess.Popen(arguments, stderr=subprocess.DEVNULL, start_new_session=True)
        while lines_of(journal) < moment and process.poll() is None:
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    subprocess.run(arguments, stderr=subprocess.DEVNULL, check=True)
    with journal.open(encoding="utf-8") as rows:
        answered = [json.loads(row)["file"] for row in rows]
    with (output / "predictions.csv").open(newline="", encoding="utf-8") as table:
        in_table = [row["file"] for row in csv.DictReader(table)]
    exact = sorted(answered) == sorted(files) and in_table == answered
    return f"killed after {moments} files: {'every file exactly once' if exact else 'WRONG'}, {len(answered)} rows"


def main() -> None:
    """Link, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint")
    parser.add_argument("photos", type=Path)
    parser.add_argument("--files", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--plain", action="store_true")
    args = parser.parse_args()
    if not args.plain:
        keep_all()
    localizer = Localizer.load(args.checkpoint, device="cpu")
    with tempfile.TemporaryDirectory(dir=args.folder) as scratch:
        root = Path(scratch) / "files"
        root.mkdir()
        photos = sorted(path.resolve() for path in args.photos.rglob("*") if path.suffix.lower() in SUFFIXES)
        for number in range(args.files):
            photo = photos[number % len(photos)]
            (root / f"{number:06}{photo.suffix}").symlink_to(photo)
        files = sorted(str(path) for path in root.iterdir())
        ratios = []
        for number in range(args.rounds):
            output = Path(scratch) / f"out-{number}"
            by_hand = bare(localizer, files, args.workers)
            typed = command(args.checkpoint, root, output, args.workers)
            ours, first, memory = predicted(typed, output / "predictions.jsonl", args.files)
            ratios.append(ours / by_hand)
            steps = ", ".join(f"{value:.0f}" for _, value in memory[:: max(len(memory) // 16, 1)])
            print(
                f"bare {by_hand:.1f}/s, predict {ours:.1f}/s: {ours / by_hand:.3f}; first batch after {first:.0f} s; "
                f"resident MB {steps}",
                flush=True,
            )
        if ratios:
            print(f"ratio: median {statistics.median(ratios):.3f} of {[round(ratio, 3) for ratio in ratios]}")
        output = Path(scratch) / "killed"
        print(killed(command(args.checkpoint, root, output, args.workers), output, files, args.seed))


if __name__ == "__main__":
    main()
