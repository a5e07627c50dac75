"""What a finished run leaves behind: metrics.json, predictions.parquet, plots, report.html, the final table."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from locnet.calibration import Calibration
from locnet.calibration.scores import trust_line, trust_scores
from locnet.callbacks.history import read_history
from locnet.config.schema import ReportSettings
from locnet.data.records import SPLITS, Records
from locnet.predictions import EDGES, Predictions
from locnet.report.baselines import baselines, mean_box
from locnet.report.grid import LoadImage
from locnet.report.page.write import write_report
from locnet.report.plots import draw_figures, write_plots
from locnet.report.stored import HISTORY, METRICS, PREDICTIONS, ROOT
from locnet.report.table import print_report
from locnet.runtime.rundir import write_json

log = logging.getLogger(__name__)


def write_results(
    run_dir: Path,
    *,
    split: str,
    metrics: Mapping[str, float],
    predictions: Predictions,
    records: Records,
    load_image: LoadImage,
    report: ReportSettings,
    calibration: Calibration | None = None,
    raw: Predictions | None = None,
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
        load_image: gives the picture of a file that the records name.
        report: what `report.html` shows.
        calibration: that the predictions have been through.
        raw: the predictions before it.
        monitor: what decided on the best epoch.
        mode: `max` or `min` of it.
        extra: more entries of metrics.json.

    Returns:
        The files written.
    """
    train = records.select("train")
    constants = baselines(train.labels, train.boxes, predictions)
    trust = trust_scores(predictions, calibration, raw)
    content: dict[str, Any] = dict(sorted({**metrics, **{f"{split}/{key}": v for key, v in trust.items()}}.items()))
    for name, values in constants.items():
        content |= {f"baseline/{name}/{key}": value for key, value in values.items()}
    box = mean_box(train.boxes)
    if box is not None:
        content |= {f"baseline/mean_box/{edge}": float(value) for edge, value in zip(EDGES, box, strict=True)}
    content |= {f"samples/{name}": len(records.select(name)) for name in SPLITS}
    content |= {
        ROOT: str(records.root),
        "data/fingerprint": records.fingerprint(),
        "threshold": predictions.threshold,
        **(extra or {}),
    }
    if calibration is not None:
        content |= {
            "calibration/objectness_temperature": calibration.objectness_temperature,
            "calibration/class_temperature": calibration.class_temperature,
            "calibration/objects": calibration.residuals.count if calibration.residuals else None,
        }
    write_json(run_dir / METRICS, content)
    pq.write_table(pa.table(predictions.columns()), run_dir / PREDICTIONS)

    figures = draw_figures(
        history=read_history(run_dir / HISTORY),
        monitor=monitor,
        mode=mode,
        predictions=predictions,
        mean_box=box,
        calibration=calibration,
        raw=raw,
    )
    files = write_plots(run_dir / "plots", figures, predictions=predictions, load_image=load_image)
    if report.enabled:
        files.append(write_report(run_dir, report, load_image, figures))
    print_report(predictions, constants, split=split)
    line = trust_line(trust)
    if line:
        log.info("trust          %s", line)
    return [run_dir / METRICS, run_dir / PREDICTIONS, *files]
