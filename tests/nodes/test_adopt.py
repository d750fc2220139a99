"""What a stream needs of a MODEL and a VAE, ours or a host's, seen through stand-ins for the host's objects
with real networks inside.
"""

from types import SimpleNamespace

import pytest
import torch


@pytest.fixture(scope="module")
def adopt(pack):
    return pack("nodes._adopt")


@pytest.fixture(scope="module")
def networks(pack):
    return pack("motionstream_core.model.weights.networks").untrained_networks("tiny")


@pytest.fixture(scope="module")
def vae(pack, networks):
    return pack("nodes._types").StreamVAE(
        networks.codec, "patcher", lambda patcher: None, torch.device("cpu")
    )


class WanModel(torch.nn.Module):
    """A host's module: Wan's layers with their sizes as attributes."""

    def __init__(self, net, **more):
        super().__init__()
        for name, child in net.named_children():
            setattr(self, name, child)
        config = net.config
        self.in_dim, self.out_dim, self.patch_size = (
            config.in_channels,
            config.out_channels,
            list(config.patch),
        )
        for name in ("dim", "ffn_dim", "num_heads", "num_layers", "text_dim", "text_len", "freq_dim", "eps"):
            setattr(self, name, getattr(config, name))
        for name, value in more.items():
            setattr(self, name, value)


class CausalWanModel(WanModel):
    pass


def hosted(pack, kind=WanModel, attachments=None, options=None, patches=None, **more):
    """A MODEL as a host hands it on."""
    presets, dit = pack("motionstream_core.model.presets"), pack("motionstream_core.model.dit")
    from dataclasses import replace

    config = replace(
        presets.PRESETS["wan2.1-1.3b"],
        dim=24,
        ffn_dim=32,
        num_heads=2,
        num_layers=1,
        text_dim=8,
        text_len=4,
        freq_dim=8,
    )
    torch.manual_seed(0)
    inner = torch.nn.Module()
    inner.diffusion_model = kind(dit.WanDiT(config), **more)
    inner.get_dtype = lambda: torch.float32
    inner.manual_cast_dtype = None
    made = SimpleNamespace(
        model=inner,
        attachments=attachments or {},
        model_options=options or {},
        patches=patches or {},
        object_patches={},
        cached_patcher_init=None,
        load_device=torch.device("cpu"),
    )
    made.get_model_object = lambda name: (
        made.object_patches[name] if name in made.object_patches else getattr(inner, name)
    )
    return made


def test_our_own_model_brings_its_network_and_its_head(pack, adopt, networks):
    mine = SimpleNamespace(model=pack("nodes._types").StreamModel(networks))
    parts = adopt.model_in(mine)
    assert (
        parts.dit is networks.dit
        and parts.track_head is networks.track_head
        and parts.dit.config.motion is not None
    )


@pytest.mark.parametrize(
    ("other", "name"),
    [(SimpleNamespace(model=torch.nn.Linear(1, 1)), "Linear"), (3, "int"), (None, "NoneType")],
)
def test_a_model_of_another_kind_is_named_and_refused(adopt, other, name):
    with pytest.raises(ValueError, match=f"Load MotionStream or a causal Wan checkpoint, got {name}"):
        adopt.config_in(other)


@pytest.mark.parametrize(
    ("kind", "words"),
    [(WanModel, "nothing says that it is causal"), (CausalWanModel, "not for which chunk and noise levels")],
)
def test_a_wan_that_does_not_say_what_it_is_is_refused(pack, adopt, kind, words):
    with pytest.raises(ValueError, match=words):
        adopt.config_in(hosted(pack, kind))


def test_a_stated_wan_streams_with_its_presets_chunk_and_noise_levels(pack, adopt):
    model = hosted(pack)
    model.attachments[adopt.STATEMENT] = adopt.stated_config(model, "causvid")
    parts = adopt.model_in(model)
    assert parts.dit.config.rolling.cache_shape.label == "c3s3w15" and parts.dit.config.rolling.timesteps == (
        1000.0,
        757.0,
        522.0,
    )
    assert (parts.dit.config.dim, parts.dit.config.text_dim, parts.dit.config.motion, parts.track_head) == (
        24,
        8,
        None,
        None,
    )


def test_a_shift_set_by_a_node_of_the_host_counts(pack, adopt):
    model = hosted(pack)
    model.attachments[adopt.STATEMENT] = adopt.stated_config(model, "causvid")
    model.object_patches["model_sampling"] = SimpleNamespace(shift=3.0)
    config = adopt.config_in(model)
    assert config.rolling.shift == 3.0 and config.rolling.sigmas is None and config.rolling.timesteps is None


def test_an_unknown_preset_and_our_own_model_take_no_statement(pack, adopt, networks):
    with pytest.raises(ValueError, match="preset: expected one of self-forcing"):
        adopt.stated_config(hosted(pack), "huge")
    with pytest.raises(ValueError, match="the file says nothing"):
        adopt.stated_config(hosted(pack), None)
    with pytest.raises(ValueError, match="expected one of the host's loaders"):
        adopt.stated_config(SimpleNamespace(model=pack("nodes._types").StreamModel(networks)), "causvid")


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"vace_blocks": torch.nn.ModuleList()}, "a variant with vace_blocks"),
        (
            {"in_dim": 36},
            r"expected 16 input channels, 16 of them the latent, got 36 \(an image-to-video or control Wan",
        ),
        ({"out_dim": 48}, "expected a latent of 16 channels, as stated, got one of 48"),
    ],
)
def test_a_wan_that_cannot_be_what_is_stated_is_refused(pack, adopt, more, words):
    with pytest.raises(ValueError, match=words):
        adopt.stated_config(hosted(pack, **more), "self-forcing")


def test_guidance_and_a_lora_of_another_size_are_refused(pack, adopt):
    model = hosted(pack, options={"sampler_cfg_function": print})
    model.attachments[adopt.STATEMENT] = adopt.stated_config(model, "self-forcing")
    with pytest.raises(ValueError, match="CFG 1 alone, got one with sampler_cfg_function"):
        adopt.model_in(model)
    model.model_options.clear()
    key = "diffusion_model.blocks.0.self_attn.q.weight"
    for rows, fits in ((24, True), (30, False)):
        lora = SimpleNamespace(
            name="lora", weights=(torch.zeros(rows, 2), torch.zeros(2, 24), None, None, None, None)
        )
        model.patches = {key: [(1.0, lora, 1.0, None, None)]}
        if fits:
            adopt.model_in(model)
            continue
        with pytest.raises(ValueError, match=rf"got one of 30 x 24 for {key} of \(24, 24\)"):
            adopt.model_in(model)


def test_a_vae_of_another_kind_or_size_is_named_and_refused(pack, adopt, networks, vae):
    assert adopt.codec_in(vae, networks.config).codec is networks.codec
    layers = pack("motionstream_core.codec.wan_layers")
    patcher = SimpleNamespace(load_device=torch.device("cpu"))

    def of(module):
        return SimpleNamespace(first_stage_model=module, vae_dtype=torch.float32, patcher=patcher)

    wan21, wan22 = (
        of(layers.WanVAE(layers.WanVAEConfig(channels, 4, 4, blocks=1, stages=channels == 48)))
        for channels in (16, 48)
    )
    presets = pack("motionstream_core.model.presets").PRESETS
    assert (
        adopt.codec_in(wan21, presets["wan2.1-1.3b"]).codec.stride == 8
        and adopt.codec_in(wan22, presets["wan2.2-5b"]).codec.stride == 16
    )
    with pytest.raises(
        ValueError,
        match=(
            "expected one with 48 latent channels and a stride of 16 for this model, got one with 16 "
            "latent channels and a stride of 8"
        ),
    ):
        adopt.codec_in(wan21, presets["wan2.2-5b"])
    with pytest.raises(
        ValueError, match="expected a Wan VAE, a TAEHV, or the VAE of Load MotionStream, got Linear"
    ):
        adopt.codec_in(of(torch.nn.Linear(1, 1)), presets["wan2.2-5b"])
    with pytest.raises(ValueError, match="got int"):
        adopt.codec_in(3, presets["wan2.2-5b"])


def test_one_vae_may_encode_and_another_decode(pack, adopt):
    layers, taehv = pack("motionstream_core.codec.wan_layers"), pack("motionstream_core.codec.taehv")
    patcher = SimpleNamespace(load_device=torch.device("cpu"))
    torch.manual_seed(0)
    module = layers.WanVAE(layers.WanVAEConfig(16, 4, 4, blocks=1)).requires_grad_(False)
    wan = SimpleNamespace(first_stage_model=module, vae_dtype=torch.float32, patcher=patcher)
    codec = taehv.TaehvCodec(taehv.TAEHV(16).requires_grad_(False))
    tiny = pack("nodes._types").StreamVAE(
        codec,
        "tiny",
        lambda patcher: None,
        torch.device("cpu"),
        (torch.zeros(1, 16, 1, 1, 1), torch.ones(1, 16, 1, 1, 1)),
    )
    parts = adopt.codec_in(tiny, pack("motionstream_core.model.presets").PRESETS["wan2.1-1.3b"], wan)
    frames = torch.rand(1, 1, 3, 16, 16)
    latents = parts.codec.encode(frames)
    assert torch.equal(
        latents,
        adopt.codec_in(wan, pack("motionstream_core.model.presets").PRESETS["wan2.1-1.3b"]).codec.encode(
            frames
        ),
    )
    assert torch.equal(parts.codec.decode(latents), codec.decode(latents)) and parts.patchers == (
        "tiny",
        patcher,
    )
    assert tiny.decode(latents).shape == (1, 1, 16, 16, 3)


def test_a_claim_that_only_a_person_makes_is_doubted_in_words(pack, adopt):
    model = hosted(pack)
    model.attachments[adopt.STATEMENT] = adopt.stated_config(model, "self-forcing")
    assert (
        "An ordinary (bidirectional) Wan has weights of the same names and sizes"
        in adopt.model_in(model).doubt
    )
    flagged = hosted(pack, CausalWanModel)
    flagged.attachments[adopt.STATEMENT] = adopt.stated_config(flagged, "self-forcing")
    assert adopt.model_in(flagged).doubt is None


def test_a_lora_on_a_layer_that_keeps_its_weight_in_a_form_of_its_own_is_left_to_its_owner(pack, adopt):
    model = hosted(pack)
    model.model.diffusion_model.blocks[0].self_attn.q = torch.nn.Identity()
    model.attachments[adopt.STATEMENT] = adopt.stated_config(model, "self-forcing")
    key = "diffusion_model.blocks.0.self_attn.q.weight"
    model.patches = {
        key: [
            (
                1.0,
                SimpleNamespace(
                    name="lora", weights=(torch.zeros(30, 2), torch.zeros(2, 24), None, None, None, None)
                ),
                1.0,
                None,
                None,
            )
        ]
    }
    assert adopt.model_in(model).dit is not None
