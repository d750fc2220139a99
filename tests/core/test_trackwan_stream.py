"""A stream on a model of TrackWan's kind: grey behind the picture, the mask of what is known, which points
are told, what is seen of the picture.
"""

from dataclasses import replace

import pytest
import torch
from small import SIZE, drag, joined, picture, small_config, stream

from motionstream_core.codec.tiny import CodecConfig, TinyCodec
from motionstream_core.live.controls import ChangeScene
from motionstream_core.model.config import RollingConfig
from motionstream_core.model.dit import WanDiT
from motionstream_core.model.motion import TrackHead
from motionstream_core.model.presets import TRACKWAN_MOTION
from motionstream_core.model.weights.bundle import config_from_dict, config_to_dict
from motionstream_core.model.weights.networks import Networks
from motionstream_core.sampling.joint_guidance import NO_GUIDANCE, Guidance
from motionstream_core.streaming.motion_conditioner import MotionConditioner
from motionstream_core.streaming.pipeline import StreamPipeline
from motionstream_core.streaming.start_image import ENCODED, GREY, StartImage
from motionstream_core.streaming.stream import StreamOptions
from motionstream_core.streaming.told_points import told_points
from motionstream_core.streaming.whole_clip import ClipOptions, make_whole_clip, motion_of_clip
from motionstream_core.tracks.types import TrackChunk

EMBEDS = torch.randn(1, 3, 8, generator=torch.Generator().manual_seed(2))


def config():
    motion = replace(TRACKWAN_MOTION, points=(1, 3))
    sampler = RollingConfig(3, 1, 2, steps=2, shift=6.0)
    made = replace(small_config(), prediction="velocity", in_channels=52, out_channels=16, motion=motion)
    return replace(made, image_dim=8, fps=24.0, sampler=sampler)


@pytest.fixture(scope="module")
def networks():
    torch.manual_seed(0)
    codec = TinyCodec(CodecConfig(encoder=(8, 8, 8), decoder=(8, 8, 8, 8)))
    made = Networks(WanDiT(config()), TrackHead(), codec, None)
    for module in (made.dit, made.track_head, made.codec):
        module.eval().requires_grad_(False)
    for weight in (made.dit.head.head.weight, made.dit.blocks[0].cross_attn.v_img.weight):
        torch.nn.init.normal_(weight, std=0.3)
    for weight in made.codec.parameters():  # so that a picture's past is seen in later latents
        weight.mul_(2)
    return made


def see(picture: torch.Tensor) -> torch.Tensor:
    """Features of a picture: its mean colours in a few places."""
    return picture.reshape(4, -1)[:, :8][None]


def options(frames: int = 25, **more) -> StreamOptions:
    return StreamOptions(frames, see=see, **more)


def image(shift: float = 0.0) -> torch.Tensor:
    return (picture() + shift).clamp(0, 1).permute(2, 0, 1)


def test_the_latents_behind_the_picture_are_those_of_one_clip_that_goes_on_grey(networks):
    start = StartImage(config().motion, networks.codec, image())
    clip = torch.full((1, 25, 3, SIZE, SIZE), GREY)
    clip[:, 0] = image()
    whole = networks.codec.encode(clip)
    made = torch.cat([start.image_at(part) for part in (range(1), range(1, 4), range(4, 7))], dim=2)
    assert torch.allclose(made, whole, atol=1e-5)
    assert whole[:, :, 1:].abs().amax() > 0.05, "grey is not zeros"
    assert start.known_at(range(0, 3))[0, :, :, 0, 0].tolist() == [[1, 0, 0]] * 4
    assert start.known_at(range(3, 6)).abs().sum() == 0


def test_beyond_what_anyone_trained_on_the_last_latent_is_held_and_nothing_is_encoded(networks):
    start = StartImage(config().motion, networks.codec, image())
    last = start.image_at(range(ENCODED - 1, ENCODED))
    asked = start.image_at(range(500, 503))
    assert torch.equal(asked, last.expand_as(asked)) and start._state is None


def conditioner(networks, xy: torch.Tensor, still=None) -> MotionConditioner:
    def source(first: int, count: int) -> TrackChunk:
        visible = torch.ones(count, xy.shape[1], dtype=torch.bool)
        places = xy[torch.arange(first, first + count).clamp(max=len(xy) - 1)]
        return TrackChunk(places, visible, visible, xy[0])

    rng = torch.Generator().manual_seed(1)
    return MotionConditioner(config(), networks.track_head, networks.codec, image(), source, rng, still=still)


def test_a_scene_change_begins_the_clip_anew_and_a_rewind_goes_back_to_the_one_before(networks):
    motion = conditioner(networks, torch.full((1, 2, 2), 9.0))
    parts = config().motion.parts
    for frames in (range(1), range(1, 4)):
        motion.take(frames)
    before = motion.snapshot()
    later = motion.at(range(4, 7))[:, parts["image"]]
    motion.set_reference(image(0.3))
    new = motion.at(range(4, 7))[:, parts["image"]]
    expected = StartImage(config().motion, networks.codec, image(0.3)).image_at(range(1, 4))
    assert torch.allclose(new, expected, atol=1e-6) and not torch.allclose(new, later, atol=1e-3)
    motion.restore(before)
    assert torch.equal(motion.at(range(4, 7))[:, parts["image"]], later)
    first = motion.as_first_frame(motion.at(range(4, 7))[:, :, :1], torch.ones(1, 16, 1, 4, 4))
    assert (first[:, parts["known"]] == 1).all() and (first[:, parts["image"]] == 1).all()


def test_more_points_than_the_model_knows_are_told_in_part_and_one_that_begins_to_move_is_among_them(
    networks,
):
    xy = torch.rand(1, 6, 2, generator=torch.Generator().manual_seed(5)).expand(13, 6, 2).clone() * 30
    still = torch.ones(6, dtype=torch.bool)
    motion = conditioner(networks, xy, still)
    motion.take(range(1))
    assert motion._told.sum() == 3
    late = int((~motion._told).nonzero()[0])
    xy[1:, late] += torch.linspace(0, 6, 12)[:, None]
    motion.take(range(1, 4))
    assert motion._told[late] and motion._told.sum() == 3


def test_points_are_told_spread_over_the_picture_moving_ones_first():
    places = torch.tensor([[0.0, 0], [1, 0], [2, 0], [50, 0], [100, 0], [0, 90], [1, 90], [2, 90]])
    still = torch.tensor([False] * 5 + [True] * 3)
    assert told_points(places, still, 8).all()
    assert told_points(places, still, 4).nonzero().flatten().tolist() == [0, 3, 4, 7]
    assert told_points(places, torch.zeros(8, dtype=torch.bool), 3).sum() == 3


def test_a_stream_from_a_denoised_first_latent_has_the_same_length_and_another_first_frame(networks):
    made = [
        joined(stream(networks, picture(), drag(25), EMBEDS, 25, see=see, first_latent=first))
        for first in ("prefilled", "denoised")
    ]
    assert made[0].shape == made[1].shape == (25, SIZE, SIZE, 3)
    assert (made[0][0] - made[1][0]).abs().max() > 1e-3
    with pytest.raises(ValueError, match="first_latent: expected one of prefilled, denoised"):
        StreamOptions(9, first_latent="none")


def test_what_the_model_sees_changes_the_video_and_changes_with_the_scene_and_back(networks):
    shown = []

    def watching(seen: torch.Tensor) -> torch.Tensor:
        shown.append(seen)
        return see(seen)

    tracks = drag(49)
    made = StreamPipeline(
        networks,
        picture(),
        tracks,
        lambda start, count: (tracks.xy[start : start + count], tracks.visible[start : start + count]),
        EMBEDS,
        replace(options(49), see=watching),
    )
    for _ in range(3):
        made.save_snapshot()
        made.finish(made.begin())
    first = made.text.current
    assert made.apply(ChangeScene()) and len(shown) == 2
    assert not torch.equal(shown[0], shown[1]) and made.text.current is not first
    assert (made.text.current.image[0][1] - first.image[0][1]).abs().max() > 1e-3
    made.finish(made.begin())
    made.rewind_to(1)
    assert made.text.current is first and torch.equal(made.text._seen, see(picture()))
    with pytest.raises(ValueError, match="picture features: expected some for this network, got none"):
        next(stream(networks, picture(), drag(9), EMBEDS, 9))


def test_the_header_holds_the_rules_and_older_headers_are_read():
    again = config_from_dict(config_to_dict(config()))
    assert again == config()
    plain = config_to_dict(small_config())
    assert {"image_dim", "fps"}.isdisjoint(plain)
    assert {"known", "grey", "map", "points"}.isdisjoint(plain["motion"])
    with pytest.raises(ValueError, match="cell: expected one of"):
        told = config_to_dict(config())
        told["motion"]["map"]["cell"] = "nearest"
        config_from_dict(told)


def deeper(networks) -> Networks:
    """One whose cache is larger than its latents, as those of real ones are."""
    torch.manual_seed(1)
    made = replace(networks, dit=WanDiT(replace(config(), num_layers=40)).requires_grad_(False))
    torch.nn.init.normal_(made.dit.head.head.weight, std=0.3)
    return made


def rewound(networks, budget: int, **more) -> tuple[StreamPipeline, torch.Tensor, torch.Tensor]:
    """A chunk made, and made again after a rewind to before it."""
    tracks = drag(97)
    made = StreamPipeline(
        networks,
        picture(),
        tracks,
        lambda start, count: (tracks.xy[start : start + count], tracks.visible[start : start + count]),
        EMBEDS,
        replace(options(97), history_bytes=budget, **more),
    )
    frames = {}
    for _ in range(8):
        made.save_snapshot()
        chunk = made.finish(made.begin())
        frames[chunk.index] = chunk.frames
    made.rewind_to(6)
    assert made.index == 6
    return made, frames[6], made.finish(made.begin()).frames


def test_a_moment_that_the_budget_cannot_hold_keeps_latents_and_motion_and_nothing_is_copied(networks):
    deep = deeper(networks)
    whole, first, again = rewound(deep, 2**30)
    assert torch.equal(first, again) and whole._history[4].sampler.cache is not None
    assert whole._sampler.copied_bytes == whole._history[6].sampler.cache.nbytes
    needed = whole._history[6].sampler.cache.nbytes + whole._decoder_bytes
    small, first, again = rewound(deep, needed - 1)
    kept = small._history[6]
    assert kept.sampler.cache is None and kept.decoder is None
    assert small._history_bytes() <= small.options.history_bytes and len(small._history) > 1
    assert again.shape == first.shape and (again - first).abs().mean() < 0.05


def test_a_guided_stream_is_rewound_without_its_encoder_state_too(networks):
    deep = deeper(networks)
    whole, first, again = rewound(deep, 2**30, track_control="guided")
    assert torch.equal(first, again)
    needed = whole._sampler.copied_bytes + whole._decoder_bytes + whole._history[6].motion.nbytes
    made, first, again = rewound(deep, needed - 1, track_control="guided")
    assert made.index == 7 and again.shape == first.shape and (again - first).abs().mean() < 0.1
    assert not made._history[6].motion.codec.memory


def clip(networks, seed: int = 1, guidance: Guidance | None = None, frames: int = 11, **more):
    options = ClipOptions(frames, seed, 2, guidance or Guidance(), see=see, **more)
    return make_whole_clip(networks, picture(), drag(frames), EMBEDS, options)


def test_a_whole_clip_has_its_frames_and_follows_from_its_seed(networks):
    steps = []
    made = clip(networks, on_step=steps.append)
    assert made.frames.shape == (11, SIZE, SIZE, 3) and made.latents.shape[2] == 4 and steps == [0, 1]
    assert torch.equal(clip(networks).latents, made.latents)
    for other in (clip(networks, seed=2), clip(networks, guidance=NO_GUIDANCE)):
        assert (other.latents - made.latents).abs().max() > 1e-3
    with pytest.raises(ValueError, match="tracks: expected 15 frames"):
        make_whole_clip(networks, picture(), drag(11), EMBEDS, ClipOptions(15, see=see))


def test_no_motion_is_a_map_of_zeros_beside_the_same_picture(networks):
    told, silent = motion_of_clip(networks, picture(), drag(9), ClipOptions(9, see=see))
    parts = config().motion.parts
    assert silent[:, parts["head"]].abs().max() == 0 < told[:, parts["head"]].abs().max()
    for name in ("image", "known"):
        assert torch.equal(told[:, parts[name]], silent[:, parts[name]])
