"""docs/data.md says what the code does: every format, every kind of defect and every key."""

from __future__ import annotations

import re
from pathlib import Path

from locnet.config.check import keys_of
from locnet.config.schema import LabelSettings, ShardsSettings
from locnet.data.labels.defects import KINDS
from locnet.data.readers import READERS

TEXT = (Path(__file__).parents[1] / "docs" / "data.md").read_text()


def test_every_format_has_its_row() -> None:
    assert set(re.findall(r"^\| `(\w+)` \|", TEXT, re.MULTILINE)) == set(READERS)


def test_every_kind_of_defect_has_its_row_with_its_rule() -> None:
    for kind, rule in KINDS.items():
        assert f"| `{kind}`: {rule.words} | {rule.action} | {rule.rule} |" in TEXT, kind
    assert len(re.findall(r"^\| `\w+`: ", TEXT, re.MULTILINE)) == len(KINDS)


def test_the_keys_that_it_names_exist() -> None:
    named = set(re.findall(r"data\.([a-z_.]+)", TEXT)) - {"root", "yaml", "labels.tables.", "readers", "md"}
    keys = (key for settings in (LabelSettings, ShardsSettings) for key in keys_of(settings, "data"))
    known = {key.removeprefix("data.") for key in keys}
    known |= {"box_origin", "annotations", "columns", "images", "target", "root"}
    assert {name.rstrip(".") for name in named} - known - {"labels.tables"} == set()
