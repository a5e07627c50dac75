"""The network and how it learns: `backbone`, `head`, `loss`, `optimizer`, `scheduler`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from locnet.config.schema.base import BoxTerm, ImageSize, Positive, Settings, Share, Triple, Weight


class BackboneSettings(Settings):
    """`backbone`: any timm model."""

    name: str
    pretrained: bool
    checkpoint: str | None
    freeze: bool | Positive
    norm_eval: bool = False
    drop_path_rate: Annotated[float, Field(ge=0, lt=1)]
    image_size: ImageSize | None
    mean: Triple | None
    std: Triple | None
    kwargs: dict[str, Any] = Field(default_factory=dict)

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
    activation: Literal["relu", "silu"] = "silu"
    bins: Annotated[int, Field(ge=0, le=64)]
    read_off: Literal["local", "global"]
    edge_attention: bool
    grid_stride: Positive
    refine: bool
    refine_samples: Annotated[int, Field(ge=4)] = 16  # that of runs which have no such key
    zoom: Annotated[int, Field(ge=0)] = 0
    overview: Positive = 1
    dropout: Share

    @model_validator(mode="after")
    def _nothing_is_thrown_away(self) -> GridHeadSettings:
        if self.overview > 1 and not self.zoom:
            raise ValueError(
                f"head.overview={self.overview} makes images smaller and only head.zoom looks at their detail: "
                "set head.zoom=160, say, or head.overview=1 and a smaller backbone.image_size"
            )
        return self


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
    edges: Weight
    label_smoothing: Annotated[float, Field(ge=0, lt=1)]

    @model_validator(mode="after")
    def _something_is_learnt(self) -> MultipartSettings:
        if not any((self.objectness, self.classes, self.box, self.l1, self.cells, self.edges)):
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
    layer_decay: Annotated[float, Field(gt=0, le=1)] = 1.0
    weight_decay: Weight
    momentum: Annotated[float, Field(ge=0, lt=1)]


class SchedulerSettings(Settings):
    """`scheduler`."""

    name: Literal["cosine", "linear", "constant"]
    warmup_epochs: Weight
    final_lr_scale: Share


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
        if isinstance(head, GridHeadSettings) and loss.name != "multipart":
            for key, value, off in (("refine", head.refine, "false"), ("zoom", head.zoom, "0")):
                if value:
                    raise ValueError(
                        f"head.{key}={str(value).lower()} is trained by loss=multipart, not loss={loss.name}: "
                        f"set head.{key}={off}"
                    )
        if head.name == "classifier" and isinstance(loss, CrossEntropySettings) and loss.box:
            raise ValueError(f"head=classifier has no box: set loss.box=0 (it is {loss.box})")
        if head.name == "softmax_box" and isinstance(loss, CrossEntropySettings) and not loss.box:
            raise ValueError("head=softmax_box has a box that loss.box=0 never trains: set loss.box=5, say")
        return self
