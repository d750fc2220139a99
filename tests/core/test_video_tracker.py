"""The default tracker on small pictures under known motion."""

import numpy as np
import pytest

cv2 = pytest.importorskip("cv2")

from motionstream_core.tracks.camera.moves import regular_grid  # noqa: E402
from motionstream_core.tracks.video.patch_tracker import FlowTracker, track_video  # noqa: E402

WIDTH, HEIGHT, FRAMES = 160, 112, 16


def texture(seed: int, width: int = 320, height: int = 240) -> np.ndarray:
    """A picture with detail of many sizes."""
    rng, out = np.random.default_rng(seed), np.zeros((height, width, 3), np.float32)
    for cells in (6, 12, 24, 48):
        coarse = rng.random((cells * height // width + 2, cells + 2, 3)).astype(np.float32)
        out += cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC) / cells**0.5
    return ((out - out.min()) / (out.max() - out.min()) * 255).astype(np.uint8)


def camera(t: int) -> np.ndarray:
    """Picture to frame t: a drift, a turn and a zoom."""
    turn = cv2.getRotationMatrix2D((160, 120), 0.4 * t, 1 + 0.004 * t)
    turn[:, 2] += [-80 + 1.3 * t, -64 - 0.7 * t]
    return np.vstack([turn, [0, 0, 1]])


def camera_clip(seed: int = 0, noise: float = 2.0) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """Frames, a grid of points, and where they are in every frame."""
    picture, rng = texture(seed), np.random.default_rng(seed)
    frames = [
        cv2.warpAffine(picture, camera(t)[:2], (WIDTH, HEIGHT)).astype(np.float32)
        + rng.normal(0, noise, (HEIGHT, WIDTH, 3))
        for t in range(FRAMES)
    ]
    grid = regular_grid(WIDTH, HEIGHT, 10, 7).astype(np.float32)
    ways = [camera(t) @ np.linalg.inv(camera(0)) for t in range(FRAMES)]
    return (
        [f.clip(0, 255).astype(np.uint8) for f in frames],
        grid,
        np.stack([grid @ way[:2, :2].T + way[:2, 2] for way in ways]),
    )


def follow(frames, grid):
    tracks = track_video(frames, lambda width, height: grid, 16.0)
    return tracks.xy.numpy(), tracks.visible.numpy()


def test_points_under_a_moving_camera_are_found_to_a_fraction_of_a_pixel():
    frames, grid, truth = camera_clip()
    xy, visible = follow(frames, grid)
    inside = ((truth >= 3) & (truth <= [WIDTH - 4, HEIGHT - 4])).all(-1)
    error = np.linalg.norm(xy - truth, axis=-1)
    assert visible[inside].mean() > 0.9 and error[visible & inside].mean() < 0.4


def test_a_point_hidden_by_a_passing_object_is_said_to_be_and_found_again():
    picture, bar = texture(1)[:HEIGHT, :WIDTH], texture(2)[:HEIGHT, :24]
    frames = []
    for t in range(40):
        frame, left = picture.copy(), -24 + 6 * t
        x0, x1 = max(0, left), min(WIDTH, left + 24)
        if x1 > x0:
            frame[:, x0:x1] = bar[:, x0 - left : x1 - left]
        frames.append(frame)
    grid = np.array(
        [[80.0, 56.0], [84.0, 30.0], [76.0, 80.0], [30.0, 50.0], [140.0, 60.0], [110.0, 20.0]], np.float32
    )
    xy, visible = follow(
        frames, np.concatenate([grid, regular_grid(WIDTH, HEIGHT, 10, 7).astype(np.float32)])
    )
    covered = np.array([[-24 + 6 * t + 4 < x < -24 + 6 * t + 20 for x, _ in grid] for t in range(40)])
    assert visible[:, :6][covered].mean() < 0.1
    assert (
        visible[-1, :6].mean() > 0.6 and np.linalg.norm(xy[-1, :6] - grid, axis=-1)[visible[-1, :6]].max() < 1
    )


def test_after_a_cut_nothing_is_visible_and_the_cut_is_named():
    frames = [texture(3)[:HEIGHT, :WIDTH]] * 4 + [255 - texture(9)[:HEIGHT, :WIDTH] // 2] * 4
    tracker = FlowTracker()
    tracks = track_video(frames, lambda width, height: regular_grid(width, height, 6, 4), 16.0, tracker)
    assert tracker.cuts == [4] and tracks.visible[:4].all() and not tracks.visible[4:].any()


def test_a_still_and_a_black_video_stay_where_they_are():
    for frame in (texture(4)[:HEIGHT, :WIDTH], np.zeros((HEIGHT, WIDTH, 3), np.uint8)):
        xy, visible = follow([frame] * 5, regular_grid(WIDTH, HEIGHT, 5, 4).astype(np.float32))
        assert np.abs(xy - xy[:1]).max() < 0.05 and visible.all()


def test_a_video_of_one_frame_is_tracks_of_one_frame():
    xy, visible = follow([texture(5)[:HEIGHT, :WIDTH]], regular_grid(WIDTH, HEIGHT, 3, 3).astype(np.float32))
    assert xy.shape == (1, 9, 2) and visible.all()


def test_memory_does_not_grow_with_the_length():
    tracker, picture = FlowTracker(), texture(6)
    tracker.start(picture[:HEIGHT, :WIDTH], regular_grid(WIDTH, HEIGHT, 5, 4).astype(np.float32))
    held = []
    for t in range(60):
        tracker.step(np.ascontiguousarray(picture[t % 30 : t % 30 + HEIGHT, t % 25 : t % 25 + WIDTH]))
        held.append(sum(array.nbytes for array in _arrays(tracker)))
    assert held[-1] == held[0] > 1000


def _arrays(thing, depth: int = 3):
    """Every array that an object and its parts hold."""
    for value in vars(thing).values():
        if isinstance(value, np.ndarray):
            yield value
        elif depth and hasattr(value, "__dict__"):
            yield from _arrays(value, depth - 1)


def test_bad_video_is_refused_and_an_interrupt_gets_through():
    with pytest.raises(ValueError, match="at least one frame"):
        track_video([], lambda width, height: regular_grid(width, height, 2, 2), 16.0)
    with pytest.raises(ValueError, match="at least one"):
        track_video([texture(0)], lambda width, height: np.zeros((0, 2)), 16.0)
    with pytest.raises(ValueError, match="one size"):
        track_video(
            [texture(0), texture(0)[:50]], lambda width, height: regular_grid(width, height, 2, 2), 16.0
        )
    with pytest.raises(ValueError, match="uint8"):
        track_video(
            [texture(0).astype(np.float32)], lambda width, height: regular_grid(width, height, 2, 2), 16.0
        )

    def interrupt(number):
        if number == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        track_video(
            [texture(0)] * 5,
            lambda width, height: regular_grid(width, height, 2, 2),
            16.0,
            on_frame=interrupt,
        )
