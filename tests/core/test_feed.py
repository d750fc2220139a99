"""A stream that is driven by a video tracked while it runs. Small untrained networks on the CPU; the tracker
reads brightness.
"""

from itertools import count as endlessly
from itertools import islice

import numpy as np
import pytest
import torch
from core.small import SIZE, joined, picture, stream

from motionstream_core.live.session import LiveSession
from motionstream_core.live.track_stream import TrackStream, TrackStreamReader
from motionstream_core.tracks.types import Tracks
from motionstream_core.tracks.video.live_video import frames_at_rate, open_live_tracks, place_seeds
from motionstream_core.tracks.video.retarget import Seeds, seeds_for

POINTS = np.array([[8.0, 10.0], [20.0, 12.0]], np.float32)


class Bright:
    """Every point goes as many pixels right as the picture is bright."""

    def follow(self, frames, points):
        for frame in frames:
            yield points + np.array([frame[0, 0, 0], 0], np.float32), np.ones(len(points), bool)


class Video:
    """Pictures of brightness 0, 1, 2 … 9, 0, 1 …; counts what is read."""

    def __init__(self, frames=None, rate=16.0):
        self.frames, self.rate, self.read, self.opened = frames, rate, 0, 0

    def __call__(self):
        self.opened += 1
        for number in endlessly() if self.frames is None else range(self.frames):
            self.read += 1
            yield np.full((SIZE, SIZE, 3), number % 10, np.uint8), number / self.rate


def feed_of(video: Video, at_end: str = "loop", fps: float = 16.0) -> TrackStream:
    found = open_live_tracks(video, Bright, lambda width, height: Seeds(POINTS), SIZE, SIZE, fps)
    return TrackStream(found.first, found.static, found.open, at_end)


def run(networks, feed, frames, **options):
    return stream(networks, picture(), feed, "", frames, seed=3, **options)


def test_the_first_frames_come_out_before_the_source_has_been_read(networks):
    video = Video()
    made = run(networks, feed_of(video), None)
    first = next(made)
    assert first.frames.shape[0] == 1 and video.read <= 4
    for index, chunk in enumerate(islice(made, 3), 1):
        assert chunk.index == index and video.read <= 4 + chunk.start + len(chunk.frames) + 1
    assert torch.equal(
        chunk.xy[-1, :, 0], torch.tensor(POINTS[:, 0]) + (chunk.start + len(chunk.frames) - 1) % 10
    )


def test_it_is_the_stream_that_tracks_found_beforehand_would_make(networks):
    live = joined(run(networks, feed_of(Video()), 25))
    way = torch.arange(25).float()[:, None] % 10
    xy = torch.stack(
        [torch.from_numpy(POINTS[:, 0]) + way, torch.from_numpy(POINTS[:, 1]).expand(25, -1)], -1
    )
    before = joined(stream(networks, picture(), Tracks(xy, torch.ones(25, 2), SIZE, SIZE), "", 25, seed=3))
    assert torch.equal(live, before)


def test_a_source_that_ends_ends_the_stream_with_its_last_frame(networks):
    for length in (1, 2, 8, 9, 10, 14):
        made = joined(run(networks, feed_of(Video(length), "end"), None))
        assert len(made) == length
    assert len(joined(run(networks, feed_of(Video(14), "end"), 5))) == 5


def test_a_source_that_ends_is_begun_anew_or_rests():
    for at_end, expected in (("loop", [0, 1, 2, 0, 1, 2, 0]), ("hold", [0, 1, 2, 2, 2, 2, 2])):
        xy, _ = feed_of(Video(3), at_end).source()(0, 7)
        assert (xy[:, 0, 0] - 8).tolist() == expected
    single = Video(1)
    xy, _ = feed_of(single, "loop").source()(0, 50)
    assert (xy == xy[:1]).all() and single.opened <= 3


def test_a_rewind_finds_what_was_tracked_before(networks):
    video, session, seen = Video(), LiveSession(), []
    for chunk in run(networks, feed_of(video), None, control=session):
        seen.append(chunk)
        if len(seen) == 4:
            session.post({"type": "rewind", "chunk": 2})
        if len(seen) == 7:
            session.post({"type": "stop"})
    assert [chunk.index for chunk in seen] == [0, 1, 2, 3, 2, 3, 4] and video.opened == 2
    assert torch.equal(seen[2].frames, seen[4].frames) and torch.equal(seen[3].xy, seen[5].xy)


def test_what_is_remembered_is_bounded_and_what_is_forgotten_is_tracked_again():
    video = Video()
    source = TrackStreamReader(feed_of(video), memory=64 * 9 * 2)
    for start in range(0, 4000, 8):
        source(start, 8)
    assert len(source._frames) == 64 and video.opened == 2
    assert (source(5, 3)[0][:, 0, 0] - 8).tolist() == [5, 6, 7] and video.opened == 3


def test_a_source_of_another_rate_is_read_at_the_streams():
    def numbers(rate, fps, frames):
        return [int(shot[0][0, 0, 0]) for shot in frames_at_rate(Video(frames, rate)(), fps)]

    assert numbers(32.0, 16.0, 9) == [0, 2, 4, 6, 8]
    assert numbers(8.0, 16.0, 4) == [0, 0, 1, 1, 2, 2, 3]
    assert numbers(16.0, 16.0, 5) == [0, 1, 2, 3, 4] and numbers(16.0, 16.0, 1) == [0]


def test_the_subject_goes_to_the_target_and_the_ground_rests():
    mask, target = np.zeros((48, 96)), np.zeros((64, 64))
    mask[10:30, 20:50], target[8:28, 30:60] = 1, 1
    seeds = seeds_for(96, 48, 24, 12, mask=mask, only_subject=True)
    place = place_seeds(seeds, (96, 48), 64, 64, target)
    xy, visible = place(seeds.xy.astype(np.float32), np.ones(len(seeds.xy), bool))
    moved, _ = place(
        seeds.xy.astype(np.float32) + np.array([3.0, 0.0], np.float32), np.ones(len(seeds.xy), bool)
    )
    on = (xy[:, 0] > 29.4) & (xy[:, 0] < 59.6) & (xy[:, 1] > 7.4) & (xy[:, 1] < 27.6)
    way = (moved - xy)[:, 0]
    assert (
        visible.all()
        and on.sum() == place.kept.sum() > 30
        and torch.allclose(way[on], torch.tensor(3.0), atol=0.01)
        and (way[~on] == 0).all()
        and (~on).sum() > 100
    )


def test_bad_feeds_are_named():
    with pytest.raises(ValueError, match="at least one frame"):
        open_live_tracks(Video(0), Bright, lambda width, height: Seeds(POINTS), SIZE, SIZE, 16.0)
    feed = feed_of(Video())
    with pytest.raises(ValueError, match="at_end"):
        TrackStream(feed.first, feed.static, feed.open, "again")
    with pytest.raises(ValueError, match="static"):
        TrackStream(feed.first, feed.static[:1], feed.open)
    with pytest.raises(ValueError, match="expected 2 points in every frame"):
        TrackStream(feed.first, feed.static, lambda: iter([(torch.zeros(3, 2), torch.ones(3))])).source()(
            0, 1
        )
