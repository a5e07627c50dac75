"""Any timm model as a backbone that gives feature maps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import timm
import torch
from torch import Tensor, nn

from locnet.config.messages import shown, suggest
from locnet.errors import ConfigError
from locnet.models.hub import check_published, out_of_reach
from locnet.models.weights import load_backbone_weights

_OWN_KEYS = {  # of timm.create_model, and the key of the configuration that sets it, if any
    "checkpoint_path": "backbone.checkpoint",
    "drop_path_rate": "backbone.drop_path_rate",
    "features_only": None,
    "img_size": "backbone.image_size",
    "in_chans": None,
    "model_name": "backbone.name",
    "num_classes": None,
    "out_indices": "head.strides",
    "pretrained": "backbone.pretrained",
}
_REFUSALS = (AssertionError, RuntimeError, ValueError)  # how timm's models refuse an image size


class Backbone(nn.Module):
    """A timm model without its classifier, read at one or more strides.

    Attributes:
        channels: channels of each feature map, in the order of `strides`.
        strides: stride that each map really has, in input pixels a cell (a ViT/16 gives 16 whatever is asked for).
        image_size: (height, width) of the input in pixels.
        mean: per channel mean of RGB in [0, 1] that the input is normalised with.
        std: per channel standard deviation, likewise.
        kwargs: further arguments that timm's model was built with.
    """

    def __init__(
        self,
        name: str,
        *,
        strides: Sequence[int] = (32,),
        pretrained: bool = False,
        checkpoint: str | None = None,
        freeze: bool | int = False,
        norm_eval: bool = False,
        drop_path_rate: float = 0.0,
        image_size: int | Sequence[int] | None = None,
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
        kwargs: Mapping[str, Any] | None = None,
    ) -> None:
        """Build the model and probe it once with an empty image.

        Args:
            name: a timm model name, e.g. `mobilenetv2_100`.
            strides: the strides that the head asks for, fine to coarse; each is answered by the deepest feature map
                whose stride is not above it (by the finest map where all are coarser); duplicates are merged.
            pretrained: load timm's published weights from its hub (or its local cache).
            checkpoint: load these weights (.safetensors, .pth) instead.
            freeze: no gradients, and normalisation layers keep their statistics: True in the whole model, a stride (4,
                say) in all layers up to the deepest map of that stride, which learn little and cost the most.
            norm_eval: BatchNorm layers use and keep the statistics of the weights that training begins with; their
                scale and shift learn on. For small batches and data sets, as detectors are fine-tuned.
            drop_path_rate: stochastic depth (Huang et al., 2016), where the model has it.
            image_size: (height, width) in pixels, or one number for both; None takes timm's for this model.
            mean: None takes timm's for this model.
            std: None takes timm's for this model.
            kwargs: further keyword arguments of timm's model, e.g. `{"pad_type": "same"}`.

        Raises:
            ConfigError: unknown name, no map of the stride `freeze`, or the model cannot take this image size or these
                arguments.
            CheckpointError: weights cannot be had or do not fit.
        """
        super().__init__()
        check_name(name)
        self.name = name
        self.norm_eval = norm_eval
        self.frozen: list[nn.Module] = []
        self.kwargs = dict(kwargs or {})
        _check_kwargs(self.kwargs)
        if pretrained:
            check_published(name)
        self.model = _create(name, pretrained, image_size, drop_path_rate, self.kwargs)
        if checkpoint is not None:
            load_backbone_weights(self.model, Path(checkpoint), name)
        data_config = timm.data.resolve_model_data_config(self.model)
        self.image_size = _pair(image_size if image_size is not None else data_config["input_size"][1:])
        self.mean = tuple(float(v) for v in (mean or data_config["mean"]))
        self.std = tuple(float(v) for v in (std or data_config["std"]))
        reductions = [int(info["reduction"]) for info in _feature_info(self.model)]
        self.indices = _choose(reductions, strides)
        self.indices = list(self.model.prune_intermediate_layers(self.indices, prune_norm=False, prune_head=True))
        self.norm = True
        self.channels, self.strides = self._probe()
        if freeze is True:
            self.frozen = list(self.model.modules())
        elif freeze:
            self.frozen = self._layers_up_to(freeze, reductions[: max(self.indices) + 1])
        for module in self.frozen:
            module.requires_grad_(False)
        self.train()

    def forward(self, images: Tensor) -> list[Tensor]:
        """Feature maps, fine to coarse.

        Args:
            images: `(B, 3, H, W)` float, normalised.

        Returns:
            One `(B, channels[i], H / strides[i], W / strides[i])` float map for each stride.
        """
        return self._maps(images, self.indices)

    def train(self, mode: bool = True) -> Backbone:
        """Like any module; what is frozen stays in evaluation mode, so that its statistics do not move."""
        super().train(mode)
        for module in self.frozen:
            module.training = False
        if self.norm_eval:
            for module in self.modules():
                if isinstance(module, nn.modules.batchnorm._BatchNorm):
                    module.eval()
        return self

    def _maps(self, images: Tensor, indices: Sequence[int]) -> list[Tensor]:
        maps: list[Tensor] = self.model.forward_intermediates(
            images, indices=list(indices), norm=self.norm, output_fmt="NCHW", intermediates_only=True
        )
        return maps

    def _layers_up_to(self, stride: int, reductions: Sequence[int]) -> list[nn.Module]:
        """The modules whose weights the deepest map of at most this stride depends on; found by a gradient."""
        if stride < min(reductions):
            raise ConfigError(
                f"backbone.freeze={stride}: the finest map of backbone.name={self.name} has stride {min(reductions)}; "
                "set at least that, or true for all layers"
            )
        height, width = self.image_size
        weights = list(self.parameters())
        [last] = self._maps(torch.zeros(1, 3, height, width), _choose(reductions, [stride]))
        found = torch.autograd.grad(last.sum(), weights, allow_unused=True)
        used = {id(weight) for weight, gradient in zip(weights, found, strict=True) if gradient is not None}
        owned = [(module, [id(weight) for weight in module.parameters(recurse=False)]) for module in self.modules()]
        return [module for module, own in owned if own and used.issuperset(own)]

    def _probe(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        height, width = self.image_size
        empty = torch.zeros(1, 3, height, width)
        self.eval()
        try:
            with torch.no_grad():
                try:
                    maps = self(empty)
                except AssertionError as error:
                    if "normalization" not in str(error):
                        raise
                    self.norm = False  # the Hiera families have no norm for their maps
                    maps = self(empty)
        except _REFUSALS as error:
            raise _does_not_fit(self.name, self.image_size, self.kwargs, error) from error
        finally:
            self.train()
        return tuple(m.shape[1] for m in maps), tuple(round(height / m.shape[2]) for m in maps)


def check_name(name: str) -> None:
    """Raise ConfigError with the nearest names unless timm knows the model."""
    base, _, tag = name.partition(".")
    if not timm.is_model(base):
        raise ConfigError(f"backbone.name={name} is not a timm model; {suggest(base, timm.list_models())}")
    tagged = timm.list_pretrained(f"{base}.*")
    if tag and name not in tagged:
        raise ConfigError(f"backbone.name={name}: timm has no weights of that tag; {suggest(name, tagged)}")


def image_size(name: str, wanted: int | Sequence[int] | None) -> tuple[int, int]:
    """(height, width) that a backbone of this name takes, without building it: the wanted one, or timm's."""
    if wanted is not None:
        return _pair(wanted)
    config = timm.models.get_pretrained_cfg(name, allow_unregistered=False)
    return _pair(config.input_size[1:])


def _check_kwargs(kwargs: Mapping[str, Any]) -> None:
    for key in kwargs.keys() & _OWN_KEYS.keys():
        instead = f"; set {_OWN_KEYS[key]}" if _OWN_KEYS[key] else ", which locnet sets itself"
        raise ConfigError(f"backbone.kwargs.{key} is not for the model alone{instead}")


def _create(
    name: str, pretrained: bool, image_size: int | Sequence[int] | None, drop_path_rate: float, kwargs: dict[str, Any]
) -> Any:
    """timm.create_model, with the options that only some families take tried first."""
    optional: dict[str, Any] = {}
    if drop_path_rate:
        optional["drop_path_rate"] = drop_path_rate
    if image_size is not None:  # families with position embeddings or windows need the size when they are built
        optional["img_size"] = _pair(image_size)
    try:
        return timm.create_model(name, pretrained=pretrained, num_classes=0, **optional, **kwargs)
    except OSError as error:
        raise out_of_reach(name, error) from error
    except Exception as error:
        refused = _refused_option(error, (*optional, *kwargs))
        if refused == "img_size":
            return _create(name, pretrained, None, drop_path_rate, kwargs)
        if refused == "drop_path_rate":
            return _create(name, pretrained, image_size, 0.0, kwargs)
        if refused is not None:
            raise ConfigError(f"backbone.kwargs.{refused}: backbone.name={name} takes no such argument") from error
        if not kwargs and not isinstance(error, _REFUSALS):  # a wrong argument may break the model in any way
            raise
        raise _does_not_fit(name, image_size, kwargs, error) from error


def _refused_option(error: Exception, options: Sequence[str]) -> str | None:
    """Timm passes options on to the family's constructor, which refuses those that it does not have."""
    if not isinstance(error, TypeError):
        return None
    return next((option for option in options if f"'{option}'" in str(error)), None)


def _does_not_fit(
    name: str, image_size: int | Sequence[int] | None, kwargs: Mapping[str, Any], error: Exception
) -> ConfigError:
    reason = next(iter(str(error).splitlines()), "") or type(error).__name__  # many of timm's assertions say nothing
    if kwargs:
        kind = type(error).__name__
        return ConfigError(
            f"backbone.kwargs={shown(dict(kwargs))} does not work with backbone.name={name}: {kind}: {reason}"
        )
    if image_size is None:
        return ConfigError(f"backbone.name={name} cannot be built: {reason}")
    height, width = _pair(image_size)
    return ConfigError(f"backbone.image_size={height}x{width} does not work with backbone.name={name}: {reason}")


def _feature_info(model: Any) -> list[dict[str, Any]]:
    info = model.feature_info
    return list(info if isinstance(info, list) else info.info)


def _choose(reductions: Sequence[int], strides: Sequence[int]) -> list[int]:
    """Index of the deepest map for each wanted stride, fine to coarse, each index once."""
    chosen: list[int] = []
    for stride in sorted(strides):
        fitting = [index for index, reduction in enumerate(reductions) if reduction <= stride]
        if not fitting:  # a ViT is asked for a stride below its own: its deepest map is the best of its finest
            fitting = [index for index, reduction in enumerate(reductions) if reduction == min(reductions)]
        index = fitting[-1]
        if index not in chosen:
            chosen.append(index)
    return chosen


def _pair(size: int | Sequence[int]) -> tuple[int, int]:
    height, width = (size, size) if isinstance(size, int) else size
    return int(height), int(width)
