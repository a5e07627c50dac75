"""The last lines: everything that lies there is named once."""

from __future__ import annotations

from pathlib import Path

import pytest

from locnet.runtime.summary import say_written


def test_what_was_written_where(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    for name in ("metrics.json", "config.yaml", "plots/iou.png", "plots/curves.png", "extra.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    say_written(tmp_path, [tmp_path / "plots/iou.png", tmp_path / "plots/curves.png", tmp_path / "extra.txt"])
    lines = [record.getMessage().split() for record in caplog.records]
    assert lines[0] == ["written", str(tmp_path)]
    assert [line[0] for line in lines[1:]] == ["metrics.json", "config.yaml", "extra.txt", "plots/"]
    assert lines[-1][1:] == ["curves.png,", "iou.png"]
