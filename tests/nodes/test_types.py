"""What the nodes accept: pictures of any size, the right MODEL, VAE and CONDITIONING, and clear words for the
wrong ones.
"""

from types import SimpleNamespace

import pytest
import torch


@pytest.fixture(scope="module")
def types(pack):
    return pack("nodes._types")


@pytest.fixture(scope="module")
def pictures(pack):
    return pack("motionstream_core.common.pictures")


@pytest.fixture(scope="module")
def networks(pack):
    return pack("motionstream_core.model.weights.networks").untrained_networks("tiny")


@pytest.fixture(scope="module")
def vae(types, networks):
    loaded = []
    made = types.StreamVAE(networks.codec, "patcher", loaded.append, torch.device("cpu"))
    made.loaded = loaded
    return made


@pytest.mark.parametrize(("width", "height"), [(300, 200), (200, 300), (64, 32), (17, 500), (20, 20)])
def test_a_picture_covers_the_size_and_its_middle_is_kept(pictures, width, height):
    image = torch.zeros(1, height, width, 3)
    image[..., 0] = torch.linspace(0, 1, width)[None, None, :]
    image[..., 1] = torch.linspace(0, 1, height)[None, :, None]
    made = pictures.cover(image, 64, 32)
    assert made.shape == (1, 32, 64, 3)
    assert made[0, :, :, :2].mean((0, 1)).tolist() == pytest.approx([0.5, 0.5], abs=0.02)
    spread = made[0].amax((0, 1)) - made[0].amin((0, 1))
    scale = max(64 / width, 32 / height)
    assert spread[0].item() == pytest.approx(64 / scale / width, abs=0.08)
    assert spread[1].item() == pytest.approx(32 / scale / height, abs=0.08)


def test_a_picture_of_the_right_size_is_not_touched(pictures):
    image = torch.rand(1, 32, 64, 3)
    assert torch.equal(pictures.cover(image, 64, 32), image)


def test_a_prompt_becomes_one_conditioning_as_the_host_encodes_it(types, networks):
    clip = types.WordClip(networks.text_encoder)
    conditioning = clip.clone().encode_from_tokens_scheduled(clip.tokenize("a red ball moves right"))
    assert len(conditioning) == 1 and conditioning[0][1]["pooled_output"] is None
    assert torch.equal(
        types.text_embeds(conditioning, networks.config),
        networks.text_encoder.encode("a red ball moves right"),
    )


def test_the_text_of_a_conditioning_is_known_until_a_node_changes_its_embeddings(types, networks):
    clip = types.WordClip(networks.text_encoder)
    ((embeds, about),) = clip.encode_from_tokens_scheduled(clip.tokenize("a red ball"))
    assert types.text_of([[embeds, about]]) == "a red ball"
    assert types.text_of([[embeds * 0.5, about.copy()]]) is None
    assert types.text_of([[embeds, {"pooled_output": None}]]) is None


def test_words_outside_the_vocabulary_are_named_in_a_warning_and_are_no_error(types, networks, caplog):
    types.WordClip(networks.text_encoder).tokenize("red zorgle zorgle ball flumph")
    assert "zorgle, flumph" in caplog.text


@pytest.mark.parametrize(
    ("conditioning", "message"),
    [
        ([[torch.zeros(1, 77, 768), {}]], r"width 64.*\(1, 77, 768\)"),
        ([[torch.zeros(1, 17, 64), {}]], "at most 16 tokens, got 17"),
        ([[torch.zeros(1, 16, 64), {}]] * 2, "one text encoding, got 2 entries"),
        ([], "got 0 entries"),
        (None, "got NoneType"),
    ],
)
def test_a_conditioning_of_another_model_is_refused(types, networks, conditioning, message):
    with pytest.raises(ValueError, match=message):
        types.text_embeds(conditioning, networks.config)


def test_a_vae_of_another_kind_is_named_and_refused(types, networks, vae):
    assert types.stream_vae(vae, networks.config) is vae
    with pytest.raises(ValueError, match="Load MotionStream, got Linear"):
        types.stream_vae(SimpleNamespace(first_stage_model=torch.nn.Linear(1, 1)), networks.config)


def test_the_hosts_samplers_are_answered_with_the_sampler_to_use(types, networks):
    with pytest.raises(ValueError, match="Streaming Sampler"):
        types.StreamModel(networks).latent_format  # noqa: B018


def test_lora_keys_are_found_under_the_names_the_host_looks_for(types, networks):
    assert "diffusion_model.blocks.0.self_attn.q.weight" in types.StreamModel(networks).state_dict()


def test_the_vae_encodes_and_decodes_clips_and_cuts_what_the_stride_does_not_take(types, vae):
    latents = vae.encode(torch.rand(7, 37, 50, 3))
    assert latents.shape == (1, 16, 2, 4, 6)
    assert vae.decode(latents).shape == (1, 5, 32, 48, 3)
    assert torch.equal(vae.decode(latents), vae.decode_tiled(latents, tile_x=64, overlap=0))
    assert set(vae.loaded) == {"patcher"}


@pytest.mark.parametrize("latents", [torch.zeros(1, 4, 8, 8), torch.zeros(1, 4, 1, 8, 8)])
def test_latents_of_another_model_are_refused(vae, latents):
    with pytest.raises(ValueError, match=r"expected \(B, 16, t, h, w\), got \(1, 4"):
        vae.decode(latents)


def test_a_picture_smaller_than_the_stride_is_refused(vae):
    with pytest.raises(ValueError, match="at least 8x8, got 20x4"):
        vae.encode(torch.rand(1, 4, 20, 3))
