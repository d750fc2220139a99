"""Control without a track head: a guide leads the schedule, the network is told nothing of the tracks."""

import pytest
import torch
from core.small import drag, joined, picture, small_networks, stream
from core.test_unled import networks as headless

from motionstream_core.live.session import LiveSession
from motionstream_core.sampling.guided import GuideStrength, LatentGuide, denoise_guided
from motionstream_core.streaming.guided_motion import warp_coverage
from motionstream_core.streaming.stream import controls_of


def run(made, frames=21, session=None, tracks=None, **more):
    words = torch.randn(1, 4, 8, generator=torch.Generator().manual_seed(1))
    return stream(made, picture(), tracks or drag(9), words, frames, 3, None, session, fit="hold", **more)


def moved(tracks, by):
    return type(tracks)(
        tracks.xy + torch.linspace(0, by, tracks.frames)[:, None, None],
        tracks.visible,
        tracks.width,
        tracks.height,
    )


def test_without_a_guide_nothing_changes():
    made = headless()
    assert torch.equal(joined(run(made)), joined(run(made, track_control="none")))
    small = small_networks()
    assert torch.equal(joined(run(small)), joined(run(small, track_control="track head")))


def test_with_the_head_off_the_network_never_sees_the_tracks():
    small = small_networks()
    still, other = (
        run(small, track_control="none"),
        run(small, tracks=moved(drag(9), 6.0), track_control="none"),
    )
    assert torch.equal(joined(still), joined(other))
    seen = []
    small.dit.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0][:, 16:].clone()))
    list(run(small, track_control="guided"))
    assert len(seen) > 4 and seen[0].abs().sum() > 0  # the start image
    assert all(not motion.any() for motion in seen[1:])


@pytest.mark.parametrize("make", [headless, small_networks])
def test_guided_frames_follow_the_tracks_they_are_given(make):
    made = make()
    here, there = (
        joined(run(made, tracks=tracks, track_control="guided")) for tracks in (drag(9), moved(drag(9), 6.0))
    )
    assert torch.equal(here[0], there[0]) and not torch.allclose(here[5:], there[5:], atol=1e-3)


def test_it_makes_as_many_predictions_as_without_a_guide_each_from_the_level_it_is_told():
    guide = LatentGuide(
        torch.ones(1, 2, 1, 2, 2),
        torch.tensor([[1.0, 0.0], [1.0, 0.0]]).view(1, 1, 1, 2, 2),
        GuideStrength(0.5, 0.25),
    )
    told = []

    def predict(x, levels):
        told.append(levels)
        return torch.zeros_like(x)

    made = denoise_guided(predict, lambda: torch.zeros(1, 2, 1, 2, 2), (1.0, 0.8), guide)
    assert [levels[0, 0, 0, 0].tolist() for levels in told] == [
        [0.5, 1.0],
        [pytest.approx(0.4), pytest.approx(0.8)],
    ]
    assert made[0, 0, 0].tolist() == [
        [0.25, 0.0],
        [0.25, 0.0],
    ]  # `keep` of the way back inside, the model's own outside


def test_a_whole_hold_gives_the_guide_and_no_hold_gives_the_prediction():
    guide, x0 = (
        LatentGuide(torch.full((1, 2, 1, 1, 1), 3.0), torch.ones(1, 1, 1, 1, 1)),
        torch.zeros(1, 2, 1, 1, 1),
    )
    assert torch.equal(guide.hold(x0, 1.0), guide.latents) and torch.equal(guide.hold(x0, 0.0), x0)


def test_frames_without_a_visible_track_are_free():
    disoccluded, visible = torch.zeros(8, 1, 8, 8), torch.ones(8, 3, dtype=torch.bool)
    visible[4:] = False
    assert warp_coverage(disoccluded, visible, 8, first=False).flatten().tolist() == [1.0, 0.0]
    assert warp_coverage(disoccluded[:5], visible[:5], 8, first=True).flatten().tolist() == [1.0, 0.0]


def test_a_guided_stream_takes_controls_of_motion_and_goes_back_to_the_same():
    made = headless()
    assert "grab" in controls_of(made, track_control="guided") and "grab" not in controls_of(made)
    session, first, again = LiveSession(takes=controls_of(made, track_control="guided")), {}, {}
    for chunk in run(made, None, session, history_bytes=2**30, track_control="guided"):
        (again if chunk.index in first else first)[chunk.index] = chunk.frames
        if chunk.index == 3:
            session.post({"type": "stop"} if again else {"type": "rewind", "chunk": 2})
    assert set(again) == {2, 3} and all(torch.equal(first[index], again[index]) for index in again)


def test_a_control_that_the_model_lacks_is_named():
    with pytest.raises(ValueError, match="expected one of guided, none for this model, got 'track head'"):
        run(headless(), track_control="track head")
    with pytest.raises(ValueError, match="inside"):
        GuideStrength(inside=0)
