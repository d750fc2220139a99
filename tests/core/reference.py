"""A tiny network with every part of the real one, and a slow reference of its causal forward."""

from dataclasses import replace

import torch
import torch.nn.functional as F

from motionstream_core.model.cache import CacheShape
from motionstream_core.model.dit import TextContext, WanDiT, embed_time, unpatchify
from motionstream_core.model.presets import PRESETS, ModelConfig
from motionstream_core.model.rope import rope_table

SMALL = {
    "dim": 24,
    "ffn_dim": 32,
    "num_heads": 2,
    "num_layers": 2,
    "text_dim": 8,
    "text_len": 4,
    "freq_dim": 8,
}


def small_config(name: str = "tiny", context: str = "c3s1w3") -> ModelConfig:
    return replace(PRESETS[name], **SMALL).with_context(CacheShape.parse(context))


def small_model(name: str = "tiny", context: str = "c3s1w3", seed: int = 0) -> WanDiT:
    """A small network with weights large enough, the head's too, that every input matters."""
    torch.manual_seed(seed)
    model = WanDiT(small_config(name, context))
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return model.requires_grad_(False)


def small_text(model: WanDiT, batch: int = 1, seed: int = 1) -> TextContext:
    rng = torch.Generator().manual_seed(seed)
    return model.encode_text(torch.randn(batch, 3, model.config.text_dim, generator=rng))


def kept_frames(sizes: list[int], shape: CacheShape) -> list[list[int]]:
    """By hand, with lists: the latent frames each chunk sees before its own, in slot order."""
    seen, start = [], 0
    for size in sizes:
        past = list(range(start))
        beyond = past[shape.sink :]
        seen.append(past[: shape.sink] + beyond[max(0, len(beyond) - shape.window) :])
        start += size
    return seen


def complex_rotate(x: torch.Tensor, slots: list[int], grid: tuple[int, int], head_dim: int) -> torch.Tensor:
    """Rotation as Wan writes it: complex numbers in double precision. x (B, L, D)."""
    angles = rope_table(tuple(slots), grid, head_dim).unsqueeze(1)
    turns = torch.polar(torch.ones_like(angles), angles)
    pairs = torch.view_as_complex(x.double().unflatten(-1, (-1, head_dim // 2, 2)))
    return torch.view_as_real(pairs * turns).flatten(-3)


def layer_norm(x: torch.Tensor, eps: float) -> torch.Tensor:
    return (x - x.mean(-1, keepdim=True)) / (x.var(-1, unbiased=False, keepdim=True) + eps).sqrt()


def rms_norm(x: torch.Tensor, weight: torch.Tensor, eps: float) -> torch.Tensor:
    return x * (x.square().mean(-1, keepdim=True) + eps).rsqrt() * weight


def full_attention(q, k, v, sees, config: ModelConfig, grid) -> torch.Tensor:
    """Every frame against every frame under a mask. `sees[i]` maps the key frames that query frame i sees to
    (own slot, their slot).
    """
    tokens, head_dim = grid[0] * grid[1], config.head_dim
    out = []
    for i, seen in enumerate(sees):
        own, slots = seen[i], [seen.get(j, 0) for j in range(len(sees))]
        mask = torch.full((len(sees) * tokens,), -torch.inf)
        for j in seen:
            mask[j * tokens : (j + 1) * tokens] = 0.0
        query = complex_rotate(q[:, i * tokens : (i + 1) * tokens], [own], grid, head_dim).unflatten(
            -1, (-1, head_dim)
        )
        keys = complex_rotate(k, slots, grid, head_dim).unflatten(-1, (-1, head_dim))
        scores = torch.einsum("bqhd,bkhd->bhqk", query, keys) / head_dim**0.5 + mask
        values = v.double().unflatten(-1, (-1, head_dim))
        out.append(torch.einsum("bhqk,bkhd->bqhd", scores.softmax(-1), values).flatten(-2))
    return torch.cat(out, dim=1).to(v.dtype)


def full_forward(
    model: WanDiT, x: torch.Tensor, timestep: torch.Tensor, text: TextContext, sees
) -> torch.Tensor:
    """The whole sequence at once, no cache: x (B, C, F, H, W), timestep (B, F), sees as in full_attention."""
    config, frames = model.config, x.shape[2]
    grid = config.token_grid(*x.shape[3:])
    time, e = embed_time(model, config, timestep)
    h = model.patch_embedding(x)
    tokens = grid[0] * grid[1]

    def spread(condition):
        return condition.repeat_interleave(tokens, dim=1)

    for layer, block in enumerate(model.blocks):
        shift1, scale1, gate1, shift2, scale2, gate2 = (
            spread(part) for part in (block.modulation + e).unbind(2)
        )
        attn = block.self_attn
        y = layer_norm(h, config.eps) * (1 + scale1) + shift1
        q, k = (
            rms_norm(attn.q(y), attn.norm_q.weight, config.eps),
            rms_norm(attn.k(y), attn.norm_k.weight, config.eps),
        )
        h = h + attn.o(full_attention(q, k, attn.v(y), sees, config, grid)) * gate1
        y = layer_norm(h, config.eps) * block.norm3.weight + block.norm3.bias
        cross = block.cross_attn
        q = rms_norm(cross.q(y), cross.norm_q.weight, config.eps)
        k, v, q = (
            part.unflatten(-1, (config.num_heads, -1)) for part in (text.keys[layer], text.values[layer], q)
        )
        scores = torch.einsum("bqhd,bkhd->bhqk", q, k.expand(len(q), -1, -1, -1)) / config.head_dim**0.5
        h = h + cross.o(
            torch.einsum("bhqk,bkhd->bqhd", scores.softmax(-1), v.expand(len(q), -1, -1, -1)).flatten(-2)
        )
        y = layer_norm(h, config.eps) * (1 + scale2) + shift2
        h = h + block.ffn[2](F.gelu(block.ffn[0](y), approximate="tanh")) * gate2
    shift, scale = (spread(part) for part in (model.head.modulation + time).unbind(2))
    out = model.head.head(layer_norm(h, config.eps) * (1 + scale) + shift)
    return unpatchify(out.unflatten(1, (frames, -1)), grid, config)
