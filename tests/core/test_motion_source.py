"""Motion is asked for again until it is released: what a sampler with frames in flight stands on."""

import pytest
import torch
from core.test_condition import CONFIGS, conditioner, parts

from motionstream_core.live.controls import parse_control
from motionstream_core.live.live_tracks import LiveTracks
from motionstream_core.model.presets import PRESETS
from motionstream_core.sampling.guided import GuideStrength
from motionstream_core.streaming.guided_motion import GuidedMotion
from motionstream_core.streaming.motion_source import TrackCursor
from motionstream_core.streaming.null_motion import NullMotion
from motionstream_core.tracks.types import TrackChunk


def source_of(xy, visible):
    def source(start, count):
        seen = visible[start : start + count]
        return TrackChunk(xy[start : start + count], seen, seen, xy[0])

    return source


@pytest.mark.parametrize("name", CONFIGS)
@torch.no_grad()
def test_frames_in_flight_are_told_of_what_frames_taken_once_are(name):
    taken, flying = (conditioner(CONFIGS[name], *parts()) for _ in range(2))
    expected = torch.cat([taken.take(range(*span)) for span in ((0, 1), (1, 2), (2, 3), (3, 4))], dim=2)
    # Three frames in flight, of which one leaves at a time, asked for twice each time.
    for oldest in range(4):
        frames = range(oldest, min(oldest + 3, 4))
        first, again = flying.at(frames), flying.at(frames)
        assert torch.equal(first, again)
        assert torch.allclose(first, expected[:, :, frames.start : frames.stop], atol=1e-5)
        flying.release(oldest + 1)
        assert len(flying.tracks(range(oldest, oldest + 1)).xy) == (1 if oldest == 0 else 4)
    if name == "tiny":
        assert torch.allclose(taken.warped().frames, flying.warped().frames, atol=1e-6)


@torch.no_grad()
def test_a_guide_in_flight_is_the_guide_of_frames_taken_once():
    _, codec, image, xy, visible = parts()
    config = PRESETS["wan2.1-1.3b"]
    made = [GuidedMotion(config, codec, image, source_of(xy, visible), GuideStrength()) for _ in range(2)]
    for oldest in range(3):
        one, both = range(oldest, oldest + 1), range(oldest, oldest + 2)
        assert made[0].at(one) is None and made[1].at(both) is None
        guide, wider = made[0].guide(one), made[1].guide(both)
        assert torch.allclose(guide.latents, wider.latents[:, :, :1], atol=1e-5)
        assert torch.allclose(guide.mask, wider.mask[:, :, :1], atol=1e-5)
        for each in made:
            each.release(one.stop)
    with pytest.raises(ValueError, match="guide: expected the latent frames asked for last"):
        made[0].guide(range(9, 10))


@torch.no_grad()
def test_a_control_bends_every_frame_that_has_not_left():
    xy = torch.tensor([[8.0, 8.0]]).expand(21, 1, 2)
    tracks = LiveTracks(
        lambda start, count: (xy[:count], torch.ones(count, 1, dtype=torch.bool)), 32, 32, 16.0
    )
    cursor = TrackCursor(tracks, 4)
    assert torch.equal(cursor.at(range(0, 3)).xy, xy[:9])
    cursor.release(1)
    for message in (
        {"type": "grab", "hand": 0, "handle": 0},
        {"type": "move", "hand": 0, "to": [[24, 8]]},
    ):
        assert tracks.apply(parse_control(message), lambda places: places)
    bent = cursor.at(range(1, 4)).xy[:, 0, 0]
    assert bent[0] > 8 and bent[-1] == 24 and torch.equal(cursor.at(range(1, 4)).xy[:, 0, 0], bent)
    cursor.release(2)
    assert tracks.state.frame == 5


def test_frames_out_of_order_and_releases_of_nothing_are_refused():
    _, codec, image, xy, visible = parts()
    motion = NullMotion(PRESETS["wan2.1-1.3b"], codec, image, source_of(xy, visible))
    with pytest.raises(ValueError, match="expected latent frames from 0 on, got 2"):
        motion.at(range(2, 3))
    with pytest.raises(ValueError, match="expected frames to be asked for before 1 is released"):
        motion.release(1)
    motion.at(range(0, 2))
    with pytest.raises(ValueError, match="expected a release of 1 to 2, got 3"):
        motion.release(3)
