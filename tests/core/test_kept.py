"""What a run keeps of its chunks: the newest within a budget, and a file of all of them."""

import pytest
import torch

from motionstream_core.codec.video import read_video
from motionstream_core.streaming.recorder import StreamRecorder
from motionstream_core.streaming.stream import Chunk

SIZE = 16


def chunk(index: int, points: int = 2, frames: int | None = None) -> Chunk:
    count = frames or (1 if index == 0 else 8)
    start = 0 if index == 0 else 1 + 8 * (index - 1)
    level = torch.full((count, SIZE, SIZE, 3), 0.1 * index)
    xy = torch.full((count, points, 2), float(index)) + torch.arange(points)[:, None]
    latents = torch.full((1, 4, 1 if index == 0 else 2, 2, 2), float(index))
    return Chunk(
        index, start, level, latents, {}, 0.0, 0.0, 0, xy, torch.ones(count, points, dtype=torch.bool)
    )


def keep(chunks, budget=2**30, path=None):
    with StreamRecorder(16.0, 4, budget, path) as kept:
        for each in chunks:
            kept.add(each)
        return kept.take(SIZE, SIZE), kept


def test_everything_is_returned_while_there_is_room():
    made, _ = keep([chunk(0), chunk(1), chunk(2, frames=5)])
    assert made.first_frame == 0 and len(made.frames) == 1 + 8 + 5
    assert made.latents[0, 0, :, 0, 0].tolist() == [0.0, 1.0, 1.0, 2.0, 2.0]
    assert made.tracks.frames == 14 and made.tracks.fps == 16.0


def test_latents_that_no_frame_needs_are_cut():
    made, _ = keep([chunk(0), chunk(1, frames=3)])
    assert made.latents.shape[2] == 2


def test_beyond_the_budget_the_oldest_chunks_go():
    budget = 2 * (8 * SIZE * SIZE * 3 * 4) + 4000
    with StreamRecorder(16.0, 4, budget) as kept:
        for index in range(20):
            kept.add(chunk(index))
            assert kept.nbytes <= budget
    made = kept.take(SIZE, SIZE)
    assert len(made.frames) == 16 and made.first_frame == 1 + 8 * 17
    assert made.latents[0, 0, :, 0, 0].tolist() == [18.0, 18.0, 19.0, 19.0]


def test_at_least_the_newest_chunk_is_kept():
    made, _ = keep([chunk(0), chunk(1), chunk(2)], budget=1)
    assert made.first_frame == 9 and len(made.frames) == 8


def test_a_chunk_that_comes_again_replaces_what_was_made_from_it_on():
    made, _ = keep([chunk(0), chunk(1), chunk(2), chunk(3), chunk(2), chunk(3)])
    assert len(made.frames) == 1 + 3 * 8


def test_a_point_added_live_is_hidden_before():
    made, _ = keep([chunk(0), chunk(1), chunk(2, points=3)])
    assert made.tracks.visible[:, 2].tolist() == [False] * 9 + [True] * 8
    assert made.tracks.xy[0, 2].tolist() == made.tracks.xy[9, 2].tolist() == [4.0, 4.0]


def test_the_file_gets_what_was_kept_in_the_end_and_nothing_that_was_undone(tmp_path):
    path = tmp_path / "run.mp4"
    made, _ = keep([chunk(0), chunk(1), chunk(2), chunk(3), chunk(2, frames=6)], path=path)
    frames, fps = read_video(path)
    assert (len(frames), fps) == (1 + 8 + 6, 16.0)
    assert (frames - made.frames).abs().mean() < 0.02


def test_a_run_that_breaks_leaves_a_file_with_all_it_made(tmp_path):
    path = tmp_path / "run.mp4"
    with pytest.raises(RuntimeError, match="broken"), StreamRecorder(16.0, 4, 1, path) as kept:
        for index in range(4):
            kept.add(chunk(index))
        raise RuntimeError("broken")
    assert len(read_video(path)[0]) == 1 + 3 * 8
