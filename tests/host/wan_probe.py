"""Run as a program in the host's environment: our causal forward beside the host's Wan modules, on the same
random weights.

`python wan_probe.py COMFYUI_FOLDER` prints one JSON line: for each comparison {error, scale}, the largest
difference and the spread of the host's own answer. The host comes first on the path; our core is imported
from the repository, without the pack's nodes.
"""

import json
import sys
from functools import partial
from pathlib import Path

HERE = Path(__file__).resolve()
FRAMES, HEIGHT, WIDTH, SEED = 7, 8, 12, 11
SIZES = {"dim": 256, "ffn_dim": 192, "num_layers": 2, "text_dim": 24, "text_len": 6}
SIGMAS = (1.0, 0.9375, 0.625)


def start(folder: str):
    """The host as an import, on the CPU; our core behind it on the path."""
    sys.path[:0] = [str(HERE.parents[1])]
    from harness.launch import stand_in_for_packages, stand_in_for_torchvision

    del sys.path[0]
    sys.path[0] = folder
    sys.argv = ["wan_probe", "--cpu"]
    stand_in_for_torchvision()
    stand_in_for_packages()
    import comfy.options

    comfy.options.enable_args_parsing()
    sys.path.append(str(HERE.parents[2]))


def state_of(config, seed: int = SEED) -> dict:
    """Random weights under the public names."""
    import torch

    from motionstream_core.model.dit import WanDiT

    torch.manual_seed(seed)
    net = WanDiT(config)
    for name, parameter in net.named_parameters():
        torch.nn.init.normal_(
            parameter,
            mean=1.0 if name.endswith(("norm_q.weight", "norm_k.weight", "norm3.weight")) else 0.0,
            std=0.08,
        )
    return {name: value.detach().clone() for name, value in net.state_dict().items()}


def small(channels: int = 16, **more):
    from dataclasses import replace

    from motionstream_core.model.presets import PRESETS

    about = dict(PRESETS["wan2.2-5b" if channels == 48 else "wan2.1-1.3b"].__dict__)
    return replace(type(PRESETS["tiny"])(**about), **SIZES, num_heads=2, freq_dim=256, **more)


def patcher_of(state: dict, *, causal: bool = True, options: dict | None = None):
    """A MODEL as UNETLoader makes it."""
    import comfy.sd

    transformer = {
        "text_dim": SIZES["text_dim"],
        "text_len": SIZES["text_len"],
        **({"causal_ar": True} if causal else {}),
    }
    return comfy.sd.load_diffusion_model_state_dict(
        dict(state),
        model_options=options or {},
        metadata={"config": json.dumps({"transformer": transformer})},
    )


def loaded(patcher):
    """Its module, with the patches in."""
    import comfy.model_management

    comfy.model_management.load_models_gpu([patcher])
    return patcher.model.diffusion_model


def adopted(net, config, dtype=None):
    import torch

    from motionstream_core.model.host_dit import HostDiT, adopted_config

    return HostDiT(net, adopted_config(net, config), dtype=dtype or torch.float32, device="cpu")


def inputs(config, seed: int = 1):
    import torch

    rng = torch.Generator().manual_seed(seed)
    x = torch.randn(1, config.in_channels, FRAMES, HEIGHT, WIDTH, generator=rng)
    return x, torch.randn(1, SIZES["text_len"], SIZES["text_dim"], generator=rng)


def apart(got, expected) -> dict:
    return {
        "error": float((got.float() - expected.float()).abs().max()),
        "scale": float(expected.float().std()),
    }


def full_window(channels: int, own: bool, per_frame: bool = False) -> dict:
    """All frames at once: the host's WanModel against ours, on its module or on our own."""
    import torch

    config = small(channels)
    state = state_of(config)
    net = loaded(patcher_of(state, causal=False))
    x, embeds = inputs(config)
    time = torch.linspace(50, 900, FRAMES)[None] if per_frame else torch.full((1, FRAMES), 700.0)
    expected = net(x, time if per_frame else time[:, 0], embeds)
    if own:
        from motionstream_core.model.dit import WanDiT

        ours = WanDiT(config)
        ours.load_state_dict(state)
    else:
        ours = adopted(net, config)
    return apart(ours(x, time, ours.encode_text(embeds)), expected)


def looking_at_a_picture() -> dict:
    """A network whose cross attention also looks at CLIP vision's features: the host's WanModel, image to
    video.
    """
    import comfy.ldm.wan.model
    import comfy.ops
    import torch

    config = small()
    net = comfy.ldm.wan.model.WanModel(
        model_type="i2v",
        in_dim=16,
        out_dim=16,
        num_heads=2,
        freq_dim=256,
        operations=comfy.ops.disable_weight_init,
        dtype=torch.float32,
        **SIZES,
    )
    torch.manual_seed(SEED)
    for name, parameter in net.named_parameters():
        torch.nn.init.normal_(
            parameter, mean=1.0 if "norm" in name and name.endswith("weight") else 0.0, std=0.08
        )
    x, embeds = inputs(config)
    features = torch.randn(1, 257, 1280, generator=torch.Generator().manual_seed(6))
    expected = net(x, torch.full((1,), 700.0), embeds, clip_fea=features)
    from motionstream_core.model.host_dit import HostDiT, adopted_config
    from motionstream_core.model.weights.convert import check_whole

    check_whole(net.state_dict(), config, "i2v")
    dit = HostDiT(net, adopted_config(net, config), dtype=torch.float32, device="cpu", features=features)
    return apart(dit(x, torch.full((1, FRAMES), 700.0), dit.encode_text(embeds)), expected)


def chunked(chunk: int, prefill: bool = False, patch=None, options: dict | None = None) -> dict:
    """Chunk by chunk with the whole past: the host's CausalWanModel under its own sampler against our
    rollout, with the same noise.
    """
    import torch

    from motionstream_core.model.cache import CacheShape
    from motionstream_core.sampling import rolling
    from motionstream_core.sampling.rollout import rollout

    config = small()
    patcher = patcher_of(state_of(config), options=options)
    if patch is not None:
        patcher = patch(patcher)
    x, embeds = inputs(config)
    first = (
        torch.randn(1, 16, 1, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(2)) if prefill else None
    )
    expected = host_samples(patcher, x, embeds, chunk, first)
    dit = adopted(loaded(patcher), config)
    noises, begin = [], int(prefill)
    for block, start in enumerate(range(begin, FRAMES, chunk)):
        noises.append(x[:, :, start : start + chunk])
        for step in range(len(SIGMAS) - 1):
            torch.manual_seed(SEED + block * 1000 + step)
            noises.append(torch.randn_like(noises[-1]))
    queue = iter(noises)
    rolling.draw_noise = lambda net, run, frames: next(queue)
    run = rollout(
        dit,
        first_latent=first,
        motion=None,
        text=dit.encode_text(embeds),
        shape=(HEIGHT, WIDTH),
        sigmas=SIGMAS,
        cache=dit.make_cache(HEIGHT, WIDTH, shape=CacheShape(chunk, 0, FRAMES)),
        rng=torch.Generator(),
        chunks=(FRAMES - begin) // chunk,
    )
    got = torch.cat([made.latents for made in run], dim=2)
    return apart(got, expected[:, :, : got.shape[2]])


def host_samples(patcher, x, embeds, chunk: int, first):
    """Latents as the model has them, from the host's guider and its autoregressive sampler."""
    import comfy.samplers
    import torch

    if first is not None:
        patcher = patcher.clone()
        about = {"initial_latent": patcher.model.process_latent_out(first)}
        patcher.model_options["transformer_options"] = {
            **patcher.model_options["transformer_options"],
            "ar_config": about,
        }
    guider = comfy.samplers.CFGGuider(patcher)
    guider.set_conds([[embeds, {}]], [[embeds, {}]])
    guider.set_cfg(1.0)
    sampler = comfy.samplers.ksampler("ar_video", {"num_frame_per_block": chunk})
    latent = patcher.model.process_latent_out(torch.zeros_like(x))
    made = guider.sample(x, latent, sampler, torch.tensor([*SIGMAS, 0.0]), disable_pbar=True, seed=SEED)
    return patcher.model.process_latent_in(made)


def with_lora(patcher):
    import comfy.sd
    import torch

    rng, dim, lora = torch.Generator().manual_seed(5), SIZES["dim"], {}
    for name in ("blocks.0.self_attn.q", "blocks.0.self_attn.k", "blocks.1.cross_attn.v", "blocks.1.ffn.0"):
        rows = SIZES["ffn_dim"] if "ffn" in name else dim
        lora[f"diffusion_model.{name}.lora_A.weight"] = 0.2 * torch.randn(4, dim, generator=rng)
        lora[f"diffusion_model.{name}.lora_B.weight"] = 0.2 * torch.randn(rows, 4, generator=rng)
    return comfy.sd.load_lora_for_models(patcher, None, lora, 1.0, 0.0)[0]


def on_the_fly() -> dict:
    """A LoRA that the host adds while a half offloaded model runs, against the same LoRA merged into the
    weights.
    """
    import torch

    config = small()
    x, embeds = inputs(config)
    merged, offloaded = (with_lora(patcher_of(state_of(config))) for _ in range(2))
    offloaded.load(torch.device("cpu"), lowvram_model_memory=1)
    functions = sum(len(getattr(module, "weight_function", ())) for module in offloaded.model.modules())
    assert functions == 4, f"expected four weights patched on the fly, got {functions}"
    outs = []
    for net in (offloaded.model.diffusion_model, loaded(merged)):
        dit = adopted(net, config)
        outs.append(dit(x, torch.full((1, FRAMES), 700.0), dit.encode_text(embeds)))
    return apart(*outs)


def lora_changes() -> dict:
    """How far the LoRA moves our output: not nothing."""
    config = small()
    x, embeds = inputs(config)
    import torch

    outs = []
    for patch in (lambda patcher: patcher, with_lora):
        dit = adopted(loaded(patch(patcher_of(state_of(config)))), config)
        outs.append(dit(x, torch.full((1, FRAMES), 700.0), dit.encode_text(embeds)))
    return apart(*outs)


def reduced(dtype: str) -> dict:
    """Weights stored in fewer bits, computed by the host's casting layers."""
    import torch

    config = small()
    patcher = patcher_of(state_of(config), causal=False, options={"dtype": getattr(torch, dtype)})
    net = loaded(patcher)
    x, embeds = inputs(config)
    compute = patcher.model.get_dtype_inference()
    expected = net(x.to(compute), torch.full((1,), 700.0), embeds.to(compute))
    dit = adopted(net, config, compute)
    return apart(dit(x, torch.full((1, FRAMES), 700.0), dit.encode_text(embeds)), expected)


def foreign_layers() -> dict:
    """Layers of a foreign loader (GGUF and its like) that keep their weights packed and show us none: the
    host's answer before, ours after.

    The host's own feed-forward asks of which kind its last layer's weight is (since 0.33), and is told: of no
    kind that it knows.
    """
    import torch

    class Packed(torch.nn.Module):
        def __init__(self, layer):
            super().__init__()
            self.register_buffer("packed", layer.weight.detach().contiguous().view(torch.int32))
            self.register_buffer("shift", layer.bias.detach().clone())

        def forward(self, x):
            return torch.nn.functional.linear(x, self.packed.view(torch.float32), self.shift)

        @property
        def weight(self):
            if sys._getframe(1).f_code.co_name != "linear_input_act":
                raise RuntimeError("this layer's weight was read")
            return torch.empty(0, device="meta")

    def pack(module) -> int:
        count = 0
        for name, child in list(module.named_children()):
            if isinstance(child, torch.nn.Linear):
                setattr(module, name, Packed(child))
                count += 1
            else:
                count += pack(child)
        return count

    config = small()
    net = loaded(patcher_of(state_of(config), causal=False))
    x, embeds = inputs(config)
    expected = net(x, torch.full((1,), 700.0), embeds)
    dit = adopted(net, config)
    count = pack(net)
    assert count == 6 + 10 * SIZES["num_layers"], count
    dit = adopted(net, config)
    return apart(dit(x, torch.full((1, FRAMES), 700.0), dit.encode_text(embeds)), expected)


def int8_file() -> dict:
    """A file whose matrices are in int8 with a scale each: the host's WanModel, whose feed-forward may do
    both steps in one, against ours.

    Layers in int8 round what they are given, so a last bit of difference before one is a step of the rounding
    behind it.
    """
    import comfy.sd
    import torch

    config = small()
    state, kind = (
        {},
        torch.tensor(list(json.dumps({"format": "int8_tensorwise"}).encode()), dtype=torch.uint8),
    )
    for key, value in state_of(config).items():
        state[key] = value
        if key.startswith("blocks") and value.ndim == 2:
            scale, layer = value.abs().max() / 127, key.removesuffix("weight")
            state |= {
                key: (value / scale).round().to(torch.int8),
                f"{layer}weight_scale": scale,
                f"{layer}comfy_quant": kind,
            }
    about = {"text_dim": SIZES["text_dim"], "text_len": SIZES["text_len"]}
    patcher = comfy.sd.load_diffusion_model_state_dict(
        state, metadata={"config": json.dumps({"transformer": about})}
    )
    net, compute = loaded(patcher), patcher.model.get_dtype_inference()
    assert (
        "Quantized" in type(net.blocks[0].ffn[2].weight.data).__name__
        and net.blocks[0].ffn[2].layout_type == "TensorWiseINT8Layout"
    )
    x, embeds = inputs(config)
    expected = net(x.to(compute), torch.full((1,), 700.0), embeds.to(compute))
    dit = adopted(net, config, compute)
    return apart(dit(x, torch.full((1, FRAMES), 700.0), dit.encode_text(embeds)), expected)


def scaled_fp8() -> dict:
    """A file whose matrices are in fp8 with a scale each, as the public quantised ones: the host's WanModel
    on it against ours.
    """
    import comfy.sd
    import torch

    config = small()
    state = {}
    for key, value in state_of(config).items():
        if key.startswith("blocks") and value.ndim == 2:
            scale = value.abs().max() / 400
            state[key], state[key.removesuffix("weight") + "scale_weight"] = (
                (value / scale).to(torch.float8_e4m3fn),
                scale,
            )
        else:
            state[key] = value
    state["scaled_fp8"] = torch.empty(0, dtype=torch.float8_e4m3fn)
    about = {"text_dim": SIZES["text_dim"], "text_len": SIZES["text_len"]}
    patcher = comfy.sd.load_diffusion_model_state_dict(
        state, metadata={"config": json.dumps({"transformer": about})}
    )
    net, compute = loaded(patcher), patcher.model.get_dtype_inference()
    x, embeds = inputs(config)
    assert (
        "float8" in str(net.blocks[0].ffn[0].weight.dtype)
        or "Quantized" in type(net.blocks[0].ffn[0].weight.data).__name__
    ), net.blocks[0].ffn[0].weight.dtype
    expected = net(x.to(compute), torch.full((1,), 700.0), embeds.to(compute))
    dit = adopted(net, config, compute)
    return apart(dit(x, torch.full((1, FRAMES), 700.0), dit.encode_text(embeds)), expected)


def autoencoder(kind: str, direction: str, own: bool) -> dict:
    """The host's whole-clip encode or decode against ours, chunk by chunk (1, 3 and 2 latent frames)."""
    import comfy.ldm.wan.vae
    import comfy.ldm.wan.vae2_2
    import torch

    from motionstream_core.codec.wan_layers import WanVAE, WanVAEConfig
    from motionstream_core.codec.wan_vae import WanCodec

    sizes = {
        "dim_mult": [1, 2, 4, 4],
        "num_res_blocks": 2,
        "attn_scales": [],
        "temperal_downsample": [False, True, True],
        "dropout": 0.0,
    }
    if kind == "2.2":
        theirs = comfy.ldm.wan.vae2_2.WanVAE(dim=8, dec_dim=12, z_dim=48, **sizes)
        config = WanVAEConfig(48, 8, 12, stages=True)
    else:
        theirs = comfy.ldm.wan.vae.WanVAE(dim=8, z_dim=16, **sizes)
        config = WanVAEConfig(16, 8, 8)
    torch.manual_seed(SEED)
    for name, parameter in theirs.named_parameters():
        torch.nn.init.normal_(parameter, mean=1.0 if name.endswith("gamma") else 0.0, std=0.1)
    module = theirs
    if own:
        module = WanVAE(config)
        module.load_state_dict(theirs.state_dict())
    codec = WanCodec(module, frames_at_once=2)
    rng, cell = torch.Generator().manual_seed(4), codec.stride
    if direction == "decode":
        latents = torch.randn(1, codec.latent_channels, 6, 3, 4, generator=rng)
        expected = theirs.decode(latents * codec.latent_std + codec.latent_mean).movedim(2, 1)
        state, made = codec.start_decode(), []
        for piece in latents.split([1, 3, 2], dim=2):
            frames, state = codec.decode_chunk(piece, state)
            made.append(frames)
        return apart(torch.cat(made, dim=1), (expected / 2 + 0.5).clamp(0, 1))
    frames = torch.rand(1, 21, 3, 2 * cell, 3 * cell, generator=rng)
    expected = (theirs.encode(frames.movedim(1, 2) * 2 - 1) - codec.latent_mean) / codec.latent_std
    state, made = codec.start_encode(), []
    for piece in frames.split([1, 12, 8], dim=1):
        latents, state = codec.encode_chunk(piece, state)
        made.append(latents)
    return apart(torch.cat(made, dim=2), expected)


def tiny_autoencoder(channels: int, direction: str) -> dict:
    """The host's TAEHV against ours with the same weights, chunk by chunk."""
    import comfy.taesd.taehv
    import torch

    from motionstream_core.codec.taehv import TAEHV, TaehvCodec

    theirs = comfy.taesd.taehv.TAEHV(channels, parallel=True)
    torch.manual_seed(SEED)
    for parameter in theirs.parameters():
        torch.nn.init.normal_(parameter, std=0.03 if parameter.ndim > 1 else 0.2)
    module = TAEHV(channels)
    module.load_state_dict(theirs.state_dict())
    codec = TaehvCodec(module)
    rng, cell = torch.Generator().manual_seed(4), codec.stride
    if direction == "decode":
        latents = torch.randn(1, channels, 6, 3, 4, generator=rng)
        expected = theirs.decode(latents).movedim(2, 1)
        state, made = codec.start_decode(), []
        for piece in latents.split([1, 3, 2], dim=2):
            frames, state = codec.decode_chunk(piece, state)
            made.append(frames)
        return apart(torch.cat(made, dim=1), expected.clamp(0, 1))
    frames = torch.rand(1, 16, 3, 2 * cell, 3 * cell, generator=rng)
    expected = theirs.encode(frames.movedim(1, 2))
    state, made = codec.start_encode(), []
    state.started = True  # the host's whole clip has no first frame alone
    for piece in frames.split([4, 8, 4], dim=1):
        latents, state = codec.encode_chunk(piece, state)
        made.append(latents)
    return apart(torch.cat(made, dim=2), expected)


CHECKS = {
    "the host's WanModel, on its own module": lambda: full_window(16, own=False),
    "the host's WanModel, on our module": lambda: full_window(16, own=True),
    "the host's WanModel with 48 channels": lambda: full_window(48, own=False),
    "the host's WanModel, a timestep for each frame": lambda: full_window(48, own=True, per_frame=True),
    "the host's WanModel that looks at a picture": looking_at_a_picture,
    "the host's sampler, chunks of one": lambda: chunked(1),
    "the host's sampler, chunks of three": lambda: chunked(3),
    "the host's sampler from a start image": lambda: chunked(3, prefill=True),
    "the host's sampler under a LoRA": lambda: chunked(3, patch=with_lora),
    "a LoRA added on the fly": on_the_fly,
    "layers that show no weight": foreign_layers,
    "a file of scaled fp8": scaled_fp8,
    "a file of int8": int8_file,
    "fp8 weights": lambda: reduced("float8_e4m3fn"),
    "bfloat16 weights": lambda: reduced("bfloat16"),
    "moved by the LoRA": lora_changes,
    **{
        f"the Wan {kind} VAE, {way}, on {'our' if own else 'its own'} module": partial(
            autoencoder, kind, way, own
        )
        for kind in ("2.1", "2.2")
        for way in ("decode", "encode")
        for own in (False, True)
    },
    **{
        f"TAEHV of {channels} channels, {way}": lambda channels=channels, way=way: tiny_autoencoder(
            channels, way
        )
        for channels in (16, 48)
        for way in ("decode", "encode")
    },
}


def main():
    import torch

    with torch.inference_mode():
        print(json.dumps({name: check() for name, check in CHECKS.items()}))


if __name__ == "__main__":
    start(sys.argv[1])
    main()
