"""Export every backbone family of the tests, untrained, and compare each file with PyTorch: a table for docs/export.md.

    python benchmarks/export_families.py [NAME ...]

The pictures are noise of the network's size, so that scaling (compared by tests/formats/test_scaling.py) has nothing to
do with the differences. `p_c spans` says how much the answers vary from picture to picture: what a difference is to be
held against.
"""

from __future__ import annotations

import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageFilter
from torch import nn

from locnet import Localizer
from locnet.errors import LocnetError
from locnet.formats.engines import localizer_engine, open_engine
from locnet.formats.onnx_file import trace_core, with_scaling, write_onnx
from locnet.formats.openvino_file import write_openvino
from locnet.formats.parity import ask, compare
from locnet.formats.pt2 import write_pt2
from locnet.inference.inputs import prepare
from locnet.models.network import Network

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "models"))
from families import FAMILIES, QUICK

ABOUT = {"version": "0"}


def pictures(height: int, width: int) -> list[np.ndarray[Any, Any]]:
    """Smooth noise."""
    generator = np.random.default_rng(0)
    noise = [Image.fromarray(generator.integers(0, 256, (side, side, 3), dtype=np.uint8)) for side in (4, 8, 16, 32)]
    return [np.asarray(n.resize((width, height)).filter(ImageFilter.GaussianBlur(2))) for n in noise]


def row(name: str, folder: Path) -> str:
    """The table's row of one family."""
    started = time.monotonic()
    torch.manual_seed(0)
    # read off all cells: an untrained network has no peak, and which cell is the hottest would be a coin's choice
    head = {"name": "grid", "strides": [4, 8, 16, 32], "width": 16, "depth": 1, "read_off": "global"}
    network = Network(("a", "b"), backbone={"name": name}, head=head)
    with torch.no_grad():  # a fresh head says nearly the same about all pictures; let it listen to its features
        for layer in (network.head.cells, network.head.objectness, network.head.classes):
            layer.weight.normal_(std=0.5)  # type: ignore[union-attr,operator]
    images = pictures(*network.image_size)
    with torch.no_grad():  # statistics for BatchNorm: with those of birth the signal dies on its way
        inputs = [prepare(image, *network.image_size, "squash").image for image in images]
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.momentum = 1.0
        network.train()(torch.stack(inputs))
    localizer = Localizer(network, device="cpu")
    truth = ask(localizer_engine(localizer), images)
    core: Any = None

    def whole() -> Any:
        nonlocal core
        core = core or trace_core(network)
        return with_scaling(core, network.image_size, "squash")

    writers: dict[str, Callable[[], Path]] = {
        "onnx": lambda: write_onnx(whole(), folder / "model.onnx", ABOUT),
        "openvino": lambda: write_openvino(whole(), folder / "model.xml", ABOUT),
        "pt2": lambda: write_pt2(network, "squash", folder / "model.pt2", ABOUT),
    }

    def cell(write: Callable[[], Path]) -> str:
        try:
            answers = ask(open_engine(write()), images)
        except LocnetError as error:
            return f"no: {str(error).rpartition(': ')[2]}"
        except Exception as error:  # the engine refuses what the exporter wrote
            return f"no: {type(error).__name__}: {str(error).splitlines()[0][:120]}"
        parity = compare(truth, answers, threshold=0.0, input_size=network.image_size, p_c=0.01, box=1.0)
        over = "" if parity.agreement == 1.0 else "**over**: "
        return f"{over}{parity.p_c:.4f}, {parity.box:.3f} px"

    spread = np.ptp(truth.p_c)
    cells = [f"{spread:.2f}", *(cell(write) for write in writers.values())]
    print(f"{name}: {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)
    return f"| `{name}` | {' | '.join(cells)} |"


def main() -> None:
    """Print the table, row by row."""
    warnings.simplefilter("ignore")
    print("| backbone | p_c spans | onnx: p_c, box differ by | openvino | pt2 |\n|---|---|---|---|---|", flush=True)
    for name in sys.argv[1:] or [*QUICK, *FAMILIES]:
        with tempfile.TemporaryDirectory() as folder:
            print(row(name, Path(folder)), flush=True)


if __name__ == "__main__":
    main()
