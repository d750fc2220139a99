"""The motion condition: in pieces as at once, in training as in the stream."""

from dataclasses import replace

import pytest
import torch

from motionstream_core.codec.tiny import CodecConfig, TinyCodec
from motionstream_core.model.motion import TrackHead
from motionstream_core.model.presets import PRESETS
from motionstream_core.streaming.motion_conditioner import MotionConditioner
from motionstream_core.streaming.motion_source import pixel_span
from motionstream_core.streaming.warped_image import forward_warp, warp_condition
from motionstream_core.tracks.types import TrackChunk
from motionstream_core.tracks.warp.forward import ForwardWarp

CONFIGS = {name: PRESETS[name] for name in ("tiny", "tiny-ids")}


def parts():
    torch.manual_seed(0)
    g = torch.Generator().manual_seed(1)
    start = torch.rand(6, 2, generator=g) * 32
    xy = start + torch.arange(13)[:, None, None] * torch.randn(6, 2, generator=g)
    visible = torch.rand(13, 6, generator=g) < 0.85
    visible[0] = True
    return (
        TrackHead(64, 16),
        TinyCodec(CodecConfig(encoder=(8, 8, 12), decoder=(12, 8, 8, 8))).eval(),
        torch.rand(3, 32, 32, generator=g),
        xy,
        visible,
    )


def conditioner(config, head, codec, image, xy, visible):
    def source(start, count):
        seen = visible[start : start + count]
        return TrackChunk(xy[start : start + count], seen, seen, xy[0])

    return MotionConditioner(config, head, codec, image, source, torch.Generator().manual_seed(3))


def test_latent_frames_cover_the_pixel_frames_of_wan():
    assert [pixel_span(*s) for s in ((0, 1), (1, 1), (1, 3), (4, 3), (0, 4))] == [
        (0, 1),
        (1, 4),
        (1, 12),
        (13, 12),
        (0, 13),
    ]


@pytest.mark.parametrize("name", CONFIGS)
@torch.no_grad()
def test_the_condition_in_pieces_equals_the_condition_at_once(name):
    made = parts()
    whole = conditioner(CONFIGS[name], *made).take(range(4))
    pieces = conditioner(CONFIGS[name], *made)
    assert whole.shape == (1, CONFIGS[name].motion.channels, 4, 4, 4)
    torch.testing.assert_close(
        torch.cat([pieces.take(range(0, 1)), pieces.take(range(1, 3)), pieces.take(range(3, 4))], dim=2),
        whole,
        atol=1e-5,
        rtol=0,
    )


@torch.no_grad()
def test_training_builds_the_same_condition_as_the_stream():
    pytest.importorskip("cv2")
    from motionstream_core.training.methods.roles import MotionModel

    head, codec, image, xy, visible = parts()
    streamed = conditioner(CONFIGS["tiny"], head, codec, image, xy, visible)
    student = MotionModel(replace(CONFIGS["tiny"], dim=48, ffn_dim=48, num_heads=2, num_layers=1))
    student.track_head = head
    warp, masks, _ = warp_condition(
        codec, forward_warp(ForwardWarp(image, xy[0]), xy, visible), codec.start_encode()
    )
    batch = {
        "latents": torch.zeros(1, 16, 4, 4, 4),
        "warp": warp,
        "masks": masks,
        "xy": xy[None],
        "visible": visible[None],
    }
    trained = student.motion(batch, torch.Generator().manual_seed(0))
    warped = CONFIGS["tiny"].motion.parts["warp"].start
    torch.testing.assert_close(streamed.take(range(4))[:, warped:], trained[:, warped:], atol=1e-5, rtol=0)
    assert trained[:, :warped].abs().sum() > 0


@torch.no_grad()
def test_the_warp_of_tracks_at_rest_is_the_start_image():
    _, codec, image, xy, visible = parts()
    still = xy[:1].expand(13, -1, -1)
    latent, masks, _ = warp_condition(
        codec,
        forward_warp(ForwardWarp(image, still[0]), still, torch.ones_like(visible)),
        codec.start_encode(),
    )
    torch.testing.assert_close(latent, codec.encode(image.expand(1, 13, -1, -1, -1)), atol=1e-4, rtol=0)
    assert masks[:, ::2].abs().max() == 0  # disoccluded and nearness take turns, frame by frame


def test_chunks_out_of_order_and_models_without_motion_are_refused():
    made = parts()
    stream = conditioner(CONFIGS["tiny"], *made)
    with pytest.raises(ValueError, match="expected latent frames from 0 on, got 3"):
        stream.at(range(3, 4))
    with pytest.raises(ValueError, match="expected a model with a motion condition"):
        conditioner(PRESETS["wan2.1-1.3b"], *made)


@pytest.mark.parametrize("name", CONFIGS)
@torch.no_grad()
def test_the_head_of_a_stream_is_told_of_its_tracks(name):
    config = CONFIGS[name]
    head, codec, image, xy, visible = parts()
    told = conditioner(config, head, codec, image, xy, visible).take(range(0, 1))
    nothing = conditioner(config, head, codec, image, xy, torch.zeros_like(visible)).take(range(0, 1))
    part = config.motion.parts["head"]
    differ = (told - nothing)[:, part].abs().amax(1)[0, 0] > 1e-4
    cells = {(int(y // 8), int(x // 8)) for x, y in xy[0].tolist() if 0 <= x < 32 and 0 <= y < 32}
    assert {tuple(cell) for cell in differ.nonzero().tolist()} == cells
