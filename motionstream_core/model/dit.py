"""The diffusion transformer: Wan's blocks and parameter names, on frames that each have a timestep of their
own.

Owns the forward. Knows nothing of noise schedules, tracks or latents: x already holds the noisy latent and
the motion channels. What the frames attend to is the business of the context that is handed in.

Shapes: B batch, C channels, T latent frames, H W latent cells, S = tokens of a latent frame, L = T S, D =
dim.
The forward is a function of a network with Wan's attribute names, so that it also runs on such a network
built elsewhere.
"""

from dataclasses import dataclass, replace
from itertools import chain, repeat

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from .attention import Backend, attend
from .cache import CacheShape, GradKVCache, KVCache
from .config import ModelConfig, NetworkConfig
from .context import AttentionContext, bidirectional_context
from .linear import FeedForward, Linear, draw_modulation
from .picture import PictureEmbedding
from .rope import Rope
from .text_context import TextContext, WanModule, encode_picture, encode_text, text_as_picture


class PatchEmbedding(nn.Conv3d):
    """A Conv3d whose kernel is its stride, computed as one matrix product: much faster on the CPU, the same
    parameters.
    """

    def forward(self, x: Tensor) -> Tensor:
        patches = rearrange(x, "b c t (h p) (w q) -> b (t h w) (c p q)", p=self.stride[1], q=self.stride[2])
        return F.linear(patches, self.weight.flatten(1), self.bias)


class RMSNorm(nn.RMSNorm):
    """Follows its input's dtype, so that it stays one fused operation under autocast."""

    def forward(self, x: Tensor) -> Tensor:
        return F.rms_norm(x, self.normalized_shape, self.weight.to(x.dtype), self.eps)


class AffineNorm(nn.LayerNorm):
    """A LayerNorm of the float32 residual stream whose weights may be of another dtype."""

    def forward(self, x: Tensor) -> Tensor:
        return F.layer_norm(x, self.normalized_shape, self.weight.float(), self.bias.float(), self.eps)


class Attention(nn.Module):
    """The parameters of a self or cross attention. The forward is in the functions below. `picture`: of a
    cross attention that also looks at a picture.
    """

    def __init__(self, dim: int, eps: float, picture: bool = False):
        super().__init__()
        self.q = Linear(dim, dim)
        self.k = Linear(dim, dim)
        self.v = Linear(dim, dim)
        self.o = Linear(dim, dim)
        self.norm_q = RMSNorm(dim, eps=eps)
        self.norm_k = RMSNorm(dim, eps=eps)
        if picture:
            self.k_img = Linear(dim, dim)
            self.v_img = Linear(dim, dim)
            self.norm_k_img = RMSNorm(dim, eps=eps)


class Block(nn.Module):
    takes_context = True  # its call is `block_forward`

    def __init__(self, config: NetworkConfig):
        super().__init__()
        dim = config.dim
        self.norm1 = nn.LayerNorm(dim, config.eps, elementwise_affine=False)
        self.self_attn = Attention(dim, config.eps)
        self.norm3 = AffineNorm(dim, config.eps)
        self.cross_attn = Attention(dim, config.eps, picture=config.image_dim is not None)
        self.norm2 = nn.LayerNorm(dim, config.eps, elementwise_affine=False)
        self.ffn = FeedForward(dim, config.ffn_dim)
        self.modulation = nn.Parameter(draw_modulation(6, dim))
        self.checkpointing = (
            False  # training: compute the activations again in the backward pass instead of keeping them
        )

    def forward(
        self, h: Tensor, e: Tensor, k: Tensor, v: Tensor, within: "BlockContext"
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """`block_forward` as a call of the module, which wrappers around a block can see, and what it left in
        a training cache. Gradients may come back through that too.

        Args:
            h: (B, T, S, D) float32.
            e: (B, T, 6, D) float32, the modulation.
            k: the text's keys.
            v: the text's values.
            within: what of a forward is the same for all inputs of a block.
        """
        if not (self.checkpointing and torch.is_grad_enabled()):
            return block_forward(self, h, e, k, v, within), within.stored()
        # By the backward pass the cache has gone on: the second computation is given it as it is now.
        contexts = chain((within,), repeat(within.frozen()))

        def again(h: Tensor, e: Tensor, k: Tensor, v: Tensor) -> Tensor:
            return block_forward(self, h, e, k, v, next(contexts))

        return checkpoint(again, h, e, k, v, use_reentrant=False), within.stored()


@dataclass(frozen=True)
class BlockContext:
    """The context of one block of a forward.

    Args:
        layer: number of the block.
        heads: of the network's attention.
        dtype: of the matrix products.
        context: what the frames attend to.
        image: keys and values of a picture, for cross attention that also looks at one.
        keys_only: nobody asks for what the block makes of h, so it ends once its keys and values are stored.
    """

    layer: int
    heads: int
    dtype: torch.dtype
    context: AttentionContext
    image: tuple[Tensor, Tensor] | None = None
    keys_only: bool = False

    def stored(self) -> tuple[Tensor, ...]:
        return self.context.stored(self.layer)

    def frozen(self) -> "BlockContext":
        return replace(self, context=self.context.frozen())


class Head(nn.Module):
    def __init__(self, config: NetworkConfig):
        super().__init__()
        _, ph, pw = config.patch
        self.norm = nn.LayerNorm(config.dim, config.eps, elementwise_affine=False)
        self.head = Linear(config.dim, ph * pw * config.out_channels)
        self.modulation = nn.Parameter(draw_modulation(2, config.dim))


class WanDiT(nn.Module):
    """Wan's transformer with per-frame timesteps. gathered_dtype: of divided weights once a forward has
    gathered them.
    """

    gathered_dtype: torch.dtype | None = None

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.config = config
        dim = config.dim
        self.patch_embedding = PatchEmbedding(
            config.in_channels, dim, kernel_size=config.patch, stride=config.patch
        )
        if config.place_features:
            self.place_embedding = nn.Linear(2 * config.place_features, dim, bias=False)
        self.text_embedding = nn.Sequential(
            nn.Linear(config.text_dim, dim), nn.GELU(approximate="tanh"), nn.Linear(dim, dim)
        )
        if config.image_dim is not None:
            self.img_emb = PictureEmbedding(config.image_dim, dim)
        self.time_embedding = nn.Sequential(nn.Linear(config.freq_dim, dim), nn.SiLU(), nn.Linear(dim, dim))
        self.time_projection = nn.Sequential(nn.SiLU(), nn.Linear(dim, 6 * dim))
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.num_layers))
        self.head = Head(config)
        initialise(self)

    @property
    def dtype(self) -> torch.dtype:
        return self.patch_embedding.weight.dtype

    @property
    def device(self) -> torch.device:
        return self.patch_embedding.weight.device

    def make_cache(
        self,
        height: int,
        width: int,
        *,
        batch: int = 1,
        shape: CacheShape | None = None,
        dtype: torch.dtype | None = None,
    ) -> KVCache:
        """An empty inference cache.

        Args:
            height: of a latent in cells.
            width: of a latent in cells.
            batch: samples.
            shape: chunk, sink and window, the config's by default.
            dtype: of keys and values, the network's by default.
        """
        rope = Rope(self.config.head_dim, self.config.token_grid(height, width), self.device)
        shape = shape or self.config.rolling.cache_shape
        return KVCache(
            shape, self.config.num_layers, self.config.dim, rope, batch=batch, dtype=dtype or self.dtype
        )

    def make_grad_cache(
        self, height: int, width: int, *, shape: CacheShape | None = None, detached: bool = False
    ) -> GradKVCache:
        """An empty training cache for latents of height x width cells. Any batch."""
        rope = Rope(self.config.head_dim, self.config.token_grid(height, width), self.device)
        return GradKVCache(
            shape or self.config.rolling.cache_shape, self.config.num_layers, rope, detached=detached
        )

    def encode_text(self, embeds: Tensor, features: Tensor | None = None) -> TextContext:
        """Embeddings (B, L <= text_len, text_dim) -> TextContext. Shorter texts are padded with zeros, as in
        Wan.

        features: those of a picture (B or 1, tokens, image_dim), for a network that looks at one.
        """
        text = encode_text(self, self.config, embeds)
        if (features is None) != (self.config.image_dim is None):
            wanted, got = ("some", "none") if features is None else ("none", "some")
            raise ValueError(f"picture features: expected {wanted} for this network, got {got}")
        return (
            text if features is None else replace(text, image=encode_picture(self, features.to(self.device)))
        )

    def text_as_picture(self, embeds: Tensor) -> TextContext:
        """See `text_context.text_as_picture`."""
        return text_as_picture(self, self.config, embeds)

    def forward(
        self, x: Tensor, timestep: Tensor, text: TextContext, context: AttentionContext | None = None
    ) -> Tensor:
        """x (B, C_in, T, H, W), timestep (B, T) in 0..1000 -> (B, C_out, T, H, W) in x's dtype.

        context: what the T frames see. None is the network's own without a cache. Where the context wants no
        output, an empty tensor comes back.
        """
        return dit_forward(self, self.config, x, timestep, text, context)


def initialise(net: WanDiT):
    """Wan's initial weights: xavier for linears, 0.02 normal for text and time, zeros for biases and for the
    head. Nothing on the meta device.
    """
    if net.patch_embedding.weight.is_meta:
        return
    for module in net.modules():
        if isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    # A view of the Conv3d's weight: one matrix product, one fan-in.
    nn.init.xavier_uniform_(net.patch_embedding.weight.flatten(1))
    for embedding in (net.text_embedding, net.time_embedding):
        for layer in embedding:
            if isinstance(layer, nn.Linear):
                nn.init.normal_(layer.weight, std=0.02)
    nn.init.zeros_(net.head.head.weight)
    if net.config.place_features:
        nn.init.zeros_(net.place_embedding.weight)


def timestep_features(timestep: Tensor, dim: int) -> Tensor:
    """Wan's sinusoids (..., dim) float32 of timesteps: cosines, then sines."""
    half = dim // 2
    frequencies = 10000.0 ** -(torch.arange(half, dtype=torch.float64, device=timestep.device) / half)
    angles = timestep.double().unsqueeze(-1) * frequencies
    return torch.cat([angles.cos(), angles.sin()], dim=-1).float()


def place_features(grid: tuple[int, int], count: int) -> Tensor:
    """Where the tokens of a frame are, (S, 2 count) float32: cos(pi k u), k = 1..count, of the row and of the
    column.

    u is the place of a token's centre between the picture's edges, 0..1, so that a picture of any size has
    the same.
    """
    rows, columns = (
        torch.cos(torch.outer((torch.arange(n) + 0.5) / n, torch.arange(1, count + 1) * torch.pi))
        for n in grid
    )
    shape = (*grid, count)
    return torch.cat([rows[:, None].expand(shape), columns.expand(shape)], -1).flatten(0, 1)


def embed_time(net: WanModule, config: NetworkConfig, timestep: Tensor) -> tuple[Tensor, Tensor]:
    """timestep (B, T) -> the head's (B, T, 1, D) and the blocks' (B, T, 6, D) conditioning, float32."""
    dtype = net.patch_embedding.weight.dtype
    time = net.time_embedding(timestep_features(timestep, config.freq_dim).to(dtype))
    return time.float().unsqueeze(-2), net.time_projection(time).float().unflatten(-1, (6, -1))


def modulate(norm: WanModule, x: Tensor, shift: Tensor, scale: Tensor, dtype: torch.dtype) -> Tensor:
    """norm(x) (1 + scale) + shift per frame, in float32.

    Args:
        norm: a layer norm.
        x: (B, T, S, D).
        shift: (B, T, 1, D).
        scale: (B, T, 1, D).
        dtype: of the result.
    """
    return torch.addcmul(shift, norm(x), 1 + scale).to(dtype)


def keys_and_values(attn: WanModule, x: Tensor) -> tuple[Tensor, Tensor]:
    """x (B, L, D) -> keys before rotation, and values."""
    v = attn.v(x)
    return attn.norm_k(attn.k(x)).to(v.dtype), v


def self_attention(attn: WanModule, x: Tensor, within: BlockContext) -> Tensor:
    """x (B, T, S, D): the frames' queries on what their context lets them see."""
    frames = x.shape[1]
    x = x.flatten(1, 2)
    k, v = keys_and_values(attn, x)
    q = attn.norm_q(attn.q(x)).to(v.dtype)
    y = within.context.attend(within.layer, q, k, v)
    return attn.o(y.to(x.dtype)).unflatten(1, (frames, -1))


def cross_attention(
    attn: WanModule,
    x: Tensor,
    k: Tensor,
    v: Tensor,
    heads: int,
    backend: Backend,
    image: tuple[Tensor, Tensor] | None = None,
) -> Tensor:
    """Attention on the text's keys and values, and on a picture's where there are some. One text serves a
    whole batch.

    Args:
        attn: the parameters.
        x: (B, T, S, D).
        k: the text's keys.
        v: the text's values.
        heads: of the network.
        backend: attention.
        image: keys and values of a picture.
    """
    frames = x.shape[1]
    q = attn.norm_q(attn.q(x.flatten(1, 2))).to(k.dtype)
    k, v = (part.expand(q.shape[0], -1, -1) for part in (k, v))
    y = attend(q, k, v, heads, backend)
    if image is not None:
        image_k, image_v = (part.expand(q.shape[0], -1, -1) for part in image)
        y = y + attend(q, image_k, image_v, heads, backend)
    return attn.o(y.to(q.dtype)).unflatten(1, (frames, -1))


def dit_forward(
    net: WanModule,
    config: NetworkConfig,
    x: Tensor,
    timestep: Tensor,
    text: TextContext,
    context: AttentionContext | None = None,
) -> Tensor:
    """The forward of some frames on any network with Wan's attribute names (see WanDiT.forward).

    Args:
        net: the network.
        config: its sizes.
        x: (B, C, T, H, W) noisy latents with the motion channels behind them.
        timestep: (B, T).
        text: of the whole batch.
        context: what the frames attend to, None for each other.
    """
    _check_input(config, x, timestep)
    context = bidirectional_context(config) if context is None else context
    frames, grid = x.shape[2], config.token_grid(*x.shape[3:])
    dtype = getattr(net, "gathered_dtype", None) or net.patch_embedding.weight.dtype
    context.begin(config, frames, grid, x.device)
    time, e = embed_time(net, config, timestep)
    # The residual stream stays float32, as in Wan; only the matrix products run in the weights' dtype.
    h = net.patch_embedding(x.to(dtype)).float().unflatten(1, (frames, -1))
    if config.place_features:
        features = place_features(grid, config.place_features).to(x.device, dtype)
        h = h + net.place_embedding(features).float()
    order = context.order
    if order is not None:
        # Window by window from here to the head: what the blocks take for a frame is a strip of one.
        h = order.sorted(h)
        e = e[:, order.frames]
        time = time[:, order.frames]
    for layer, block in enumerate(net.blocks):
        image = text.image[layer] if text.image else None
        keys_only = not context.output and layer == config.num_layers - 1
        within = BlockContext(layer, config.num_heads, dtype, context, image, keys_only)
        inputs = (h, e, text.keys[layer], text.values[layer], within)
        h = block(*inputs)[0] if getattr(block, "takes_context", False) else block_forward(block, *inputs)
    context.end(frames)
    if not context.output:
        return x.new_empty(0)
    shift, scale = (net.head.modulation.float() + time).unsqueeze(-2).unbind(2)
    out = net.head.head(modulate(net.head.norm, h, shift, scale, dtype))
    out = out if order is None else order.restored(out, frames)
    return unpatchify(out, grid, config).to(x.dtype)


def block_forward(
    block: WanModule, h: Tensor, e: Tensor, k: Tensor, v: Tensor, within: BlockContext
) -> Tensor:
    """One block on any network with Wan's attribute names.

    Args:
        block: its parameters.
        h: (B, T, S, D) float32.
        e: (B, T, 6, D) float32, the modulation.
        k: the text's keys.
        v: the text's values.
        within: what of a forward is the same for all inputs of a block.
    """
    dtype = within.dtype
    shift1, scale1, gate1, shift2, scale2, gate2 = (block.modulation.float() + e).unsqueeze(-2).unbind(2)
    y = modulate(block.norm1, h, shift1, scale1, dtype)
    if within.keys_only:
        within.context.store(within.layer, *keys_and_values(block.self_attn, y.flatten(1, 2)))
        return h
    y = self_attention(block.self_attn, y, within)
    h = torch.addcmul(h, y.float(), gate1)
    y = block.norm3(h).to(dtype)
    h = h + cross_attention(block.cross_attn, y, k, v, within.heads, within.context.backend, within.image)
    return torch.addcmul(h, block.ffn(modulate(block.norm2, h, shift2, scale2, dtype)).float(), gate2)


def unpatchify(tokens: Tensor, grid: tuple[int, int], config: NetworkConfig) -> Tensor:
    """(B, T, S, p q C) -> (B, C, T, H, W). Channels come last within a patch, as in Wan."""
    _, p, q = config.patch
    return rearrange(tokens, "b t (h w) (p q c) -> b c t (h p) (w q)", h=grid[0], w=grid[1], p=p, q=q)


def _check_input(config: NetworkConfig, x: Tensor, timestep: Tensor):
    if x.ndim != 5 or x.shape[1] != config.in_channels:
        raise ValueError(f"x: expected (B, {config.in_channels}, T, H, W), got {tuple(x.shape)}")
    if timestep.shape != (x.shape[0], x.shape[2]):
        raise ValueError(
            f"timestep: expected (B, T) = {(x.shape[0], x.shape[2])}, got {tuple(timestep.shape)}"
        )
