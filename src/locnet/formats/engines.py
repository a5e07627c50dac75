"""Running an exported file as its users will: one function of images for every format."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from locnet.formats.answering import OUTPUTS, Outputs
from locnet.inference.localizer import Localizer

Engine = Callable[[NDArray[np.uint8]], Outputs]
"""`(B, height, width, 3)` uint8 RGB in."""


def localizer_engine(localizer: Localizer) -> Engine:
    """PyTorch with locnet: what the others are compared with."""

    def run(images: NDArray[np.uint8]) -> Outputs:
        results = localizer(list(images))
        boxes = np.array([r.box for r in results], np.float32) if localizer.has_box else None
        scores = np.array([list(r.scores.values()) for r in results], np.float32)
        return Outputs(np.array([r.p_c for r in results], np.float32), boxes, scores, scores.argmax(-1))

    return run


def open_engine(path: Path) -> Engine:
    """The engine that the file's ending calls for, on the CPU."""
    engines = {".onnx": _onnx, ".pt2": _pt2, ".xml": _openvino, ".safetensors": _weights}
    return engines[path.suffix](path)


def _onnx(path: Path) -> Engine:
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return lambda images: _outputs(dict(zip(names, session.run(names, {"images": images}), strict=True)))


def _pt2(path: Path) -> Engine:
    module = torch.export.load(path).module()

    @torch.inference_mode()
    def run(images: NDArray[np.uint8]) -> Outputs:
        return _outputs({name: value.numpy() for name, value in module(torch.from_numpy(images)).items()})

    return run


def _openvino(path: Path) -> Engine:
    import openvino

    model = openvino.Core().compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    outputs = {name: port for port in model.outputs for name in OUTPUTS if name in port.names}

    def run(images: NDArray[np.uint8]) -> Outputs:
        said = model(images)
        return _outputs({name: said[port].copy() for name, port in outputs.items()})

    return run


def _weights(path: Path) -> Engine:
    return localizer_engine(Localizer.load(path, device="cpu"))


def _outputs(named: dict[str, Any]) -> Outputs:
    return Outputs(named["p_c"], named.get("box"), named["scores"], named["label"])
