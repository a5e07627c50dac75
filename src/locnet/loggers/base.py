"""What every logger of a run is told, and what it may do beside logging numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from locnet.loggers.content import Chart, DataSet, Picture, PredictionTable

EPOCH, SAMPLES = "epoch", "trainer/samples"
"""Where in training a value belongs, beside its step; Lightning gives every metric its epoch."""


@dataclass(frozen=True)
class RunContext:
    """What a logger knows about its run.

    Attributes:
        run_dir: of this run.
        name: shown in the dashboard.
        tags: likewise.
        config: the resolved configuration, nested.
        monitor: the metric that decides what is best.
        mode: whether more of it (`max`) or less (`min`) is better.
        sweep: name of the multirun that the run is a job of.
        resumed: steps that were done before; None where the run begins.
    """

    run_dir: Path
    name: str | None = None
    tags: Sequence[str] = ()
    config: Mapping[str, Any] = field(default_factory=dict)
    monitor: str = "val/iou"
    mode: Literal["max", "min"] = "max"
    sweep: str | None = None
    resumed: int | None = None


class Dashboard:
    """What a logger can show; what it cannot, it leaves out.

    Attributes:
        clock: epoch and images seen so far, of whatever is logged next.
    """

    clock: Mapping[str, float] = {}

    def show_pictures(self, name: str, pictures: Sequence[Picture], step: int) -> None:
        """Images with boxes."""

    def show_chart(self, name: str, chart: Chart, step: int) -> None:
        """A chart of a finished split."""

    def show_table(self, name: str, table: PredictionTable, step: int) -> None:
        """All predictions of a split."""

    def summarise(self, values: Mapping[str, float]) -> None:
        """Numbers about the whole run, that make no curve."""

    def use_data(self, data: DataSet) -> None:
        """What the run learns from."""

    def keep_checkpoint(self, checkpoint: Path, about: Mapping[str, Any]) -> None:
        """The best checkpoint, once it is final."""

    def alert(self, title: str, text: str) -> None:
        """Tell the user now, wherever they are."""

    def close(self, *, failed: bool, score: float | None) -> list[str]:
        """End the run in the dashboard; returns what to tell the user (where to look)."""
        return []
