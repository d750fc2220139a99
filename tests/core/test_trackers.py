"""The trackers people can choose: ours on a real picture, those of others against small stand-ins with the
packages' own calls.

The stand-ins have the signatures and the state of facebookresearch/co-tracker at 82e02e8 and
google-deepmind/tapnet at c2cbab8, where the adapters gave the very positions of the packages' own loops
(docs/experiments/point-tracking.md). CoTracker3 holds one set of points at a time, in attributes of its
model.
"""

import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from motionstream_core.tracks.camera.moves import regular_grid
from motionstream_core.tracks.video import neural_trackers
from motionstream_core.tracks.video.trackers import FLOW, KINDS, missing_package, open_tracker

POINTS = np.array([[10.0, 20.0], [40.0, 30.0]], np.float32)
WIDTH, HEIGHT = 96, 64
MOVE = np.array([2.0, 1.0])  # px a frame


def frames(count: int):
    """Frame n is of brightness n: the stand-ins read off it how far everything has gone."""
    return (np.full((HEIGHT, WIDTH, 3), number, np.uint8) for number in range(count))


def truth(count: int) -> np.ndarray:
    return POINTS[None] + np.arange(count)[:, None, None] * MOVE


def followed(tracker, count: int, points=POINTS) -> tuple[np.ndarray, np.ndarray]:
    made = list(tracker.follow(frames(count), points))
    return np.stack([xy for xy, _ in made]), np.stack([visible for _, visible in made])


class StandInOnlineModel(nn.Module):
    """cotracker.models.core.cotracker.cotracker3_online.CoTrackerThreeOnline: positions of all frames so far,
    read on from where online_ind says.
    """

    def __init__(self, window_len):
        super().__init__()
        self.weight, self.window_len = nn.Parameter(torch.zeros(2, 2)), window_len

    def init_video_online_processing(self):
        self.online_ind, self.online_track_feat, self.online_track_support = 0, [None], [None]
        self.online_coords_predicted = self.online_vis_predicted = self.online_conf_predicted = None

    def forward(
        self,
        video,
        queries,
        iters=4,
        is_train=False,
        add_space_attn=True,
        fmaps_chunk_size=200,
        is_online=False,
    ):
        count, step = video.shape[1], self.window_len // 2
        assert is_online and iters == 6 and count <= self.window_len
        if self.online_ind == 0:
            self.online_track_feat, self.online_track_support = (
                [queries[:, None, :, 1:]],
                [queries[:, None, :, 1:]],
            )
            before, number = queries.new_zeros(1, 0, queries.shape[1], 2), torch.zeros(1, 0, queries.shape[1])
        else:
            assert count > step and self.online_coords_predicted.shape[1] == self.online_ind + step
            before, number = self.online_coords_predicted, self.online_vis_predicted
            kept = before[:, self.online_ind :] - self.online_track_feat[0]
            assert np.allclose(
                kept[0, :, 0].numpy(), (number[0, self.online_ind :, :1] * torch.tensor(MOVE)).numpy() + 50
            )
        numbers = video[0, :, 0, 0, 0, None].expand(-1, queries.shape[1])[None]
        xy = self.online_track_feat[0] + numbers[..., None] * torch.tensor(MOVE).float()
        if count == self.window_len:
            xy[:, -step:] += 50
        self.online_coords_predicted = torch.cat([before[:, : self.online_ind], xy], 1)
        self.online_vis_predicted = self.online_conf_predicted = torch.cat(
            [number[:, : self.online_ind], numbers], 1
        )
        self.online_ind += step
        hidden = self.online_vis_predicted % 5 == 3
        return self.online_coords_predicted, (~hidden).float(), torch.ones(hidden.shape), None


class StandInCoTracker(nn.Module):
    """cotracker.predictor.CoTrackerOnlinePredictor: all positions so far after each window, those of its
    second half not yet final.
    """

    def __init__(self, checkpoint="./checkpoints/scaled_online.pth", offline=False, v2=False, window_len=16):
        super().__init__()
        assert checkpoint is None
        self.v2, self.support_grid_size, self.step, self.model = (
            v2,
            6,
            window_len // 2,
            StandInOnlineModel(window_len),
        )

    def forward(
        self,
        video_chunk,
        is_first_step=False,
        queries=None,
        grid_size=5,
        grid_query_frame=0,
        add_support_grid=False,
    ):
        batch, count, channels, height, width = video_chunk.shape
        assert (batch, channels, height, width) == (1, 3, HEIGHT, WIDTH) and not add_support_grid
        if is_first_step:
            self.model.init_video_online_processing()
            self.N, self.queries = queries.shape[1], queries.clone()
            return None, None
        xy, visible, sure, _ = self.model(video=video_chunk, queries=self.queries, iters=6, is_online=True)
        return xy * xy.new_tensor([1, 1]), visible * sure > 0.6


class StandInTapir(nn.Module):
    """tapnet.torch.tapir_model.TAPIR: queries t, y, x and results x, y on a 256×256 picture with centres at
    halves.
    """

    def __init__(self, pyramid_level=1, use_casual_conv=False):
        super().__init__()
        assert use_casual_conv
        self.weight = nn.Parameter(torch.zeros(1))

    def get_feature_grids(self, video, is_training, refinement_resolutions=None):
        assert video.shape == (1, 1, 256, 256, 3) and video.min() >= -1
        return (video[0, 0, 0, 0, 0] + 1) * 127.5

    def get_query_features(
        self, video, is_training, query_points, feature_grids=None, refinement_resolutions=None
    ):
        assert query_points.shape[0] == 1 and query_points.shape[2] == 3
        return SimpleNamespace(resolutions=((256, 256), (256, 256)), points=query_points)

    def construct_initial_causal_state(self, num_points, num_resolutions=1):
        assert num_resolutions == 1
        return [{"block_0_causal_1": torch.zeros(1, num_points, 2, 4)}] * num_resolutions * 4

    def estimate_trajectories(
        self,
        video_size,
        is_training,
        feature_grids,
        query_features,
        query_points_in_video,
        query_chunk_size=None,
        causal_context=None,
        get_causal_context=False,
    ):
        assert tuple(video_size) == (256, 256) and len(causal_context) == 4
        step = causal_context[0]["block_0_causal_1"][0, 0, 0, 0]
        assert step == round(float(feature_grids)), "the context goes from frame to frame"
        context = [{"block_0_causal_1": causal_context[0]["block_0_causal_1"] + 1}] * 4
        xy = query_features.points[..., [2, 1]] + step * torch.tensor(MOVE).float() * torch.tensor(
            [256 / WIDTH, 256 / HEIGHT]
        )
        hidden = torch.full((1, xy.shape[1], 1), 9.0 if step % 5 == 3 else -9.0)
        return {
            "tracks": [xy[:, :, None]],
            "occlusion": [hidden],
            "expected_dist": [torch.full_like(hidden, -9.0)],
            "causal_context": context,
        }


class StandInTapNext(nn.Module):
    """tapnet.tapnext.tapnext_torch.TAPNext: queries t, y, x; results y, x of 256×256, whatever the picture's
    size, and the state to go on with.
    """

    def __init__(self, image_size, width=768, patch_size=(8, 8)):
        super().__init__()
        assert tuple(image_size) == (256, 256)
        self.weight, self.side = nn.Parameter(torch.zeros(1)), 256

    def forward(self, video, query_points=None, state=None):
        assert video.shape == (1, 1, self.side, self.side, 3) and (state is None) == (
            query_points is not None
        )
        points, step = (query_points, 0) if state is None else state
        assert (
            points.shape[1] <= neural_trackers.GROUP
            and abs(float(video[0, 0, 0, 0, 0] + 1) * 127.5 - step) < 1e-3
        )
        way = step * torch.tensor(MOVE[::-1].copy()).float() * torch.tensor([256 / HEIGHT, 256 / WIDTH])
        seen = torch.full((1, 1, points.shape[1], 1), -3.0 if step % 5 == 3 else 3.0)
        return (points[..., 1:] + way)[:, None], None, seen, (points, step + 1)


def install(monkeypatch, **modules):
    for name, members in modules.items():
        parts = name.split("__")
        for end in range(1, len(parts) + 1):
            monkeypatch.setitem(
                sys.modules,
                ".".join(parts[:end]),
                sys.modules.get(".".join(parts[:end]), ModuleType(".".join(parts[:end]))),
            )
        for member, value in members.items():
            setattr(sys.modules[".".join(parts)], member, value)
        if len(parts) > 1:
            setattr(sys.modules[".".join(parts[:-1])], parts[-1], sys.modules[".".join(parts)])


def restored(model, path):
    assert path.endswith(".npz")
    model.weight.data.copy_(torch.tensor(np.load(path)["a"]))
    return model


@pytest.fixture
def packages(monkeypatch, tmp_path):
    """The stand-ins installed, and weights for them."""
    install(
        monkeypatch,
        cotracker__predictor={"CoTrackerOnlinePredictor": StandInCoTracker},
        tapnet__torch__tapir_model={"TAPIR": StandInTapir},
    )
    install(
        monkeypatch,
        tapnet__tapnext__tapnext_torch={"TAPNext": StandInTapNext},
        tapnet__tapnext__tapnext_torch_utils={"restore_model_from_jax_checkpoint": restored},
    )
    torch.save({"model": StandInOnlineModel(16).state_dict()}, tmp_path / "scaled_online.pth")
    torch.save({"weight": torch.zeros(1)}, tmp_path / "causal_bootstapir_checkpoint.pt")
    np.savez(tmp_path / "bootstapnext_ckpt.npz", a=np.zeros(1))
    return tmp_path


NEURAL = ["CoTracker3", "TAPIR", "TAPNext"]


@pytest.mark.parametrize("count", [1, 2, 8, 9, 16, 17, 24, 25, 40])
@pytest.mark.parametrize("name", NEURAL)
def test_positions_and_visibility_come_out_frame_by_frame_in_pixels_of_the_video(packages, name, count):
    xy, visible = followed(open_tracker(name, [packages]), count)
    if name == "CoTracker3" and count >= 16 and count % 8 == 0:
        xy[-8:] -= 50  # the video ends with a whole window: nothing better is known of its second half
    assert xy.shape == (count, 2, 2) and np.abs(xy - truth(count)).max() < 2e-3
    assert visible[0].all() and (visible == (np.arange(count) % 5 != 3)[:, None]).all()


@pytest.mark.parametrize("name", NEURAL)
def test_more_points_than_fit_together_go_in_groups_and_come_back_in_order(packages, monkeypatch, name):
    monkeypatch.setattr(neural_trackers, "GROUP", 3)
    points = np.array([[5 * n, 3 * n] for n in range(10)], np.float32)
    xy, visible = followed(open_tracker(name, [packages]), 41, points)
    assert np.abs(xy - (points[None] + np.arange(41)[:, None, None] * MOVE)).max() < 2e-3
    assert (visible == (np.arange(41) % 5 != 3)[:, None]).all()


def test_groups_cover_the_picture_each_and_every_point_once():
    parts = neural_trackers.groups_of(7000)
    taken = np.concatenate([np.arange(7000)[part] for part in parts])
    assert len(parts) == 3 and sorted(taken) == list(range(7000))
    assert max(len(range(7000)[part]) for part in parts) <= neural_trackers.GROUP and all(
        np.ptp(np.arange(7000)[part]) > 6990 for part in parts
    )


def test_cotracker_keeps_no_more_than_a_window_of_positions(packages):
    tracker = open_tracker("CoTracker3", [packages])
    made = tracker.follow(frames(200), POINTS)
    held = []
    for number, _ in enumerate(made):
        if number % 8 == 0:
            held.append(tracker._predictor.model.online_coords_predicted.shape[1])
    assert number == 199 and max(held) <= 24


@pytest.mark.parametrize("name", NEURAL)
def test_a_tracker_follows_one_video_after_another(packages, name):
    tracker = open_tracker(name, [packages])
    first = followed(tracker, 21)
    next(tracker.follow(frames(30), POINTS))  # left unfinished
    again = followed(tracker, 21)
    assert np.array_equal(first[0], again[0]) and np.array_equal(first[1], again[1])


@pytest.mark.parametrize("name", NEURAL)
def test_no_more_than_a_window_is_read_ahead(packages, name):
    read = []

    def counted():
        for frame in frames(200):
            read.append(1)
            yield frame

    made = open_tracker(name, [packages]).follow(counted(), POINTS)
    for _ in range(50):
        next(made)
    assert len(read) <= 50 + 16


def test_tapnext_plus_plus_is_read_from_a_checkpoint_of_tensors(packages):
    (packages / "bootstapnext_ckpt.npz").unlink()
    torch.save({"state_dict": {"tapnext.weight": torch.zeros(1)}}, packages / "tapnextpp_ckpt.pt")
    assert np.abs(followed(open_tracker("TAPNext", [packages]), 5)[0] - truth(5)).max() < 2e-3


def test_the_larger_tapnext_plus_plus_sees_larger_pictures(packages, monkeypatch):
    (packages / "bootstapnext_ckpt.npz").unlink()
    torch.save({"state_dict": {"tapnext.weight": torch.zeros(1)}}, packages / "tapnextpp_512.ckpt")
    tracker = open_tracker("TAPNext", [packages])
    tracker._model.side = 512
    assert np.abs(followed(tracker, 5)[0] - truth(5)).max() < 2e-3


def test_a_file_of_other_arrays_is_no_tapnext(packages):
    np.savez(packages / "bootstapnext_ckpt.npz", b=np.zeros(1))
    with pytest.raises(
        ValueError, match="TAPNext: expected weights of this network in bootstapnext_ckpt.npz, got others"
    ):
        open_tracker("TAPNext", [packages])
    (packages / "bootstapnext_ckpt.npz").write_bytes(b"PK nothing")
    with pytest.raises(
        ValueError, match="TAPNext: expected weights of this network in bootstapnext_ckpt.npz, got others"
    ):
        open_tracker("TAPNext", [packages])


def test_a_package_that_is_there_but_broken_is_told_from_one_that_is_not(packages, monkeypatch):
    class Broken(ModuleType):
        def __getattr__(self, name):
            raise RuntimeError("operator torchvision::nms does not exist")

    monkeypatch.setitem(sys.modules, "tapnet.tapnext.tapnext_torch", Broken("tapnet.tapnext.tapnext_torch"))
    with pytest.raises(
        ValueError,
        match="expected the Python package 'tapnet'.*got one that cannot be imported.*torchvision::nms",
    ):
        open_tracker("TAPNext", [packages])
    assert "got one that cannot be imported (No module named 'tree')" in str(
        missing_package(KINDS["TAPIR"], ModuleNotFoundError("No module named 'tree'", name="tree"))
    )


@pytest.mark.parametrize(
    ("name", "licence"), [("CoTracker3", "CC-BY-NC-4.0"), ("TAPIR", "Apache-2.0"), ("TAPNext", "Apache-2.0")]
)
def test_what_is_missing_is_said_with_its_licence(packages, monkeypatch, tmp_path_factory, name, licence):
    with pytest.raises(
        ValueError,
        match=(
            f"{name} is {licence}.*expected {KINDS[name].weights[0]}.* in models/motionstream/trackers, "
            "got none"
        ),
    ):
        open_tracker(name, [tmp_path_factory.mktemp("empty")])
    for module in [module for module in sys.modules if module.split(".")[0] in ("cotracker", "tapnet")]:
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(
        ValueError,
        match=f"{name} is {licence}.*expected the Python package '{KINDS[name].package}'.*got none",
    ):
        open_tracker(name, [packages])


def test_weights_that_are_others_or_no_tensors_are_refused(packages):
    torch.save({"other": torch.zeros(3)}, packages / "scaled_online.pth")
    with pytest.raises(ValueError, match="CoTracker3: expected weights of this network"):
        open_tracker("CoTracker3", [packages])
    (packages / "scaled_online.pth").write_bytes(b"nothing")
    with pytest.raises(ValueError, match="CoTracker3: expected a checkpoint of tensors"):
        open_tracker("CoTracker3", [packages])


def test_a_checkpoint_cannot_run_code(packages, tmp_path):
    class Trap:
        def __reduce__(self):
            return (tmp_path / "sprung").mkdir, ()

    torch.save({"model": Trap()}, packages / "scaled_online.pth")
    with pytest.raises(ValueError, match="checkpoint of tensors"):
        open_tracker("CoTracker3", [packages])
    assert not (tmp_path / "sprung").exists()


def test_ours_is_the_default_and_an_unknown_name_is_refused():
    pytest.importorskip("cv2")
    rng = np.random.default_rng(0)
    picture = np.kron(rng.integers(0, 255, (20, 30, 3)), np.ones((6, 6, 1))).astype(np.uint8)
    made = list(
        open_tracker().follow(
            iter([picture[10:80, 10 + t : 110 + t] for t in range(5)]), regular_grid(100, 70, 6, 4)
        )
    )
    assert np.abs(made[4][0] - made[0][0] - [-4, 0])[made[4][1]].max() < 0.5
    assert list(open_tracker(FLOW.name).follow(iter([]), POINTS)) == []
    with pytest.raises(ValueError, match="tracker: expected one of OpenCV flow, CoTracker3"):
        open_tracker("a hawk")
