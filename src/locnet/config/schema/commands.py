"""The commands, and what only they have."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from locnet.config.schema.base import Device, Positive, Settings, Share, Weight
from locnet.config.schema.data import AnyLabels, DataSettings, LabelDataSettings, StreetsSettings
from locnet.config.schema.model import ModelSettings


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


class ReportSettings(Settings):
    """`report`: what `report.html` shows."""

    enabled: bool
    images: Annotated[int, Field(ge=0)]
    image_mb: Annotated[float, Field(ge=0)]
    link: bool
    groups: list[str] | None


class TrainSettings(ModelSettings):
    """`python -m locnet.train`."""

    data: DataSettings
    augment: dict[str, float]  # ranges: locnet.data.augment, which knows what each of them does
    trainer: dict[str, Any]
    logger: dict[str, dict[str, Any]]
    callbacks: dict[str, dict[str, Any]]
    ema: EmaSettings
    calibration: CalibrationSettings
    report: ReportSettings
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
    def _statistics_to_keep(self) -> TrainSettings:
        weights = self.backbone.pretrained or self.backbone.checkpoint or self.init_from or self.resume
        if self.backbone.norm_eval and not weights:
            raise ValueError(
                "backbone.norm_eval=true keeps the statistics of trained weights, and there are none; "
                "set backbone.pretrained=true or backbone.checkpoint=FILE, or backbone.norm_eval=false"
            )
        return self

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
    report: ReportSettings
    paths: PathsSettings
    allow_targets: list[str]


PredictFormat = Literal["jsonl", "csv", "parquet", "coco", "yolo", "voc"]  # jsonl, and what locnet.writers has


class PredictSettings(Settings):
    """`python -m locnet.predict`."""

    checkpoint: str
    source: str
    output: str | None
    format: PredictFormat | list[PredictFormat]
    resume: bool
    annotate: bool
    crops: bool
    fps: Annotated[float, Field(gt=0)] | None
    threshold: Share | None
    coverage: Annotated[float, Field(gt=0, lt=1)] | None
    batch_size: Positive
    num_workers: Annotated[int, Field(ge=0)] | Literal["auto"]
    device: Device
    paths: PathsSettings

    @property
    def formats(self) -> list[str]:
        """The formats, also where one is named without brackets."""
        return [self.format] if isinstance(self.format, str) else list(self.format)


class ServeSettings(Settings):
    """`python -m locnet.serve`."""

    checkpoint: str
    host: str
    port: Annotated[int, Field(ge=0, le=65535)]
    threshold: Share | None
    coverage: Annotated[float, Field(gt=0, lt=1)] | None
    max_batch: Positive
    max_wait_ms: Annotated[float, Field(ge=0)]
    max_waiting: Positive
    max_images: Positive
    max_body_mb: Annotated[float, Field(gt=0)]
    max_megapixels: Annotated[float, Field(gt=0)]
    max_connections: Positive
    timeout: Annotated[float, Field(gt=0)]
    drain: Annotated[float, Field(ge=0)]
    device: Device
    paths: PathsSettings


Format = Literal["onnx", "int8", "pt2", "openvino", "safetensors", "web"]


class ToleranceSettings(Settings):
    """`tolerance` of export: what a file may differ by from PyTorch."""

    p_c: Share
    box: Weight
    agreement: Share


class WebSettings(Settings):
    """`web` of export: what the page of format=web is made with."""

    runtime: str | None
    samples: Positive


class ExportSettings(Settings):
    """`python -m locnet.export`."""

    checkpoint: str
    format: Format | Annotated[list[Format], Field(min_length=1)]
    output: str | None
    source: str | None
    data: DataSettings | None = None
    images: Positive
    calibration_images: Positive
    tolerance: ToleranceSettings
    int8_tolerance: ToleranceSettings
    web: WebSettings
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

    data: Annotated[StreetsSettings | AnyLabels, Field(discriminator="name")]
    output: str
    shard_mb: Annotated[float, Field(gt=0)]
    seed: Annotated[int, Field(ge=0)]
    paths: PathsSettings


class RewriteSettings(Settings):
    """`python -m locnet.report`."""

    run: str
    images: str | None
    report: ReportSettings
    paths: PathsSettings


class CompareSettings(Settings):
    """`python -m locnet.compare`."""

    runs: Annotated[list[str], Field(min_length=2)]
    names: list[str] | None
    common: bool
    images: Annotated[int, Field(ge=0)]
    root: str | None
    paths: PathsSettings
