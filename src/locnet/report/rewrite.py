"""The job of `python -m locnet.report`: the page of a run that is finished, with other settings."""

from __future__ import annotations

import logging
from pathlib import Path

from PIL import Image

from locnet.config.app import Job, JobResult
from locnet.config.check import check
from locnet.config.schema import RewriteSettings
from locnet.data.images import ImageError, load_image
from locnet.report.grid import LoadImage
from locnet.report.page.choice import SIDE
from locnet.report.page.write import write_report
from locnet.report.stored import read_run

log = logging.getLogger(__name__)


def rewrite(job: Job) -> JobResult:
    """Write `report.html` into the run's directory.

    Raises:
        LocnetError: there is no finished run, or a setting does not fit it.
    """
    settings = check(job.config, RewriteSettings)
    run = read_run(Path(settings.run).expanduser())
    root = Path(settings.images).expanduser() if settings.images else run.root
    path = write_report(run.path, settings.report, pictures_in(root))
    log.info("written        %s (%.1f MB)", path, path.stat().st_size / 1e6)
    return JobResult()


def pictures_in(root: Path | None) -> LoadImage:
    """Images by their path relative to a folder.

    Args:
        root: the folder; None where nobody knows it.
    """

    def load(file: str) -> Image.Image:
        if root is None:
            raise ImageError(f"{file}: the run does not say where its images are; give images=DIR")
        return load_image(root / file, at_least=2 * SIDE).image

    return load
