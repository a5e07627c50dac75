"""The look at the object's pixels: where it cuts, what it costs, and that edges are found in the crop alone."""

from __future__ import annotations

from typing import Any

import onnxruntime
import pytest
import torch
from painted import painted
from torch import Tensor

from locnet import target
from locnet.config.schema import ModelSettings
from locnet.errors import ConfigError
from locnet.formats.onnx_file import trace_core
from locnet.losses.edges import edges_loss
from locnet.models.folding import folded
from locnet.models.heads.zoom import Zoom
from locnet.models.network import Network

GRID: dict[str, Any] = {"name": "grid", "strides": [8, 16, 32], "width": 16, "depth": 1, "activation": "relu"}
BOXES = torch.tensor([[0.3, 0.3, 0.6, 0.7], [0.02, 0.2, 0.42, 0.5]])
BACKBONE = {"name": "lcnet_035"}


def network(zoom: int = 64, overview: int = 2, image_size: Any = 128, name: str = "lcnet_035", **head: Any) -> Network:
    torch.manual_seed(0)
    made = Network(
        ("a", "b"),
        backbone={"name": name, "image_size": image_size},
        head=GRID | {"zoom": zoom, "overview": overview} | head,
    )
    if made.zoom is not None:
        torch.nn.init.normal_(made.zoom.get_parameter("look.5.weight"))
    return made.eval()


def images_of(network: Network, count: int = 2) -> Tensor:
    return torch.randint(0, 256, (count, 3, *network.image_size), dtype=torch.uint8)


def test_cells_of_the_crop_lie_where_the_edges_are_looked_for() -> None:
    """In an image of coordinates each pixel says where it is."""
    zoom = Zoom(BACKBONE, side=64)
    rows, columns = 96, 160
    x = ((torch.arange(columns) + 0.5) / columns).expand(rows, -1)
    y = ((torch.arange(rows) + 0.5) / rows)[:, None].expand(-1, columns)
    images = torch.stack((x, y, torch.ones_like(x))).expand(2, -1, -1, -1)
    middle, sides = (BOXES[:, :2] + BOXES[:, 2:]) / 2, BOXES[:, 2:] - BOXES[:, :2]
    crop = zoom._crop(images, middle, sides)
    assert crop.shape == (2, 3, 64, 64)
    cells = torch.nn.functional.avg_pool2d(crop, 8)  # stride 8
    expected = middle[:, :, None] + sides[:, :, None] * zoom.places  # (B, 2, S)
    inside = expected[0]  # all of the first window is
    assert float(inside.min()) > 0.05
    torch.testing.assert_close(cells[0, 0], inside[0].expand(8, -1), atol=1e-4, rtol=0)
    torch.testing.assert_close(cells[0, 1], inside[1][:, None].expand(-1, 8), atol=1e-4, rtol=0)
    beyond = expected[1, 0] < -0.05
    assert bool(beyond.any())
    assert float(cells[1, 2][:, beyond].abs().max()) == 0  # nothing there


def test_it_begins_with_boxes_as_they_are() -> None:
    found = Zoom(BACKBONE, side=64).eval()(torch.randn(2, 3, 96, 160), BOXES)
    assert found.boxes.shape == found.proposals.shape == (2, 1, 4)
    assert found.logits.shape == (2, 1, 4, 8)
    torch.testing.assert_close(found.boxes[:, 0], BOXES, atol=1e-2, rtol=0)
    torch.testing.assert_close(found.proposals[:, 0], BOXES)


def test_training_disturbs_the_window() -> None:
    zoom, boxes = Zoom(BACKBONE, side=64).train(), BOXES[:1].expand(200, 4)
    found = zoom(torch.randn(1, 3, 64, 64).expand(200, -1, -1, -1), boxes)
    off = (found.proposals[:, 0] - boxes) / (boxes[:, 2:] - boxes[:, :2]).repeat(1, 2)
    assert 0.03 < float(off.std()) < 0.25
    assert bool((found.proposals[..., 2:] > found.proposals[..., :2]).all())


def test_the_answer_is_the_mean_of_both_looks() -> None:
    made = network()
    assert (made.image_size, made.backbone.image_size) == ((128, 128), (64, 64))
    with torch.no_grad():
        output = made(images_of(made))
    assert output.zoomed is not None
    assert output.refined is not None
    torch.testing.assert_close(output.zoomed.first, output.refined.boxes[:, 0])
    mean = (output.refined.boxes[:, 0] + output.zoomed.boxes[:, 0]) / 2
    torch.testing.assert_close(target.split(output.y).box, mean)
    plain = network(zoom=0, overview=1, image_size=64)
    assert plain.zoom is None
    with torch.no_grad():
        assert plain(images_of(plain)).zoomed is None


def test_in_half_precision_it_cuts_where_it_did() -> None:
    made = network()
    images, box = images_of(made), BOXES
    assert made.zoom is not None
    with torch.no_grad():
        expected = made.zoom((images - made.mean) / made.std, box).boxes
        half = made.bfloat16()
        found = half.zoom(((images - half.mean) / half.std).bfloat16(), box)  # type: ignore[misc]
        assert bool(torch.isfinite(half(images).y).all())
    torch.testing.assert_close(found.boxes.float(), expected, atol=0.02, rtol=0)


@pytest.mark.parametrize("factor", [2, 3])
def test_the_whole_is_looked_at_smaller(factor: int) -> None:
    made = network(overview=factor, image_size=[64 * factor, 96 * factor])
    coarse = torch.randint(0, 256, (1, 3, 64, 96)).float()
    seen: list[Tensor] = []
    assert made.zoom is not None
    for backbone in (made.backbone, made.zoom.backbone):
        backbone.register_forward_pre_hook(lambda _, arguments: seen.append(arguments[0]))
    with torch.no_grad():
        made(coarse.repeat_interleave(factor, 2).repeat_interleave(factor, 3))
    torch.testing.assert_close(seen[0], (coarse - made.mean) / made.std, atol=1e-4, rtol=0)
    assert seen[1].shape == (1, 3, 64, 64)


def test_it_learns_to_find_edges() -> None:
    """Bright boxes on noise are found from windows that are off, at sizes and places that were not trained."""
    torch.manual_seed(0)

    def scenes(count: int) -> tuple[Tensor, Tensor]:
        bright, boxes = painted(count, 96)
        return bright * 3 + 0.1 * torch.randn(count, 3, 96, 96), boxes

    zoom = Zoom(BACKBONE, side=64, least_stride=4, hidden=16, activation="relu").train()
    optimizer = torch.optim.Adam(zoom.parameters(), lr=5e-3)
    for _ in range(60):
        images, boxes = scenes(16)
        optimizer.zero_grad()
        found = zoom(images, boxes)
        torch.autograd.backward(edges_loss(found, boxes, torch.ones(16, dtype=torch.bool), "giou").mean())
        optimizer.step()
    images, boxes = scenes(64)
    off = boxes + (boxes[:, 2:] - boxes[:, :2]).repeat(1, 2) * torch.tensor((-0.2, 0.15, 0.1, 0.2))
    with torch.no_grad():
        answer = zoom.eval()(images, off).boxes[:, 0]
    assert float((answer - boxes).abs().mean()) < 0.3 * float((off - boxes).abs().mean())


def test_folded_it_answers_as_before() -> None:
    before = network()
    after = folded(before)
    assert not any(isinstance(m, torch.nn.BatchNorm2d) for m in after.modules())
    images = images_of(before)
    with torch.no_grad():
        torch.testing.assert_close(after(images).y, before(images).y, atol=1e-4, rtol=0)


@pytest.mark.slow
def test_exported_it_answers_as_before(tmp_path: Any) -> None:
    made = network()
    model = trace_core(made)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    for count in (1, 3):
        images = images_of(made, count)
        feeds = {
            "pixels": images.numpy(),
            "placement": torch.tensor((0.0, 0.0, 1.0, 1.0)).numpy(),
            "size": torch.tensor((128.0, 128.0)).numpy(),
        }
        [box] = session.run(["box"], feeds)
        with torch.no_grad():
            expected = target.split(made(images).y).box * 128
        torch.testing.assert_close(torch.from_numpy(box), expected.clamp(0, 128), atol=0.05, rtol=0)


def test_sizes_that_do_not_fit_are_refused() -> None:
    for zoom, said in ((60, "multiple of 16"), (48, "at least 64")):
        with pytest.raises(ConfigError, match=f"head.zoom={zoom} .*{said}"):
            network(zoom=zoom)
    with pytest.raises(ConfigError, match=r"head.overview=3 does not divide the input of 128 x 128"):
        network(overview=3)


def test_backbones_of_one_size_take_the_crop_as_well() -> None:
    made = network(name="vit_tiny_patch16_224", image_size=192)
    assert made.zoom is not None
    assert made.zoom.backbone.strides == (16,)
    with torch.no_grad():
        assert made(images_of(made)).y.shape == (2, 7)


@pytest.mark.parametrize(
    ("head", "loss", "said"),
    [({"overview": 2}, {}, "head.overview=2 makes"), ({"zoom": 64}, {"name": "squared_error"}, "head.zoom=64 is tr")],
)
def test_settings_that_do_not_fit_are_refused(head: Any, loss: Any, said: str, tiny_model: Any) -> None:
    settings = tiny_model()
    base = {"grid_stride": 8, "bins": 0, "read_off": "local", "edge_attention": True, "refine": False, "dropout": 0.0}
    settings["head"] = GRID | base | head
    settings["loss"] = loss or settings["loss"]
    with pytest.raises(ValueError, match=said):
        ModelSettings.model_validate(settings)
