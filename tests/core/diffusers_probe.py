"""Run as a program: our forward beside diffusers' WanTransformer3DModel, on its own random weights read
through our converter.

Prints one JSON line: for each comparison {error, scale}, or {lacks} where this diffusers cannot do it. A
program of its own, because diffusers imports much and wants a torchvision.
"""

import json
import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS), str(TESTS.parent)]

import torch  # noqa: E402
from harness.launch import stand_in_for_torchvision  # noqa: E402

stand_in_for_torchvision()

from diffusers import __version__  # noqa: E402
from diffusers.models.transformers.transformer_wan import WanTransformer3DModel  # noqa: E402

from motionstream_core.model.dit import WanDiT  # noqa: E402
from motionstream_core.model.weights.checkpoint_presets import checkpoint_preset  # noqa: E402
from motionstream_core.model.weights.convert import check_whole, config_of, wan_state  # noqa: E402


def compared(channels: int, per_frame: bool) -> dict:
    """The whole clip at once, on the same weights and input."""
    torch.manual_seed(7)
    theirs = WanTransformer3DModel(
        patch_size=(1, 2, 2),
        num_attention_heads=2,
        attention_head_dim=128,
        in_channels=channels,
        out_channels=channels,
        text_dim=24,
        freq_dim=256,
        ffn_dim=192,
        num_layers=2,
        cross_attn_norm=True,
        qk_norm="rms_norm_across_heads",
        eps=1e-6,
    ).eval()
    for name, parameter in theirs.named_parameters():
        torch.nn.init.normal_(
            parameter, mean=1.0 if "norm" in name and name.endswith("weight") else 0.0, std=0.08
        )
    state = wan_state(theirs.state_dict(), "diffusers")
    config = config_of(
        state, checkpoint_preset("motionstream-5b" if channels == 48 else "self-forcing"), "diffusers"
    )
    check_whole(state, config, "diffusers")
    ours = WanDiT(config)
    ours.load_state_dict(state)
    x, embeds = torch.randn(1, channels, 5, 8, 12), torch.randn(1, 512, 24)
    time = torch.linspace(50, 900, 5)[None] if per_frame else torch.full((1, 5), 700.0)
    tokens = time.repeat_interleave(4 * 6, dim=1) if per_frame else time[:, 0]
    expected = theirs(x, tokens, embeds, return_dict=False)[0]
    got = ours(x, time, ours.encode_text(embeds))
    return {"error": float((got - expected).abs().max()), "scale": float(expected.std())}


PER_TOKEN_SINCE = (0, 35)  # diffusers' Wan took one timestep for the whole clip before

with torch.no_grad():
    found = {"16 channels": compared(16, False), "48 channels": compared(48, False)}
    lacking = tuple(int(part) for part in __version__.split(".")[:2]) < PER_TOKEN_SINCE
    found["a timestep for each frame"] = (
        {"lacks": f"diffusers {__version__} takes one timestep for a clip"} if lacking else compared(48, True)
    )
print(json.dumps(found))
