"""Which parts of a network are sharded on their own, and sharded weights as a whole again (torch's FSDP2)."""

from __future__ import annotations

from collections import Counter
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_model_state_dict,
    get_optimizer_state_dict,
    set_optimizer_state_dict,
)
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.nn.utils.parametrize import ParametrizationList, register_parametrization
from torch.optim import Optimizer

from locnet.models.network import Network


def shard(network: Network, mesh: DeviceMesh, *, min_parameters: int, reshard_after_forward: bool) -> int:
    """Leave each process of the mesh its share of every parameter; a network that is sharded stays as it is.

    Args:
        network: whole, the same in all processes.
        mesh: of one dimension.
        min_parameters: see `parts_of`.
        reshard_after_forward: free the gathered weights of a part until the backward pass needs them again.

    Returns:
        How many parts are gathered and freed on their own.
    """
    parts: list[nn.Module] = [m for m in network.modules() if isinstance(m, FSDPModule)]
    if not parts:
        parts = [*parts_of(network, min_parameters), network]
        _as_vectors(network)
        for part in parts:
            fully_shard(part, mesh=mesh, reshard_after_forward=reshard_after_forward)
    return len(parts)


def parts_of(network: Network, min_parameters: int) -> list[nn.Module]:
    """The smallest modules with at least so many parameters that are in no smaller one, inner before outer.

    That needs no knowledge of the backbone's blocks. Weights are gathered when a module's `forward` is called, so only
    those count that one pass calls, once: many transformers use the weights of a linear layer without calling it.
    """
    calls: Counter[nn.Module] = Counter()
    hooks = [m.register_forward_pre_hook(lambda module, _: calls.update([module])) for m in network.modules()]
    training = network.training
    device = next(network.parameters()).device
    with torch.no_grad(), torch.random.fork_rng():
        network.eval()(torch.zeros((1, 3, *network.image_size), dtype=torch.uint8, device=device))
    network.train(training)
    for hook in hooks:
        hook.remove()
    parts: list[nn.Module] = []
    taken: set[nn.Parameter] = set()
    for module in reversed(list(network.modules())):
        own = {p for p in module.parameters() if p not in taken}
        if module is not network and calls[module] == 1 and sum(p.numel() for p in own) >= min_parameters:
            parts.append(module)
            taken |= own
    return parts


def whole_state(network: nn.Module) -> dict[str, Tensor]:
    """The state dict with whole tensors; all processes must ask, and where it is sharded only the first is answered."""
    if not is_sharded(network):
        return network.state_dict()
    state = cast(dict[str, Tensor], get_model_state_dict(network, options=_whole()))
    for name, module in network.named_modules():
        if isinstance(module, ParametrizationList) and isinstance(module[0], _Scalar) and state:
            parent, _, own = name.rpartition("parametrizations.")
            state[parent + own] = state.pop(f"{name}.original").reshape(())
    return state


def whole_optimizer_state(network: nn.Module, optimizer: Optimizer) -> dict[str, Any]:
    """The optimizer's state of whole tensors, by the names of the parameters; see `whole_state`."""
    return get_optimizer_state_dict(network, optimizer, options=_whole())


def load_optimizer_state(network: nn.Module, optimizer: Optimizer, state: dict[str, Any]) -> None:
    """Give each process its share of what `whole_optimizer_state` returned."""
    set_optimizer_state_dict(network, optimizer, state, options=StateDictOptions(full_state_dict=True))


def is_sharded(network: nn.Module) -> bool:
    """Whether processes hold shares of the parameters (which may be gathered at the moment)."""
    return any(isinstance(m, FSDPModule) for m in network.modules())


class _Scalar(nn.Module):
    """A weight that is a scalar where it is used, and a vector of one where it is kept."""

    def forward(self, vector: Tensor) -> Tensor:
        """As it is used."""
        return vector.reshape(())

    def right_inverse(self, scalar: Tensor) -> Tensor:
        """As it is kept."""
        return scalar.reshape(1)


def _as_vectors(network: nn.Module) -> None:
    """Keep scalar weights as vectors: torch (2.14) shards no others. `whole_state` has them as they were."""
    for module in list(network.modules()):
        for name, weight in list(module.named_parameters(recurse=False)):
            if not weight.ndim:
                register_parametrization(module, name, _Scalar(), unsafe=True)  # which may change the shape


def _whole() -> StateDictOptions:
    return StateDictOptions(full_state_dict=True, cpu_offload=True)
