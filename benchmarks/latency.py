"""Latency of the localizer beside its bare backbone in the same engine, taking turns in one run.

    python benchmarks/latency.py RUN --other peer=PEER.onnx --images DRIVING/images

For one thread and two, batch 1 and 32: PyTorch, ONNX Runtime, int8, all of the network alone, on images of its size and
normalised; and from a JPEG file to the answer, scaling included. Machines are noisy: read the ratios.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import timm
import torch
from PIL import Image
from torch import Tensor, nn

from locnet import Localizer
from locnet.formats.int8 import quantise
from locnet.formats.onnx_file import trace_core, with_scaling

Call = Callable[[], Any]
Ready = Callable[[], Call | None]  # a model made ready to be called; None where it cannot take the batch


class Answer(nn.Module):
    """The y of a localizer alone, without calibration: what is compared with a bare backbone."""

    def __init__(self, localizer: Localizer) -> None:
        """Take the network."""
        super().__init__()
        self.network = localizer.network

    def forward(self, images: Tensor) -> Tensor:
        """`(B, 3, H, W)` float, normalised, to `(B, 5 + C)` float."""
        return self.network.answer(images).y


def bare_backbone(localizer: Localizer) -> nn.Module:
    """Timm's model as it is, without its classifier."""
    backbone = localizer.network.backbone
    bare: nn.Module = timm.create_model(backbone.name, num_classes=0, global_pool="", **backbone.kwargs)
    return bare


def trace(network: nn.Module, images: Tensor, path: Path) -> Path:
    """Write the network as ONNX, for any batch of images of this shape."""
    batch = ({0: torch.export.Dim("batch")},)
    twice = images.expand(2, -1, -1, -1)
    torch.onnx.export(
        network.eval(), (twice,), path, dynamo=True, verbose=False, external_data=False, dynamic_shapes=batch
    )
    return path


def session(path: Path, threads: int) -> onnxruntime.InferenceSession:
    """The model in ONNX Runtime, as it comes: a second thread spins between two steps."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def network_call(path: Path, threads: int, batch: int, shape: tuple[int, int]) -> Call | None:
    """A call of the model on empty images, of its own size where that is fixed; None where its batch is another."""
    model = session(path, threads)
    feeds = {}
    for entry in model.get_inputs():
        first, sides = entry.shape[0], entry.shape[2:]
        if entry.name == "placement":
            feeds[entry.name] = np.array((0, 0, 1, 1), np.float32)
        elif entry.name == "size":
            feeds[entry.name] = np.array(shape, np.float32)
        elif isinstance(first, int) and first != batch:
            return None
        else:
            kind = np.uint8 if "uint8" in entry.type else np.float32
            own = sides if len(sides) == 2 and all(isinstance(side, int) for side in sides) else shape
            feeds[entry.name] = np.zeros((batch, 3, *own), kind)
    return lambda: model.run(None, feeds)


def eager_call(network: nn.Module, images: Tensor) -> Call:
    """A call of the network in PyTorch."""

    @torch.inference_mode()
    def call() -> Any:
        return network(images)

    network.eval()
    return call


def measure(models: dict[str, Ready], *, rounds: int, repeats: int) -> dict[str, list[float]]:
    """Seconds of each call; the models take turns, so that all of them meet the same noise.

    Each is loaded for its turn alone: waiting threads of one that stays would spin on the core of the next.
    """
    seconds: dict[str, list[float]] = {name: [] for name in models}
    for _ in range(rounds):
        for name, ready in models.items():
            call = ready()
            if call is None:
                continue
            for number in range(-max(repeats // 4, 1), repeats):
                started = time.perf_counter()
                call()
                if number >= 0:  # those before warm up
                    seconds[name].append(time.perf_counter() - started)
            del call
    return {name: values for name, values in seconds.items() if values}


def show(title: str, seconds: dict[str, list[float]], reference: dict[str, str]) -> None:
    """Print a table; each row beside the bare backbone in the same engine."""
    print(f"\n{title}\n\n| | median ms | lowest ms | of the bare backbone there |\n|---|---|---|---|")
    for name, values in seconds.items():
        median = statistics.median(values)
        ratio = median / statistics.median(seconds[reference[name]])
        print(f"| {name} | {median * 1e3:.2f} | {min(values) * 1e3:.2f} | {ratio:.2f} |", flush=True)


def decoded(files: Iterator[Path], size: tuple[int, int]) -> Callable[[], np.ndarray[Any, Any]]:
    """The next file, decoded whole and made the bare backbone's input by Pillow and NumPy."""

    def call() -> np.ndarray[Any, Any]:
        with Image.open(next(files)) as image:
            small = image.convert("RGB").resize(size[::-1], Image.Resampling.BILINEAR)
        pixels = np.asarray(small, np.float32).transpose(2, 0, 1)[None] / np.float32(255)
        mean = np.array((0.485, 0.456, 0.406), np.float32)[None, :, None, None]
        std = np.array((0.229, 0.224, 0.225), np.float32)[None, :, None, None]
        return (pixels - mean) / std

    return call


def from_files(files: list[Path], paths: dict[str, Path], size: tuple[int, int], threads: int) -> dict[str, Ready]:
    """Calls from a JPEG file to the answer; each goes on through the files from turn to turn."""
    return {
        "decode + resize + bare backbone": partial(_bare_call, paths["bare"], threads, cycle(files), size),
        "locnet, ONNX file": partial(_whole_call, paths["whole"], threads, cycle(files)),
        "locnet, int8 file": partial(_whole_call, paths["whole int8"], threads, cycle(files)),
    }


def _bare_call(path: Path, threads: int, files: Iterator[Path], size: tuple[int, int]) -> Call:
    model, image = session(path, threads), decoded(files, size)
    name = model.get_inputs()[0].name
    return lambda: model.run(None, {name: image()})


def _whole_call(path: Path, threads: int, files: Iterator[Path]) -> Call:
    model = session(path, threads)

    def call() -> Any:
        with Image.open(next(files)) as image:
            pixels = np.asarray(image.convert("RGB"))
        return model.run(None, {"images": pixels[None]})

    return call


def write_models(localizer: Localizer, files: list[Path], folder: Path) -> dict[str, Path]:
    """All ONNX files by name."""
    height, width = localizer.image_size
    images = torch.zeros(1, 3, height, width)
    core = trace_core(localizer.network)
    with_int8 = quantise(core, [localizer.prepare(file).image for file in files[:64]])
    paths = {name: folder / f"{name}.onnx" for name in ("bare", "locnet", "int8", "whole", "whole int8")}
    trace(bare_backbone(localizer), images, paths["bare"])
    trace(Answer(localizer), images, paths["locnet"])
    onnx.save(with_int8, paths["int8"])
    onnx.save(with_scaling(core, localizer.image_size, localizer.resize), paths["whole"])
    onnx.save(with_scaling(with_int8, localizer.image_size, localizer.resize), paths["whole int8"])
    return paths


def main() -> None:
    """Export, measure, print tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", help="RUN_DIR, CKPT or safetensors file")
    parser.add_argument("--images", type=Path, required=True, help="folder of JPEG files")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 32])
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--other", action="append", default=[], metavar="NAME=FILE.onnx")
    arguments = parser.parse_args()

    localizer = Localizer.load(arguments.run, device="cpu")
    files = sorted(arguments.images.glob("*.jpg"))[:256]
    size, name = localizer.image_size, localizer.network.backbone.name
    bare = bare_backbone(localizer)
    others = {key: Path(file) for key, _, file in (text.partition("=") for text in arguments.other)}
    print(f"{name}, {size[0]} x {size[1]}, torch {torch.__version__}, ONNX Runtime {onnxruntime.__version__}")
    with tempfile.TemporaryDirectory() as folder:
        paths = write_models(localizer, files, Path(folder))
        for threads in arguments.threads:
            torch.set_num_threads(threads)
            for batch in arguments.batches:
                images = torch.zeros(batch, 3, *size)
                files_of = {
                    f"{name} alone, ONNX Runtime": paths["bare"],
                    "locnet, ONNX Runtime": paths["locnet"],
                    "locnet, int8": paths["int8"],
                    **others,
                }
                models: dict[str, Ready] = {
                    f"{name} alone, PyTorch": partial(eager_call, bare, images),
                    "locnet, PyTorch": partial(eager_call, Answer(localizer), images),
                    **{key: partial(network_call, path, threads, batch, size) for key, path in files_of.items()},
                }
                repeats = max(arguments.repeats // batch, 1)
                seconds = measure(models, rounds=arguments.rounds if batch == 1 else 6, repeats=repeats)
                engine = dict.fromkeys(models, f"{name} alone, ONNX Runtime")
                engine |= {key: f"{name} alone, PyTorch" for key in models if key.endswith("PyTorch")}
                show(f"{threads} thread(s), batch {batch}", seconds, engine)
            ends = from_files(files, paths, size, threads)
            seconds = measure(ends, rounds=arguments.rounds, repeats=16)
            first = next(iter(ends))
            show(f"{threads} thread(s), from a JPEG file", seconds, dict.fromkeys(ends, first))


if __name__ == "__main__":
    main()
