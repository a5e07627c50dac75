"""Worker processes that draw scenes side by side.

They are plain child processes that run `locnet.data.streets.worker`, not `multiprocessing` ones: those start
by importing the main program again, which would load torch into each of them and fails in a script without a
main guard. A worker whose parent was killed ends at its next line of output.
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType

from locnet.data.streets.manifest import Row, draw_one
from locnet.errors import DataError


class Crew:
    """Draws the items of a data set, in any order; a context manager that leaves no process behind.

    Args:
        folder: that the pictures go to.
        seed: of the data set.
        size: side of the pictures in pixels.
        items: split and index of each picture.
        workers: processes; 0 or 1 draws in this one.
    """

    def __init__(self, folder: Path, seed: int, size: int, items: Sequence[tuple[str, int]], workers: int) -> None:
        self._folder, self._seed, self._size = folder, seed, size
        self._items, self._workers = items, workers
        self._processes: list[subprocess.Popen[str]] = []

    def __enter__(self) -> Crew:
        """Nothing starts before `rows` is iterated."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End what still runs."""
        for process in self._processes:
            process.kill()
            process.wait()
            for stream in (process.stdin, process.stdout, process.stderr):
                if stream is not None:
                    stream.close()

    def rows(self) -> Iterator[Row]:
        """The row of each picture as soon as it is saved.

        Raises:
            DataError: if a worker fails; the message holds the last line that it wrote.
        """
        if self._workers < 2:
            for split, index in self._items:
                yield draw_one(self._folder, self._seed, self._size, split, index)
            return
        lines: queue.Queue[str | None] = queue.Queue()
        count = min(self._workers, len(self._items))
        for worker in range(count):
            self._processes.append(self._start(self._items[worker::count], lines))
        running = count
        while running:
            line = lines.get()
            if line is None:
                running -= 1
            else:
                yield json.loads(line)
        for process in self._processes:
            if process.wait() != 0:
                said = process.stderr.read().strip() if process.stderr else ""
                last = said.splitlines()[-1] if said else f"exit code {process.returncode}"
                raise DataError(f"{self._folder.parent}: drawing the street scenes failed: {last}")

    def _start(self, items: Sequence[tuple[str, int]], lines: queue.Queue[str | None]) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "locnet.data.streets.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
        job = json.dumps({"folder": str(self._folder), "seed": self._seed, "size": self._size, "items": items})

        def talk() -> None:
            try:
                if process.stdin is not None:
                    process.stdin.write(job)
                    process.stdin.close()
                for line in process.stdout or ():
                    lines.put(line)
            except (OSError, ValueError):  # it died, or we are being closed: the exit code tells
                pass
            finally:
                lines.put(None)

        threading.Thread(target=talk, daemon=True).start()
        return process
