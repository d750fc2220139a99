"""The Wan autoencoders and the tiny ones in pieces, their files, and what is refused."""

import pytest
import torch
from safetensors.torch import save_file

from motionstream_core.codec.taehv import TAEHV, TaehvCodec, open_taehv
from motionstream_core.codec.wan_layers import WAN_VAES, WanVAE, WanVAEConfig, open_wan_vae
from motionstream_core.codec.wan_vae import WanCodec
from motionstream_core.model.presets import preset
from motionstream_core.training.data.encoders import open_encoder

# Parameters and tensors of the public files.
PUBLIC_VAES = {"wan2.1": (126_892_531, 194), "wan2.2": (704_688_668, 196)}


def filled(module):
    torch.manual_seed(1)
    for name, parameter in module.named_parameters():
        torch.nn.init.normal_(parameter, mean=1.0 if name.endswith("gamma") else 0.0, std=0.08)
    return module.eval().requires_grad_(False)


def codecs() -> dict:
    return {
        "wan2.1": WanCodec(filled(WanVAE(WanVAEConfig(16, 4, 4, blocks=1)))),
        "wan2.2": WanCodec(filled(WanVAE(WanVAEConfig(48, 4, 4, blocks=1, stages=True)))),
        "taew2_1": TaehvCodec(filled(TAEHV(16))),
        "taew2_2": TaehvCodec(filled(TAEHV(48))),
    }


@pytest.mark.parametrize("name", PUBLIC_VAES)
def test_the_autoencoders_have_the_public_size(name):
    with torch.device("meta"):
        state = WanVAE(WAN_VAES[name]).state_dict()
    assert (sum(value.numel() for value in state.values()), len(state)) == PUBLIC_VAES[name]


@pytest.mark.parametrize("name", codecs())
@pytest.mark.parametrize("pieces", [(1, 3, 3), (4, 3), (2, 1, 1, 1, 1, 1)])
def test_pieces_decode_to_the_whole_clip(name, pieces):
    codec = codecs()[name]
    latents = torch.randn(1, codec.latent_channels, 7, 2, 3)
    whole = codec.decode(latents)
    assert (
        whole.shape == (1, 25, 3, 2 * codec.stride, 3 * codec.stride)
        and 0 <= whole.min()
        and whole.max() <= 1
        and whole.std() > 0.01
    )
    state, made = codec.start_decode(), []
    for piece in latents.split(list(pieces), dim=2):
        frames, state = codec.decode_chunk(piece, state)
        made.append(frames)
    assert [part.shape[1] for part in made] == [4 * pieces[0] - 3, *(4 * size for size in pieces[1:])]
    assert (torch.cat(made, dim=1) - whole).abs().max() < 1e-4


@pytest.mark.parametrize("name", codecs())
def test_pieces_encode_to_the_whole_clip(name):
    codec = codecs()[name]
    frames = torch.rand(1, 13, 3, 2 * codec.stride, codec.stride)
    whole = codec.encode(frames)
    assert whole.shape == (1, codec.latent_channels, 4, 2, 1)
    state, made = codec.start_encode(), []
    for piece in frames.split([5, 8], dim=1):
        latents, state = codec.encode_chunk(piece, state)
        made.append(latents)
    assert (torch.cat(made, dim=2) - whole).abs().max() < 1e-4 * max(1.0, float(whole.std()))


@pytest.mark.parametrize("name", codecs())
def test_a_state_can_be_gone_back_to(name):
    codec = codecs()[name]
    latents = torch.randn(1, codec.latent_channels, 3, 2, 2)
    _, state = codec.decode_chunk(latents, codec.start_decode())
    once, _ = codec.decode_chunk(latents, state)
    codec.decode_chunk(latents + 1, state)
    assert torch.equal(codec.decode_chunk(latents, state)[0], once)


def test_how_many_frames_are_decoded_at_once_does_not_matter():
    one, many = (
        WanCodec(filled(WanVAE(WanVAEConfig(16, 4, 4, blocks=1))), frames_at_once=count) for count in (1, 5)
    )
    latents = torch.randn(1, 16, 6, 2, 2)
    assert (one.decode(latents) - many.decode(latents)).abs().max() < 1e-4


def test_lighttae_takes_the_latents_of_the_vae_and_taew_those_of_the_model():
    module = filled(TAEHV(16))
    taew, light = TaehvCodec(module), TaehvCodec(module, vae_latents=True)
    latents = torch.randn(1, 16, 2, 2, 2)
    raw = (
        latents * WanCodec(WanVAE(WanVAEConfig(16, 4, 4))).latent_std
        + WanCodec(WanVAE(WanVAEConfig(16, 4, 4))).latent_mean
    )
    assert torch.allclose(light.decode(latents), taew.decode(raw), atol=1e-6)
    assert not torch.allclose(light.decode(latents), taew.decode(latents), atol=1e-3)


def test_public_files_open_by_their_keys(tmp_path):
    vae, tiny = filled(WanVAE(WanVAEConfig(48, 8, 12, stages=True))), filled(TAEHV(48))
    save_file(vae.state_dict(), tmp_path / "vae.safetensors")
    torch.save({key: value.half() for key, value in tiny.state_dict().items()}, tmp_path / "taew2_2.pth")
    assert torch.equal(open_wan_vae(tmp_path / "vae.safetensors").conv2.weight, vae.conv2.weight)
    opened = open_taehv(tmp_path / "taew2_2.pth")
    assert opened.latent_channels == 48 and opened.decoder[1].weight.dtype == torch.float32


def test_files_of_another_kind_are_refused(tmp_path):
    save_file({"x": torch.zeros(1)}, tmp_path / "x.safetensors")
    with pytest.raises(ValueError, match="expected the keys of a Wan VAE, got 1 keys"):
        open_wan_vae(tmp_path / "x.safetensors")
    with pytest.raises(ValueError, match="x.safetensors: expected the keys of a TAEHV"):
        open_taehv(tmp_path / "x.safetensors")
    (tmp_path / "y.pth").write_bytes(b"nonsense")
    with pytest.raises(ValueError, match="y.pth: expected tensors alone"):
        open_taehv(tmp_path / "y.pth")
    save_file({"decoder.1.weight": torch.zeros(256, 128, 3, 3)}, tmp_path / "ltx.safetensors")
    with pytest.raises(ValueError, match="16 or 48 latent channels .Wan., got 128"):
        open_taehv(tmp_path / "ltx.safetensors")
    state = filled(TAEHV(16)).state_dict()
    save_file(
        {key: value for key, value in state.items() if key != "decoder.22.bias"},
        tmp_path / "short.safetensors",
    )
    with pytest.raises(
        ValueError,
        match="short.safetensors: expected the keys of a TAEHV of 16 channels: missing decoder.22.bias",
    ):
        open_taehv(tmp_path / "short.safetensors")


@pytest.mark.parametrize("name", codecs())
def test_shapes_that_do_not_fit_are_refused(name):
    codec = codecs()[name]
    with pytest.raises(ValueError, match="latent: expected .B, (16|48), t, h, w., got"):
        codec.decode(torch.zeros(1, 4, 1, 2, 2))
    with pytest.raises(ValueError, match="frames: expected .B, 1 . a multiple of 4"):
        codec.encode(torch.zeros(1, 4, 3, 32, 32))
    with pytest.raises(ValueError, match="divisible by"):
        codec.encode(torch.zeros(1, 1, 3, 33, 32))


def test_training_data_of_a_wan_preset_is_encoded_by_the_vae_of_a_file(tmp_path):
    module = filled(WanVAE(WanVAEConfig(16, 4, 4)))
    save_file(module.state_dict(), tmp_path / "vae.safetensors")
    encoder = open_encoder(
        "wan2.1-1.3b-motion", preset("wan2.1-1.3b-motion"), tmp_path / "vae.safetensors", "cpu"
    )
    frames = torch.rand(1, 5, 3, 16, 24, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(encoder.encode(frames), WanCodec(module).encode(frames))
    with pytest.raises(ValueError, match="VAE of 48 channels for wan2.2-5b-motion, got one of 16"):
        open_encoder("wan2.2-5b-motion", preset("wan2.2-5b-motion"), tmp_path / "vae.safetensors", "cpu")
    with pytest.raises(ValueError, match="expected --codec FILE"):
        open_encoder("wan2.1-1.3b-motion", preset("wan2.1-1.3b-motion"), None, "cpu")
