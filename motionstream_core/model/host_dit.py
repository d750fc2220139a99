"""The causal forward on a Wan network that was built elsewhere: a host's module, with its casting,
offloading, quantised and patched layers.

Owns what such a module must have, and the view of it that `dit.dit_forward` runs on. Every layer is
called, never read, so whatever a layer does with its weights (a LoRA added on the fly, fp8, GGUF, a weight
that lives on another device) happens as its owner wants it. The two bare parameters of a block and of the
head are fetched with `cast`. Layers are looked up at the first call, when a host has loaded the network and
has put in place of them what belongs to this use of it. Knows nothing of any host.

Shapes as in `dit.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from types import SimpleNamespace
from typing import Any

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor

from .config import KNOWN_CHANNELS, ModelConfig
from .context import AttentionContext
from .dit import WanDiT, dit_forward
from .text_context import TextContext, WanModule, encode_picture, encode_text, text_as_picture

Cast = Callable[[Tensor, torch.dtype, torch.device], Tensor]
LAYERS = ("patch_embedding", "text_embedding", "time_embedding", "time_projection", "blocks", "head")
# Wan variants whose further weights the causal forward would leave out.
UNSUPPORTED = (
    "vace_blocks",
    "control_adapter",
    "audio_proj",
    "casual_audio_encoder",
    "face_adapter",
    "ref_conv",
    "patch_embedding_pose",
    "patch_embedding_mask",
)


def plain_cast(weight: Tensor, dtype: torch.dtype, device: torch.device) -> Tensor:
    return weight.to(device=device, dtype=dtype)


def sizes_of(net: WanModule) -> dict[str, Any]:
    """The fields of a ModelConfig that Wan's modules carry as attributes. ValueError for a module that is no
    Wan transformer, or a variant.
    """
    lacking = [name for name in LAYERS if not hasattr(net, name)]
    if lacking:
        raise ValueError(
            f"model: expected a Wan transformer (with {', '.join(LAYERS)}), got {type(net).__name__} "
            f"without {', '.join(lacking)}"
        )
    beyond = [name for name in UNSUPPORTED if getattr(net, name, None) is not None]
    if beyond:
        raise ValueError(
            f"model: expected a plain Wan transformer, got a variant with {', '.join(beyond)} "
            f"({type(net).__name__})"
        )
    names = {
        "dim": "dim",
        "ffn_dim": "ffn_dim",
        "num_heads": "num_heads",
        "num_layers": "num_layers",
        "in_channels": "in_dim",
        "out_channels": "out_dim",
    }
    names |= {name: name for name in ("text_dim", "text_len", "freq_dim", "eps")}
    return {ours: getattr(net, theirs) for ours, theirs in names.items()} | {"patch": tuple(net.patch_size)}


def adopted_config(net: WanModule, like: ModelConfig) -> ModelConfig:
    """The config of `net`: its own sizes, and the chunk, schedule and motion of `like`. ValueError where the
    two cannot go together.
    """
    sizes = sizes_of(net)
    if sizes["out_channels"] != like.out_channels:
        raise ValueError(
            f"model: expected a latent of {like.out_channels} channels, as stated, got one of "
            f"{sizes['out_channels']}"
        )
    # The columns of a mask of what is known lie in a key of ours beside the network (see `convert`).
    extra = KNOWN_CHANNELS if like.motion is not None and like.motion.known else 0
    if sizes["in_channels"] + extra != like.in_channels:
        kind = " (an image-to-video or control Wan, which is bidirectional)" if like.motion is None else ""
        raise ValueError(
            f"model: expected {like.in_channels - extra} input channels, {like.latent_channels} of them the "
            f"latent, got {sizes['in_channels']}{kind}"
        )
    looks = getattr(net, "img_emb", None)
    if like.image_dim is not None and looks is None:
        raise ValueError("model: expected a Wan whose cross attention looks at a picture, got one without")
    if looks is not None:
        sizes["image_dim"] = looks.proj[0].normalized_shape[-1]
    return replace(like, **sizes | {"in_channels": like.in_channels})


class HostDiT:
    """What `WanDiT` is to a rollout, on another's weights. `dtype` and `device` are those of the
    computation, wherever the weights lie.

    features: a picture's, from CLIP vision (B, tokens, width), for a network whose cross attention looks at
    one. Where none are given they come with each text.
    known: the patch embedding's columns (D, 4, 1, p, q) of the mask of what is known, which stand last.
    """

    def __init__(
        self,
        net: WanModule,
        config: ModelConfig,
        *,
        dtype: torch.dtype,
        device: torch.device | str,
        cast: Cast = plain_cast,
        features: Tensor | None = None,
        known: Tensor | None = None,
    ):
        if features is not None and getattr(net, "img_emb", None) is None:
            raise ValueError("model: expected one without cross attention to a picture, got features of one")
        if (known is not None) != (config.motion is not None and config.motion.known):
            raise ValueError(
                f"model: expected {'no' if known is not None else 'the'} columns of a mask of what is known"
            )
        self._module, self._features, self._cast = net, features, cast
        self._known = known
        self.config = config
        self.dtype = dtype
        self.device = torch.device(device)

    @cached_property
    def _net(self) -> SimpleNamespace:
        return _network(self._module, self.dtype, self.device, self._cast, self._known)

    make_cache = WanDiT.make_cache

    def encode_text(self, embeds: Tensor, features: Tensor | None = None) -> TextContext:
        """See WanDiT.encode_text."""
        text = encode_text(self._net, self.config, embeds.to(self.device))
        features = self._features if features is None else features
        looks = self._net.img_emb is not None
        if (features is not None) != looks:
            wanted, got = (
                ("CLIP vision features of the start image", "none")
                if looks
                else ("one without cross attention to a picture", "features of one")
            )
            raise ValueError(f"model: expected {wanted}, got {got}")
        return (
            text
            if features is None
            else replace(text, image=encode_picture(self._net, features.to(self.device)))
        )

    def text_as_picture(self, embeds: Tensor) -> TextContext:
        """See `text_context.text_as_picture`."""
        return text_as_picture(self._net, self.config, embeds.to(self.device))

    def __call__(
        self, x: Tensor, timestep: Tensor, text: TextContext, context: AttentionContext | None = None
    ) -> Tensor:
        """See WanDiT.forward."""
        return dit_forward(self._net, self.config, x, timestep, text, context)


def _network(
    net: WanModule, dtype: torch.dtype, device: torch.device, cast: Cast, known: Tensor | None
) -> SimpleNamespace:
    def parameter(owner: WanModule) -> Callable[[], Tensor]:
        return lambda: cast(owner.modulation, torch.float32, device)

    return SimpleNamespace(
        patch_embedding=_Patches(net.patch_embedding, dtype, known),
        img_emb=getattr(net, "img_emb", None),
        text_embedding=net.text_embedding,
        time_embedding=net.time_embedding,
        time_projection=net.time_projection,
        blocks=[_Block(block, dtype, parameter(block)) for block in net.blocks],
        head=_Head(net.head, parameter(net.head)),
    )


class _Patches:
    """The patch embedding as tokens (B, L, D). It runs in float32, as Wan keeps it. known: the columns of the
    last channels, which the module does not have.
    """

    def __init__(self, conv: WanModule, dtype: torch.dtype, known: Tensor | None):
        self._conv = conv
        self._known = known
        self.weight = SimpleNamespace(
            dtype=dtype
        )  # the dtype of the computation, which is what the forward asks for

    def __call__(self, x: Tensor) -> Tensor:
        x = x.float()
        if self._known is None:
            made = self._conv(x)
        else:
            inside = x.shape[1] - self._known.shape[1]
            weight = self._known.to(x)
            made = self._conv(x[:, :inside]) + F.conv3d(x[:, inside:], weight, stride=weight.shape[2:])
        return rearrange(made, "b d t h w -> b (t h w) d")


class _Block:
    def __init__(self, block: WanModule, dtype: torch.dtype, modulation: Callable[[], Tensor]):
        self.norm1, self.norm2 = _plain_norm(block.norm1), _plain_norm(block.norm2)
        self.self_attn, self.cross_attn, self.ffn = block.self_attn, block.cross_attn, block.ffn
        self.norm3 = lambda x: block.norm3(x.to(dtype))
        self._modulation = modulation

    @property
    def modulation(self) -> Tensor:
        return self._modulation()


class _Head:
    def __init__(self, head: WanModule, modulation: Callable[[], Tensor]):
        self.norm, self.head = _plain_norm(head.norm), head.head
        self._modulation = modulation

    @property
    def modulation(self) -> Tensor:
        return self._modulation()


def _plain_norm(norm: WanModule) -> Callable[[Tensor], Tensor]:
    """A layer norm without weights, in its input's dtype."""
    return lambda x: F.layer_norm(x, norm.normalized_shape, None, None, norm.eps)
