"""Where a stage runs: devices, processes, and parameters divided over them (FSDP2), mixed precision,
activation checkpointing.

Owns every call of torch.distributed that the engine makes. One process is the special case in which each of
them does nothing. `python -m torch.distributed.run --nproc-per-node N -m motionstream_core train …` sets the
environment that `join` reads: gloo on the CPU, NCCL on CUDA devices.
"""

from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from ...common.devices import pick_device
from ...model.dit import Block, WanDiT
from .parallel import average_gradients
from .stage import TrainConfig


@dataclass(frozen=True)
class Processes:
    """This process among its like."""

    rank: int
    size: int
    device: torch.device
    sharded: bool
    bf16: bool

    @property
    def is_main(self) -> bool:
        return self.rank == 0

    def precision(self):
        """Of a forward. Divided parameters are cast as they are gathered. Whole ones stay float32 and their
        products are bfloat16.
        """
        return (
            torch.autocast(self.device.type, torch.bfloat16)
            if self.bf16 and not self.sharded
            else contextlib.nullcontext()
        )

    def average_gradients(self, parameters: list[Tensor]) -> None:
        """Of replicas. Divided parameters have had theirs averaged in the backward pass."""
        if self.size > 1 and not self.sharded:
            average_gradients(parameters)

    def mean(self, row: Mapping[str, float]) -> dict[str, float]:
        """The means over the processes."""
        if self.size == 1:
            return dict(row)
        values = torch.tensor([row[key] for key in sorted(row)], dtype=torch.float64, device=self.device)
        dist.all_reduce(values)
        return dict(zip(sorted(row), (values / self.size).tolist()))

    def all_reduce_max(self, *values: float) -> list[float]:
        """The largest over the processes, so that all of them stop, save and show at the same step."""
        if self.size == 1:
            return list(values)
        joined = torch.tensor(values, dtype=torch.float64, device=self.device)
        dist.all_reduce(joined, op=dist.ReduceOp.MAX)
        return joined.tolist()

    def full_tensor(self, tensor: Tensor) -> Tensor:
        """All of a tensor that may be divided. Every process must call it."""
        return tensor.full_tensor() if hasattr(tensor, "full_tensor") else tensor  # pyright: ignore

    def broadcast_error(self, failed: str) -> str:
        """The first process's words for what went wrong, in every process. "" for nothing."""
        words: list[Any] = [failed]
        if self.size > 1:
            dist.broadcast_object_list(words, device=self.device)
        return words[0]


def join(config: TrainConfig) -> Processes:
    """Joins the process group that the environment names, if any."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    device = pick_device(config.device)
    if device.type == "cuda" and device.index is None:
        device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
        torch.cuda.set_device(device)
    if size > 1 and not dist.is_initialized():
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    rank, size = (
        (dist.get_rank(), dist.get_world_size()) if dist.is_available() and dist.is_initialized() else (0, 1)
    )
    if config.accumulate % size:
        raise ValueError(
            f"accumulate: expected a multiple of the {size} processes, got {config.accumulate} "
            "micro-batches a step"
        )
    sharded = size > 1 and config.parallel == "fsdp"
    if sharded and config.optimizer == "muon":
        raise ValueError(
            "optimizer: expected adamw with parallel 'fsdp', got muon, which needs whole matrices: use "
            "parallel 'replicas'"
        )
    return Processes(rank, size, device, sharded, config.precision == "bf16")


def prepare(modules: Mapping[str, nn.Module], config: TrainConfig, world: Processes) -> None:
    """Moves the modules to the device, divides them or makes all replicas the first process's, and has their
    blocks keep or recompute activations.
    """
    for module in modules.values():
        for block in module.modules():
            if isinstance(block, Block):
                block.checkpointing = config.checkpointing
        if world.sharded:
            shard(module, world)
        module.to(world.device)
        if world.size > 1 and not world.sharded:
            for value in module.state_dict().values():
                dist.broadcast(value, 0)


def shard(module: nn.Module, world: Processes) -> None:
    """FSDP2 over all processes: one group for every transformer block, one for each part whose output leaves
    on a way of its own (text, its
    keys and values, time: in a clean-context pass gradients come back by these alone), one for what is left
    of a transformer, one for every other child with parameters.
    """
    # Nothing is written into what a layer has given, which is all that this warning is about.
    warnings.filterwarnings("ignore", message="FSDP2-wrapped module .* returned a view tensor")
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard, register_fsdp_forward_method

    mesh = init_device_mesh(world.device.type, (world.size,))
    low = torch.bfloat16 if world.bf16 else None
    # The blocks themselves decide what is float32 (the residual stream is); single layers take what they are
    # given.
    own = MixedPrecisionPolicy(low, torch.float32, cast_forward_inputs=False)
    cast = MixedPrecisionPolicy(low, torch.float32, cast_forward_inputs=True)

    def divide(part: nn.Module, policy: MixedPrecisionPolicy) -> None:
        fully_shard(part, mesh=mesh, reshard_after_forward=True, mp_policy=policy)

    transformers = [m for m in module.modules() if isinstance(m, WanDiT)]
    for dit in transformers:
        for block in (m for m in dit.modules() if isinstance(m, Block)):
            for part in (block.cross_attn.k, block.cross_attn.v):
                divide(part, cast)
            divide(block.cross_attn.norm_k, own)
            divide(block, own)
        for part in (dit.text_embedding, dit.time_embedding, dit.time_projection):
            divide(part, cast)
        # A learning track head asks for its gradient, also through a clean-context pass.
        divide(dit.patch_embedding, own)
        dit.gathered_dtype = low  # what its weights will be when a forward has gathered them
        divide(dit, own)
        register_fsdp_forward_method(dit, "encode_text")
    if not transformers:
        divide(module, own)
    for child in module.children() if transformers and module not in transformers else ():
        if child not in transformers and any(True for _ in child.parameters()):
            divide(child, cast)


@torch.no_grad()
def place(target: Tensor, value: Tensor) -> Tensor:
    """Copies a whole tensor into one that may be divided, without messages: every process has read the same
    file.
    """
    if hasattr(target, "placements"):
        from torch.distributed.tensor import DTensor, distribute_tensor

        assert isinstance(target, DTensor)
        whole = value.to(target.device)
        value = distribute_tensor(whole, target.device_mesh, target.placements, src_data_rank=None)
    return target.copy_(value)
