r"""How accurate named experiments are on a named data set: several seeds, equal budgets, one report.

Each training is the real command line in a process of its own. Weights, epoch and threshold are chosen on `val`
alone; `test` is read once, by the run itself, after training. Runs that are finished are not repeated, interrupted
ones go on, so the same command may be given again.

    python benchmarks/accuracy.py --data streets --epochs 5 --experiment default --experiment classic --seeds 0,1,2
    python benchmarks/accuracy.py --data csv --root PHOTOS --experiment finetune \
        --experiment "wide: finetune head.width=192" --override backbone.checkpoint=WEIGHTS.safetensors

An experiment is a file of conf/experiment (`default` is none of them), followed by overrides of its own; a name and a
colon before it name its row. Under --output (runs/accuracy) lie the runs, `accuracy.md` and `accuracy.json`.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import torch
from omegaconf import OmegaConf
from torch.utils.flop_counter import FlopCounterMode

from locnet.callbacks.history import read_history
from locnet.runtime.checkpoints import find_checkpoint, load_module

SCORES = {
    "accuracy": "accuracy",
    "class_accuracy": "class accuracy",
    "iou": "IoU",
    "gt_known_loc": "GT-known Loc",
    "top1_loc": "Top-1 Loc",
    "max_box_acc_v2": "MaxBoxAccV2",
    "objectness_ap": "objectness AP",
}
TRUST = {
    "objectness_ece": "ECE of p_c",
    "objectness_ece_uncalibrated": "uncalibrated",
    "class_ece": "ECE of the class",
    "class_ece_uncalibrated": "uncalibrated",
    "coverage_80": "coverage 80 %",
    "coverage_90": "90 %",
    "coverage_95": "95 %",
    "crop_area_90": "area of the 90 % crop",
    "object_area": "of the true box",
}
COSTS = {
    "minutes": "training, minutes",
    "images_per_second": "images/s",
    "parameters": "parameters, M",
    "macs": "MACs, M",
    "epochs": "epochs",
    "best_epoch": "best epoch",
}
BUDGET = ("epochs_asked", "max_time", "batch_size", "samples/train", "image_size")
MOST_GROUPS = 12

Row = dict[str, Any]


@dataclass(frozen=True)
class Experiment:
    """One row of the report.

    Attributes:
        name: of the row, and of the folder of its runs.
        overrides: what is typed for it, without the seed.
    """

    name: str
    overrides: tuple[str, ...]

    @classmethod
    def read(cls, text: str, common: Sequence[str]) -> Experiment:
        """From `[NAME:] EXPERIMENT [key=value ...]`; the experiment's own overrides stand after the common ones."""
        name, colon, rest = text.partition(":")
        if not colon or "=" in name or " " in name:
            name, rest = "", text
        experiment, *own = rest.split()
        chosen = [] if experiment == "default" else [f"experiment={experiment}"]
        label = name or re.sub(r"[^\w.=-]+", "_", " ".join((experiment, *own)))
        return cls(label, (*chosen, *common, *own))


def train(experiment: Experiment, seed: int, folder: Path) -> Path:
    """The run directory of one finished training; trains only what is not there.

    Raises:
        SystemExit: the training failed, or the directory holds another one.
    """
    run = folder / experiment.name / f"seed-{seed}"
    typed = [*experiment.overrides, f"seed={seed}"]
    marker = run.with_name(f"{run.name}.overrides.json")
    if marker.is_file() and json.loads(marker.read_text()) != typed:
        sys.exit(
            f"error: {run} was trained with {marker.read_text()}, not {json.dumps(typed)}; choose another --output"
        )
    if (run / "metrics.json").is_file():
        print(f"{run}: finished before", flush=True)
        return run
    run.parent.mkdir(parents=True, exist_ok=True)
    marker.write_text(json.dumps(typed))
    where = f"hydra.run.dir={run}"
    if (run / "checkpoints" / "last.ckpt").is_file():
        where = f"resume={run}"
    elif run.exists():
        shutil.rmtree(run)  # it ended before its first epoch did: nothing to go on with
    print(f"{run}: {' '.join(typed)}", flush=True)
    started = time.perf_counter()
    with (run.with_name(f"{run.name}.log")).open("a") as log:
        command = [sys.executable, "-m", "locnet.train", *typed, where, "trainer.enable_progress_bar=false"]
        done = subprocess.run(command, stdout=log, stderr=log, check=False)
    if done.returncode:
        sys.exit(f"error: {run}: training ended with {done.returncode}; see {log.name}")
    print(f"{run}: {(time.perf_counter() - started) / 60:.1f} minutes", flush=True)
    return run


def costs(run: Path) -> Row:
    """What a run took and what its network takes."""
    metrics, history = json.loads((run / "metrics.json").read_text()), read_history(run / "history.jsonl")
    config: Any = OmegaConf.load(run / "config.yaml")
    model = load_module(find_checkpoint(str(run))).model.eval()
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        model(torch.zeros(1, 3, *model.image_size, dtype=torch.uint8))
    seconds = sum(row["train/seconds"] for row in history)
    return {
        "minutes": metrics["seconds/fit"] / 60,
        "images_per_second": sum(row["train/images_per_second"] * row["train/seconds"] for row in history) / seconds,
        "parameters": sum(p.numel() for p in model.parameters()) / 1e6,
        "macs": counter.get_total_flops() / 2e6,  # it counts a multiplication and an addition as two
        "epochs": len(history),
        "best_epoch": metrics["best/epoch"],
        "epochs_asked": config.trainer.max_epochs,
        "max_time": config.trainer.max_time,
        "batch_size": config.data.batch_size * config.trainer.accumulate_grad_batches,
        "samples/train": metrics["samples/train"],
        "image_size": "x".join(map(str, model.image_size)),
        "backbone": config.backbone.name,
    }


def breakdown(run: Path, meta: Mapping[str, Row]) -> dict[str, dict[str, Row]]:
    """Scores of the test images of each class, and of each value of each column of meta.csv that has few values."""
    table = pq.read_table(run / "predictions.parquet").to_pylist()
    for row in table:
        row["meta"] = meta.get(row["file"]) or meta.get(Path(row["file"]).name) or {}
    columns: dict[str, dict[str, list[Row]]] = {"class": group(table, (row["class"] for row in table))}
    for column in sorted({name for row in table for name in row["meta"]}):
        groups = group(table, (row["meta"].get(column) or "(none)" for row in table))
        if 1 < len(groups) <= MOST_GROUPS:
            columns[column] = groups
    return {column: {name: shares(rows) for name, rows in sorted(of.items())} for column, of in columns.items()}


def group(rows: Iterable[Row], names: Iterable[str]) -> dict[str, list[Row]]:
    """The rows by name."""
    groups: dict[str, list[Row]] = {}
    for row, name in zip(rows, names, strict=True):
        groups.setdefault(str(name), []).append(row)
    return groups


def shares(rows: Sequence[Row]) -> Row:
    """The scores of some rows of predictions.parquet, as `locnet.report.scores` defines them."""
    right = [row["class"] == row["verdict"] for row in rows]
    objects = [(row["iou"], good) for row, good in zip(rows, right, strict=True) if row["class"] != "background"]
    result: Row = {"images": len(rows), "accuracy": statistics.fmean(right)}
    if objects and all(iou is not None for iou, _ in objects):
        result["iou"] = statistics.fmean(iou for iou, _ in objects)
        result["gt_known_loc"] = statistics.fmean(iou >= 0.5 for iou, _ in objects)
        result["top1_loc"] = statistics.fmean(good and iou >= 0.5 for iou, good in objects)
    return result


def read_meta(manifest: Path | None) -> dict[str, Row]:
    """meta.csv beside the manifest by file name; empty where there is none."""
    file = manifest / "meta.csv" if manifest else None
    if file is None or not file.is_file():
        return {}
    with file.open(newline="", encoding="utf-8") as opened:
        return {row.pop("filename"): row for row in csv.DictReader(opened)}


def over_seeds(rows: Sequence[Row]) -> dict[str, tuple[float, float]]:
    """Mean and standard deviation of each number that all seeds have (0 for one seed)."""
    names = [
        k for k, v in rows[0].items() if all(isinstance(row.get(k), (int, float)) for row in rows) and v is not None
    ]
    values = {name: [float(row[name]) for row in rows] for name in names}
    return {name: (statistics.fmean(v), statistics.stdev(v) if len(v) > 1 else 0.0) for name, v in values.items()}


def unequal(results: Mapping[str, Sequence[Row]]) -> list[str]:
    """What of the budget differs between the rows, one line each."""
    lines = []
    for key in BUDGET:
        found = {name: sorted({str(row[key]) for row in rows}) for name, rows in results.items()}
        if len({tuple(values) for values in found.values()}) > 1:
            lines.append(f"{key}: " + ", ".join(f"{name} {'/'.join(values)}" for name, values in found.items()))
    return lines


def markdown(report: Mapping[str, Any]) -> str:
    """The whole report."""
    rows = report["experiments"]
    lines = [
        f"# {report['data']}, seeds {', '.join(map(str, report['seeds']))}",
        "",
        f"`{report['command']}`",
        "",
        f"{report['machine']}, Python {report['python']}, torch {report['torch']}, {report['date']}. Mean over seeds, "
        "with the standard deviation; weights, epoch, threshold and calibration chosen on val.",
    ]
    if report["unequal"]:
        lines += ["", "**Not at equal budget**: " + "; ".join(report["unequal"]) + "."]
    lines += ["", "## Test", "", *grid(rows, "scores", SCORES), "", "## Trust", "", *grid(rows, "scores", TRUST)]
    lines += ["", "## Cost", "", *grid(rows, "costs", COSTS)]
    columns = list(dict.fromkeys(column for row in rows.values() for column in row["breakdown"]))
    for column in columns:
        lines += ["", f"## By {column}", "", *by_column(rows, column)]
    return "\n".join(lines) + "\n"


def grid(rows: Mapping[str, Any], part: str, titles: Mapping[str, str]) -> list[str]:
    """One line an experiment."""
    lines = [f"| | {' | '.join(titles.values())} |", "|---" * (len(titles) + 1) + "|"]
    for name, row in rows.items():
        lines.append(f"| {name} | {' | '.join(cell(row[part].get(key)) for key in titles)} |")
    return lines


def by_column(rows: Mapping[str, Any], column: str) -> list[str]:
    """One line a value and experiment."""
    keys = [
        key for key in SCORES if any(key in of for row in rows.values() for of in row["breakdown"][column].values())
    ]
    lines = [f"| {column} | | images | {' | '.join(SCORES[key] for key in keys)} |", "|---" * (len(keys) + 3) + "|"]
    for value in list(dict.fromkeys(value for row in rows.values() for value in row["breakdown"][column])):
        for name, row in rows.items():
            of = row["breakdown"][column].get(value)
            if of is not None:
                cells = " | ".join(cell(of.get(key)) for key in keys)
                lines.append(f"| {value} | {name} | {of['images'][0]:.0f} | {cells} |")
    return lines


def cell(value: tuple[float, float] | None) -> str:
    """Mean and spread with as many places as there is sense in."""
    if value is None:
        return ""
    mean, spread = value
    places = 3 if abs(mean) < 2 else 2 if abs(mean) < 10 else 1 if abs(mean) < 100 else 0
    return f"{mean:.{places}f}" + (f" ± {spread:.{places}f}" if spread else "")


def main() -> None:
    """Train what is missing, then write and print the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="streets", help="a file of conf/data")
    parser.add_argument("--root", type=Path, help="data.root: the folder of the labels")
    parser.add_argument("--experiment", action="append", metavar="[NAME:] EXPERIMENT [key=value ...]")
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--epochs", type=int, help="trainer.max_epochs of every experiment")
    parser.add_argument("--max-time", help="trainer.max_time of every experiment, e.g. 00:00:15:00 (15 minutes)")
    parser.add_argument("--override", action="append", default=[], metavar="KEY=VALUE", help="of every experiment")
    parser.add_argument("--output", type=Path, default=Path("runs/accuracy"))
    arguments = parser.parse_args()
    common = [f"data={arguments.data}", "logger=none"]
    if arguments.root is not None:
        common.append(f"data.root='{arguments.root.absolute()}'")
    if arguments.epochs is not None:
        common.append(f"trainer.max_epochs={arguments.epochs}")
    if arguments.max_time is not None:
        common.append(f"trainer.max_time={arguments.max_time!r}")
    common += arguments.override
    seeds = [int(seed) for seed in arguments.seeds.split(",")]
    experiments = [Experiment.read(text, common) for text in arguments.experiment or ["default"]]
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    meta = read_meta(arguments.root)
    results: dict[str, list[Row]] = {}
    report: dict[str, Any] = {"experiments": {}}
    folder = arguments.output.absolute()
    runs = {}
    for seed in seeds:  # seed by seed: after the first of them every experiment has a number
        for experiment in experiments:
            runs[experiment.name, seed] = train(experiment, seed, folder)
    for experiment in experiments:
        of = [runs[experiment.name, seed] for seed in seeds]
        results[experiment.name] = [costs(run) for run in of]
        metrics = [json.loads((run / "metrics.json").read_text()) for run in of]
        tested = [{k.removeprefix("test/"): v for k, v in row.items() if k.startswith("test/")} for row in metrics]
        parts = [breakdown(run, meta) for run in of]
        report["experiments"][experiment.name] = {
            "overrides": experiment.overrides,
            "scores": over_seeds(tested),
            "costs": over_seeds(results[experiment.name]),
            "breakdown": {c: {v: over_seeds([p[c][v] for p in parts]) for v in of} for c, of in parts[0].items()},
            "runs": dict(zip(seeds, tested, strict=True)),
        }
    report |= {
        "data": f"{arguments.data} {arguments.root.name}" if arguments.root else arguments.data,
        "seeds": seeds,
        "command": f"python benchmarks/accuracy.py {' '.join(sys.argv[1:])}",
        "machine": f"{os.cpu_count()} cores, {platform.machine()}",
        "python": platform.python_version(),
        "torch": torch.__version__,
        "date": time.strftime("%Y-%m-%d"),
        "unequal": unequal(results),
    }
    (folder / "accuracy.json").write_text(json.dumps(report, indent=2) + "\n")
    (folder / "accuracy.md").write_text(markdown(report))
    print(markdown(report))


if __name__ == "__main__":
    main()
