"""int8 ONNX: the network's convolutions and linear layers in 8 bits, their ranges measured on real images."""

from __future__ import annotations

import contextlib
import io
import logging
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process
from torch import Tensor

_QUANTISED = ["Conv", "MatMul", "Gemm"]
_CELLS = "head.cells.weight"
_COLOURS = 3


def quantise(core: onnx.ModelProto, images: Sequence[Tensor]) -> onnx.ModelProto:
    """The core in 8 bits: weights with a scale for each channel, activations with one for each layer.

    An activation's range is the one that holds 99.99 % of what is seen on the images.
    The first layers stay in float, because their few channels are easily spoilt, and so do the layers that the answer
    is read off (objectness, classes, cells): little work, and edges and probabilities come out of them.

    Args:
        core: as `locnet.formats.onnx_file.trace_core` gave it.
        images: `(3, H, W)` uint8 each, of the network's size.
    """
    with tempfile.TemporaryDirectory() as name, _silence():
        folder = Path(name)
        onnx.save_model(core, folder / "core.onnx")
        quant_pre_process(folder / "core.onnx", folder / "ready.onnx", skip_symbolic_shape=True)
        ready = onnx.load(folder / "ready.onnx")
        quantize_static(
            str(folder / "ready.onnx"),
            str(folder / "int8.onnx"),
            _Images(images),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            weight_type=QuantType.QInt8,
            activation_type=QuantType.QUInt8,
            calibrate_method=CalibrationMethod.Percentile,
            op_types_to_quantize=_QUANTISED,
            nodes_to_exclude=_kept_in_float(ready),
            extra_options={"CalibPercentile": 99.99},
        )
        return onnx.load(folder / "int8.onnx")


class _Images(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime has no types
    """Feeds the images one by one."""

    def __init__(self, images: Sequence[Tensor]) -> None:
        self.rest = iter(images)

    def get_next(self) -> dict[str, Any] | None:
        """The inputs of the core; None at the end."""
        image = next(self.rest, None)
        if image is None:
            return None
        return {
            "pixels": image[None].numpy(),
            "placement": np.array((0, 0, 1, 1), np.float32),
            "size": torch.tensor(image.shape[1:], dtype=torch.float32).numpy(),
        }


def _kept_in_float(model: onnx.ModelProto) -> list[str]:
    """Names of the first layer and all that see colours, of the head's `cells`, and of those that no other follows."""
    layers = [node for node in model.graph.node if node.op_type in _QUANTISED]
    makers = {output: node for node in model.graph.node for output in node.output}
    followed: set[str] = set()
    for layer in layers:
        stack, seen = list(layer.input), set[str]()
        while stack:
            before = makers.get(stack.pop())
            if before is not None and before.name not in seen:
                seen.add(before.name)
                stack.extend(before.input)
        followed |= seen
    kept = {node.name for node in layers if node.name not in followed}
    kept |= {node.name for node in layers if any(name.endswith(_CELLS) for name in node.input)}
    shapes = {tensor.name: tuple(tensor.dims) for tensor in model.graph.initializer}
    kept |= {node.name for node in layers if node.op_type == "Conv" and _inputs(node, shapes) == _COLOURS}
    return sorted(kept | {node.name for node in layers[:1]})


def _inputs(convolution: onnx.NodeProto, shapes: Mapping[str, tuple[int, ...]]) -> int:
    """Channels that it takes; 0 where its weights are not in the file."""
    groups = next((entry.i for entry in convolution.attribute if entry.name == "group"), 1)
    return int(shapes.get(convolution.input[1], (0, 0))[1] * groups)


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Onnxruntime's quantiser logs and prints advice that does not concern the user."""
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        root.setLevel(level)
