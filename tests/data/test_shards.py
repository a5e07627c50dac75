"""Images packed into tars, and streamed from them."""

from __future__ import annotations

import json
import os
import tarfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from locnet.config.defaults import data_settings
from locnet.data.augment import Augment
from locnet.data.datamodule import LabelledImagesModule
from locnet.data.records import Records
from locnet.data.samplers import ExactSampler
from locnet.data.shards.index import INDEX, ShardIndex
from locnet.data.shards.pack import pack
from locnet.data.shards.source import ShardSampler
from locnet.errors import DataError

Manifest = Callable[..., Path]
SIZE = (32, 32)


@pytest.fixture(scope="module")
def root(manifest: Manifest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return manifest(tmp_path_factory.mktemp("data") / "tiny", train=23, val=9, test=5)


def records_of(root: Path) -> Records:
    return LabelledImagesModule(data_settings("csv", root=str(root)), image_size=SIZE).records


@pytest.fixture(scope="module")
def packed(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("packed") / "shards"
    pack(records_of(root), folder, shard_bytes=30_000)
    return folder


def module(folder: Path | str, **changes: Any) -> LabelledImagesModule:
    options = {name: changes.pop(name) for name in ("augment", "seed", "classes", "cache_dir") if name in changes}
    settings = data_settings(
        "shards", root=str(folder), batch_size=4, num_workers=changes.pop("num_workers", 0), **changes
    )
    return LabelledImagesModule(settings, image_size=SIZE, **options)


def test_what_a_tar_holds(root: Path, packed: Path) -> None:
    """Plain tars in the layout of WebDataset: an image and a JSON of one key, one after the other."""
    names = sorted(path.name for path in packed.iterdir())
    assert names[0] == INDEX
    assert {name.split("-")[0] for name in names[1:]} == {"train", "val", "test"}
    assert len(names) > 6
    seen = []
    for path in sorted(packed.glob("*.tar")):
        with tarfile.open(path) as tar:
            members = tar.getmembers()
            for image, label in zip(members[::2], members[1::2], strict=True):
                assert image.name.removesuffix(".png") == label.name.removesuffix(".json")
                said = json.load(tar.extractfile(label))  # type: ignore[arg-type]
                content = tar.extractfile(image).read()  # type: ignore[union-attr]
                assert content == (root / said["file"]).read_bytes()
                assert said["class"] in ("car", "dog", "person", "background")
                assert (said["box_xyxy"] is None) == (said["class"] == "background")
                seen.append(said["file"])
    assert sorted(seen) == sorted(records_of(root).files)


def test_webdataset_reads_it(packed: Path) -> None:
    webdataset = pytest.importorskip("webdataset")
    urls = [str(path) for path in sorted(packed.glob("train-*.tar"))]
    samples = list(webdataset.WebDataset(urls, shardshuffle=False).decode("pil"))
    assert len(samples) == 23
    assert samples[0]["png"].size == (samples[0]["json"]["width"], samples[0]["json"]["height"])


def test_packing_again_gives_the_same_bytes(root: Path, packed: Path, tmp_path: Path) -> None:
    pack(records_of(root), tmp_path / "again", shard_bytes=30_000)
    for path in packed.iterdir():
        assert (tmp_path / "again" / path.name).read_bytes() == path.read_bytes()
    other = pack(records_of(root), tmp_path / "other", shard_bytes=30_000, seed=1)
    assert other.records.files.tolist()[:23] != module(packed).records.files.tolist()[:23]


def test_samples_are_those_of_the_files(root: Path, packed: Path) -> None:
    """Labels, sizes, pixels, to the last bit; only their order is another one."""
    plain = LabelledImagesModule(data_settings("csv", root=str(root)), image_size=SIZE)
    for split in ("train", "val", "test"):
        ours, theirs = module(packed).dataset(split), plain.dataset(split)
        where = {file: row for row, file in enumerate(theirs.records.files)}
        assert sorted(ours.records.files) == sorted(where)
        for row, file in enumerate(ours.records.files):
            one, two = ours[row], theirs[where[file]]
            for name in ("image", "target", "label", "size", "placement"):
                assert torch.equal(one[name], two[name]), name
    assert module(packed).records.classes == plain.records.classes


def test_training_and_evaluation_batches(packed: Path) -> None:
    data = module(packed, augment=Augment())
    assert [len(batch["image"]) for batch in data.train_dataloader()] == [4] * 5
    assert torch.cat([batch["index"] for batch in data.val_dataloader()]).tolist() == list(range(9))


@pytest.mark.parametrize("workers", [1, 2])
def test_workers_change_nothing(packed: Path, workers: int) -> None:
    def epoch(number: int, workers: int) -> list[torch.Tensor]:
        loader: Any = module(packed, augment=Augment(), num_workers=workers).train_dataloader()
        loader.sampler.set_epoch(number)
        return [batch["image"] for batch in loader]

    alone, helped = epoch(1, 0), epoch(1, workers)
    assert all(torch.equal(one, two) for one, two in zip(alone, helped, strict=True))


@given(
    sizes=st.lists(st.integers(1, 9), max_size=12),
    window=st.integers(1, 5),
    world=st.integers(1, 4),
    seed=st.integers(0, 1000),
    epoch=st.integers(0, 50),
)
def test_processes_share_an_epoch(sizes: list[int], window: int, world: int, seed: int, epoch: int) -> None:
    """Each row at most once, as many for each process, and no more missing than do not deal out."""
    shards = np.repeat(np.arange(len(sizes), dtype=np.int32), sizes)
    parts = []
    for rank in range(world):
        sampler = ShardSampler(shards, window=window, seed=seed, rank=rank, world=world)
        sampler.set_epoch(epoch)
        parts.append([draw.index for draw in sampler])
        assert len(parts[-1]) == len(sampler) == len(shards) // world
    counts = Counter(index for part in parts for index in part)
    assert set(counts.values()) <= {1}
    assert len(shards) - len(counts) < world


def test_an_order_needs_few_shards_at_a_time() -> None:
    shards = np.repeat(np.arange(20, dtype=np.int32), 50)
    sampler = ShardSampler(shards, window=4, seed=0)
    orders = []
    for epoch in range(2):
        sampler.set_epoch(epoch)
        orders.append([draw.index for draw in sampler])
        for first in range(0, 1000, 200):
            assert len({int(shards[index]) for index in orders[-1][first : first + 200]}) == 4
    assert orders[0] != orders[1]
    assert sorted(orders[0]) == list(range(1000))
    mixed = shards[orders[0][:50]]
    assert len(set(mixed.tolist())) == 4  # shuffled among the four, not one after the other


def test_each_process_needs_its_share_of_the_shards() -> None:
    shards = np.repeat(np.arange(32, dtype=np.int32), 10)
    for rank in range(4):
        called: list[int] = []
        sampler = ShardSampler(shards, window=2, seed=3, rank=rank, world=4, ahead=called.extend)
        needed = {int(shards[draw.index]) for draw in sampler}
        assert set(called) == needed
        assert len(needed) <= 8 + 2
    whole = [list(ExactSampler(103, rank=rank, world=4, contiguous=True)) for rank in range(4)]
    assert [draw.index for part in whole for draw in part] == list(range(103))
    assert {len(part) for part in whole} == {25, 26}


def test_going_on_in_the_middle_of_an_epoch() -> None:
    """A position in the order is all that it takes."""
    shards = np.repeat(np.arange(8, dtype=np.int32), 5)
    sampler = ShardSampler(shards, window=3, seed=1)
    sampler.set_epoch(4)
    whole = list(sampler)
    again = ShardSampler(shards, window=3, seed=1)
    again.resume(4, 17)
    assert list(again) == whole[17:]


def test_classes_of_a_trained_model_win(packed: Path) -> None:
    own = module(packed).records
    other = module(packed, classes=("person", "cat", "car", "dog")).records
    names = [own.classes[label] if label >= 0 else "" for label in own.labels]
    assert [other.classes[label] if label >= 0 else "" for label in other.labels] == names
    with pytest.raises(DataError, match="class dog is none of the 2 of the checkpoint"):
        _ = module(packed, classes=("person", "car")).records


def test_a_cache_on_top(packed: Path, tmp_path: Path) -> None:
    plain = [batch["image"] for batch in module(packed).val_dataloader()]
    cached = [batch["image"] for batch in module(packed, cache="disk", cache_dir=tmp_path).val_dataloader()]
    assert all(torch.equal(one, two) for one, two in zip(plain, cached, strict=True))


def test_the_picture_of_a_file(root: Path, packed: Path) -> None:
    """For reports, which know an image by its name."""
    data = module(packed)
    file = data.records.files[3]
    assert (
        data.picture(file).tobytes()
        == LabelledImagesModule(data_settings("csv", root=str(root)), image_size=SIZE).picture(file).tobytes()
    )


def copy_of(packed: Path, folder: Path) -> Path:
    folder.mkdir()
    for path in packed.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    return folder


def test_a_shard_cut_short(packed: Path, tmp_path: Path) -> None:
    folder = copy_of(packed, tmp_path / "copy")
    os.truncate(folder / "val-000000.tar", 900)
    with pytest.raises(DataError, match=r"val-000000\.tar: is cut short; pack or copy it again"):
        list(module(folder).val_dataloader())


def test_a_shard_missing(packed: Path, tmp_path: Path) -> None:
    folder = copy_of(packed, tmp_path / "copy")
    (folder / "val-000000.tar").unlink()
    with pytest.raises(DataError, match=r"val-000000\.tar: there is no such shard") as error:
        list(module(folder, num_workers=1).val_dataloader())
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("content", "said"), [(None, "there is no index.parquet"), (b"no", "is no index of packed")])
def test_no_index(packed: Path, tmp_path: Path, content: bytes | None, said: str) -> None:
    folder = copy_of(packed, tmp_path / "copy")
    (folder / INDEX).unlink()
    if content:
        (folder / INDEX).write_bytes(content)
    with pytest.raises(DataError, match=said):
        _ = module(folder).records


def test_an_index_of_another_version(packed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("locnet.data.shards.index._VERSION", 2)
    with pytest.raises(DataError, match=r"written by another version of locnet \(format 1\)"):
        _ = module(packed).records


def test_output_with_something_in_it(root: Path, packed: Path) -> None:
    with pytest.raises(DataError, match=r"is not empty; choose another folder"):
        pack(records_of(root), packed, shard_bytes=1000)


def test_an_image_that_has_gone(root: Path, manifest: Manifest, tmp_path: Path) -> None:
    """Nothing that looks finished is left."""
    data = manifest(tmp_path / "data", train=4, val=2, test=2)
    records = records_of(data)
    (data / "images" / "005.png").unlink()
    with pytest.raises(DataError, match=r"005\.png: cannot be read"):
        pack(records, tmp_path / "out", shard_bytes=10**6)
    assert not (tmp_path / "out" / INDEX).exists()


def test_index_round_trip(packed: Path) -> None:
    data = module(packed)
    index = data.shards
    assert isinstance(index, ShardIndex)
    assert sum(shard.size for shard in index.shards) == sum(path.stat().st_size for path in packed.glob("*.tar"))
    assert len(index.positions) == len(data.records) == 37
