"""ONNX: the network as torch's exporter writes it, behind the scaling of `locnet.formats.scaling`."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import onnx
import onnx.compose
import torch

from locnet.data.resize import ResizeMode
from locnet.errors import ConfigError
from locnet.formats.answering import Answering
from locnet.formats.scaling import scaling_model
from locnet.models.network import Network

OPSET = 18
"""The first with an antialiased Resize, and what torch's exporter writes without converting."""
METADATA = "locnet"
_INPUTS = ("pixels", "placement", "size")


def trace_core(network: Network) -> onnx.ModelProto:
    """`Answering` as ONNX: any batch size, images of the network's size.

    Raises:
        ConfigError: torch's exporter cannot translate the network.
    """
    answering = Answering(network)
    height, width = network.image_size
    images = torch.zeros(2, 3, height, width, dtype=torch.uint8)
    arguments = (images, torch.tensor((0.0, 0.0, 1.0, 1.0)), torch.tensor((float(height), float(width))))
    try:
        with _silence():
            program = torch.onnx.export(
                answering,
                arguments,
                dynamo=True,
                verbose=False,
                opset_version=OPSET,
                input_names=_INPUTS,
                output_names=answering.names,
                dynamic_shapes=({0: torch.export.Dim("batch")}, None, None),
                external_data=False,
            )
    except Exception as error:  # whatever the translation meets
        raise ConfigError(
            f"format=onnx: torch.onnx.export cannot translate backbone.name={network.backbone.name}: {reason(error)}"
        ) from error
    assert program is not None
    model: onnx.ModelProto = program.model_proto
    return model


def with_scaling(core: onnx.ModelProto, size: tuple[int, int], mode: ResizeMode) -> onnx.ModelProto:
    """The core behind its scaling: `images` `(B, height, width, 3)` uint8 RGB of any size in.

    Args:
        core: as `trace_core` or the quantisation gave it.
        size: (height, width) of the network's input.
        mode: how images meet it.
    """
    opset = next(entry.version for entry in core.opset_import if entry.domain == "")
    scaling = scaling_model(*size, mode, opset=opset, ir_version=core.ir_version)
    known = {entry.domain for entry in core.opset_import}
    for entry in scaling.opset_import:
        known.discard(entry.domain)
    scaling.opset_import.extend(entry for entry in core.opset_import if entry.domain in known)
    whole = onnx.compose.merge_models(
        onnx.compose.add_prefix(scaling, "scaling/", rename_inputs=False, rename_outputs=False),
        core,
        io_map=[(name, name) for name in _INPUTS],
        name="locnet",
    )
    onnx.checker.check_model(whole)
    return whole


def write_onnx(model: onnx.ModelProto, path: Path, about: Mapping[str, Any]) -> Path:
    """Write the file; what it says about itself is JSON under `locnet` in its metadata."""
    del model.metadata_props[:]
    onnx.helper.set_model_props(model, {METADATA: json.dumps(about)})
    model.producer_name, model.producer_version = "locnet", str(about["version"])
    onnx.save_model(model, path)
    return path


def reason(error: BaseException) -> str:
    """The innermost line that says something: exporters wrap their errors in pages of advice."""
    while error.__cause__ is not None:
        error = error.__cause__
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0] if lines else 'no message'}"


@contextmanager
def _silence() -> Iterator[None]:
    """The exporter's own remarks are about torch, not about the user's network."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
