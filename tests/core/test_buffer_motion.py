"""Tracks on a moving buffer: the same motion source, asked for all frames in work until they leave."""

from dataclasses import replace

import pytest
import torch
from core.test_buffer_stream import SIDE, small_networks

from motionstream_core.live.controls import parse_control
from motionstream_core.live.session import LiveSession
from motionstream_core.model.config import BufferConfig, MotionConfig
from motionstream_core.model.dit import WanDiT
from motionstream_core.model.motion import TrackHead
from motionstream_core.sampling.buffer_sampler import BufferSampler
from motionstream_core.sampling.sampler import FunctionMotion, SamplerRun
from motionstream_core.streaming.options import StreamOptions
from motionstream_core.streaming.stream import controls_of, stream
from motionstream_core.tracks.types import Tracks

MOTION = MotionConfig(id_dim=8, head_channels=4, image_latent=True)
CONFIG = BufferConfig(1, 4, 2)


def moved_networks(config=CONFIG, motion=MOTION):
    """A text-to-video model that is also told of tracks, with weights that all matter."""
    networks = small_networks(config)
    channels = networks.config.latent_channels + motion.channels
    # Every frame in work sees every other one.
    wider = replace(networks.config, in_channels=channels, motion=motion, windows=None)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        dit = WanDiT(wider)
        torch.nn.init.normal_(dit.head.head.weight, std=0.2)
        head = TrackHead(motion.map_channels, motion.head_channels)
        torch.nn.init.normal_(head.conv.weight, std=0.5)
    for module in (dit, head):
        module.eval().requires_grad_(False)
    return replace(networks, dit=dit, track_head=head)


def tracks_of(path):
    xy = torch.tensor(path, dtype=torch.float32)[:, None]
    return Tracks(xy, torch.ones(len(path), 1, dtype=torch.bool), SIDE, SIDE)


PICTURE = torch.full((SIDE, SIDE, 3), 0.4)
REST = [[8.0, 8.0]] * 21
AWAY = [[8.0 + t, 8.0] for t in range(21)]
STEERED = ({"type": "grab", "hand": 0, "handle": 0}, {"type": "move", "hand": 0, "to": [[24, 24]]})


def chunks_of(path, session=None, config=CONFIG, motion=MOTION, **options):
    options = StreamOptions(len(path), 5, fit="hold", **options)
    networks = moved_networks(config, motion)
    return list(stream(networks, PICTURE, tracks_of(path), "red car", options, session))


@pytest.mark.parametrize("motion", [MOTION, replace(MOTION, image_latent=False)], ids=["image", "head"])
def test_a_stream_follows_its_tracks_and_says_where_they_went(motion):
    rest, away = (chunks_of(path, motion=motion) for path in (REST, AWAY))
    assert not any(torch.equal(a.latents, b.latents) for a, b in zip(rest, away))
    assert torch.equal(torch.cat([chunk.xy for chunk in away])[:, 0], torch.tensor(AWAY))
    assert torch.isfinite(torch.cat([chunk.frames for chunk in away])).all()
    again = chunks_of(AWAY, motion=motion)
    assert all(torch.equal(a.latents, b.latents) for a, b in zip(away, again))


def test_tracks_of_frames_that_have_not_entered_yet_change_nothing():
    """The queue holds four latent frames: chunk 0 has seen tracks to frame 12, and none behind it."""
    later = [[8.0, 8.0]] * 13 + [[20.0, 20.0]] * 8
    plain, bent = chunks_of(REST), chunks_of(later)
    same = [torch.equal(a.latents, b.latents) for a, b in zip(plain, bent)]
    assert same[0] and not any(same[1:])


@pytest.mark.parametrize("chunk", [2, 4])
def test_a_live_edit_bends_every_frame_that_has_not_left(chunk):
    script = [(chunk, parse_control(message)) for message in STEERED]
    plain, steered = chunks_of(REST), chunks_of(REST, LiveSession(script=script))
    same = [torch.equal(a.latents, b.latents) for a, b in zip(plain, steered)]
    # The chunk that leaves next was three quarters denoised by then, and is bent all the same.
    assert same == [True] * chunk + [False] * (len(plain) - chunk)
    went = torch.cat([one.xy for one in steered])[:, 0]
    first = 1 + 4 * (chunk - 1)
    assert torch.equal(went[:first], torch.tensor(REST)[:first])
    assert went[first, 0] > 8 and went[-1].tolist() == [24, 24]


def test_a_rewind_brings_tracks_and_frames_in_work_back():
    session = LiveSession()
    options = StreamOptions(len(REST), 5, fit="hold")
    made = []
    for chunk in stream(moved_networks(), PICTURE, tracks_of(REST), "red car", options, session):
        made.append(chunk)
        for message in {2: STEERED, 4: [{"type": "rewind", "chunk": 2}]}.get(len(made), ()):
            session.post(dict(message))
    assert [chunk.index for chunk in made[:6]] == [0, 1, 2, 3, 2, 3]
    plain = chunks_of(REST)
    assert torch.equal(made[4].latents, plain[2].latents) and torch.equal(made[5].xy, plain[3].xy)
    assert not torch.equal(made[2].latents, plain[2].latents)


@pytest.mark.parametrize("start", ["uniform", "grow"])
def test_the_motion_of_a_chunk_is_asked_for_once_and_handed_to_every_step(start):
    config = BufferConfig(2, 3, 2, start=start)
    networks = moved_networks(config)
    channels = networks.config.require_motion.channels
    asked, shown = [], []

    def motion(first, count):
        asked.append((first, count))
        numbers = torch.arange(first, first + count).float()
        return numbers[:, None, None].expand(1, channels, count, 4, 4)

    class Net:
        config = networks.config
        device = torch.device("cpu")

        def __call__(self, x, timestep, text, context):
            shown.append(x[0, -channels:, :, 0, 0].unique(dim=0)[0].tolist())
            return torch.zeros_like(x[:, : networks.config.out_channels])

    run = SamplerRun((1, 4, 4), torch.Generator().manual_seed(0))
    sampler = BufferSampler(config, Net(), motion=FunctionMotion(motion), text=lambda index: None, run=run)
    next(sampler)
    next(sampler)
    assert asked == [(0, 6), (2, 6)]
    assert shown[-2:] == [[2, 3, 4, 5, 6, 7]] * 2
    assert all(frames == list(range(len(frames))) for frames in shown[:-2])


def test_motion_controls_are_taken_where_the_model_is_told_of_tracks():
    with_tracks, words_alone = moved_networks(), small_networks(CONFIG)
    assert {"grab", "camera", "prompt", "rewind"} <= set(controls_of(with_tracks))
    assert "scene" not in controls_of(with_tracks) and "grab" not in controls_of(words_alone)
    assert "grab" not in controls_of(with_tracks, track_control="none")
    with pytest.raises(
        ValueError, match="control: expected one of track head, none for this model, got 'guided'"
    ):
        chunks_of(REST, track_control="guided")
    known = replace(CONFIG, reference_frames=1)
    reference = torch.zeros(1, SIDE, SIDE, 3)
    with pytest.raises(ValueError, match="reference_frames: expected 0 for a model with motion channels"):
        chunks_of(REST, config=known, reference=reference)
