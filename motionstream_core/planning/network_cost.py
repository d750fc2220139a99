"""What a network of `ModelConfig` is in numbers: parameters, multiplications, bytes kept for the backward
pass.

Owns the formulas, which follow `model/dit.py` line by line. D = dim, F = ffn_dim, L = layers, S = tokens, K =
keys that a query sees.
A multiplication and its addition are two FLOPs. Norms, activations and rotations are left out (below one per
cent at Wan's sizes).
"""

from __future__ import annotations

from dataclasses import dataclass

from ..model.motion import PACK
from ..model.presets import ModelConfig


def block_parameters(config: ModelConfig) -> int:
    """Two attentions (q, k, v, o with biases, two norms), the affine norm, the feed-forward, the modulation:
    8 D^2 + 2 D F + 21 D + F. With keys, values and a norm of a picture 2 D^2 + 3 D more.
    """
    d, f = config.dim, config.ffn_dim
    attention = 4 * (d * d + d) + 2 * d
    picture = 0 if config.image_dim is None else 2 * (d * d + d) + d
    return 2 * attention + 2 * d + (d * f + f) + (f * d + d) + 6 * d + picture


def parameters(config: ModelConfig) -> int:
    """Of `WanDiT`: patch, place, text and time embedding, time projection, the blocks, the head."""
    d, cells = config.dim, config.patch[1] * config.patch[2]
    patch = config.in_channels * cells * d + d
    text = config.text_dim * d + d + d * d + d
    time = config.freq_dim * d + d + d * d + d + 6 * d * d + 6 * d
    place = 2 * config.place_features * d
    head = d * cells * config.out_channels + cells * config.out_channels + 2 * d
    return (
        patch
        + place
        + text
        + time
        + config.num_layers * block_parameters(config)
        + head
        + picture_parameters(config)
    )


def picture_parameters(config: ModelConfig) -> int:
    """Of the embedding of a picture's features: W^2 + W D + 3 W + 3 D, W = image_dim."""
    if config.image_dim is None:
        return 0
    d, w = config.dim, config.image_dim
    return w * w + w * d + 3 * w + 3 * d


def head_parameters(config: ModelConfig) -> int:
    """Of the track head, one 1x1x1 convolution."""
    if config.motion is None:
        return 0
    return (PACK * config.motion.map_channels + 1) * config.motion.head_channels


@dataclass(frozen=True)
class Pass:
    """One forward of the transformer: latent frames in, latent frames of keys that they see (their own among
    them).
    """

    frames: int
    keys: int


def pass_flops(config: ModelConfig, grid: int, run: Pass) -> int:
    """Of one sample, `grid` tokens a latent frame: linear layers 2 S (6 D^2 + 2 D F), self attention 4 D S K,
    cross attention 4 D S L_text.
    """
    d, f, cells = config.dim, config.ffn_dim, config.patch[1] * config.patch[2]
    tokens = run.frames * grid
    ends = 2 * tokens * d * cells * (config.in_channels + config.out_channels)
    time = 2 * run.frames * (config.freq_dim * d + d * d + 6 * d * d)
    layer = (
        2 * tokens * (6 * d * d + 2 * d * f)
        + 4 * d * tokens * run.keys * grid
        + 4 * d * tokens * config.text_len
    )
    return ends + time + config.num_layers * layer


def text_flops(config: ModelConfig) -> int:
    """Of one prompt: the embedding, and its keys and values in every block."""
    d = config.dim
    return 2 * config.text_len * (config.text_dim * d + d * d + config.num_layers * 2 * d * d)


def kept_bytes(
    config: ModelConfig, grid: int, run: Pass, *, cached: bool, checkpointing: bool, bytes_each: int = 2
) -> int:
    """What one sample's pass keeps in the blocks for its backward pass: matrix products in `bytes_each`, the
    residual in float32.

    A token and block: three norms keep their float32 input and two of them their float32 result (20 D), two
    gated outputs in float32 (8 D). What the products and the attentions read, in low precision: 15 D and 2 F.
    With a cache its keys and values stand beside the chunk's own. Checkpointed: the float32 input of each
    block, and one block in full while it is computed again.

    Args:
        config: of the network.
        grid: tokens of a latent frame.
        run: the frames of the pass and what they see.
        cached: whether it attends to a cache.
        checkpointing: whether blocks are computed again.
        bytes_each: of a number in low precision.
    """
    d, f, tokens = config.dim, config.ffn_dim, run.frames * grid
    block = tokens * (28 * d + bytes_each * (15 * d + 2 * f))
    if cached:
        block += 2 * bytes_each * d * (run.keys - run.frames) * grid
    return config.num_layers * tokens * 4 * d + block if checkpointing else config.num_layers * block


def cache_bytes(config: ModelConfig, grid: int, sink: int, window: int, bytes_each: int = 2) -> int:
    """A training cache (`GradKVCache`): keys and values of the sink, rotated and plain keys and values of the
    window, in every block.

    Args:
        config: of the network.
        grid: tokens of a latent frame.
        sink: latent frames.
        window: latent frames.
        bytes_each: of a number.
    """
    return config.num_layers * config.dim * grid * bytes_each * (2 * sink + 3 * window)
