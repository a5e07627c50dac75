"""Which feature map answers a stride, and which image sizes a family takes."""

from __future__ import annotations

import pytest
import torch

from locnet.errors import ConfigError
from locnet.models.backbone import Backbone, _choose

CNN = (2, 4, 8, 16, 32)
SIZES = [
    "convnext_atto",
    "deit_tiny_patch16_224",
    "efficientformer_l1",
    "edgenext_xx_small",
    "eva02_tiny_patch14_224",
    "gcvit_xxtiny",
    "ghostnet_050",
    "halonet_h1",
    "hrnet_w18_small",
    "levit_128s",
    "mobilevit_xxs",
    "mvitv2_tiny",
    "pvt_v2_b0",
    "regnetx_002",
    "resnetv2_18",
    "swin_tiny_patch4_window7_224",
    "swinv2_tiny_window8_256",
    "tiny_vit_5m_224",
    "twins_svt_small",
    "vit_tiny_r_s16_p8_224",
    "xcit_nano_12_p8_224",
]


@pytest.mark.parametrize(
    ("reductions", "strides", "wanted"),
    [
        (CNN, (8, 16, 32), [2, 3, 4]),
        (CNN, (32,), [4]),
        (CNN, (32, 8), [2, 4]),  # fine to coarse, whatever the order of the question
        (CNN, (4, 4, 5, 7), [1]),  # duplicates are merged
        (CNN, (1,), [0]),
        (CNN, (64,), [4]),
        ((4, 8, 16, 16, 32), (16,), [3]),  # the deepest of those that fit
        ((16,) * 12, (8, 16, 32), [11]),  # a ViT has one map, and the deepest is the one that knows the most
        ((32,) * 12, (8, 16), [11]),
        ((16, 32), (8, 16, 32), [0, 1]),
    ],
)
def test_the_deepest_map_that_is_fine_enough(
    reductions: tuple[int, ...], strides: tuple[int, ...], wanted: list[int]
) -> None:
    assert _choose(reductions, strides) == wanted


@pytest.mark.parametrize("name", ["lcnet_035", "test_convnext", "test_efficientnet", "test_resnet", "test_nfnet"])
@pytest.mark.parametrize("size", [64, (96, 160), (100, 70)])
def test_maps_are_as_stated(name: str, size: int | tuple[int, int]) -> None:
    says_what_it_gives(name, size)


@pytest.mark.slow
@pytest.mark.parametrize("size", [96, (160, 128)])
@pytest.mark.parametrize("name", SIZES)
def test_another_size_works_or_is_refused_in_one_line(name: str, size: int | tuple[int, int]) -> None:
    try:
        says_what_it_gives(name, size)
    except ConfigError as error:
        text = f"{size}x{size}" if isinstance(size, int) else f"{size[0]}x{size[1]}"
        start = f"backbone.image_size={text} does not work with backbone.name={name}: "
        assert str(error).startswith(start)
        assert len(str(error)) > len(start)
        assert "\n" not in str(error)
        assert name in {"efficientformer_l1", "halonet_h1", "levit_128s", "mvitv2_tiny", "eva02_tiny_patch14_224"}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["hiera_tiny_224", "sam2_hiera_tiny"])
def test_families_without_norm_for_their_maps(name: str) -> None:
    says_what_it_gives(name, 224)


def test_a_constructor_that_refuses_a_size_is_one_line() -> None:
    with pytest.raises(ConfigError) as caught:
        Backbone("nest_tiny", image_size=(160, 128))
    assert str(caught.value) == (
        "backbone.image_size=160x128 does not work with backbone.name=nest_tiny: Model only handles square inputs"
    )


@pytest.mark.parametrize("name", ["test_vit", "test_resnet", "lcnet_035"])
def test_options_that_a_family_lacks_are_left_out(name: str) -> None:
    backbone = Backbone(name, image_size=(64, 96), drop_path_rate=0.1)
    assert backbone.image_size == (64, 96)
    assert backbone.training


def says_what_it_gives(name: str, size: int | tuple[int, int]) -> None:
    backbone = Backbone(name, strides=(8, 16, 32), image_size=size)
    height, width = backbone.image_size
    assert (height, width) == ((size, size) if isinstance(size, int) else size)
    maps = backbone.eval()(torch.zeros(2, 3, height, width))
    assert tuple(m.shape[1] for m in maps) == backbone.channels
    assert backbone.strides == tuple(sorted(set(backbone.strides)))
    for found, stride in zip(maps, backbone.strides, strict=True):
        assert found.shape[0] == 2
        assert abs(found.shape[2] - height / stride) < 1  # ceil or floor, by how the family pads
        assert abs(found.shape[3] - width / stride) < 1
