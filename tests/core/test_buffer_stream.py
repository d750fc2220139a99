"""The moving buffer as the sampler of a stream: the same session, decoder and snapshots."""

from dataclasses import replace

import pytest
import torch

from motionstream_core.codec.tiny import CodecConfig, TinyCodec
from motionstream_core.live.controls import SetPrompt
from motionstream_core.live.session import LiveSession
from motionstream_core.model.config import BufferConfig
from motionstream_core.model.dit import WanDiT
from motionstream_core.model.presets import preset
from motionstream_core.model.text import Vocabulary, WordEncoder
from motionstream_core.model.weights.networks import Networks
from motionstream_core.streaming.options import StreamOptions
from motionstream_core.streaming.stream import controls_of, stream
from motionstream_core.tracks.types import Tracks

SIDE = 32
WORDS = ("<pad>", "red", "blue", "car")


def small_networks(config: BufferConfig, seed: int = 3) -> Networks:
    """A text-to-video model of a few numbers, with weights that all matter."""
    sizes = {"dim": 24, "ffn_dim": 32, "num_heads": 2, "num_layers": 2, "freq_dim": 16, "text_len": 4}
    model = replace(preset("cartoon"), **sizes, text_dim=8, windows=((1, 2, 2), (2, 1, 1)), sampler=config)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        dit = WanDiT(model)
        torch.nn.init.normal_(dit.head.head.weight, std=0.2)
        encoder = WordEncoder(8, 4, Vocabulary(WORDS))
        codec = TinyCodec(CodecConfig(encoder=(4, 4, 4), decoder=(4, 4, 4, 4)))
    for module in (dit, encoder, codec):
        module.eval().requires_grad_(False)
    return Networks(dit, None, codec, encoder, running_latents=True)


def no_tracks() -> Tracks:
    point = torch.tensor([[[SIDE / 2, SIDE / 2]]])
    return Tracks(point, torch.zeros(1, 1, dtype=torch.bool), SIDE, SIDE)


def chunks_of(config: BufferConfig, prompt="red car", frames=21, session=None, **options):
    options = StreamOptions(frames, fit="hold", **{"seed": 5, **options})
    return list(
        stream(small_networks(config), torch.zeros(SIDE, SIDE, 3), no_tracks(), prompt, options, session)
    )


@pytest.mark.parametrize(
    "config", [BufferConfig(2, 4, 1), BufferConfig(1, 3, 2), BufferConfig(4, 1, 3)], ids=str
)
def test_a_stream_of_words_alone_has_its_length_and_its_chunks(config):
    made = chunks_of(config)
    video = torch.cat([chunk.frames for chunk in made])
    assert video.shape == (21, SIDE, SIDE, 3) and 0 <= video.min() and video.max() <= 1
    assert torch.isfinite(video).all()
    sizes = [len(chunk.frames) for chunk in made]
    full = 4 * config.chunk_frames
    assert sizes[0] == full - 3 and set(sizes[1:-1]) <= {full}
    assert {chunk.cache_bytes for chunk in made} == {made[0].cache_bytes}


def test_seed_words_and_steps_matter_and_the_same_ones_give_the_same_frames():
    config = BufferConfig(2, 2, 1)
    one, same, seed, words, steps = (
        torch.cat([chunk.frames for chunk in chunks_of(config, **options)])
        for options in ({}, {}, {"seed": 6}, {"prompt": "blue car"}, {"steps": 4})
    )
    assert torch.equal(one, same)
    for other in (seed, words, steps):
        assert not torch.equal(one, other)


def test_guidance_leads_away_from_the_empty_text():
    plain, guided = (
        chunks_of(BufferConfig(2, 2, 1, guidance=scale), frames=9)[-1].latents for scale in (1.0, 3.0)
    )
    assert not torch.allclose(plain, guided)
    empty = chunks_of(BufferConfig(2, 2, 1, guidance=3.0), "", frames=9)[-1].latents
    same = chunks_of(BufferConfig(2, 2, 1), "", frames=9)[-1].latents
    torch.testing.assert_close(empty, same, atol=1e-4, rtol=1e-4)


def test_a_live_prompt_bends_the_frames_in_work_and_a_rewind_brings_them_back():
    config = BufferConfig(1, 4, 1)
    networks = small_networks(config)
    assert "prompt" in controls_of(networks) and "rewind" in controls_of(networks)
    assert not {"scene", "grab", "camera"} & set(controls_of(networks))
    plain = chunks_of(config, frames=33)
    session = LiveSession(script=[(3, SetPrompt("blue car"))])
    steered = chunks_of(config, frames=33, session=session)
    differ = [not torch.equal(a.latents, b.latents) for a, b in zip(plain, steered)]
    assert differ == [False] * 3 + [True] * (len(plain) - 3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": 3}, "steps: expected a multiple of 4 chunks, got 3"),
        (
            {"track_control": "guided"},
            "control: expected none for this model, got 'guided'",
        ),
        ({"track_control": "track head"}, "control: expected none for this model"),
    ],
)
def test_what_a_moving_buffer_cannot_do_is_an_error(options, message):
    with pytest.raises(ValueError, match=message):
        chunks_of(BufferConfig(2, 4, 1), **options)
