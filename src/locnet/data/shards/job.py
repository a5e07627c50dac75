"""The job of `python -m locnet.pack`."""

from __future__ import annotations

import logging
from pathlib import Path

from locnet.config.app import Job, JobResult
from locnet.config.check import check
from locnet.config.schema import PackSettings
from locnet.data.reading import read_data
from locnet.data.records import SPLITS
from locnet.data.shards.pack import pack
from locnet.runtime.labels import say_labels
from locnet.runtime.rundir import claim

log = logging.getLogger(__name__)


def pack_data(job: Job) -> JobResult:
    """Write tars and index; exit code 1 where images were left out.

    Raises:
        LocnetError: the labels or an image cannot be used, or the folder cannot be written.
    """
    settings = check(job.config, PackSettings)
    output = Path(settings.output).expanduser()
    reading = read_data(settings.data, None, Path(settings.paths.cache).expanduser().absolute())
    claim(job.run_dir, job.config, job.overrides)
    say_labels(reading, job.run_dir)
    index = pack(reading.records, output, shard_bytes=round(settings.shard_mb * 1e6), seed=settings.seed)
    for split in SPLITS:
        shards = [shard for shard in index.shards if shard.name.startswith(f"{split}-")]
        images, size = int((index.records.splits == split).sum()), sum(shard.size for shard in shards) / 1e6
        plural = "s" * (len(shards) != 1)
        log.info("%-14s %d images in %d shard%s, %.1f MB", split, images, len(shards), plural, size)
    log.info("written        %s", output)
    log.info("next           python -m locnet.train data=shards data.root=%s", output)
    return JobResult(exit_code=1 if reading.bad else 0)
