"""What a finished run leaves behind: metrics.json, predictions.parquet, plots, the final table."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from locnet.callbacks.history import read_history
from locnet.data.images import load_image
from locnet.data.records import SPLITS, Records
from locnet.predictions import Predictions
from locnet.report.baselines import baselines, mean_box
from locnet.report.plots import write_plots
from locnet.report.table import print_report
from locnet.runtime.rundir import write_json


def write_results(
    run_dir: Path,
    *,
    split: str,
    metrics: Mapping[str, float],
    predictions: Predictions,
    records: Records,
    monitor: str = "val/iou",
    mode: str = "max",
    extra: Mapping[str, Any] | None = None,
) -> list[Path]:
    """Write everything and print the table.

    Args:
        run_dir: where to.
        split: that was evaluated.
        metrics: of it, by log name.
        predictions: of it.
        records: of all splits; the baselines are computed from `train`.
        monitor: what decided on the best epoch.
        mode: `max` or `min` of it.
        extra: more entries of metrics.json.

    Returns:
        The files written.
    """
    train = records.select("train")
    constants = baselines(train.labels, train.boxes, predictions)
    content: dict[str, Any] = {**dict(sorted(metrics.items()))}
    for name, values in constants.items():
        content |= {f"baseline/{name}/{key}": value for key, value in values.items()}
    content |= {f"samples/{name}": len(records.select(name)) for name in SPLITS}
    content |= {"data/fingerprint": records.fingerprint(), "threshold": predictions.threshold, **(extra or {})}
    write_json(run_dir / "metrics.json", content)
    pq.write_table(pa.table(predictions.columns()), run_dir / "predictions.parquet")

    def load(file: str) -> Image.Image:
        return load_image(records.root / file).image

    plots = write_plots(
        run_dir / "plots",
        history=read_history(run_dir / "history.jsonl"),
        monitor=monitor,
        mode=mode,
        predictions=predictions,
        load_image=load,
        mean_box=mean_box(train.boxes),
    )
    print_report(predictions, constants, split=split)
    return [run_dir / "metrics.json", run_dir / "predictions.parquet", *plots]
