"""OpenVINO IR, converted from the ONNX file."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from locnet.errors import ConfigError
from locnet.formats.onnx_file import METADATA, reason


def write_openvino(model: onnx.ModelProto, path: Path, about: Mapping[str, Any]) -> Path:
    """Write `path` (.xml) and its .bin beside it; `rt_info` holds what they say about themselves, under `locnet`.

    Raises:
        ConfigError: OpenVINO cannot translate the network.
    """
    import openvino

    with tempfile.TemporaryDirectory() as folder:
        onnx.save_model(model, Path(folder) / "model.onnx")
        try:
            converted = openvino.convert_model(Path(folder) / "model.onnx")
        except Exception as error:  # whatever the translation meets
            raise ConfigError(f"format=openvino: OpenVINO cannot translate the network: {reason(error)}") from error
        _scale_as_pillow(converted)
        converted.set_rt_info(json.dumps(about), [METADATA])
        openvino.save_model(converted, path, compress_to_fp16=False)
    return path


def _scale_as_pillow(model: Any) -> None:
    """Give the resizes their antialiasing back.

    OpenVINO (2026.4) takes ONNX's antialiased Resize for its `linear_onnx`, which on the CPU reads one pixel of many;
    its `bilinear_pillow` is the same filter as ours. To be removed once the conversion chooses it itself.
    """
    from openvino import opset13

    nothing = [0, 0, 0, 0]
    for resize in [op for op in model.get_ops() if op.get_type_name() == "Interpolate"]:
        if not resize.get_attributes()["antialias"]:
            continue
        last = opset13.constant(np.array([2, 3], np.int64))  # (B, 3, height, width)
        sizes = opset13.gather(resize.input_value(1), last, opset13.constant(np.int64(0)))
        pillow = opset13.interpolate(
            resize.input_value(0), sizes, "bilinear_pillow", "sizes", nothing, nothing, antialias=True, axes=last
        )
        for reader in list(resize.output(0).get_target_inputs()):
            reader.replace_source_output(pillow.output(0))
    model.validate_nodes_and_infer_types()
