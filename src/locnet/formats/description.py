"""What an exported file says about itself: plain values, enough to use it without locnet."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import locnet
from locnet.calibration.conformal import OFFSET
from locnet.runtime.checkpoints import Trained
from locnet.runtime.provenance import git_state


def describe(trained: Trained, run_dir: Path | None) -> dict[str, Any]:
    """Class names, threshold, how to grow a crop, and where the network comes from.

    Args:
        trained: the network.
        run_dir: of the run that trained it: what it measured on `test` is told too; None where that is not known.
    """
    network = trained.network
    residuals = network.calibration.residuals if network.calibration is not None else None
    measured = _metrics(run_dir)
    return {
        "version": locnet.__version__,
        "trained_by": trained.hparams["version"],
        "git": measured.get("git/locnet") or git_state(Path(locnet.__file__).parent),
        "backbone": network.backbone.name,
        "classes": list(network.classes),
        "threshold": trained.threshold,
        "has_box": network.has_box,
        "image_size": list(network.image_size),
        "resize": trained.resize,
        "conformal": residuals and {"offset": OFFSET, "count": residuals.count, "scores": list(residuals.scores)},
        "metrics": {name: value for name, value in measured.items() if name.startswith("test/")},
    }


def run_dir_of(checkpoint: Path) -> Path | None:
    """The run directory that a checkpoint lies in; None where it lies elsewhere."""
    folder = checkpoint.resolve().parent.parent
    return folder if (folder / "metrics.json").is_file() else None


def _metrics(run_dir: Path | None) -> Mapping[str, Any]:
    if run_dir is None:
        return {}
    content: dict[str, Any] = json.loads((run_dir / "metrics.json").read_text(encoding="utf-8"))
    return content
