"""What goes from the host to the device in every chunk, without a wait.

A plain copy to a CUDA device waits for all that its queue has been given before. From page-locked memory the
copy joins the queue, and PyTorch keeps the memory until it has been read.
"""

from __future__ import annotations

import torch
from torch import Tensor


def upload(x: Tensor, device: torch.device) -> Tensor:
    """x on the device. From the CPU to a CUDA device the host does not wait."""
    if x.device.type == "cpu" and device.type == "cuda":
        return x.pin_memory().to(device, non_blocking=True)
    return x.to(device)
