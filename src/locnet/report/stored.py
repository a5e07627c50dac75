"""A run or an evaluation as its directory holds it: what the page and the comparison are made from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError  # type: ignore[import-untyped]

from locnet.errors import DataError
from locnet.predictions import BACKGROUND, EDGES, EXTRA, SCORE, Predictions
from locnet.runtime.rundir import CONFIG, OVERRIDES

METRICS, PREDICTIONS, HISTORY = "metrics.json", "predictions.parquet", "history.jsonl"
ROOT = "data/root"
"""Key of `metrics.json`: where the images were."""


@dataclass(frozen=True)
class StoredRun:
    """A run directory, read.

    Attributes:
        path: of the directory.
        config: resolved, as `config.yaml` has it.
        overrides: what was typed.
        metrics: flat, as `metrics.json` has them.
        predictions: truth and answer of every image of the split.
    """

    path: Path
    config: dict[str, Any]
    overrides: list[str]
    metrics: dict[str, Any]
    predictions: Predictions

    @property
    def history(self) -> list[dict[str, Any]]:
        """Rows of `history.jsonl`; none of an evaluation."""
        from locnet.callbacks.history import read_history  # needs torch, which a comparison does without

        return read_history(self.path / HISTORY)

    @property
    def command(self) -> str:
        """The command that made it: train or evaluate."""
        return "evaluate" if "checkpoint" in self.config else "train"

    @property
    def split(self) -> str:
        """The split that the predictions are of."""
        return str(self.config.get("split", "test"))

    @property
    def root(self) -> Path | None:
        """The folder that the names of images are relative to, where the run says so."""
        data = self.config.get("data")
        said = self.metrics.get(ROOT) or (data.get("root") if isinstance(data, Mapping) else None)
        return Path(str(said)).expanduser() if said else None

    @property
    def monitor(self) -> tuple[str, str]:
        """What decided on the best epoch, and whether `max` or `min` of it."""
        return str(self.config.get("monitor", "val/iou")), str(self.config.get("monitor_mode", "max"))

    @property
    def mean_box(self) -> NDArray[np.float64] | None:
        """`(4,)` float64, xyxy fractions: the mean box of the training objects, where the run knows it."""
        edges = [self.metrics.get(f"baseline/mean_box/{edge}") for edge in EDGES]
        return None if None in edges else np.array(edges, dtype=np.float64)

    @property
    def baselines(self) -> dict[str, dict[str, float]]:
        """Scores of the constant answers by name, as `locnet.report.baselines` gives them."""
        found: dict[str, dict[str, float]] = {}
        for key, value in self.metrics.items():
            kind, _, rest = key.partition("/")
            name, _, score = rest.partition("/")
            if kind == "baseline" and score not in EDGES and value is not None:
                found.setdefault(name, {})[score] = float(value)
        return found


def read_run(path: Path) -> StoredRun:
    """Read a run directory.

    Raises:
        DataError: it is none, or is not finished.
    """
    if not path.is_dir():
        raise DataError(f"{path}: {'is a file' if path.exists() else 'no such directory'}; give the directory of a run")
    for name in (METRICS, PREDICTIONS):
        if not (path / name).is_file():
            raise DataError(f"{path}: there is no {name} in it; give the directory of a finished train or evaluate run")
    try:
        metrics = json.loads((path / METRICS).read_text(encoding="utf-8"))
        config = _yaml(path / CONFIG) or {}
        overrides = _yaml(path / OVERRIDES) or []
    except (OSError, ValueError, YAMLError, OmegaConfBaseException) as error:
        raise DataError(f"{path}: a file in it cannot be read: {error}") from error
    return StoredRun(
        path=path,
        config=config,
        overrides=[str(text) for text in overrides],
        metrics=metrics,
        predictions=read_predictions(path / PREDICTIONS, float(metrics.get("threshold") or 0.0)),
    )


def read_predictions(path: Path, threshold: float) -> Predictions:
    """The table that `Predictions.columns` was written from.

    Args:
        path: of the Parquet file.
        threshold: that the verdicts were given with.

    Raises:
        DataError: it is not such a table.
    """
    try:
        table = pq.read_table(path)
        names = [name.removeprefix(SCORE) for name in table.column_names if name.startswith(SCORE)]
        extra = [name.removeprefix(EXTRA) for name in table.column_names if name.startswith(EXTRA)]
        sizes = np.stack([_numbers(table, side) for side in ("height", "width")], axis=1)
        scale = sizes[:, [1, 0, 1, 0]]
        boxes, found = (
            np.stack([_numbers(table, prefix + edge) for edge in EDGES], axis=1) / scale
            for prefix in ("", "predicted_")
        )
        scores = [_numbers(table, f"{SCORE}{name}") for name in names]
        number = {name: label for label, name in enumerate(names)}
        return Predictions(
            classes=tuple(names),
            files=table["file"].to_pylist(),
            sizes=sizes.astype(np.int64),
            labels=np.array([number.get(name, BACKGROUND) for name in table["class"].to_pylist()], dtype=np.int64),
            boxes=boxes,
            p_c=_numbers(table, "p_c"),
            class_scores=np.stack(scores, axis=1) if scores else np.zeros((len(table), 0)),
            predicted_boxes=found,
            threshold=threshold,
            extra={name: table[f"{EXTRA}{name}"].to_pylist() for name in extra},
        )
    except (OSError, KeyError, pa.ArrowException) as error:
        raise DataError(f"{path}: cannot be read as a table of predictions: {error}") from error


def _numbers(table: pa.Table, name: str) -> NDArray[np.float64]:
    """A column as float64; null becomes NaN."""
    column = table[name].cast(pa.float64())
    values: NDArray[np.float64] = column.to_numpy()
    return values


def _yaml(path: Path) -> Any:
    return OmegaConf.to_container(OmegaConf.load(path)) if path.is_file() else None
