"""Fully sharded training, for backbones that one GPU cannot hold with their optimizer."""

from __future__ import annotations

from functools import partial

from pytorch_lightning.strategies import FSDPStrategy
from torch.distributed.fsdp.wrap import size_based_auto_wrap_policy


def fsdp(*, min_parameters: int, sharding: str, cpu_offload: bool) -> FSDPStrategy:
    """Lightning's FSDP with wrapping by size, which needs no knowledge of the backbone's blocks.

    Args:
        min_parameters: parts of the network with at least so many parameters are gathered and freed on their own.
        sharding: `FULL_SHARD`, `SHARD_GRAD_OP` or `HYBRID_SHARD` of torch.
        cpu_offload: keep parameters in the memory of the CPU between uses.
    """
    return FSDPStrategy(
        auto_wrap_policy=partial(size_based_auto_wrap_policy, min_num_params=min_parameters),
        sharding_strategy=sharding,  # type: ignore[arg-type]  # a Literal of the names
        cpu_offload=cpu_offload,
        state_dict_type="full",  # one file that every command reads, as of any other run
    )
