"""How the run was made, and what else it left."""

from __future__ import annotations

import shlex
from html import escape
from typing import Any
from urllib.parse import quote

from omegaconf import OmegaConf

from locnet.page.parts import Html, printable, table
from locnet.report.stored import StoredRun

_FILES = (
    *("metrics.json", "predictions.parquet", "history.jsonl", "config.yaml", "overrides.yaml", "defects.jsonl"),
    *("train.log", "evaluate.log", "checkpoints/best.ckpt"),
)
_FACTS = (
    "checkpoint",
    "data/root",
    "data/fingerprint",
    "config/hash",
    "seed",
    "best/epoch",
    "seconds/fit",
    "threshold",
)
_LEVELS = ("80", "90", "95")


def command_line(run: StoredRun) -> str:
    """What was typed, ready for a shell."""
    return shlex.join(["python", "-m", f"locnet.{run.command}", *run.overrides])


def reproduce(run: StoredRun) -> str:
    """The command, where it was typed, versions, and the whole configuration."""
    metrics = run.metrics
    code = [
        f"{what} {metrics[f'git/{key}']}"
        for key, what in (("locnet", "locnet"), ("working_directory", "here"))
        if metrics.get(f"git/{key}")
    ]
    said = f"<p class=note>At commit: {escape(', '.join(code))}.</p>" if code else ""
    facts = [(key, _value(metrics[key])) for key in _FACTS if metrics.get(key) is not None]
    facts += [
        (key.removeprefix("version/"), str(value)) for key, value in metrics.items() if key.startswith("version/")
    ]
    config = OmegaConf.to_yaml(OmegaConf.create(run.config)) if run.config else ""
    return (
        f"<pre id=command>{escape(printable(command_line(run)))}</pre>{said}"
        f"<details><summary>Facts and versions</summary>{table(('', ''), facts)}</details>"
        f"<details><summary>The whole configuration</summary><pre>{escape(printable(config))}</pre></details>"
    )


def files(run: StoredRun) -> str:
    """Links to the other files of the run, as long as this page lies among them."""
    names = [name for name in _FILES if (run.path / name).is_file()]
    names += sorted(f"plots/{path.name}" for path in (run.path / "plots").glob("*.png"))
    links = "".join(f'<li><a href="{quote(name)}">{escape(name)}</a></li>' for name in names)
    return f"<p class=note>Beside this page, in the directory of the run:</p><ul class=files>{links}</ul>"


def trust(run: StoredRun) -> str:
    """Whether p_c and class scores are probabilities, and whether crops hold what they promise; empty if unknown."""
    found = {key.removeprefix(f"{run.split}/"): value for key, value in run.metrics.items() if value is not None}
    parts = []
    rows = [
        (title, _three(found.get(f"{name}_ece")), _three(found.get(f"{name}_ece_uncalibrated")))
        for name, title in (("objectness", "p_c"), ("class", "highest class score"))
        if f"{name}_ece" in found
    ]
    if rows:
        caption = "Mean distance between confidence and share of right answers (expected calibration error)"
        parts.append(table(("score", "calibrated", "as the head says"), rows, caption=caption, numbers=True))
    crops = [
        (
            f"{level} %",
            _percent(found[f"coverage_{level}"]),
            f"{_percent(found.get(f'coverage_{level}_low'))} to {_percent(found.get(f'coverage_{level}_high'))}",
            _percent(found.get(f"crop_area_{level}")),
        )
        for level in _LEVELS
        if f"coverage_{level}" in found
    ]
    if crops:
        header = ("asked for", "reached", "95 % interval", "mean share of the image")
        parts.append(table(header, crops, caption="Crops that hold the whole object", numbers=True))
    return "".join(parts)


def _three(value: Any) -> Html | str:
    return Html("\u2013") if value is None else f"{value:.3f}"


def _percent(value: Any) -> str:
    return "\u2013" if value is None else f"{100 * value:.1f} %"


def _value(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
