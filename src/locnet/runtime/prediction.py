"""Predict for any number of images: a forward pass a batch, a line of the journal for each answer, then the formats."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from PIL import Image

from locnet.config.app import Job, JobResult
from locnet.config.check import check
from locnet.config.schema import PredictSettings
from locnet.data.workers import cores, worker_count
from locnet.errors import ConfigError, DataError
from locnet.heap import keep_all
from locnet.inference.localizer import Localizer
from locnet.inference.result import Result
from locnet.inference.stream import Asked, Inputs, stream_files
from locnet.inference.video import stream_video
from locnet.runtime.checkpoints import find_checkpoint
from locnet.runtime.journal import Journal, read_rows
from locnet.runtime.pace import Pace
from locnet.runtime.pictures import Pictures, full_size
from locnet.runtime.quiet import quiet
from locnet.runtime.rundir import CONFIG, claim
from locnet.sources import Source, open_source
from locnet.sources.video import is_video
from locnet.writers import WRITERS, Answers, columns
from locnet.writers.base import frame_name

log = logging.getLogger(__name__)

JOURNAL, SKIPPED = "predictions.jsonl", "skipped.jsonl"
DIGEST = "checkpoint_sha256"
_DECIDES = (DIGEST, "threshold", "coverage", "annotate", "crops", "fps")
"""What a run that goes on must share with the one that began: another value would give other answers or files."""


@quiet()
def predict(job: Job) -> JobResult:
    """Write `predictions.jsonl` and what else `format` names; exit code 1 where files were skipped.

    Raises:
        LocnetError: the checkpoint or the source cannot be used.
    """
    keep_all()
    settings = check(job.config, PredictSettings)
    if settings.resume and settings.output is None:
        raise ConfigError("resume=true goes on in the output of an earlier call; name it: output=DIR")
    checkpoint = find_checkpoint(settings.checkpoint, cache=settings.paths.cache)
    localizer = Localizer.load(checkpoint, device=settings.device, threshold=settings.threshold)
    if settings.crops and not localizer.has_box:
        raise ConfigError("crops=true needs boxes, and this system gives none; set crops=false")
    margin = localizer.margin(settings.coverage) if settings.coverage is not None else None
    output = Path(settings.output).expanduser() if settings.output else job.run_dir
    pictures = Pictures(output, settings.annotate, settings.crops, settings.coverage)
    source = open_source(settings.source, leave_out=pictures.folders)
    _begin(output, checkpoint, job, settings)
    with ExitStack() as stack:
        run = _Run(output, source, pictures, stack)
        files = stream_files(
            run.to_do(),
            localizer.image_size,
            localizer.resize,
            batch_size=settings.batch_size,
            workers=worker_count(settings.num_workers),
        )
        for inputs in files:
            run.take(inputs, localizer.results(inputs.batch, margin=margin))
        for video in run.videos:
            shots = stream_video(
                video,
                localizer.image_size,
                localizer.resize,
                batch_size=settings.batch_size,
                rate=settings.fps,
                wanted=partial(run.wants, video),
                keep_pictures=bool(pictures),
            )
            try:
                for inputs in shots:
                    run.take(inputs, localizer.results(inputs.batch, margin=margin))
            except DataError as error:
                run.seen += 1
                run.skip(video, str(error))
        run.journal.sync()
        answers = run.answers(localizer.classes, crops=margin is not None)
        written = _write_formats(answers, settings.formats, output)
    log.info("predicted      %s", run.summary())
    folders = ["annotated/"] * settings.annotate + ["crops/"] * settings.crops
    log.info("written        %s: %s", output, ", ".join(written + folders))
    return JobResult(exit_code=1 if run.skipped else 0)


class _Run:
    """The answers of one call on their way to the disk.

    Attributes:
        journal: of the answers.
        seen: images that came by, those that were answered before this call included.
        before: of these, those.
        skipped: of these, those that cannot be read.
        videos: of the source; their frames come after all images.
    """

    def __init__(self, output: Path, source: Source, pictures: Pictures, stack: ExitStack) -> None:
        self.output, self.source, self.pictures = output, source, pictures
        self.journal = stack.enter_context(Journal(output / JOURNAL))
        self.pace = stack.enter_context(Pace("predict", source.count))
        self.threads = stack.enter_context(ThreadPoolExecutor(len(cores())))
        self.seen = self.before = self.skipped = 0
        self.videos: list[str] = []
        (output / SKIPPED).unlink(missing_ok=True)  # they are tried again

    def to_do(self) -> Iterator[str]:
        """Names of the source that have no answer yet."""
        for name in self.source.names:
            if self.journal.has(name):
                self.seen += 1
                self.before += 1
                self.pace.advance(1, before=True)
                continue
            if self.source.can_repeat:
                self.journal.note(name)
            if is_video(name):
                self.videos.append(name)
            else:
                yield name

    def wants(self, video: str, frame: int) -> bool:
        """Whether a frame has no answer yet."""
        if not self.journal.has(video, frame):
            return True
        self.seen += 1
        self.before += 1
        return False

    def take(self, inputs: Inputs, results: list[Result]) -> None:
        """Write the pictures of a batch, and only then its rows."""
        errors = inputs.errors
        if self.pictures:
            pictures: Sequence[Image.Image | None] = inputs.pictures or [None] * len(results)
            errors = list(self.threads.map(self._picture, inputs.asked, results, pictures, errors))
        rows = []
        for asked, result, error in zip(inputs.asked, results, errors, strict=True):
            if error is None:
                rows.append(_row(asked, result))
            else:
                self.skip(asked.file, error)
        self.journal.add(rows)
        self.seen += len(results)
        self.pace.advance(len(results))

    def skip(self, file: str, error: str) -> None:
        """Report a file that has no answer."""
        self.skipped += 1
        log.warning("skipped: %s", error)
        with (self.output / SKIPPED).open("a", encoding="utf-8", errors="backslashreplace") as lines:
            lines.write(json.dumps({"file": file, "error": error}, ensure_ascii=False) + "\n")

    def answers(self, classes: tuple[str, ...], *, crops: bool) -> Answers:
        """All answers in the output, for the formats."""
        fields = columns(classes, crops=crops, frames=self.journal.has_frames)
        return Answers(partial(read_rows, self.journal.path), classes, fields, self.source.relative)

    def summary(self) -> str:
        """What came of the images, in words."""
        before = f", {self.before:,} before this call" if self.before else ""
        skipped = f", {self.skipped:,} skipped (see {SKIPPED})" if self.skipped else ""
        return f"{self.seen - self.skipped:,} of {self.seen:,} images{before}{skipped}"

    def _picture(self, asked: Asked, result: Result, picture: Image.Image | None, error: str | None) -> str | None:
        """Write the pictures of one answer; what is wrong with it."""
        if error is None:
            try:
                load = partial(full_size, asked.file) if picture is None else lambda: picture
                self.pictures.write(result, frame_name(self.source.relative(asked.file), asked.frame), load)
            except DataError as late:
                return str(late)
        return error


def _row(asked: Asked, result: Result) -> dict[str, Any]:
    frame = {} if asked.frame is None else {"frame": asked.frame, "time": asked.time}
    return {"file": asked.file, **frame, **result.row()}


def _write_formats(answers: Answers, formats: Sequence[str], output: Path) -> list[str]:
    """Make the other formats from the journal; the names of all that is written."""
    written = [JOURNAL]
    for name in dict.fromkeys(formats):
        if name in WRITERS:
            written += WRITERS[name](answers, output)
    return written


def _begin(output: Path, checkpoint: Path, job: Job, settings: PredictSettings) -> None:
    """Make the output this call's own, or go on in that of an earlier one.

    Raises:
        ConfigError: another run lives there, or one that would have given other answers.
    """
    digest = hashlib.sha256(checkpoint.read_bytes()).hexdigest()
    config = job.config | {DIGEST: digest}
    if settings.resume and (output / CONFIG).is_file():
        begun: Any = OmegaConf.to_container(OmegaConf.load(output / CONFIG))
        if DIGEST not in begun:
            raise ConfigError(f"output={output} holds another run, not one of predict; choose another directory")
        for key in _DECIDES:
            if begun.get(key) != config[key]:
                was, now = (f"{key}={value}" for value in (begun.get(key), config[key]))
                if key == DIGEST:
                    was, now = "another checkpoint", f"checkpoint={settings.checkpoint}"
                raise ConfigError(f"{now}: {output} was begun with {was}; go on with that, or choose another output")
    else:
        claim(output, config, job.overrides)
    if output.resolve() != job.run_dir.resolve():
        with suppress(OSError):
            job.run_dir.rmdir()  # Hydra has made it, and it stays empty
