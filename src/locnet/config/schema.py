"""The configuration as types: what each key may hold. Defaults are in conf/, checks and messages in check.py."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Positive = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, le=1)]
Weight = Annotated[float, Field(ge=0)]
Pixels = Annotated[int, Field(ge=16)]
ImageSize = Pixels | Annotated[list[Pixels], Field(min_length=2, max_length=2)]
Triple = Annotated[list[float], Field(min_length=3, max_length=3)]
BoxOrigin = Literal["continuous", "zero_inclusive", "one_inclusive"]
BoxTerm = Literal["l1", "smooth_l1", "iou", "giou", "diou", "ciou"]


class Settings(BaseModel):
    """Base of all nodes: unknown keys are errors, values are never converted from another type."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class BackboneSettings(Settings):
    """`backbone`: any timm model."""

    name: str
    pretrained: bool
    checkpoint: str | None
    freeze: bool
    drop_path_rate: Annotated[float, Field(ge=0, lt=1)]
    image_size: ImageSize | None
    mean: Triple | None
    std: Triple | None

    @model_validator(mode="after")
    def _one_source_of_weights(self) -> BackboneSettings:
        if self.pretrained and self.checkpoint:
            raise ValueError("backbone.pretrained=true and backbone.checkpoint are two sources of weights; set one")
        return self


class LinearHeadSettings(Settings):
    """`head=linear`."""

    name: Literal["linear"]
    strides: list[Positive]
    activation: Literal["none", "probability"]
    dropout: Share


class SoftmaxHeadSettings(Settings):
    """`head=classifier` and `head=softmax_box`."""

    name: Literal["classifier", "softmax_box"]
    strides: list[Positive]
    dropout: Share


class GridHeadSettings(Settings):
    """`head=grid`."""

    name: Literal["grid"]
    strides: list[Positive]
    width: Annotated[int, Field(ge=8)]
    depth: Annotated[int, Field(ge=0, le=8)]
    bins: Annotated[int, Field(ge=0, le=64)]
    read_off: Literal["local", "global"]
    edge_attention: bool
    dropout: Share


HeadSettings = Annotated[LinearHeadSettings | SoftmaxHeadSettings | GridHeadSettings, Field(discriminator="name")]


class SquaredErrorSettings(Settings):
    """`loss=squared_error`."""

    name: Literal["squared_error"]


class MultipartSettings(Settings):
    """`loss=multipart`."""

    name: Literal["multipart"]
    objectness: Weight
    classes: Weight
    box: Weight
    box_term: BoxTerm
    l1: Weight
    cells: Weight
    label_smoothing: Annotated[float, Field(ge=0, lt=1)]

    @model_validator(mode="after")
    def _something_is_learnt(self) -> MultipartSettings:
        if not any((self.objectness, self.classes, self.box, self.l1, self.cells)):
            raise ValueError("all weights of loss=multipart are 0, so nothing is learnt; set loss.box=2, say")
        return self


class CrossEntropySettings(Settings):
    """`loss=cross_entropy`."""

    name: Literal["cross_entropy"]
    box: Weight
    box_term: BoxTerm
    label_smoothing: Annotated[float, Field(ge=0, lt=1)]


LossSettings = Annotated[SquaredErrorSettings | MultipartSettings | CrossEntropySettings, Field(discriminator="name")]


class OptimizerSettings(Settings):
    """`optimizer`: any of timm's."""

    name: str
    lr: Annotated[float, Field(gt=0)]
    backbone_lr_scale: Annotated[float, Field(ge=0, le=1)]
    weight_decay: Weight
    momentum: Annotated[float, Field(ge=0, lt=1)]


class SchedulerSettings(Settings):
    """`scheduler`."""

    name: Literal["cosine", "linear", "constant"]
    warmup_epochs: Weight
    final_lr_scale: Share


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


_Labelled = (
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
LabelDataSettings = Annotated[_Labelled, Field(discriminator="name")]
DataSettings = Annotated[StreetsSettings | ShardsSettings | _Labelled, Field(discriminator="name")]


class EmaSettings(Settings):
    """`ema`: evaluate and keep an exponential moving average of the weights."""

    enabled: bool
    decay: Annotated[float, Field(gt=0, lt=1)]


class CalibrationSettings(Settings):
    """`calibration`: what is learned on `val` after training."""

    enabled: bool
    temperature: bool
    threshold: bool


class PathsSettings(Settings):
    """`paths`."""

    runs: str
    cache: str


class ModelSettings(Settings):
    """All that a checkpoint must know to be built again, and how it was trained."""

    backbone: BackboneSettings
    head: HeadSettings
    loss: LossSettings
    optimizer: OptimizerSettings
    scheduler: SchedulerSettings

    @model_validator(mode="after")
    def _head_fits_loss(self) -> ModelSettings:
        head, loss = self.head, self.loss
        plain = isinstance(head, LinearHeadSettings) and head.activation == "none"
        softmax = isinstance(head, SoftmaxHeadSettings)
        if softmax != (loss.name == "cross_entropy"):
            raise ValueError(
                f"head={head.name} does not go with loss={loss.name}: classifier and softmax_box go with cross_entropy,"
                " linear and grid with multipart or squared_error"
            )
        if plain and loss.name == "multipart":
            raise ValueError(
                "head=linear gives plain numbers, loss=multipart needs probabilities: set head.activation=probability"
            )
        if head.name == "classifier" and isinstance(loss, CrossEntropySettings) and loss.box:
            raise ValueError(f"head=classifier has no box: set loss.box=0 (it is {loss.box})")
        if head.name == "softmax_box" and isinstance(loss, CrossEntropySettings) and not loss.box:
            raise ValueError("head=softmax_box has a box that loss.box=0 never trains: set loss.box=5, say")
        return self


class TrainSettings(ModelSettings):
    """`python -m locnet.train`."""

    data: DataSettings
    augment: dict[str, float]  # ranges: locnet.data.augment, which knows what each of them does
    trainer: dict[str, Any]
    logger: dict[str, dict[str, Any]]
    callbacks: dict[str, dict[str, Any]]
    ema: EmaSettings
    calibration: CalibrationSettings
    paths: PathsSettings
    seed: Annotated[int, Field(ge=0)]
    monitor: str
    compile: bool
    channels_last: bool | Literal["auto"]
    scale_lr: Literal["none", "linear", "sqrt"]
    resume: str | None
    init_from: str | None
    name: str | None
    tags: list[str]
    monitor_mode: Literal["max", "min"]
    allow_targets: list[str]

    @model_validator(mode="after")
    def _one_start(self) -> TrainSettings:
        if self.resume and self.init_from:
            raise ValueError(
                "resume goes on with a run, init_from starts a new one from its weights; set one of the two"
            )
        return self


class EvaluateSettings(Settings):
    """`python -m locnet.evaluate`."""

    checkpoint: str
    split: Literal["train", "val", "test"]
    threshold: Share | None
    calibrate: bool
    data: DataSettings | None = None
    trainer: dict[str, Any]
    paths: PathsSettings
    allow_targets: list[str]


class PredictSettings(Settings):
    """`python -m locnet.predict`."""

    checkpoint: str
    source: str
    output: str | None
    annotate: bool
    threshold: Share | None
    coverage: Annotated[float, Field(gt=0, lt=1)] | None
    batch_size: Positive
    num_workers: Annotated[int, Field(ge=0)] | Literal["auto"]
    device: Annotated[str, Field(pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$")]
    paths: PathsSettings


class DoctorSettings(Settings):
    """`python -m locnet.doctor`."""

    data: LabelDataSettings
    checkpoint: str | None
    clean: bool
    num_workers: Annotated[int, Field(ge=0)] | Literal["auto"]
    paths: PathsSettings


class PackSettings(Settings):
    """`python -m locnet.pack`."""

    data: Annotated[StreetsSettings | _Labelled, Field(discriminator="name")]
    output: str
    shard_mb: Annotated[float, Field(gt=0)]
    seed: Annotated[int, Field(ge=0)]
    paths: PathsSettings
