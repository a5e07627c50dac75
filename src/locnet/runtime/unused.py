"""Parameters that the loss does not depend on."""

from __future__ import annotations

import torch

from locnet import target
from locnet.module import LocalizerModule


def freeze_unused(module: LocalizerModule) -> list[str]:
    """Stop gradients of parameters that get none, and name them.

    Some backbones have such parameters (timm's hrnet_w18_small, efficientvim_m1). Alone a process never notices; of
    several, each would wait for gradients that do not come (DistributedDataParallel), or would have to walk the whole
    graph after every step to find out (`find_unused_parameters`). One step on two images tells it once and for all.
    """
    model, device = module.model, next(module.model.parameters()).device
    count, (height, width) = len(module.classes), model.image_size
    before = {name: value.clone() for name, value in model.named_buffers()}
    training = model.training
    with torch.random.fork_rng(), torch.enable_grad():
        images = torch.randint(0, 256, (2, 3, height, width), dtype=torch.uint8, device=device)
        boxes = torch.tensor((0.25, 0.25, 0.75, 0.75), device=device).expand(2, 4)
        y = target.encode(torch.zeros(2, dtype=torch.int64, device=device), boxes, count)
        model.train()
        module.loss(model(images), y)["loss"].backward()
    unused = [name for name, p in model.named_parameters() if p.requires_grad and p.grad is None]
    for name in unused:
        model.get_parameter(name).requires_grad_(False)
    model.zero_grad(set_to_none=True)
    for name, value in model.named_buffers():
        value.copy_(before[name])
    model.train(training)
    return unused
