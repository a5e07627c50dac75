"""What became of the labels, in a few lines."""

from __future__ import annotations

from locnet.data.labels.assemble import Reading
from locnet.data.labels.defects import counted


def summary_lines(reading: Reading, listed_in: str = "") -> list[tuple[str, str]]:
    """Heading and text of each line: which path the images took, what was ignored, what is wrong.

    Args:
        reading: of the labels.
        listed_in: file that lists the defects.
    """
    paths = ", ".join(f"{count:,} {words}" for words, count in reading.paths.items())
    lines = [("labels", f"{reading.total:,} images: {paths}")]
    if reading.ignored:
        ignored = ", ".join(f"{count:,} {reason}" for reason, count in reading.ignored.items())
        lines.append(("", f"objects that do not count: {ignored}"))
    told = []
    if reading.bad:
        told.append(f"{reading.bad:,} of {reading.total:,} left out ({counted(reading.defects, 'left out')})")
    if repaired := counted(reading.defects, "repaired"):
        told.append(f"repaired: {repaired}")
    if reported := counted(reading.defects, "reported"):
        told.append(f"to look at: {reported}")
    if told:
        lines.append(("defects", "; ".join(told) + (f"; listed in {listed_in}" if listed_in else "")))
    if noted := counted(reading.defects, "noted"):
        lines.append(("images", noted))
    return lines + [("", note) for note in reading.notes]
