"""What the cross attention of each block looks at: the prompt's keys and values, and those of a picture.

Owns the way from embeddings to keys and values, once a prompt, on a network with Wan's attribute names.
Shapes: B batch, D = dim.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

import torch.nn.functional as F
from torch import Tensor

from .config import NetworkConfig

# A network, or a part of one, with Wan's attribute names: built here, by a host, or a namespace of functions.
WanModule = Any
PICTURE_TOKENS = 257  # of CLIP vision ViT-H: a class and 16 x 16 patches


@dataclass(frozen=True)
class TextContext:
    """Keys and values (B, text_len, D) of the prompt for each block's cross attention, computed once per
    prompt.

    image: those of a picture's features, for a network whose cross attention also looks at one. Its answer is
    added to the text's.
    """

    keys: tuple[Tensor, ...]
    values: tuple[Tensor, ...]
    image: tuple[tuple[Tensor, Tensor], ...] = ()

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        return (*self.keys, *self.values, *chain.from_iterable(self.image))

    def detach(self) -> TextContext:
        return self.map(Tensor.detach)

    def map(self, function) -> TextContext:
        """The context with `function` applied to every tensor."""
        image = tuple((function(k), function(v)) for k, v in self.image)
        return TextContext(tuple(map(function, self.keys)), tuple(map(function, self.values)), image)


def encode_text(net: WanModule, config: NetworkConfig, embeds: Tensor) -> TextContext:
    """The text's keys and values in every block (see WanDiT.encode_text)."""
    return _text_keys(net, padded_text(net, config, embeds))


def padded_text(net: WanModule, config: NetworkConfig, embeds: Tensor) -> Tensor:
    """Embeddings (B, L <= text_len, text_dim) -> (B, text_len, D)."""
    if embeds.ndim != 3 or embeds.shape[1] > config.text_len or embeds.shape[2] != config.text_dim:
        raise ValueError(
            f"text: expected (B, <= {config.text_len}, {config.text_dim}), got {tuple(embeds.shape)}"
        )
    padded = F.pad(embeds, (0, 0, 0, config.text_len - embeds.shape[1]))
    return net.text_embedding(padded.to(net.patch_embedding.weight.dtype))


def _text_keys(net: WanModule, context: Tensor) -> TextContext:
    values = tuple(block.cross_attn.v(context) for block in net.blocks)
    keys = tuple(
        block.cross_attn.norm_k(block.cross_attn.k(context)).to(v.dtype)
        for block, v in zip(net.blocks, values)
    )
    return TextContext(keys, values)


def encode_picture(net: WanModule, features: Tensor) -> tuple[tuple[Tensor, Tensor], ...]:
    """A picture's keys and values in every block. features (B, tokens, width) of CLIP vision."""
    dtype, first = net.patch_embedding.weight.dtype, net.img_emb.proj[0]
    width = first.normalized_shape[-1]
    if features.ndim != 3 or features.shape[-1] != width:
        raise ValueError(
            f"picture features: expected (1, tokens, {width}) of the CLIP vision model that belongs to this "
            f"network, got {tuple(features.shape)}"
        )
    return _picture_keys(net, net.img_emb(features.to(dtype)))


def text_as_picture(net: WanModule, config: NetworkConfig, embeds: Tensor) -> TextContext:
    """The context that a network gets whose picture features are left out in code that still cuts 257 tokens
    off the front: text tokens 0 to 256 go through the picture's projections, the others through the text's.
    """
    context = padded_text(net, config, embeds)
    picture, text = context[:, :PICTURE_TOKENS], context[:, PICTURE_TOKENS:]
    return replace(_text_keys(net, text), image=_picture_keys(net, picture))


def _picture_keys(net: WanModule, context: Tensor) -> tuple[tuple[Tensor, Tensor], ...]:
    cross = [block.cross_attn for block in net.blocks]
    return tuple((attn.norm_k_img(attn.k_img(context)), attn.v_img(context)) for attn in cross)
