"""`python -m locnet.data.streets.worker`: draws the scenes that standard input names."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from locnet.data.streets.manifest import draw_one


def main() -> None:
    """Read a job as JSON (folder, seed, size, items) and write each picture's row as a line of JSON."""
    job = json.load(sys.stdin)
    for split, index in job["items"]:
        row = draw_one(Path(job["folder"]), job["seed"], job["size"], split, index)
        sys.stdout.write(json.dumps(row) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
