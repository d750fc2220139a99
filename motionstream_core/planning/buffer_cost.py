"""What one evaluation of a moving buffer costs: multiplications and bytes, and the time at a card's roof.

Owns the count of windowed attention. Everything else is `network_cost`'s. Nothing is run.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

from ..model.config import BufferConfig
from ..model.presets import ModelConfig
from ..model.windows import shift_of, window_groups, window_of
from .network_cost import Pass, parameters, pass_flops


@dataclass(frozen=True)
class EvaluationCost:
    """FLOPs and bytes of one evaluation, a sample, weights and activations in bfloat16.

    Args:
        tokens: of the buffer.
        linear_flops: in the linear layers.
        attention_flops: in self attention, as the windows have it.
        full_attention_flops: the same without windows.
        text_flops: in attention to the text.
        weight_bytes: read once.
        moved_bytes: of the residual stream, norms, modulations and gathers, read and written: 2 x 20 values a
            token and block, an estimate of unfused kernels.
    """

    tokens: int
    linear_flops: int
    attention_flops: int
    full_attention_flops: int
    text_flops: int
    weight_bytes: int
    moved_bytes: int

    @property
    def flops(self) -> int:
        return self.linear_flops + self.attention_flops + self.text_flops

    def as_dict(self) -> dict[str, int]:
        return asdict(self)


@dataclass(frozen=True)
class Roofline:
    """A card: sustained 10^12 FLOP/s of bfloat16 products and of attention, 10^12 bytes a second.

    The figures of an H200: 790 of the linears (80 % of the dense peak), 500 of fused attention, 4.8 TB/s.
    """

    linear: float = 790.0
    attention: float = 500.0
    memory: float = 4.8

    def seconds(self, cost: EvaluationCost) -> float:
        """Of one evaluation in which nothing overlaps."""
        products = cost.linear_flops / (self.linear * 1e12)
        attention = (cost.attention_flops + cost.text_flops) / (self.attention * 1e12)
        return products + attention + (cost.weight_bytes + cost.moved_bytes) / (self.memory * 1e12)


def attention_pairs(config: ModelConfig, video: tuple[int, int, int]) -> int:
    """Pairs of tokens that see each other, in all layers together."""
    tokens = video[0] * video[1] * video[2]
    if config.windows is None:
        return config.num_layers * tokens * tokens
    total = 0
    for layer in range(config.num_layers):
        shape = config.windows[layer % len(config.windows)]
        window = window_of(video, shape)
        shifted = (layer // len(config.windows)) % 2 == 1
        shift = shift_of(video, window) if shifted else (0, 0, 0)
        lengths = window_groups(video, window, shift, config.wrap).lengths
        total += sum(length * length for length in lengths)
    return total


def evaluation_cost(config: ModelConfig, width: int, height: int) -> EvaluationCost:
    """Of one evaluation of the whole queue at this size."""
    assert isinstance(config.sampler, BufferConfig)
    frames = config.sampler.frames
    rows, columns = config.token_grid(height // config.vae_stride[1], width // config.vae_stride[2])
    grid = rows * columns
    tokens = frames * grid
    full = 4 * config.dim * tokens * tokens * config.num_layers
    text = 4 * config.dim * tokens * config.text_len * config.num_layers
    linear = pass_flops(config, grid, Pass(frames, frames)) - full - text
    return EvaluationCost(
        tokens,
        linear,
        4 * config.dim * attention_pairs(config, (frames, rows, columns)),
        full,
        text,
        2 * parameters(config),
        2 * 20 * 2 * tokens * config.dim * config.num_layers,
    )
