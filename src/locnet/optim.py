"""Optimizer and schedule from plain settings."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from typing import Any

import timm.optim
import torch
from torch.optim.lr_scheduler import LambdaLR

from locnet.config.messages import suggest
from locnet.config.schema import OptimizerSettings, SchedulerSettings
from locnet.errors import ConfigError
from locnet.models.backbone import Backbone
from locnet.models.network import Network


def check_optimizer(name: str) -> None:
    """Raise ConfigError with the nearest names unless timm knows the optimizer."""
    known = timm.optim.list_optimizers()
    if name not in known:
        raise ConfigError(f"optimizer.name={name} is not one of timm's optimizers; {suggest(name, known)}")


def build_optimizer(model: Network, settings: OptimizerSettings) -> torch.optim.Optimizer:
    """Timm's optimizer of that name; norms, biases and what the backbone names are not decayed.

    The learning rate of the backbone's last layer is `lr * backbone_lr_scale`, that of each layer before it
    `layer_decay` times the next one's (Bao et al., BEiT, 2022); frozen parameters are left out.
    """
    decay, groups = settings.weight_decay, list[dict[str, Any]]()
    backbones = [module for module in model.modules() if isinstance(module, Backbone)]
    for backbone in backbones:
        exempt: Collection[str] = getattr(backbone.model, "no_weight_decay", tuple)()
        if settings.layer_decay < 1:
            scale = settings.layer_decay
            found = timm.optim.param_groups_layer_decay(backbone.model, decay, exempt, layer_decay=scale)
        else:
            found = timm.optim.param_groups_weight_decay(backbone.model, decay, no_weight_decay_list=exempt)
        groups += _with_rates(found, settings.lr * settings.backbone_lr_scale)
    theirs = {parameter for backbone in backbones for parameter in backbone.parameters()}
    for group in timm.optim.param_groups_weight_decay(model, decay):
        group["params"] = [parameter for parameter in group["params"] if parameter not in theirs]
        groups += _with_rates([group], settings.lr)
    optimizer: torch.optim.Optimizer = timm.optim.create_optimizer_v2(
        groups, opt=settings.name, lr=settings.lr, weight_decay=0.0, momentum=settings.momentum
    )
    return optimizer


def _with_rates(groups: list[dict[str, Any]], lr: float) -> list[dict[str, Any]]:
    scaled = [(group.pop("lr_scale", 1.0), group) for group in groups if group["params"]]
    return [{**group, "lr": lr * scale} for scale, group in scaled]


def build_scheduler(
    optimizer: torch.optim.Optimizer, settings: SchedulerSettings, *, steps: float, epochs: int | None
) -> LambdaLR:
    """A schedule over optimizer steps.

    Args:
        optimizer: whose learning rates are scaled.
        settings: which curve.
        steps: optimizer steps of the whole training; inf where training has no planned end.
        epochs: epochs of the whole training; None where training is counted in steps (warm-up is then left out).
    """
    warmup = settings.warmup_epochs * steps / epochs if epochs and math.isfinite(steps) else 0.0
    return LambdaLR(optimizer, lr_curve(settings, steps=steps, warmup=min(warmup, steps / 2)))


def lr_curve(settings: SchedulerSettings, *, steps: float, warmup: float) -> Callable[[int], float]:
    """Factor of the learning rate at each step: linear warm-up, then the named curve down to `final_lr_scale`."""
    final = settings.final_lr_scale

    def factor(step: int) -> float:
        if step < warmup:
            return (step + 1) / (warmup + 1)
        if settings.name == "constant" or not math.isfinite(steps):
            return 1.0
        done = min((step - warmup) / max(steps - warmup, 1.0), 1.0)
        shape = 1 - done if settings.name == "linear" else (1 + math.cos(math.pi * done)) / 2
        return final + (1 - final) * shape

    return factor
