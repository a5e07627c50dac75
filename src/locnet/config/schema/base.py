"""What all nodes of the configuration share."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Positive = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, le=1)]
Weight = Annotated[float, Field(ge=0)]
Pixels = Annotated[int, Field(ge=16)]
ImageSize = Pixels | Annotated[list[Pixels], Field(min_length=2, max_length=2)]
Triple = Annotated[list[float], Field(min_length=3, max_length=3)]
DEVICE = r"^(auto|cpu|mps|cuda(:\d+)?)$"
Device = Annotated[str, Field(pattern=DEVICE)]
BoxOrigin = Literal["continuous", "zero_inclusive", "one_inclusive"]
BoxTerm = Literal["l1", "smooth_l1", "iou", "giou", "diou", "ciou"]


class Settings(BaseModel):
    """Base of all nodes: unknown keys are errors, values are never converted from another type."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)
