"""Answers of a file that `python -m locnet.export format=onnx` or `int8` wrote: onnxruntime, NumPy, Pillow, no torch.

    pip install onnxruntime numpy pillow
    python onnx_predict.py model.onnx photo.jpg [photo2.jpg ...]

One line of JSON for each image: p_c, class, verdict, and the box in pixels of the upright image.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np
import onnxruntime
from PIL import Image, ImageOps


def load(path: str) -> tuple[Any, dict[str, Any]]:
    """The model, and what its file says about itself: classes, threshold, metrics, ..."""
    model = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return model, json.loads(model.get_modelmeta().custom_metadata_map["locnet"])


def predict(model: Any, about: dict[str, Any], image: Image.Image) -> dict[str, Any]:
    """The answer about one image; scaling, normalisation and calibration are inside the model."""
    pixels = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))  # (height, width, 3) uint8, any size
    names = [output.name for output in model.get_outputs()]
    values = dict(zip(names, model.run(None, {"images": pixels[None]}), strict=True))
    p_c, name = float(values["p_c"][0]), about["classes"][int(values["label"][0])]
    return {
        "p_c": p_c,
        "class": name,
        "verdict": name if p_c >= about["threshold"] else "background",
        "box": values["box"][0].tolist() if "box" in values else None,
    }


def main() -> None:
    """The command."""
    model, about = load(sys.argv[1])
    for path in sys.argv[2:]:
        with Image.open(path) as image:
            print(json.dumps({"file": path, **predict(model, about, image)}))


if __name__ == "__main__":
    main()
