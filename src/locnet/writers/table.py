"""CSV: a row for each answer, `predictions.csv`."""

from __future__ import annotations

import csv
from pathlib import Path

from locnet.writers.base import Answers, whole_text


def write_csv(answers: Answers, folder: Path) -> list[str]:
    """Write `predictions.csv`; a writer of `WRITERS`."""
    with whole_text(folder / "predictions.csv") as file:
        table = csv.DictWriter(file, fieldnames=answers.columns)
        table.writeheader()
        table.writerows(answers.rows())
    return ["predictions.csv"]
