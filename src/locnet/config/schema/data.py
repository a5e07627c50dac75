"""Where labelled images come from: `data`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from locnet.config.schema.base import BoxOrigin, Positive, Settings, Share, Weight


class SplitSettings(Settings):
    """`data.split`: used where the labels name no split."""

    val: Annotated[float, Field(ge=0, lt=1)]
    test: Annotated[float, Field(ge=0, lt=1)]
    seed: int
    group: str | None

    @model_validator(mode="after")
    def _something_is_left(self) -> SplitSettings:
        if self.val + self.test >= 1:
            raise ValueError(f"data.split.val={self.val} and data.split.test={self.test} leave nothing to train on")
        return self


class ServedSettings(Settings):
    """What all of `data` have in common: how images are served."""

    batch_size: Positive
    num_workers: Annotated[int, Field(ge=0)] | Literal["auto"]
    resize: Literal["squash", "letterbox"]
    cache: Literal["none", "disk", "ram"] = "none"  # checkpoints of before it existed do not name it


class StreetsSettings(ServedSettings):
    """`data=streets`: scenes that locnet draws itself."""

    name: Literal["streets"]
    seed: int
    size: Annotated[int, Field(ge=32, le=1024)]
    train: Positive
    val: Positive
    test: Positive


class ShardsSettings(ServedSettings):
    """`data=shards`: packed images."""

    name: Literal["shards"]
    root: str
    shuffle_shards: Positive
    keep_gb: Annotated[float, Field(gt=0)]
    retries: Annotated[int, Field(ge=0)]


class LabelSettings(ServedSettings):
    """What all formats of labels have in common: what is made of the labels that a reader finds."""

    root: str
    classes: list[str] | dict[str, str | list[str]] | None
    multiple: Literal["largest", "first", "error", "skip", "background"]
    without_object: Literal["skip", "background"]
    ignore_flags: list[Literal["crowd", "difficult", "truncated"]]
    min_box: Weight
    split: SplitSettings
    max_bad_fraction: Share
    check_images: bool | Literal["auto"]
    duplicates: Literal["off", "bytes", "near", "strict"]


class CsvSettings(LabelSettings):
    """`data=csv`: a manifest folder."""

    name: Literal["csv"]
    annotations: str | dict[Literal["train", "val", "test"], str]
    columns: list[str] | None
    images: str | None
    box_origin: BoxOrigin


class ParquetSettings(LabelSettings):
    """`data=parquet`: the manifest as Parquet."""

    name: Literal["parquet"]
    annotations: str
    images: str | None
    box_origin: BoxOrigin


class VocSettings(LabelSettings):
    """`data=voc`: Pascal VOC."""

    name: Literal["voc"]
    annotations: str | None
    images: str | None
    image_sets: str
    box_origin: BoxOrigin


class CocoSettings(LabelSettings):
    """`data=coco`."""

    name: Literal["coco"]
    annotations: str | dict[Literal["train", "val", "test"], str] | None
    images: str | None


class YoloSettings(LabelSettings):
    """`data=yolo`."""

    name: Literal["yolo"]
    yaml: str | None


class TinyImagenetSettings(LabelSettings):
    """`data=tiny_imagenet`."""

    name: Literal["tiny_imagenet"]
    box_origin: BoxOrigin


class ImagenetSettings(LabelSettings):
    """`data=imagenet`: ImageNet CLS-LOC."""

    name: Literal["imagenet"]
    box_origin: BoxOrigin


class CubSettings(LabelSettings):
    """`data=cub`: CUB-200-2011."""

    name: Literal["cub"]


class PetsSettings(LabelSettings):
    """`data=pets`: Oxford-IIIT Pet."""

    name: Literal["pets"]
    target: Literal["breed", "species"]
    box_origin: BoxOrigin


class FoldersSettings(LabelSettings):
    """`data=folders`: a folder for each class, no boxes."""

    name: Literal["folders"]


class AutoSettings(LabelSettings):
    """`data=auto`: whatever format the folder has."""

    name: Literal["auto"]


AnyLabels = (
    CsvSettings
    | ParquetSettings
    | VocSettings
    | CocoSettings
    | YoloSettings
    | TinyImagenetSettings
    | ImagenetSettings
    | CubSettings
    | PetsSettings
    | FoldersSettings
    | AutoSettings
)
LabelDataSettings = Annotated[AnyLabels, Field(discriminator="name")]
DataSettings = Annotated[StreetsSettings | ShardsSettings | AnyLabels, Field(discriminator="name")]
