"""The job of `python -m locnet.doctor`."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from locnet.checkup.contradictions import contradictions, disagreeing
from locnet.checkup.manifest import write_manifest
from locnet.checkup.near_duplicates import listed, near_duplicates, pairs_in_splits
from locnet.checkup.page import write_page
from locnet.checkup.screen import print_screen
from locnet.checkup.suspects import Suspect, find_suspects
from locnet.config.app import Job, JobResult
from locnet.config.check import check
from locnet.config.schema import DoctorSettings
from locnet.data.duplicates import find_twins
from locnet.data.inspection import Facts, inspect_all
from locnet.data.labels.assemble import Reading, assemble
from locnet.data.labels.defects import write_defects
from locnet.data.progress import with_progress
from locnet.data.reading import read_labels, with_duplicates
from locnet.data.workers import cores
from locnet.runtime.rundir import claim

log = logging.getLogger(__name__)


def examine(job: Job) -> JobResult:
    """Write report.html, defects.jsonl and, on request, clean.csv; exit code 1 where there are defects.

    Raises:
        LocnetError: the configuration or the labels cannot be read at all.
    """
    settings = check(job.config, DoctorSettings)
    checkpoint, trained = None, None
    if settings.checkpoint is not None:
        from locnet.runtime.checkpoints import find_checkpoint, read_checkpoint

        checkpoint = find_checkpoint(settings.checkpoint, cache=settings.paths.cache)
        trained = tuple(read_checkpoint(checkpoint)["hyper_parameters"]["classes"])
    labels = read_labels(settings.data)
    workers = len(cores()) if settings.num_workers == "auto" else settings.num_workers

    def look(paths: Sequence[str]) -> list[Facts]:
        return inspect_all(
            paths,
            whole=True,
            workers=workers,
            progress=lambda facts: with_progress(facts, len(paths), f"looking at {len(paths):,} images"),
        )

    reading = assemble(labels, settings.data, look=look, look_at_all=True, trained=trained)
    reading, groups = with_twins(reading, workers)
    suspects: list[Suspect] | None = None
    if checkpoint is not None:
        suspects = find_suspects(
            reading.records, checkpoint, lambda batches: with_progress(batches, len(batches), "asking the model")
        )
    claim(job.run_dir, job.config, job.overrides)
    write_defects(job.run_dir / "defects.jsonl", reading.defects)
    write_page(job.run_dir / "report.html", reading, settings.data.root, groups, suspects)
    files = ["report.html", "defects.jsonl"]
    if settings.clean:
        write_manifest(job.run_dir / "clean.csv", reading.records)
        files.append("clean.csv")
    print_screen(reading, settings.data.root, suspects)
    log.info("written        %s: %s", job.run_dir, ", ".join(files))
    return JobResult(exit_code=1 if needs_a_look(reading) else 0)


def with_twins(reading: Reading, workers: int) -> tuple[Reading, list[NDArray[np.int64]]]:
    """The reading with what is wrong between images among its defects, and the near-duplicates of each split.

    Args:
        reading: whose image files were looked at as a whole.
        workers: threads that decode pictures.

    Returns:
        The reading; and groups of its rows that look the same and are of one split, the largest group first.
    """
    records, facts = reading.records, reading.facts
    assert facts is not None
    twins = find_twins(records, facts, near=True)
    reading = with_duplicates(reading, twins)
    pairs = pairs_in_splits(records.splits, twins)
    groups = near_duplicates(pairs)
    doubtful = disagreeing(records, pairs)
    contradicting = contradictions(
        records,
        facts,
        doubtful,
        workers=workers,
        progress=lambda rows, count: with_progress(rows, count, f"comparing {count:,} pictures whose labels differ"),
    )
    return replace(reading, defects=(*reading.defects, *contradicting, *listed(records, groups))), groups


def needs_a_look(reading: Reading) -> bool:
    """Whether anything was found that is more than good to know."""
    return any(defect.action != "noted" for defect in reading.defects)
