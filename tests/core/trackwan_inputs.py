"""The inputs of tests/fixtures/public_parity/trackwan.safetensors, made again from their seeds: a small
network of TrackWan's saved layout, tracks, a picture's features, the noise.

What the public code made of them lies in the fixture; see the text there. Needs torch alone.
"""

import math

import torch
from torch import Tensor

DIM, LAYERS, FFN, TEXT, ID_DIM = 256, 2, 96, 32, 64  # two heads of 128; CLIP's width and 512 tokens are fixed
ROWS, COLUMNS = 4, 6  # latent cells
STRIDE = 8
LEVELS = (1.0, 0.9473684210526315, 0.8571428571428571, 0.6666666666666666)
TOLD = (1000.0, 947.0, 857.0, 666.0)
CHUNKS = (1, 3, 3, 3)
LATENTS = sum(CHUNKS)
FRAMES = 4 * (LATENTS - 1) + 1
POINTS = 9
TEACHER_LATENTS, TEACHER_STEPS = 4, 3


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def shapes(image: bool = True) -> dict[str, tuple[int, ...]]:
    """The saved names of a transformer folder, with their shapes."""
    made: dict[str, tuple[int, ...]] = {
        "patch_embedding.weight": (DIM, 52, 1, 2, 2),
        "patch_embedding.bias": (DIM,),
        "scale_shift_table": (1, 2, DIM),
        "track_encoder.temporal_conv.weight": (16, ID_DIM, 4, 1, 1),
        "track_encoder.temporal_conv.bias": (16,),
        "track_encoder.proj.weight": (16, 16, 1, 1, 1),
        "track_encoder.proj.bias": (16,),
        "condition_embedder.image_embedder.norm1.weight": (1280,),
        "condition_embedder.image_embedder.norm1.bias": (1280,),
        "condition_embedder.image_embedder.norm2.weight": (DIM,),
        "condition_embedder.image_embedder.norm2.bias": (DIM,),
    }

    def linear(name: str, rows: int, columns: int):
        made[f"{name}.weight"], made[f"{name}.bias"] = (rows, columns), (rows,)

    linear("proj_out", 64, DIM)
    about = "condition_embedder"
    linear(f"{about}.text_embedder.linear_1", DIM, TEXT)
    linear(f"{about}.text_embedder.linear_2", DIM, DIM)
    linear(f"{about}.time_embedder.linear_1", DIM, 256)
    linear(f"{about}.time_embedder.linear_2", DIM, DIM)
    linear(f"{about}.time_proj", 6 * DIM, DIM)
    linear(f"{about}.image_embedder.ff.net.0.proj", 1280, 1280)
    linear(f"{about}.image_embedder.ff.net.2", DIM, 1280)
    for block in (f"blocks.{n}" for n in range(LAYERS)):
        made[f"{block}.scale_shift_table"] = (1, 6, DIM)
        made[f"{block}.norm2.weight"] = made[f"{block}.norm2.bias"] = (DIM,)
        linear(f"{block}.ffn.net.0.proj", FFN, DIM)
        linear(f"{block}.ffn.net.2", DIM, FFN)
        for attn in (f"{block}.attn1", f"{block}.attn2"):
            for part in ("to_q", "to_k", "to_v", "to_out.0"):
                linear(f"{attn}.{part}", DIM, DIM)
            made[f"{attn}.norm_q.weight"] = made[f"{attn}.norm_k.weight"] = (DIM,)
        for part in ("add_k_proj", "add_v_proj"):
            linear(f"{block}.attn2.{part}", DIM, DIM)
        made[f"{block}.attn2.norm_added_k.weight"] = made[f"{block}.attn2.norm_added_q.weight"] = (DIM,)
    return made


def saved_weights(seed: int = 7) -> dict[str, Tensor]:
    """A transformer's tensors under the saved names: norms about 1, matrices that keep their input's size."""
    rng, made = seeded(seed), {}
    for key, shape in sorted(shapes().items()):
        x = torch.randn(shape, generator=rng)
        if "norm" in key and key.endswith("weight"):
            made[key] = 1 + 0.2 * x
        elif len(shape) >= 2 and not key.endswith("scale_shift_table"):
            made[key] = x / math.sqrt(math.prod(shape[1:]))
        else:
            made[key] = 0.2 * x
    return made


def config_json(causal: bool = True) -> dict:
    """The folder's config.json."""
    return {
        "_class_name": "CausalTrackWanTransformer3DModel" if causal else "TrackWanTransformer3DModel",
        "attention_head_dim": 128,
        "num_attention_heads": DIM // 128,
        "num_layers": LAYERS,
        "ffn_dim": FFN,
        "freq_dim": 256,
        "text_dim": TEXT,
        "image_dim": 1280,
        "added_kv_proj_dim": DIM,
        "in_channels": 52,
        "out_channels": 16,
        "patch_size": [1, 2, 2],
        "eps": 1e-6,
        "track_config": {
            "id_dim": 128,  # as their converters write it, whatever the tensors have
            "track_channels": 16,
            "vae_spatial_compression": 8,
            "vae_temporal_compression": 4,
            "max_track_id": 100000,
            "zero_init_head": False,
        },
    }


def tracks(frames: int = FRAMES) -> tuple[Tensor, Tensor, Tensor]:
    """Places xy (T, N, 2) in pixels of the canvas, visible (T, N) and ids (N,): some points share a cell,
    some stand at its edge, some are hidden for a while.
    """
    rng = seeded(31)
    size = torch.tensor([COLUMNS * STRIDE, ROWS * STRIDE]).float()
    start = torch.rand(1, POINTS, 2, generator=rng) * size
    step = (torch.rand(1, POINTS, 2, generator=rng) - 0.5) * 2
    xy = start + step * torch.arange(frames).view(-1, 1, 1)
    xy[:, 1] = xy[:, 0] + 0.25  # in one cell with its neighbour
    xy[:, 2] = size - 0.01
    xy[:, 3] = torch.tensor([7.0, 0.0])
    visible = torch.rand(frames, POINTS, generator=rng) > 0.2
    inside = ((xy >= 0) & (xy < size)).all(-1)
    ids = torch.tensor([3, 40111, 65535, 7, 90210 % 65536, 512, 1, 0, 31337])
    return xy, visible & inside, ids


def shares(xy: Tensor) -> Tensor:
    """Pixels as shares of the canvas."""
    return xy / torch.tensor([COLUMNS * STRIDE, ROWS * STRIDE]).float()


def embeds(seed: int = 3) -> Tensor:
    return torch.randn(1, 5, TEXT, generator=seeded(seed))


def features(seed: int = 6) -> Tensor:
    return torch.randn(1, 257, 1280, generator=seeded(seed))


def condition_latents(frames: int = LATENTS, seed: int = 5) -> Tensor:
    """What the VAE makes of the start image with grey behind it (1, 16, t, h, w); here any numbers."""
    return torch.randn(1, 16, frames, ROWS, COLUMNS, generator=seeded(seed))


def noise(seed: int = 11) -> torch.Generator:
    """Drawn chunk by chunk: (1, 16, t, h, w) for where it starts from, then for each further step."""
    return seeded(seed)


def teacher_noise(seed: int = 12) -> Tensor:
    return torch.randn(1, 16, TEACHER_LATENTS, ROWS, COLUMNS, generator=seeded(seed))
