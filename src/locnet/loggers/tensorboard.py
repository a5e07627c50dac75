"""logger=tensorboard: event files in the run directory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pytorch_lightning.loggers import Logger, TensorBoardLogger

from locnet.errors import ConfigError
from locnet.loggers.base import Dashboard, RunContext
from locnet.loggers.content import Chart, Picture
from locnet.runtime.rundir import is_main_process


def tensorboard_logger(*, run: RunContext) -> Logger:
    """TensorBoard event files in the run directory.

    Raises:
        ConfigError: the package is not installed.
    """
    try:
        return TensorBoardRun(run)
    except ModuleNotFoundError as error:
        raise ConfigError(f"logger=tensorboard needs a package: pip install 'locnet[tensorboard]' ({error})") from error


class TensorBoardRun(Dashboard, TensorBoardLogger):
    """Lightning's logger, with pictures and charts."""

    def __init__(self, run: RunContext) -> None:
        """Write to `tensorboard/` in the run directory; a resumed run hides the steps that it does again."""
        super().__init__(save_dir=run.run_dir, name="tensorboard", version="", purge_step=run.resumed)

    def show_pictures(self, name: str, pictures: Sequence[Picture], step: int) -> None:
        """One image of all of them."""
        if pictures:
            import numpy as np

            from locnet.loggers.drawing import sheet

            self.experiment.add_image(name, np.asarray(sheet(pictures)), step, dataformats="HWC")

    def show_chart(self, name: str, chart: Chart, step: int) -> None:
        """The chart as an image."""
        from locnet.loggers.drawing import chart_figure, pixels

        self.experiment.add_image(name, pixels(chart_figure(chart)), step, dataformats="HWC")

    def summarise(self, values: Mapping[str, float]) -> None:
        """Scalars of one step."""
        self.log_metrics(values, 0)

    def alert(self, title: str, text: str) -> None:
        """A text beside the curves."""
        self.experiment.add_text("alerts", f"**{title}**: {text}")

    def close(self, *, failed: bool, score: float | None) -> list[str]:
        """Say how to look at it."""
        return [f"tensorboard: `tensorboard --logdir {self.log_dir}`"] if is_main_process() else []
