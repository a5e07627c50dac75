"""docs/wandb_layout.py: what it lays out is what runs log."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).parents[2] / "docs" / "wandb_layout.py"
pytestmark = pytest.mark.slow  # the package takes seconds to import


@pytest.fixture(scope="module")
def layout() -> ModuleType:
    pytest.importorskip("wandb_workspaces")
    spec = importlib.util.spec_from_file_location("wandb_layout", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_workspace_and_a_report_hold_every_panel(layout: ModuleType) -> None:
    sections = layout.sections()
    made = json.loads(layout.workspace("me", "locnet")._to_model().model_dump_json(by_alias=True))
    shown = made["spec"]["section"]["panelBankConfig"]["sections"]
    told = {one["name"]: len(one["panels"]) for one in shown if one["panels"]}
    assert told == {name: len(panels) for name, panels in sections.items()}
    blocks = layout.report("me", "locnet").blocks  # to make more of it, the package asks the server
    grids = [block for block in blocks if type(block).__name__ == "PanelGrid"]
    assert [len(grid.panels) for grid in grids] == [len(panels) for panels in sections.values()]
    text = json.dumps(made)
    for name in ("val/panel", "test/worst", "test/false_positives", "val/iou", "system/data_wait"):
        assert name in text


def test_the_names_are_those_of_our_metrics(layout: ModuleType) -> None:
    from locnet.report.scores import SCORE_TITLES

    assert {*layout.LOCALIZATION, *layout.CLASSIFICATION} == set(SCORE_TITLES)
