"""Camera tracks against geometry worked out another way."""

import math

import numpy as np
import pytest

from motionstream_core.tracks.camera.moves import (
    EASINGS,
    PRESETS,
    camera_tracks,
    check_depth,
    depth_from_disparity,
    fit_map,
    preset_path,
    regular_grid,
)

WIDTH, HEIGHT, FOV = 96, 64, 55.0
FOCAL = WIDTH / 2 / math.tan(math.radians(FOV) / 2)


def slanted() -> np.ndarray:
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
    return 2.0 + 0.01 * columns + 0.02 * rows


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_projects_as_opencv_does(name):
    cv2 = pytest.importorskip("cv2")
    depth, grid, path = slanted(), regular_grid(WIDTH, HEIGHT, 9, 7), preset_path(name, 13, 0.7)
    tracks = camera_tracks(depth, path, grid, fov=FOV)
    unit = np.median(depth)
    z = depth[np.rint(grid[:, 1]).astype(int), np.rint(grid[:, 0]).astype(int)] / unit
    points = np.stack(
        [(grid[:, 0] - (WIDTH - 1) / 2) / FOCAL * z, (grid[:, 1] - (HEIGHT - 1) / 2) / FOCAL * z, z], 1
    )
    for frame in range(13):
        camera = np.array(
            [
                [FOCAL * path.focal[frame], 0, (WIDTH - 1) / 2],
                [0, FOCAL * path.focal[frame], (HEIGHT - 1) / 2],
                [0, 0, 1],
            ]
        )
        turn = cv2.Rodrigues(path.pose[frame, :, :3])[0]
        expected = cv2.projectPoints(points, turn, path.pose[frame, :, 3], camera, None)[0][:, 0]
        assert np.abs(tracks.xy[frame].numpy() - expected).max() < 0.05


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("easing", EASINGS)
def test_every_preset_begins_with_the_picture_as_it_is(name, easing):
    grid = regular_grid(WIDTH, HEIGHT, 5, 5)
    tracks = camera_tracks(slanted(), preset_path(name, 9, 1.0, easing), grid)
    assert np.abs(tracks.xy[0].numpy() - grid).max() < 1e-3 and tracks.visible[0].all()
    moved = np.abs(tracks.xy[-1].numpy() - grid).max()
    assert moved < 1e-3 if name == "static" else moved > 0.5


def test_what_a_near_wall_hides_is_hidden_and_comes_back():
    depth = np.full((HEIGHT, WIDTH), 4.0)
    depth[:, 40:56] = 1.0  # a post before a wall
    grid = np.array([[x, 32.0] for x in range(60, 76, 2)])
    path = preset_path("truck", 21, -1.2, "linear")  # to the left: the post covers what is right of it
    tracks = camera_tracks(depth, path, grid)
    post = camera_tracks(depth, path, np.array([[40.0, 32.0], [55.0, 32.0]]))
    unit = np.median(depth)
    for frame in range(21):
        left, right = post.xy[frame, :, 0].numpy()
        x = tracks.xy[frame, :, 0].numpy()
        behind = (x > left + 1) & (x < right - 1)
        clear = (x < left - 1.5) | (x > right + 1.5)
        clear &= (x > 0) & (x < WIDTH - 1)
        assert not tracks.visible[frame].numpy()[behind].any()
        assert tracks.visible[frame].numpy()[clear].all()
    assert unit == 4.0 and not tracks.visible[:, 0].all() and tracks.visible[0].all()


def test_a_point_that_passes_behind_the_camera_is_hidden_and_stays_finite():
    tracks = camera_tracks(slanted(), preset_path("dolly", 9, 5.0), regular_grid(WIDTH, HEIGHT, 4, 4))
    assert tracks.xy.isfinite().all() and not tracks.visible[-1].any()


def test_an_orbit_keeps_the_middle_of_the_scene_in_place():
    depth = np.full((HEIGHT, WIDTH), 3.0)
    middle = np.array([[(WIDTH - 1) / 2, (HEIGHT - 1) / 2]])
    for name in ("orbit", "arc up", "dolly-zoom", "zoom", "roll"):
        tracks = camera_tracks(depth, preset_path(name, 9, 1.0), middle)
        assert np.abs(tracks.xy.numpy() - middle).max() < 1e-3, name


def test_a_dolly_zoom_keeps_the_size_of_what_is_at_the_median_depth():
    depth = np.full((HEIGHT, WIDTH), 3.0)
    grid = regular_grid(WIDTH, HEIGHT, 4, 4)
    assert (
        np.abs(camera_tracks(depth, preset_path("dolly-zoom", 9, 1.0), grid).xy.numpy() - grid).max() < 1e-3
    )


def test_two_paths_composed_are_one_after_the_other():
    pan, dolly = preset_path("pan", 5), preset_path("dolly", 5)
    both = pan.then(dolly)
    first = camera_tracks(slanted(), pan, regular_grid(WIDTH, HEIGHT, 3, 3))
    assert both.pose.shape == (5, 3, 4) and not np.allclose(
        camera_tracks(slanted(), both, regular_grid(WIDTH, HEIGHT, 3, 3)).xy, first.xy
    )
    assert np.allclose(both.pose[:, :, 3], dolly.pose[:, :, 3])


def test_the_same_move_looks_alike_at_any_scale_of_depth():
    grid = regular_grid(WIDTH, HEIGHT, 4, 4)
    near, far = (camera_tracks(scale * slanted(), preset_path("orbit", 7), grid).xy for scale in (1, 250))
    assert (near - far).abs().max() < 1e-3


def test_bad_depth_is_filled_or_refused():
    depth = slanted()
    depth[0, 0], depth[1, 1], depth[2, 2], depth[3, 3] = 0, np.nan, np.inf, -1
    assert np.isfinite(check_depth(depth)).all() and (check_depth(depth) > 0).all()
    for bad in (np.zeros((8, 8)), np.full((8, 8), np.nan), np.zeros((2, 3, 4))):
        with pytest.raises(ValueError, match="depth: expected"):
            check_depth(bad)


def test_a_depth_picture_is_near_where_it_is_white():
    depth = depth_from_disparity(np.linspace(0, 1, 16).reshape(4, 4))
    assert (
        depth.max() == pytest.approx(4.0) and depth.min() == pytest.approx(0.5) and depth[0, 0] > depth[3, 3]
    )
    assert np.allclose(depth_from_disparity(np.full((4, 4), 0.3)), 4.0)


def test_a_depth_picture_of_another_size_is_cut_as_the_start_image_is():
    picture = np.repeat(np.arange(8.0)[None], 4, 0)  # 8 wide, 4 high
    assert (fit_map(picture, 8, 4) == picture).all()
    assert fit_map(picture, 4, 4)[0].tolist() == [2, 3, 4, 5]
    assert fit_map(np.repeat(picture[..., None], 3, -1), 16, 8)[0, ::2].tolist() == list(range(8))


def boards(seed: int, width: int = 320, height: int = 192) -> tuple[np.ndarray, list]:
    """The depth of three boards before a wall, and the boards (depth, left, top, width, height), the nearest
    last.
    """
    rng, depth = np.random.default_rng(seed), np.full((height, width), 4.0)
    made = [
        (rng.uniform(1.2, 3), *rng.integers(10, [width - 80, height - 60]), *rng.integers(15, [70, 50]))
        for _ in range(3)
    ]
    made.sort(key=lambda board: -board[0])
    for z, left, top, wide, high in made:
        depth[top : top + high, left : left + wide] = z
    return depth, made


def sight(
    points: np.ndarray, z: np.ndarray, centre: np.ndarray, depth: np.ndarray, made: list, focal: float
) -> tuple[np.ndarray, np.ndarray]:
    """Which lines of sight no board cuts, by meeting each board's plane; and how near, in its pixels, the
    line comes to a board's edge.
    """
    unit, (height, width) = np.median(depth), depth.shape
    free, margin = np.ones(len(points), dtype=bool), np.full(len(points), np.inf)
    for board, left, top, wide, high in made:
        way = points - centre
        share = (board / unit - centre[2]) / way[:, 2]
        place = (centre + share[:, None] * way)[:, :2] / (board / unit) * focal + [
            (width - 1) / 2,
            (height - 1) / 2,
        ]
        inner = np.minimum.reduce(
            [
                place[:, 0] - left + 0.5,
                left + wide - 0.5 - place[:, 0],
                place[:, 1] - top + 0.5,
                top + high - 0.5 - place[:, 1],
            ]
        )
        x, y = np.clip(np.rint(place).astype(int), 0, [width - 1, height - 1]).T
        between = (share > 1e-6) & (share < 1 - 1e-6) & (np.abs(z - board / unit) > 1e-9)
        free &= ~(between & (inner > 0) & (np.abs(depth[y, x] - board) < 1e-9))
        margin = np.where(between, np.minimum(margin, np.abs(inner)), margin)
    return free, margin


@pytest.mark.parametrize(
    ("move", "amount"),
    [
        ("orbit", 1),
        ("truck", 1),
        ("dolly", 0.35),
        ("dolly", -1),
        ("arc up", 1),
        ("handheld", 2),
        ("pan", 1),
        ("zoom", 1),
        ("roll", 1),
    ],
)
def test_what_is_hidden_is_what_lines_of_sight_say(move, amount):
    counted = wrong = deep = 0
    for seed in range(3):
        depth, made = boards(seed)
        (height, width), grid, path = (
            depth.shape,
            regular_grid(320, 192, 40, 40),
            preset_path(move, 5, amount, "linear", seed),
        )
        tracks, focal = camera_tracks(depth, path, grid, fov=FOV), width / 2 / math.tan(math.radians(FOV) / 2)
        z = depth[np.rint(grid[:, 1]).astype(int), np.rint(grid[:, 0]).astype(int)] / np.median(depth)
        points = (
            np.concatenate([(grid - [(width - 1) / 2, (height - 1) / 2]) / focal, np.ones((len(grid), 1))], 1)
            * z[:, None]
        )
        for frame, pose in enumerate(path.pose):
            xy = tracks.xy[frame].numpy()
            on = (
                ((points @ pose[2, :3] + pose[2, 3]) > 0.02)
                & (xy > -0.49).all(1)
                & (xy < [width - 0.51, height - 0.51]).all(1)
            )
            free, margin = sight(points, z, -pose[:, :3].T @ pose[:, 3], depth, made, focal)
            off = on & (tracks.visible[frame].numpy() != free)
            counted, wrong, deep = counted + on.sum(), wrong + off.sum(), deep + (off & (margin > 1)).sum()
    turns = move in ("pan", "zoom", "roll")
    assert wrong <= (0 if turns else 0.0015 * counted) and deep <= 0.0005 * counted and counted > 10_000
