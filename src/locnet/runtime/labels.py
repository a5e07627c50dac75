"""What a run says about its labels before it uses them."""

from __future__ import annotations

import logging
from pathlib import Path

from locnet.data.labels.assemble import Reading
from locnet.data.labels.defects import write_defects
from locnet.data.labels.summary import summary_lines
from locnet.data.records import Records
from locnet.errors import ConfigError
from locnet.runtime.rundir import is_main_process

log = logging.getLogger(__name__)

DEFECTS = "defects.jsonl"


def say_labels(reading: Reading, run_dir: Path) -> None:
    """Log the summary of the labels, and list the defects in `defects.jsonl` where there are any."""
    if reading.defects and is_main_process():
        write_defects(run_dir / DEFECTS, reading.defects)
    for heading, text in summary_lines(reading, DEFECTS):
        log.info("%-14s %s", heading, text)


def refuse_without_boxes(records: Records, *, has_box: bool) -> None:
    """Labels that know classes only are for networks without a box.

    Raises:
        ConfigError: the network has one.
    """
    if has_box and not records.has_boxes:
        raise ConfigError(f"the labels of {records.root} have no boxes: only experiment=classification can use them")
