"""`trainer.precision=auto`: mixed precision where the processor has bfloat16 arithmetic of its own."""

from __future__ import annotations

from typing import Any

import torch


def best_precision(accelerator: Any) -> str:
    """`bf16-mixed` where it is faster, else `32-true`.

    Args:
        accelerator: as in `trainer.accelerator`: auto, cpu, gpu, cuda, mps; anything else gets `32-true`.
    """
    on_gpu = accelerator in ("gpu", "cuda") or (accelerator == "auto" and torch.cuda.is_available())
    if on_gpu and torch.cuda.is_available():
        fast = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        mps = accelerator == "auto" and torch.backends.mps.is_available()
        fast = accelerator in ("auto", "cpu") and not mps and _cpu_has_bf16()
    return "bf16-mixed" if fast else "32-true"


def _cpu_has_bf16() -> bool:
    """Whether the CPU multiplies bfloat16 (AVX512-BF16, AMX); torch 2.14 tells it in private functions only."""
    tests = (getattr(torch.cpu, name, None) for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"))
    return any(test is not None and test() for test in tests)
