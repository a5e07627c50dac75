"""Images are scaled inside the exported files as they are in training."""

from __future__ import annotations

from typing import get_args

import numpy as np
import onnxruntime
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFilter
from torch import Tensor, nn

from locnet.answer import read_off
from locnet.data.resize import ResizeMode, fit
from locnet.formats import pt2
from locnet.formats.scaling import scaling_model

SIZE = (48, 80)
SESSIONS = {
    mode: onnxruntime.InferenceSession(
        scaling_model(*SIZE, mode, opset=18, ir_version=10).SerializeToString(), providers=["CPUExecutionProvider"]
    )
    for mode in get_args(ResizeMode)
}


def photo(height: int, width: int, seed: int = 0) -> Image.Image:
    noise = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(noise).filter(ImageFilter.GaussianBlur(1))


@pytest.mark.parametrize("mode", get_args(ResizeMode))
@settings(deadline=None, max_examples=40)
@given(height=st.integers(1, 260), width=st.integers(1, 260), seed=st.integers(0, 9))
def test_onnx_scales_as_training_does(mode: ResizeMode, height: int, width: int, seed: int) -> None:
    image = photo(height, width, seed)
    truth, placement = fit(image, *SIZE, mode)
    batch = np.asarray(image)[None].repeat(2, 0)
    pixels, where, size = SESSIONS[mode].run(["pixels", "placement", "size"], {"images": batch})
    assert where == pytest.approx(placement.as_tensor().numpy(), abs=1e-6)
    assert size.tolist() == [height, width]
    assert np.array_equal(pixels[0], pixels[1])
    difference = np.abs(pixels[0].astype(int) - truth.numpy())
    # large images are averaged in blocks before Pillow's filter; the bars begin at the same pixel
    assert difference.max() <= 6
    assert difference.mean() < 0.6


class Still(nn.Module):
    """An `Answering` that hands out what it was given."""

    names = ("pixels", "placement", "size")

    def forward(self, pixels: Tensor, placement: Tensor, size: Tensor) -> tuple[Tensor, ...]:
        return pixels, placement, size


@pytest.mark.parametrize("mode", get_args(ResizeMode))
@pytest.mark.parametrize("size", [(48, 80), (20, 30), (300, 200), (47, 211), (1, 9), (500, 30)])
def test_pt2_scales_as_training_does(mode: ResizeMode, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    class Sized(nn.Module):
        image_size = SIZE

    monkeypatch.setattr(pt2, "Answering", lambda network: Still())
    whole = pt2.Whole(Sized(), mode)  # type: ignore[arg-type]
    image = photo(*size)
    out = whole(torch.from_numpy(np.asarray(image)[None].copy()))
    truth, placement = fit(image, *SIZE, mode)
    assert out["placement"].tolist() == pytest.approx(placement.as_tensor().tolist(), abs=1e-6)
    assert out["size"].tolist() == list(size)
    difference = (out["pixels"][0] - truth.float()).abs()
    assert float(difference.max()) <= 6
    assert float(difference.mean()) < 0.6


def test_boxes_come_back_through_the_placement() -> None:
    """`read_off` takes one placement for a whole batch, as the exported files give it."""
    y = torch.rand(3, 7, generator=torch.Generator().manual_seed(0))
    placement = torch.tensor((0.1, 0.0, 0.9, 1.0))
    assert torch.equal(read_off(y, placement).boxes, read_off(y, placement.expand(3, 4)).boxes)
