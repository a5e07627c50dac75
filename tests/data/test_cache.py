"""`data.cache`: decoded images in one file that workers and processes share."""

from __future__ import annotations

import logging
import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from pydantic import TypeAdapter

from locnet.config.compose import compose
from locnet.config.schema import CsvSettings
from locnet.data.augment import Augment
from locnet.data.cache import ram
from locnet.data.cache.build import CachedImages
from locnet.data.cache.keep import NOTHING, Keep, Kept
from locnet.data.cache.packed import PackedImages, PackedWriter, TornError
from locnet.data.datamodule import LabelledImagesModule
from locnet.data.resize import ResizeMode, fit, fit_scaled, place
from locnet.errors import DataError

Manifest = Callable[..., Path]
SIZE = (32, 40)  # of the network input


@pytest.fixture
def root(manifest: Manifest, tmp_path: Path) -> Path:
    return manifest(tmp_path / "tiny", train=6, val=4, test=3, width=300, height=200)


def module(root: Path, *, cache: str = "disk", augment: Augment | None = None, **changes: Any) -> LabelledImagesModule:
    node = compose("train", ["data=csv", f"data.root={root}"])["data"]
    node |= {"batch_size": 2, "num_workers": 0, "cache": cache} | changes
    data = TypeAdapter(CsvSettings).validate_python(node)
    return LabelledImagesModule(data, image_size=SIZE, augment=augment, cache_dir=root.parent / "cache")


def files(root: Path) -> list[Path]:
    return sorted((root.parent / "cache").glob("images-*.bin"))


def batches(loader: Any) -> list[torch.Tensor]:
    return [batch["image"] for batch in loader]


@pytest.fixture
def decodes(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Every image that is decoded in this process."""
    from locnet.data import decode, sources

    seen: list[Any] = []
    load = decode.load_picture

    def counted(path: Any, at_least: int | None = None) -> Any:
        seen.append(path)
        return load(path, at_least)

    monkeypatch.setattr(sources, "load_picture", counted)
    monkeypatch.setattr("locnet.data.datamodule.worker_count", lambda *_: 0)
    return seen


@pytest.mark.parametrize("resize", ["squash", "letterbox"])
def test_evaluation_is_the_same_to_the_last_bit(root: Path, resize: str) -> None:
    plain = list(module(root, cache="none", resize=resize).val_dataloader())
    cached = list(module(root, resize=resize).val_dataloader())
    for one, two in zip(plain, cached, strict=True):
        for name in ("image", "placement", "size", "target", "label", "index"):
            assert torch.equal(one[name], two[name]), name


@pytest.mark.parametrize("size", [(90, 60), (300, 200)])
def test_training_sees_the_same_picture(manifest: Manifest, tmp_path: Path, size: tuple[int, int]) -> None:
    """Just the same where images are small, nearly where they were scaled down first."""
    root = manifest(tmp_path / "data", train=6, width=size[0], height=size[1])
    augment = Augment()
    for one, two in zip(
        batches(module(root, cache="none", augment=augment).train_dataloader()),
        batches(module(root, augment=augment).train_dataloader()),
        strict=True,
    ):
        difference = (one.float() - two.float()).abs()
        assert difference.mean() < (0.1 if min(size) <= augment.source_side(max(SIZE)) else 5)


def test_decoded_once(root: Path, decodes: list[Any]) -> None:
    for _ in range(2):  # two runs
        data = module(root, augment=Augment())
        for epoch in range(2):
            loader: Any = data.train_dataloader()
            loader.sampler.set_epoch(epoch)
            assert len(batches(loader)) == 3
    assert len(decodes) == 6
    assert len(files(root)) == 1


def test_a_file_a_split_and_use(root: Path, decodes: list[Any]) -> None:
    data = module(root, augment=Augment())
    data.train_dataloader()
    data.val_dataloader()
    data.exact_dataloader("train")
    assert len(files(root)) == 3
    assert len(decodes) == 6 + 4 + 6


def test_other_content_is_decoded_again(root: Path, decodes: list[Any]) -> None:
    """And the file that nobody can use any more does not stay for ever."""
    first = batches(module(root).val_dataloader())
    [old] = files(root)
    picture = sorted((root / "images").iterdir())[6]  # the first of val
    Image.new("RGB", (300, 200), "red").save(picture)
    decodes.clear()
    second = batches(module(root).val_dataloader())
    assert len(decodes) == 4
    assert not torch.equal(first[0][0], second[0][0])
    assert torch.equal(first[0][1], second[0][1])
    [new] = files(root)
    assert new != old


@pytest.mark.parametrize("damage", ["cut", "empty", "pixel", "index", "appended"])
def test_a_damaged_file_is_built_again_with_a_line(root: Path, caplog: pytest.LogCaptureFixture, damage: str) -> None:
    whole = batches(module(root).val_dataloader())
    [path] = files(root)
    content = bytearray(path.read_bytes())
    if damage == "cut":
        content = content[: len(content) // 2]
    elif damage == "empty":
        content.clear()
    elif damage == "pixel":
        content[SIZE[0] * SIZE[1] * 3 + 7] ^= 1
    elif damage == "index":
        content[-60] ^= 1
    else:
        content += b"more"
    path.write_bytes(content)
    with caplog.at_level(logging.WARNING):
        again = batches(module(root).val_dataloader())
    [line] = caplog.messages
    assert line.startswith(f"image cache {path} is damaged (")
    assert line.endswith("building it again")
    assert all(torch.equal(one, two) for one, two in zip(whole, again, strict=True))
    caplog.clear()
    module(root).val_dataloader()
    assert not caplog.messages


def test_an_unreadable_image_leaves_no_file(root: Path) -> None:
    data = module(root)
    _ = data.records  # checked while it was whole
    picture = sorted((root / "images").iterdir())[8]
    picture.write_bytes(b"nothing")
    with pytest.raises(DataError, match=r"008\.png: is not an image") as error:
        data.val_dataloader()
    assert "\n" not in str(error.value)
    assert not [path for path in (root.parent / "cache").iterdir() if path.suffix != ".lock"]


def test_a_missing_image_is_named(root: Path) -> None:
    data = module(root)
    _ = data.records
    picture = sorted((root / "images").iterdir())[8]
    picture.unlink()
    with pytest.raises(DataError, match=r"008\.png: cannot be read \(No such file"):
        data.val_dataloader()


def test_no_room(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=5))
    with pytest.raises(DataError) as error:
        module(root).val_dataloader()
    assert str(error.value) == (
        f"data.cache=disk: {root} val needs 0.0 MB in {root.parent}/cache, which has 0.0 MB free;"
        " take another paths.cache, or data.cache=none"
    )


def test_a_folder_that_cannot_be_made(root: Path) -> None:
    (root.parent / "cache").write_text("a file")
    with pytest.raises(DataError, match=r"data\.cache=disk: .*cache cannot be used"):
        module(root).val_dataloader()


def _open_cache(root: Path, results: Any) -> None:
    results.put((files(root) and -1) or len(batches(module(root).val_dataloader())))


def test_processes_that_start_together_build_once(root: Path) -> None:
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    processes = [context.Process(target=_open_cache, args=(root, results)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    assert len(files(root)) == 1
    assert not list((root.parent / "cache").glob(".*.tmp-*"))


def test_workers_read_it(root: Path) -> None:
    alone = batches(module(root, augment=Augment()).train_dataloader())
    helped = batches(module(root, augment=Augment(), num_workers=2).train_dataloader())
    assert all(torch.equal(one, two) for one, two in zip(alone, helped, strict=True))


def test_it_travels_to_other_processes_without_its_pixels(root: Path) -> None:
    source = module(root).dataset("val").source
    assert isinstance(source, CachedImages)
    travelled = pickle.dumps(source)
    assert len(travelled) < 1000
    there, here = pickle.loads(travelled).load(1), source.load(1)
    assert np.array_equal(np.asarray(there.picture), np.asarray(here.picture))
    assert there[1:3] == here[1:3] == (200, 300)


def _mapped(path: Path) -> int:
    """Kilobytes of a mapped file that count as this process's resident memory."""
    lines = Path("/proc/self/smaps").read_text().splitlines()
    start = next(number for number, line in enumerate(lines) if line.endswith(str(path)))
    return next(int(line.split()[1]) for line in lines[start:] if line.startswith("Rss:"))


@pytest.mark.skipif(not Path("/proc/self/smaps").is_file(), reason="needs Linux")
def test_resident_memory_does_not_grow_with_the_images_touched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("locnet.data.cache.packed.RESIDENT_BYTES", 2_000_000)
    pixels = np.random.default_rng(0).integers(0, 256, (256, 256, 3), dtype=np.uint8)
    with (tmp_path / "many.bin").open("wb") as file:
        writer = PackedWriter(file)
        for _ in range(100):  # 19 MB
            writer.add(Kept(pixels, torch.empty(3, 0, 0, dtype=torch.uint8)), 256, 256)
        writer.close()
    packed = PackedImages(tmp_path / "many.bin")
    for _ in range(2):
        for row in range(100):
            assert packed.load(row)[0].pixels[255, 255, 2] == pixels[255, 255, 2]
            assert packed.load(row)[0].pixels.sum() > 0
        assert _mapped(tmp_path / "many.bin") < 3000


# a process with a file in memory; ram.py alone, because torch takes seconds to import
RAM_RUN = """
import importlib.util, sys
from pathlib import Path
spec = importlib.util.spec_from_file_location("ram", {code!r})
ram = importlib.util.module_from_spec(spec)
spec.loader.exec_module(ram)
ram.hold(Path({path!r}))
print("ready", flush=True)
sys.stdin.read()
"""


def _hold(path: Path) -> subprocess.Popen[str]:
    code = RAM_RUN.format(code=str(ram.__file__), path=str(path))
    pipe = subprocess.PIPE
    run = subprocess.Popen([sys.executable, "-c", code], stdin=pipe, stdout=pipe, text=True)
    assert run.stdout is not None
    assert run.stdout.readline() == "ready\n"
    return run


@pytest.mark.skipif(sys.platform == "win32", reason="needs locks of POSIX")
def test_ram_lasts_as_long_as_somebody_uses_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ram, "folder", lambda: tmp_path)
    path = tmp_path / "images-x.bin"
    path.write_bytes(b"pixels")
    first, second = _hold(path), _hold(path)
    first.communicate(timeout=60)
    ram.clear()
    assert path.exists()  # the second still has it
    second.send_signal(signal.SIGKILL)
    second.communicate(timeout=60)
    assert path.exists()  # killed: nobody could remove it
    ram.clear()
    assert not path.exists()  # but the next run sees that it is left over
    path.write_bytes(b"pixels")
    _hold(path).communicate(timeout=60)
    assert not path.exists()


def test_ram_is_served_like_disk(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held: list[Path] = []
    monkeypatch.setattr(ram, "folder", lambda: tmp_path / "memory")
    monkeypatch.setattr(ram, "hold", held.append)
    cached = batches(module(root, cache="ram").val_dataloader())
    plain = batches(module(root, cache="none").val_dataloader())
    assert all(torch.equal(one, two) for one, two in zip(cached, plain, strict=True))
    assert held == list((tmp_path / "memory").glob("images-*.bin"))
    assert not files(root)


def test_ram_lies_in_memory() -> None:
    if Path("/dev/shm").is_dir():
        assert ram.folder().parent == Path("/dev/shm")


sides = st.integers(1, 3000)


@given(height=sides, width=sides, side=st.integers(16, 800))
def test_kept_images_cover_what_augmentation_needs(height: int, width: int, side: int) -> None:
    (kept_height, kept_width), fitted = Keep(16, 16, "squash", side).sizes(height, width)
    assert fitted == (NOTHING if (kept_height, kept_width) == (16, 16) else (16, 16))
    assert kept_height <= height
    assert kept_width <= width
    assert min(kept_height, kept_width) >= min(side, height, width)
    assert min(kept_height, kept_width) <= max(side, 1) or (kept_height, kept_width) == (height, width)
    assert abs(kept_width / width - kept_height / height) < 1 / min(height, width) + 1e-9  # the shape stays


@given(height=sides, width=sides, resize=st.sampled_from(["squash", "letterbox"]))
def test_fitted_images_are_placed_as_their_originals(height: int, width: int, resize: ResizeMode) -> None:
    nothing, kept = Keep(64, 48, resize).sizes(height, width)
    assert nothing == NOTHING
    assert place(*kept, 64, 48, resize) == place(height, width, 64, 48, resize)


def test_what_is_fitted_is_fitted() -> None:
    picture = Image.effect_noise((300, 170), 90).convert("RGB")
    kept = Keep(64, 48, "letterbox").apply(picture)
    assert not kept.pixels.size
    assert torch.equal(fit_scaled(kept.fitted, 64, 48, "letterbox")[0], fit(picture, 64, 48, "letterbox")[0])


@pytest.mark.parametrize("resize", ["squash", "letterbox"])
def test_whole_images_are_shown_as_without_a_cache(root: Path, resize: str) -> None:
    """To the last bit, though what windows are cut from is smaller than the files."""
    calm = Augment(zoom_in=0, zoom_out=0)
    plain = batches(module(root, cache="none", augment=calm, resize=resize).train_dataloader())
    cached = batches(module(root, augment=calm, resize=resize).train_dataloader())
    assert all(torch.equal(one, two) for one, two in zip(plain, cached, strict=True))


def test_a_file_of_another_sort_is_not_a_cache(tmp_path: Path) -> None:
    (tmp_path / "x.bin").write_bytes(os.urandom(4096))
    with pytest.raises(TornError):
        PackedImages(tmp_path / "x.bin")
