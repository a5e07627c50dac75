"""A label file for each image: where it goes, and a warning where two images would share one."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

from locnet.writers.base import Answers

log = logging.getLogger(__name__)


def write_labels(answers: Answers, folder: Path, suffix: str, text_of: Callable[[dict[str, Any]], str]) -> None:
    """Write `folder/sub/a` + suffix for `sub/a.jpg`.

    These formats know an image by its name without ending. Where two differ in nothing else (`a.jpg`, `a.png`) the
    first one keeps the label file, and one line of the log says so.
    """
    twice: list[str] = []
    folder.mkdir()
    made: set[PurePosixPath] = set()
    for row in answers.rows():
        name = PurePosixPath(answers.name(row))
        if name.parent not in made:
            (folder / name.parent).mkdir(parents=True, exist_ok=True)
            made.add(name.parent)
        path = folder / name.parent / f"{name.stem}{suffix}"
        try:
            with path.open("x", encoding="utf-8") as file:
                file.write(text_of(row))
        except FileExistsError:
            twice.append(str(name))
    if twice:
        more = f" and {len(twice) - 1:,} more" if len(twice) > 1 else ""
        log.warning("%s%s: no %s file, an image that differs only in its ending has it", twice[0], more, suffix)
