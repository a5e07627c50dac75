"""Who is decayed, who learns slower, and how the learning rate moves."""

from __future__ import annotations

import itertools
import math
from typing import Literal, get_args

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from locnet.config.schema import OptimizerSettings, SchedulerSettings
from locnet.errors import ConfigError
from locnet.models.network import Network
from locnet.optim import build_optimizer, build_scheduler, check_optimizer, lr_curve

GRID = {"name": "grid", "strides": [16, 32], "width": 16}


def settings(name: str = "adamw", lr: float = 1e-2, scale: float = 0.1, decay: float = 0.05) -> OptimizerSettings:
    return OptimizerSettings(name=name, lr=lr, backbone_lr_scale=scale, weight_decay=decay, momentum=0.9)


@pytest.mark.parametrize("zoom", [0, 64])
@pytest.mark.parametrize("backbone", ["lcnet_035", "test_vit", "test_convnext"])
def test_every_parameter_is_in_one_group_with_its_rate_and_decay(backbone: str, zoom: int) -> None:
    model = Network(("a",), backbone={"name": backbone}, head=GRID | {"zoom": zoom})
    optimizer = build_optimizer(model, settings())
    group_of = {id(p): group for group in optimizer.param_groups for p in group["params"]}
    assert len(group_of) == sum(len(group["params"]) for group in optimizer.param_groups)
    assert len(group_of) == len(list(model.parameters()))
    exempt = set(getattr(model.backbone.model, "no_weight_decay", set)())
    for name, parameter in model.named_parameters():
        group = group_of[id(parameter)]
        inside = name.removeprefix("zoom.").removeprefix("backbone.model.")
        learns_slower = inside != name.removeprefix("zoom.")
        free = parameter.ndim <= 1 or name.endswith(".bias") or (learns_slower and inside in exempt)
        assert group["weight_decay"] == (0 if free else 0.05), name
        assert group["lr"] == pytest.approx(1e-3 if learns_slower else 1e-2), name
    if backbone == "test_vit":
        assert "pos_embed" in exempt  # a matrix that is not decayed


@pytest.mark.parametrize("backbone", ["lcnet_035", "test_vit", "test_convnext"])
def test_early_layers_learn_slower(backbone: str) -> None:
    """`layer_decay`: by the factor for each layer; who is decayed stays the same, and the head's rate."""
    model = Network(("a",), backbone={"name": backbone}, head=GRID)
    plain, layered = settings(), settings().model_copy(update={"layer_decay": 0.5})
    decay_of = {id(p): g["weight_decay"] for g in build_optimizer(model, plain).param_groups for p in g["params"]}
    groups = build_optimizer(model, layered).param_groups
    assert {id(p): g["weight_decay"] for g in groups for p in g["params"]} == decay_of
    rate_of = {id(p): g["lr"] for g in groups for p in g["params"]}
    assert {rate_of[id(p)] for p in model.head.parameters()} == {1e-2}
    rates = [rate_of[id(p)] for p in model.backbone.parameters()]
    assert max(rates) == pytest.approx(1e-3)
    assert rates[0] == min(rates) < 0.3e-3
    assert all(math.log2(1e-3 / rate) == pytest.approx(round(math.log2(1e-3 / rate))) for rate in rates)


def test_frozen_parameters_are_left_out() -> None:
    model = Network(("a",), backbone={"name": "lcnet_035", "freeze": True}, head=GRID)
    optimizer = build_optimizer(model, settings())
    assert {id(p) for group in optimizer.param_groups for p in group["params"]} == {
        id(p) for p in model.head.parameters()
    }


def test_a_scale_of_zero_holds_the_backbone_still() -> None:
    model = Network(("a",), backbone={"name": "lcnet_035", "image_size": 32}, head=GRID)
    before = [p.detach().clone() for p in model.backbone.parameters()]
    optimizer = build_optimizer(model, settings(scale=0.0))
    model(torch.randint(0, 256, (2, 3, 32, 32), dtype=torch.uint8)).y.sum().backward()
    optimizer.step()
    assert all(torch.equal(p, b) for p, b in zip(model.backbone.parameters(), before, strict=True))


@pytest.mark.parametrize("name", ["sgd", "adamw", "lion", "muon"])
def test_timms_optimizers_step(name: str) -> None:
    model = Network(("a",), backbone={"name": "test_resnet", "image_size": 32}, head=GRID)
    before = [p.detach().clone() for p in model.parameters()]
    optimizer = build_optimizer(model, settings(name, decay=0.0))
    model(torch.randint(0, 256, (2, 3, 32, 32), dtype=torch.uint8)).y.square().sum().backward()
    optimizer.step()
    learning = [i for i, p in enumerate(model.parameters()) if p.grad is not None and bool(p.grad.any())]
    assert len(learning) > 40
    after = list(model.parameters())
    assert all(not torch.equal(after[i], before[i]) and bool(after[i].isfinite().all()) for i in learning)


def test_an_unknown_optimizer_is_told_its_neighbours() -> None:
    check_optimizer("adamw")
    with pytest.raises(
        ConfigError, match=r"^optimizer.name=addamw is not one of timm's optimizers; did you mean adamw\?$"
    ):
        check_optimizer("addamw")


Curve = Literal["cosine", "linear", "constant"]
curves = st.sampled_from(get_args(Curve))


@given(curves, st.integers(1, 400), st.floats(0, 1), st.floats(0, 1))
def test_the_curve_rises_to_one_and_falls_to_the_final_share(
    name: Curve, steps: int, share: float, final: float
) -> None:
    warmup = share * steps / 2
    curve = lr_curve(SchedulerSettings(name=name, warmup_epochs=1.0, final_lr_scale=final), steps=steps, warmup=warmup)
    values = [curve(step) for step in range(steps + 5)]
    assert all(0 <= value <= 1 for value in values)
    assert values[0] > 0 or (warmup == 0 and steps == 1)
    first = math.ceil(warmup)
    rising, falling = values[:first], values[first:]
    assert all(a <= b for a, b in itertools.pairwise(rising))
    assert all(a >= b - 1e-12 for a, b in itertools.pairwise(falling))
    assert values[-1] == pytest.approx(1.0 if name == "constant" else final)


def test_cosine_and_linear_by_hand() -> None:
    wanted: dict[Curve, float] = {"cosine": 0.1 + 0.9 * 0.5, "linear": 0.55}
    for name, halfway in wanted.items():
        curve = lr_curve(SchedulerSettings(name=name, warmup_epochs=0.0, final_lr_scale=0.1), steps=100, warmup=4)
        assert [curve(step) for step in range(5)] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
        assert curve(52) == pytest.approx(halfway)
        assert curve(100) == curve(1000) == pytest.approx(0.1)


def test_the_schedule_keeps_the_ratio_of_the_groups() -> None:
    model = Network(("a",), backbone={"name": "lcnet_035"}, head=GRID)
    optimizer = build_optimizer(model, settings())
    cosine = SchedulerSettings(name="cosine", warmup_epochs=2.0, final_lr_scale=0.0)
    scheduler = build_scheduler(optimizer, cosine, steps=100, epochs=10)
    for _ in range(20):
        optimizer.step()
        scheduler.step()
    assert {round(group["lr"], 9) for group in optimizer.param_groups} == {1e-2, 1e-3}  # warm-up of 20 steps is over
    for _ in range(40):
        optimizer.step()
        scheduler.step()
    assert {round(group["lr"], 9) for group in optimizer.param_groups} == {5e-3, 5e-4}


def test_training_without_an_end_has_no_curve_and_warm_up_takes_half_at_most() -> None:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    cosine = SchedulerSettings(name="cosine", warmup_epochs=5.0, final_lr_scale=0.0)
    endless = build_scheduler(optimizer, cosine, steps=math.inf, epochs=None)
    assert endless.lr_lambdas[0](10**6) == 1
    short = build_scheduler(optimizer, cosine, steps=10, epochs=2).lr_lambdas[0]
    assert short(4) < short(5) == 1
    assert short(10) == 0
