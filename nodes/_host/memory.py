"""Where networks run and what fits there: loading onto the device, free memory, running out of it."""

from __future__ import annotations

from dataclasses import replace

import comfy.model_management
import torch
from torch import nn

from ...motionstream_core.codec.taehv import TAEHV
from ...motionstream_core.codec.tiny import TinyCodec
from ...motionstream_core.streaming.stream import Chunk
from .._types import StreamModel

KEPT_SHARE = 0.25  # of the free memory: the nodes that get the frames make copies
LEAST_KEPT = 256 * 2**20
OWN_MODULES: tuple[type[nn.Module], ...] = (StreamModel, TinyCodec, TAEHV)


def load_patchers(patchers: list, cache: int = 0, beside: int = 0):
    """Brings the patchers' modules onto their device, with room for the bytes of a `cache` and of what is
    worked in `beside` it.

    Both are announced to the host's memory management, which then leaves more of the weights where they are.
    The second is an estimate.
    ValueError where the cache alone does not fit. Our own modules are plain torch modules without the host's
    casting operations: they come whole. The host's may stay half offloaded.
    """
    whole = [patcher for patcher in patchers if isinstance(patcher.model, OWN_MODULES)]
    for patcher in whole:
        if patcher.is_dynamic() and patcher.patches:
            raise ValueError(
                "model: expected one without LoRA under the host's dynamic VRAM, got a patched one (start "
                "it with --disable-dynamic-vram)"
            )
    full = len(whole) == len(patchers) and not any(patcher.is_dynamic() for patcher in whole)
    if whole and not full:
        comfy.model_management.load_models_gpu(
            [patcher for patcher in whole if not patcher.is_dynamic()], force_full_load=True
        )
    comfy.model_management.load_models_gpu(patchers, memory_required=cache + beside, force_full_load=full)
    free = comfy.model_management.get_free_memory(patchers[0].load_device)
    if cache > free:
        wanted, got = (f"{size / 2**30:.1f} GiB" for size in (cache, free))
        raise ValueError(
            f"memory: expected {wanted} for the rolling cache, got {got} free beside the models: choose a "
            "smaller window, sink or size"
        )


def out_of_memory(error: BaseException) -> bool:
    """Whether a device has run out of memory. If so, what can be freed is freed."""
    of_the_machine = isinstance(error, MemoryError) or "DefaultCPUAllocator" in str(
        error
    )  # the host knows of its cards' memory alone
    if not of_the_machine and not comfy.model_management.is_oom(error):
        return False
    comfy.model_management.soft_empty_cache()
    return True


def run_device() -> str:
    """Where networks run."""
    return str(comfy.model_management.get_torch_device())


def free_memory() -> int:
    """Bytes free where networks run: the card's, what the host could unload included, or the machine's."""
    device = comfy.model_management.get_torch_device()
    held = sum(
        loaded.model_loaded_memory()
        for loaded in comfy.model_management.current_loaded_models
        if loaded.device == device
    )
    return int(comfy.model_management.get_free_memory(device) + held)


def memory_to_keep() -> int:
    """Bytes of a run's frames and latents that are kept where nobody says how many."""
    free = comfy.model_management.get_free_memory(torch.device("cpu"))
    return max(LEAST_KEPT, int(free * KEPT_SHARE))


def to_output(chunk: Chunk) -> Chunk:
    """The chunk on the device where nodes hand tensors to each other."""
    device = comfy.model_management.intermediate_device()
    return replace(chunk, frames=chunk.frames.to(device), latents=chunk.latents.to(device))
