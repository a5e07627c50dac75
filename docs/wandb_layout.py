"""Make the view of a wandb project that docs/wandb.md describes: its sections and panels, as a workspace or a report.

pip install wandb-workspaces
python docs/wandb_layout.py ENTITY/PROJECT             # a saved view of the project's page
python docs/wandb_layout.py ENTITY/PROJECT --report    # a page with text, to share
"""

from __future__ import annotations

import argparse
import sys
from typing import Any

import wandb_workspaces.reports.v2 as wr
import wandb_workspaces.workspaces as ws

SAMPLES = "trainer/samples"
"""The axis: images seen, which runs of different batch sizes share."""

LOCALIZATION = ("iou", "gt_known_loc", "top1_loc", "max_box_acc_v2")
CLASSIFICATION = ("accuracy", "class_accuracy", "objectness_ap")
CHARTS = ("confusion", "precision_recall", "reliability", "iou_histogram", "success")


def lines(*names: str) -> list[Any]:
    """One line plot a metric."""
    return [wr.LinePlot(title=name, x=SAMPLES, y=[name]) for name in names]


def pictures(*names: str) -> list[Any]:
    """One browser of images a name."""
    return [wr.MediaBrowser(title=name, media_keys=[name], num_columns=4) for name in names]


def sections() -> dict[str, list[Any]]:
    """The panels by section, in the order in which a run is read."""
    metrics = (*LOCALIZATION, *CLASSIFICATION)
    bars = [wr.BarPlot(title=f"test/{name}", metrics=[f"test/{name}"]) for name in metrics]
    return {
        "test: numbers": bars,
        "test: images": pictures("test/worst", "test/false_positives", "test/random"),
        "test: charts": pictures(*(f"test/{name}" for name in CHARTS), "test/predictions"),
        "val: how it got there": [*pictures("val/panel"), *lines("val/loss", *(f"val/{name}" for name in metrics))],
        "train": lines("train/loss", "train/loss_box", "train/loss_classes", "train/lr", "train/gradient_norm"),
        "system": lines("system/images_per_second", "system/data_wait", "system/gpu_memory_gb"),
    }


def workspace(entity: str, project: str) -> Any:
    """A saved view of the project's page."""
    made = [ws.Section(name=name, panels=panels, is_open=True) for name, panels in sections().items()]
    return ws.Workspace(entity=entity, project=project, name="locnet", sections=made)


def report(entity: str, project: str) -> Any:
    """A page with a heading and a grid of panels for each section."""
    runs = [wr.Runset(entity=entity, project=project)]
    blocks = [
        block
        for name, panels in sections().items()
        for block in (wr.H2(text=name), wr.PanelGrid(runsets=runs, panels=panels))
    ]
    return wr.Report(entity=entity, project=project, title="locnet", blocks=[wr.TableOfContents(), *blocks])


def main() -> None:
    """Save what was asked for and print its address."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("place", metavar="ENTITY/PROJECT")
    parser.add_argument("--report", action="store_true")
    arguments = parser.parse_args()
    entity, _, project = arguments.place.partition("/")
    if not project:
        parser.error(f"{arguments.place}: write ENTITY/PROJECT")
    made = (report if arguments.report else workspace)(entity, project)
    made.save()
    sys.stdout.write(f"{made.url}\n")


if __name__ == "__main__":
    main()
