"""`from locnet import Localizer`: any kind of image in, typed results out."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from locnet import Localizer, Result
from locnet.calibration import Calibration, Residuals
from locnet.data.images import Encoded
from locnet.errors import CheckpointError, ConfigError, DataError, LocnetError
from locnet.runtime.checkpoints import load_module

HEAVY = {
    "pytorch_lightning",
    "lightning",
    "lightning_fabric",
    "torchmetrics",
    "hydra",
    "omegaconf",
    "wandb",
    "matplotlib",
}


@pytest.fixture(scope="module")
def localizer(checkpoint: Path) -> Localizer:
    return Localizer.load(checkpoint, device="cpu")


@pytest.fixture(scope="module")
def pictures() -> list[Image.Image]:
    generator = np.random.default_rng(0)
    sizes = ((64, 64), (40, 80), (90, 50), (33, 17), (200, 210))
    return [Image.fromarray(generator.integers(0, 256, (*size, 3), dtype=np.uint8)) for size in sizes]


def test_every_kind_of_image_gets_the_same_answer(
    localizer: Localizer, pictures: list[Image.Image], tmp_path: Path
) -> None:
    picture = pictures[1]
    file = tmp_path / "a.png"
    picture.save(file)
    pixels = np.asarray(picture)
    planes = torch.from_numpy(pixels.copy()).permute(2, 0, 1)
    kinds: list[Any] = [
        file,
        str(file),
        Encoded("a", file.read_bytes()),
        Image.open(file),
        pixels,
        planes,
        planes.contiguous(),
    ]
    results = [localizer(kind) for kind in kinds]
    assert all(result == results[0] for result in results)
    assert isinstance(results[0], Result)
    assert (results[0].width, results[0].height) == (80, 40)


def test_one_a_list_a_batch_and_a_stream(localizer: Localizer, pictures: list[Image.Image]) -> None:
    alone = [localizer(picture) for picture in pictures]
    together = localizer(pictures, batch_size=2)
    assert isinstance(together, list)
    assert [r.class_name for r in together] == [r.class_name for r in alone]
    for one, other in zip(alone, together, strict=True):
        assert one.p_c == pytest.approx(other.p_c, abs=1e-6)
        assert one.box == pytest.approx(other.box, abs=1e-4)
    assert localizer(tuple(pictures[:1])) == [alone[0]]
    assert localizer([]) == []
    batch: Any = np.stack([np.asarray(pictures[0])] * 3)
    assert [r.p_c for r in localizer(batch)] == pytest.approx([alone[0].p_c] * 3, abs=1e-6)
    planes: Any = torch.from_numpy(batch).permute(0, 3, 1, 2)
    assert len(localizer(planes)) == 3

    taken = 0

    def stream() -> Iterator[Image.Image]:
        nonlocal taken
        for picture in pictures:
            taken += 1
            yield picture

    answers = localizer(stream(), batch_size=2)
    assert taken == 0
    assert next(answers).p_c == pytest.approx(alone[0].p_c, abs=1e-6)
    assert taken == 2  # a stream without an end is fine
    assert len(list(answers)) == 4


def test_photos_are_turned_upright(localizer: Localizer, pictures: list[Image.Image]) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    stream = BytesIO()
    pictures[1].transpose(Image.Transpose.ROTATE_90).save(stream, "png", exif=exif)
    stored = Image.open(BytesIO(stream.getvalue()))
    assert stored.size == (40, 80)
    assert localizer(stored) == localizer(Encoded("a", stream.getvalue())) == localizer(pictures[1])


def test_the_answer_is_that_of_the_trained_module(checkpoint: Path, localizer: Localizer) -> None:
    image = torch.randint(0, 256, (3, 64, 64), dtype=torch.uint8, generator=torch.Generator().manual_seed(3))
    with torch.inference_mode():
        y = load_module(checkpoint).model(image[None]).y[0]
    result = localizer(image)
    assert result.p_c == pytest.approx(float(y[0]), abs=1e-6)
    assert list(result.scores) == ["car", "dog", "person"]
    assert list(result.scores.values()) == pytest.approx(y[5:].tolist(), abs=1e-6)
    assert result.label == int(y[5:].argmax())
    assert result.class_name == localizer.classes[result.label]
    assert result.box is not None
    assert result.box_fractions is not None
    middle = [(result.box.xmin + result.box.xmax) / 128, (result.box.ymin + result.box.ymax) / 128]
    assert middle == pytest.approx(y[1:3].tolist(), abs=1e-2)
    assert result.box == pytest.approx([edge * 64 for edge in result.box_fractions])
    with pytest.raises(dataclasses.FrozenInstanceError):
        result.p_c = 1.0  # type: ignore[misc]


def test_threshold_and_coverage(checkpoint: Path, pictures: list[Image.Image]) -> None:
    localizer = Localizer.load(str(checkpoint), device="cpu", threshold=0.25)
    assert localizer.threshold == 0.25
    p_c = localizer(pictures[0]).p_c
    below, at = localizer(pictures[0], threshold=np.nextafter(p_c, 1)), localizer(pictures[0], threshold=p_c)
    assert (below.present, below.verdict, below.class_name) == (False, "background", at.class_name)
    assert (at.present, at.verdict) == (True, at.class_name)
    assert at.crop is None
    localizer.network.calibration = Calibration(residuals=Residuals(19, tuple(np.linspace(0.0, 0.36, 19))))
    result = localizer(pictures[2], coverage=0.8)
    assert result.crop is not None
    assert result.box is not None
    assert all(isinstance(edge, int) for edge in result.crop)
    assert result.crop.xmin <= result.box.xmin < result.box.xmax <= result.crop.xmax <= result.width == 50
    assert pictures[2].crop(result.crop).height == result.crop.ymax - result.crop.ymin
    assert {"crop_xmin", "score_car", "verdict"} <= result.row().keys()


def test_a_classifier_has_no_box(tmp_path: Path, checkpoint_of: Any, pictures: list[Image.Image]) -> None:
    localizer = Localizer.load(checkpoint_of(tmp_path / "c.ckpt", boxes=False), device="cpu")
    result = localizer(pictures[0])
    assert (result.box, result.box_fractions, result.crop) == (None, None, None)
    assert result.row()["xmin"] is None
    assert not localizer.has_box


@pytest.mark.parametrize(
    ("image", "message"),
    [
        ("nowhere.png", r"^nowhere.png: no such image"),
        (Encoded("upload", b"GIF89a"), "^upload: damaged or cut short|^upload: is not an image"),
        (np.zeros((3, 8, 8), np.uint8), r"must be \(height, width, 3\) uint8 RGB, not \(3, 8, 8\) uint8"),
        (np.zeros((8, 8, 3), np.float32), r"not \(8, 8, 3\) float32"),
        (np.zeros((0, 8, 3), np.uint8), r"not \(0, 8, 3\) uint8"),
        (torch.zeros(8, 8, 3, dtype=torch.uint8), r"must be \(3, height, width\) uint8 RGB, not \(8, 8, 3\)"),
        (torch.zeros(3, 8, 8), r"not \(3, 8, 8\) torch.float32"),
        (7, "an image must be a path, a Pillow image, a NumPy array or a torch tensor, not int"),
        (b"\xff\xd8", "not bytes"),
        ([None], "not NoneType"),
    ],
)
def test_what_is_no_image_is_one_line(localizer: Localizer, image: Any, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        localizer(image)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"threshold": 1.5}, r"^threshold=1.5 must lie in \[0, 1\]"),
        ({"coverage": 1.0}, "^coverage=1 must be above 0 and below 1"),
        ({"coverage": 0.9}, "^coverage=0.9: this checkpoint holds no conformal residuals"),
        ({"batch_size": 0}, "^batch_size=0 must be 1 or more"),
    ],
)
def test_settings_that_cannot_be(localizer: Localizer, settings: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        localizer(np.zeros((8, 8, 3), np.uint8), **settings)


def test_loading_what_cannot_be(checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no such file or directory"):
        Localizer.load(tmp_path / "nowhere")
    for device, message in (("gpu", "^device=gpu is unknown; choose auto"), ("cuda:99", "^device=cuda:99 is not on")):
        with pytest.raises(LocnetError, match=message):
            Localizer.load(checkpoint, device=device)


class Exploit:
    """A pickle that runs a command when it is loaded."""

    def __init__(self, touched: Path) -> None:
        self.command = f"touch {touched}"

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (self.command,)


def test_a_hostile_checkpoint_is_refused_and_not_executed(checkpoint: Path, tmp_path: Path) -> None:
    """A checkpoint that is right in all else."""
    touched, path = tmp_path / "touched", tmp_path / "hostile.ckpt"
    content = torch.load(checkpoint, weights_only=True)
    content["callbacks"] = {"extra": Exploit(touched)}
    torch.save(content, path)
    with pytest.raises(CheckpointError, match=r"^.*hostile.ckpt is not a readable checkpoint: torn, or it holds more"):
        Localizer.load(path)
    assert not touched.exists()
    torch.load(path, weights_only=False)  # the exploit is a real one
    assert touched.exists()


def test_a_checkpoint_of_a_newer_version_says_so(checkpoint: Path, tmp_path: Path) -> None:
    content = torch.load(checkpoint, weights_only=True)
    content["hyper_parameters"] |= {"version": "99.1.0", "colour": "blue"}
    torch.save(content, tmp_path / "new.ckpt")
    with pytest.raises(CheckpointError, match=r"new.ckpt was written by locnet 99\.1\.0, this is .*; upgrade locnet"):
        Localizer.load(tmp_path / "new.ckpt")


def test_it_imports_neither_lightning_nor_hydra_nor_wandb(checkpoint: Path) -> None:
    code = (
        "import sys, locnet\n"
        "assert 'torch' not in sys.modules and 'numpy' not in sys.modules\n"
        "import numpy as np\n"
        f"m = locnet.Localizer.load({str(checkpoint)!r}, device='cpu')\n"
        "print(m(np.zeros((20, 30, 3), np.uint8)).width)\n"
        "print(*{name.partition('.')[0] for name in sys.modules})\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    width, modules = done.stdout.splitlines()
    assert width == "30"
    assert not HEAVY & set(modules.split())
