"""Shards behind the API of S3, spoken by a server on this machine, and over connections that break."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest
import torch
from flaky_proxy import FlakyProxy

from locnet.config.defaults import data_settings
from locnet.data.augment import Augment
from locnet.data.datamodule import LabelledImagesModule
from locnet.data.shards.pack import pack
from locnet.errors import DataError

pytestmark = pytest.mark.slow

Manifest = Callable[..., Path]
URL = "s3://photos/packed"


@pytest.fixture(scope="module")
def packed(manifest: Manifest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = manifest(tmp_path_factory.mktemp("data") / "tiny", train=24, val=9, test=5)
    records = LabelledImagesModule(data_settings("csv", root=str(root)), image_size=(32, 32)).records
    pack(records, root.parent / "packed", shard_bytes=30_000)
    return root.parent / "packed"


@pytest.fixture(scope="module")
def proxy(packed: Path, s3_port: int) -> Iterator[FlakyProxy]:
    """A bucket with the shards, behind connections that can be told to break."""
    proxy = FlakyProxy(s3_port, after=10_000)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{proxy.port}")
        system = fsspec.filesystem("s3", skip_instance_cache=True)
        system.mkdir("photos")
        system.put(f"{packed}/", "photos/packed/", recursive=True)
        yield proxy
    proxy.close()


@pytest.fixture(autouse=True)
def new_connections(proxy: FlakyProxy) -> None:
    proxy.drops = proxy.dropped = 0
    fsspec.filesystem("s3").clear_instance_cache()


def module(root: str, cache: Path, **changes: Any) -> LabelledImagesModule:
    settings = data_settings("shards", root=root, batch_size=4, **{"num_workers": 0, "shuffle_shards": 2, **changes})
    return LabelledImagesModule(settings, image_size=(32, 32), augment=Augment(), cache_dir=cache)


def images(data: LabelledImagesModule) -> list[torch.Tensor]:
    return [batch["image"] for batch in data.train_dataloader()]


@pytest.mark.parametrize("workers", [0, 2])
def test_the_same_batches_as_from_a_folder(packed: Path, tmp_path: Path, workers: int) -> None:
    expected = images(module(str(packed), tmp_path))
    seen = images(module(URL, tmp_path, num_workers=workers))
    assert len(seen) == 6
    assert all(torch.equal(one, two) for one, two in zip(seen, expected, strict=True))


def test_dropped_connections_are_tried_again(proxy: FlakyProxy, packed: Path, tmp_path: Path) -> None:
    expected = images(module(str(packed), tmp_path))
    data = module(URL, tmp_path)
    _ = data.records
    proxy.drops = 5
    seen = images(data)
    assert proxy.dropped == 5
    assert all(torch.equal(one, two) for one, two in zip(seen, expected, strict=True))


@pytest.mark.parametrize("workers", [0, 1])
def test_when_nothing_helps_it_is_one_line(proxy: FlakyProxy, tmp_path: Path, workers: int) -> None:
    data = module(URL, tmp_path, retries=1, num_workers=workers)
    _ = data.records
    proxy.drops = 10**6
    with pytest.raises(DataError) as error:
        images(data)
    assert "\n" not in str(error.value)
    assert str(error.value).startswith(f"{URL}/train-")
    assert "cannot be read after 2 tries (" in str(error.value)
    assert str(error.value).endswith("check the network, or raise data.retries")
    proxy.drops = 0
    assert len(images(module(URL, tmp_path))) == 6  # the network is back


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"s3://photos/elsewhere/index\.parquet: there is no such file"):
        _ = module("s3://photos/elsewhere", tmp_path).records


def test_copies_are_used_again_and_make_room(proxy: FlakyProxy, packed: Path, tmp_path: Path) -> None:
    assert len(images(module(URL, tmp_path))) == 6
    copies = list(tmp_path.rglob("*.tar"))
    assert len(copies) == len(list(packed.glob("train-*.tar")))
    proxy.drops = 10**6  # the network is gone for large answers
    assert len(images(module(URL, tmp_path))) == 6
    proxy.drops = 0
    small = tmp_path / "small"
    assert len(images(module(URL, small, keep_gb=150_000 / 1e9, shuffle_shards=1))) == 6
    assert sum(path.stat().st_size for path in small.rglob("*.tar")) <= 150_000
