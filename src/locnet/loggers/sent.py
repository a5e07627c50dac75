"""What a dashboard has been sent already, for those that cannot take anything back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from locnet.runtime.files import beside


class Sent:
    """The last step that each name was sent of, kept in a file.

    A run that was killed does some steps again when it is resumed, with the same values to the bit: they must not be
    in the curves twice.

    Attributes:
        rows: how often something was sent: the number of the next row of a run that goes on in another file.
    """

    def __init__(self, path: Path) -> None:
        """Go on with `path`, if it is there and whole."""
        self.path = path
        self.rows = 0
        self.steps: dict[str, int] = {}
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            self.rows, self.steps = int(content["rows"]), dict(content["steps"])
        except (OSError, ValueError, KeyError, TypeError):  # none yet, or half of one
            pass

    def new(self, content: Mapping[str, Any], step: int) -> dict[str, Any]:
        """Those entries that were not sent of this step or a later one."""
        return {name: value for name, value in content.items() if self.steps.get(name, -1) < step}

    def add(self, content: Mapping[str, Any], step: int) -> None:
        """Note down what has been sent."""
        self.rows += 1
        self.steps.update(dict.fromkeys(content, step))
        partial = beside(self.path)  # not flushed to the disk: a row is sent often, and a power cut may repeat one
        partial.write_text(json.dumps({"rows": self.rows, "steps": self.steps}), encoding="utf-8")
        partial.replace(self.path)
