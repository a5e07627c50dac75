"""One file a label format; each makes the same tables of what its files say."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from locnet.data.labels.tables import Labels
from locnet.data.readers.csv import read_csv

READERS: dict[str, Callable[[Any], Labels]] = {"csv": read_csv}
"""By the name that `data=NAME` chooses."""
