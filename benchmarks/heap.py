"""Processor time and page faults of a forward pass, with freed memory kept for the next one and without.

    python benchmarks/heap.py RUN [--batches 1 4 16 32]

A process each; the network runs in a thread, as in `serve`. Faults are what the kernel is asked for pages that the
pass before had handed back.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from PIL import Image

from locnet.heap import keep_all
from locnet.inference.inputs import stack
from locnet.inference.localizer import Localizer

IMAGES = 160


def measure(run: str, batches: list[int], *, keep: bool) -> None:
    """Print a row for each batch size."""
    if keep:
        keep_all()
    localizer = Localizer.load(run, device="cpu")
    pixels = np.random.default_rng(0).integers(0, 255, (*localizer.image_size, 3), dtype=np.uint8)
    image = localizer.prepare(Image.fromarray(pixels))
    with ThreadPoolExecutor(1) as thread:
        for size in batches:
            batch, count = stack([image] * size), max(IMAGES // size, 4)
            for _ in range(3):
                thread.submit(localizer.results, batch).result()
            before = resource.getrusage(resource.RUSAGE_SELF)
            for _ in range(count):
                thread.submit(localizer.results, batch).result()
            after = resource.getrusage(resource.RUSAGE_SELF)
            user, system = after.ru_utime - before.ru_utime, after.ru_stime - before.ru_stime
            each = count * size
            faults = (after.ru_minflt - before.ru_minflt) / each
            cells = (f"{user / each * 1e3:.1f} ms", f"{system / each * 1e3:.1f} ms", f"{faults:,.0f}")
            print(f"| {'kept' if keep else 'handed back'} | {size} | {' | '.join(cells)} |", flush=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"| {'kept' if keep else 'handed back'} | | most resident: {peak:.0f} MB | | |", flush=True)


def main() -> None:
    """Start both, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", help="RUN_DIR, CKPT or safetensors file")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 4, 16, 32])
    parser.add_argument("--keep", choices=["yes", "no"], help="only this one, in this process")
    args = parser.parse_args()
    if args.keep:
        measure(args.run, args.batches, keep=args.keep == "yes")
        return
    print(
        "| freed memory | batch | user time an image | system time | page faults |\n|---|---|---|---|---|", flush=True
    )
    for keep in ("no", "yes"):
        subprocess.run([sys.executable, __file__, *sys.argv[1:], f"--keep={keep}"], check=True)


if __name__ == "__main__":
    main()
