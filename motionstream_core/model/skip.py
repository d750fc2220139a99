"""The linear skip of a velocity: what the noisy latent alone says of it, added outside the network.

For latents and noise of unit variance the best linear estimate of noise - x0 from x = (1 - sigma) x0 + sigma
noise is (2 sigma - 1) / d x with d = (1 - sigma)^2 + sigma^2, and what it leaves has the variance 1 / d. The
network gives the rest in that unit.
"""

from __future__ import annotations

from torch import Tensor


def velocity_of(output: Tensor, x: Tensor, sigma: float | Tensor) -> Tensor:
    """The velocity noise - x0 that a network with the skip stands for. output and x (B, C, T, H, W), sigma
    as in the flow.
    """
    if isinstance(sigma, Tensor) and sigma.ndim == 2:
        sigma = sigma[:, None, :, None, None]
    spread = (1 - sigma) ** 2 + sigma**2
    return (2 * sigma - 1) / spread * x + output / spread**0.5
