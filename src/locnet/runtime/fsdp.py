"""Fully sharded training, for backbones that one GPU cannot hold with their optimizer."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.core.optimizer import LightningOptimizer
from pytorch_lightning.plugins.layer_sync import LayerSync
from pytorch_lightning.strategies import ModelParallelStrategy, ParallelStrategy
from torch.distributed.device_mesh import init_device_mesh
from torch.optim import Optimizer

from locnet.models.network import Network
from locnet.runtime.sharding import load_optimizer_state, shard, whole_optimizer_state, whole_state

log = logging.getLogger(__name__)


class FullySharded(ModelParallelStrategy):
    """Weights, gradients and optimizer in shares, one a process (torch's FSDP2); checkpoints are whole files.

    Lightning (2.6) leaves the sharding to the module and restores checkpoints into shares, after the hooks that tell
    callbacks of a resumed run. Here the network is sharded last, when a checkpoint has been loaded into it as into any
    other, so that nothing else needs to know.
    """

    def __init__(self, *, min_parameters: int, reshard_after_forward: bool = True) -> None:
        """Set what is gathered and freed on its own.

        Args:
            min_parameters: modules with at least so many parameters are; the rest of the network together is.
            reshard_after_forward: free gathered weights until the backward pass; false is faster and takes more memory.

        Raises:
            ValueError: one of them is of another kind.
        """
        if type(min_parameters) is not int or min_parameters < 1:
            raise ValueError(f"min_parameters must be a whole number of at least 1, got {min_parameters!r}")
        if type(reshard_after_forward) is not bool:
            raise ValueError(f"reshard_after_forward must be true or false, got {reshard_after_forward!r}")
        super().__init__(save_distributed_checkpoint=False)
        self.min_parameters, self.reshard_after_forward = min_parameters, reshard_after_forward
        self._layer_sync: LayerSync | None = None  # the Trainer sets it, by `sync_batchnorm`

    @property
    def restore_checkpoint_after_setup(self) -> bool:
        """Before: into whole weights."""
        return False

    @property
    def lightning_restore_optimizer(self) -> bool:
        """By `load_optimizer_state_dict`."""
        return True

    def setup_environment(self) -> None:
        """Connect the processes, also before there is a module (see `ranks.agree`)."""
        self._setup_distributed()
        if self._device_mesh is None:
            self._device_mesh = init_device_mesh(self.root_device.type, (self.world_size,), mesh_dim_names=("shard",))

    def setup(self, trainer: pl.Trainer) -> None:
        """Shard the network, then build the optimizer over the shares."""
        assert self.model is not None
        assert self.accelerator is not None
        self.accelerator.setup(trainer)
        self.model = self.precision_plugin.convert_module(self.model)
        if self._layer_sync is not None:
            self.model = self._layer_sync.apply(self.model)
        parts = self.shard(self.model.model)  # type: ignore[arg-type]  # of a LocalizerModule
        self.model_to_device()
        self.barrier()
        if trainer.state.fn == "fit":
            log.info("sharded        %d parts over %d processes", parts, self.world_size)
            self.setup_optimizers(trainer)
        self.setup_precision_plugin()

    def shard(self, network: Network) -> int:
        """Shard a network in place; returns the number of parts."""
        return shard(
            network,
            self.device_mesh,
            min_parameters=self.min_parameters,
            reshard_after_forward=self.reshard_after_forward,
        )

    def load_checkpoint(self, checkpoint_path: str | Path, weights_only: bool | None = None) -> dict[str, Any]:
        """As the other strategies do."""
        return ParallelStrategy.load_checkpoint(self, checkpoint_path, weights_only)

    def load_model_state_dict(self, checkpoint: Mapping[str, Any], strict: bool = True) -> None:
        """As the other strategies do."""
        ParallelStrategy.load_model_state_dict(self, checkpoint, strict)

    def lightning_module_state_dict(self) -> dict[str, Any]:
        """Whole, in the first process."""
        assert self.model is not None
        return whole_state(self.model)

    def optimizer_state(self, optimizer: Optimizer) -> dict[str, Any]:
        """Whole, in the first process."""
        assert self.model is not None
        plain = optimizer._optimizer if isinstance(optimizer, LightningOptimizer) else optimizer
        return whole_optimizer_state(self.model, plain)

    def load_optimizer_state_dict(self, checkpoint: Mapping[str, Any]) -> None:
        """Each process takes its share."""
        assert self.model is not None
        for optimizer, state in zip(self.optimizers, checkpoint["optimizer_states"], strict=True):
            load_optimizer_state(self.model, optimizer, state)
