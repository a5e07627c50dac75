"""The three splits as batches."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from locnet.config.defaults import data_settings
from locnet.config.schema import DataSettings
from locnet.data.augment import Augment
from locnet.data.datamodule import LabelledImagesModule
from locnet.data.reading import read_data
from locnet.errors import DataError

Manifest = Callable[..., Path]


def settings(root: Path, **changes: Any) -> DataSettings:
    return data_settings("csv", root=str(root), **({"batch_size": 4, "num_workers": 0} | changes))


def module(root: Path, *, augment: Augment | None = None, seed: int = 0, **changes: Any) -> LabelledImagesModule:
    return LabelledImagesModule(settings(root, **changes), image_size=(32, 32), augment=augment, seed=seed)


@pytest.fixture(scope="module")
def root(manifest: Manifest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return manifest(tmp_path_factory.mktemp("data") / "tiny", train=10, val=5, test=6)


def test_splits_and_batches(root: Path) -> None:
    data = module(root)
    train, val, test = data.train_dataloader(), data.val_dataloader(), data.test_dataloader()
    assert [len(batch["image"]) for batch in train] == [4, 4]  # whole batches only
    assert [len(batch["image"]) for batch in val] == [4, 1]
    seen = torch.cat([batch["index"] for batch in test])
    assert seen.tolist() == list(range(6))
    assert next(iter(test))["image"].shape == (4, 3, 32, 32)
    assert data.records.counts()["test"] == {"car": 2, "dog": 1, "person": 1, "background": 2}


def test_nothing_is_opened_before_it_is_needed(tmp_path: Path) -> None:
    data = module(tmp_path / "nowhere")
    with pytest.raises(DataError, match=r"there is no such folder"):
        _ = data.records


def epoch(data: LabelledImagesModule, number: int) -> list[dict[str, torch.Tensor]]:
    loader: Any = data.train_dataloader()
    loader.sampler.set_epoch(number)
    return list(loader)


@pytest.mark.parametrize("number", [0, 1])
def test_batches_do_not_depend_on_the_number_of_workers(root: Path, number: int) -> None:
    """Neither which images, nor what augmentation makes of them."""
    alone = epoch(module(root, augment=Augment(), num_workers=0, seed=3), number)
    helped = epoch(module(root, augment=Augment(), num_workers=2, seed=3), number)
    assert len(alone) == len(helped) == 2
    for one, two in zip(alone, helped, strict=True):
        assert one.keys() == two.keys()
        for name in one:
            assert torch.equal(one[name], two[name]) or name == "box_xyxy"
        assert torch.equal(one["box_xyxy"].nan_to_num(-1), two["box_xyxy"].nan_to_num(-1))


def test_batches_stay_what_they_were_while_others_come(root: Path) -> None:
    """Workers use their memory again and again; also after an epoch that was left in the middle."""
    alone = epoch(module(root, num_workers=0, batch_size=1), 0)
    assert len(alone) == 10
    loader: Any = module(root, num_workers=1, batch_size=1).train_dataloader()
    next(iter(loader))
    for _ in range(2):
        helped = list(loader)
        assert [batch["index"].item() for batch in helped] == [batch["index"].item() for batch in alone]
        assert all(torch.equal(one["image"], two["image"]) for one, two in zip(alone, helped, strict=True))


def test_epochs_and_seeds_differ(root: Path) -> None:
    data = module(root, augment=Augment())
    first, second = epoch(data, 0), epoch(data, 1)
    assert not torch.equal(first[0]["index"], second[0]["index"])
    assert torch.equal(first[0]["image"], epoch(data, 0)[0]["image"])
    assert not torch.equal(first[0]["index"], epoch(module(root, seed=1), 0)[0]["index"])


def test_evaluation_is_never_augmented(root: Path) -> None:
    wild = module(root, augment=Augment(negative=1, flip=1)).exact_dataloader("train")
    plain = module(root).exact_dataloader("train")
    for one, two in zip(wild, plain, strict=True):
        assert torch.equal(one["image"], two["image"])
        assert torch.equal(one["label"], two["label"])


def test_persistent_workers_shuffle_too(root: Path) -> None:
    """Workers live from epoch to epoch; the order must still be a new one."""
    loader: Any = module(root, num_workers=1).train_dataloader()
    orders = []
    for number in range(2):
        loader.sampler.set_epoch(number)
        orders.append(torch.cat([batch["index"] for batch in loader]).tolist())
    assert orders[0] != orders[1]


def test_trained_classes_and_resize_win(root: Path) -> None:
    data = LabelledImagesModule(
        settings(root, classes=["car", "dog", "person"], resize="squash"),
        image_size=(32, 48),
        classes=("person", "cat", "dog", "car"),
        resize="letterbox",
    )
    assert data.records.classes == ("person", "cat", "dog", "car")
    assert data.records.select("train").labels[:4].tolist() == [3, 2, 0, -1]
    sample = next(iter(data.val_dataloader()))
    assert sample["image"].shape[1:] == (3, 32, 48)
    assert sample["target"].shape[1] == 9
    assert not torch.equal(sample["placement"][0], torch.tensor([0.0, 0, 1, 1]))


def test_classes_of_the_settings(root: Path) -> None:
    assert read_data(settings(root, classes=["person", "dog", "car"])).records.classes == ("person", "dog", "car")


def test_split_settings_reach_the_hash(manifest: Manifest, tmp_path: Path) -> None:
    columns = ("filename", "class", "xmin", "ymin", "xmax", "ymax")
    root = manifest(tmp_path / "unsplit", train=60, val=0, test=0, columns=columns)
    split = {"val": 0.5, "test": 0.0, "seed": 0}
    counts = {name: sum(of.values()) for name, of in read_data(settings(root, split=split)).records.counts().items()}
    assert counts["test"] == 0
    assert 15 < counts["val"] < 45
    other = read_data(settings(root, split=split | {"seed": 1})).records
    assert other.splits.tolist() != read_data(settings(root, split=split)).records.splits.tolist()


def test_empty_split(manifest: Manifest, tmp_path: Path) -> None:
    data = module(manifest(tmp_path / "no-val", train=4, val=0, test=1))
    with pytest.raises(DataError) as error:
        data.val_dataloader()
    assert str(error.value) == f"data: the split val of {tmp_path}/no-val has no images (train has 4, test has 1)"


def test_a_process_that_a_split_has_no_image_for_gets_a_batch_of_none(root: Path) -> None:
    data = module(root)
    data.trainer = SimpleNamespace(global_rank=5, world_size=6, num_devices=6)  # type: ignore[assignment]
    [batch] = data.val_dataloader()
    assert {len(value) for value in batch.values()} == {0}
    assert batch["image"].shape[1:] == data.dataset("val")[0]["image"].shape


def test_batch_size_above_the_training_split(root: Path) -> None:
    with pytest.raises(DataError) as error:
        module(root, batch_size=11).train_dataloader()
    assert str(error.value) == "data.batch_size=11 is more than the 10 training images of a process"


@pytest.mark.parametrize("workers", [0, 1])
def test_unreadable_image_is_one_line_from_worker_processes_too(
    manifest: Manifest, tmp_path: Path, workers: int
) -> None:
    root = manifest(tmp_path / "broken", train=4)
    (root / "images" / "002.png").write_bytes(b"nothing")
    with pytest.raises(DataError) as error:
        list(module(root, num_workers=workers, check_images=False).train_dataloader())
    assert str(error.value).startswith(f"{root}/images/002.png: is not an image")
    assert "\n" not in str(error.value)
