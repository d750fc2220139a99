"""The trackers people can choose: ours on a real picture, those of others against small stand-ins with the packages' own calls."""

import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from motionstream_core.tracks.camera import regular_grid
from motionstream_core.tracks.trackers import FLOW, KINDS, open_tracker

POINTS = np.array([[10.0, 20.0], [40.0, 30.0]], np.float32)
WIDTH, HEIGHT = 96, 64
MOVE = np.array([2.0, 1.0])  # px a frame


def frames(count: int):
    """Frame n is of brightness n: the stand-ins read off it how far everything has gone."""
    return (np.full((HEIGHT, WIDTH, 3), number, np.uint8) for number in range(count))


def truth(count: int) -> np.ndarray:
    return POINTS[None] + np.arange(count)[:, None, None] * MOVE


def followed(tracker, count: int) -> tuple[np.ndarray, np.ndarray]:
    made = list(tracker.follow(frames(count), POINTS))
    return np.stack([xy for xy, _ in made]), np.stack([visible for _, visible in made])


class StandInCoTracker(nn.Module):
    """cotracker.predictor.CoTrackerOnlinePredictor: all positions so far after each window, those of its second half not yet final."""

    def __init__(self, checkpoint="./checkpoints/scaled_online.pth", offline=False, v2=False, window_len=16):
        super().__init__()
        assert checkpoint is None
        self.model, self.step = nn.Linear(2, 2), window_len // 2

    def forward(self, video_chunk, is_first_step=False, queries=None, grid_size=5, grid_query_frame=0, add_support_grid=False):
        batch, count, channels, height, width = video_chunk.shape
        assert (batch, channels, height, width) == (1, 3, HEIGHT, WIDTH) and count <= 2 * self.step
        if is_first_step:
            self.queries, self.begin, self.total = queries, 0, 0
            return None, None
        numbers = video_chunk[0, :, 0, 0, 0]
        assert numbers[0] == self.begin and (self.begin == 0 or count > self.step)
        self.total = self.begin + count
        self.begin += self.step
        way = torch.arange(self.total)[:, None, None] * torch.tensor(MOVE).float()
        xy = (self.queries[0, None, :, 1:] + way)[None]
        if count == 2 * self.step:
            xy[:, -self.step :] += 50
        return xy, torch.arange(self.total)[None, :, None].expand(1, -1, len(POINTS)) % 5 != 3


class StandInTapir(nn.Module):
    """tapnet.torch.tapir_model.TAPIR: queries t, y, x and results x, y on a 256×256 picture with centres at halves."""

    def __init__(self, pyramid_level=1, use_casual_conv=False):
        super().__init__()
        assert use_casual_conv
        self.weight = nn.Parameter(torch.zeros(1))

    def get_feature_grids(self, video, is_training, refinement_resolutions=None):
        assert video.shape == (1, 1, 256, 256, 3) and video.min() >= -1
        return (video[0, 0, 0, 0, 0] + 1) * 127.5

    def get_query_features(self, video, is_training, query_points, feature_grids=None, refinement_resolutions=None):
        assert query_points.shape == (1, len(POINTS), 3)
        return SimpleNamespace(resolutions=((256, 256), (256, 256)), points=query_points)

    def construct_initial_causal_state(self, num_points, num_resolutions=1):
        assert (num_points, num_resolutions) == (len(POINTS), 1)
        return [{"block_0_causal_1": torch.zeros(1, num_points, 2, 4)}] * num_resolutions * 4

    def estimate_trajectories(
        self, video_size, is_training, feature_grids, query_features, query_points_in_video, query_chunk_size=None, causal_context=None, get_causal_context=False
    ):
        assert tuple(video_size) == (256, 256) and len(causal_context) == 4
        step = causal_context[0]["block_0_causal_1"][0, 0, 0, 0]
        assert step == round(float(feature_grids)), "the context goes from frame to frame"
        context = [{"block_0_causal_1": causal_context[0]["block_0_causal_1"] + 1}] * 4
        xy = query_features.points[..., [2, 1]] + step * torch.tensor(MOVE).float() * torch.tensor([256 / WIDTH, 256 / HEIGHT])
        hidden = torch.full((1, len(POINTS), 1), 9.0 if step % 5 == 3 else -9.0)
        return {"tracks": [xy[:, :, None]], "occlusion": [hidden], "expected_dist": [torch.full_like(hidden, -9.0)], "causal_context": context}


class StandInTapNext(nn.Module):
    """tapnet.tapnext.tapnext_torch.TAPNext: queries t, y, x; results y, x, and the state to go on with."""

    def __init__(self, image_size):
        super().__init__()
        assert tuple(image_size) == (256, 256)
        self.weight = nn.Parameter(torch.zeros(1))

    def forward(self, video, query_points=None, state=None):
        assert video.shape == (1, 1, 256, 256, 3) and (state is None) == (query_points is not None)
        points, step = (query_points, 0) if state is None else state
        way = step * torch.tensor(MOVE[::-1].copy()).float() * torch.tensor([256 / HEIGHT, 256 / WIDTH])
        seen = torch.full((1, 1, len(POINTS), 1), -3.0 if step % 5 == 3 else 3.0)
        return (points[..., 1:] + way)[:, None], None, seen, (points, step + 1)


def install(monkeypatch, **modules):
    for name, members in modules.items():
        parts = name.split("__")
        for end in range(1, len(parts) + 1):
            monkeypatch.setitem(sys.modules, ".".join(parts[:end]), sys.modules.get(".".join(parts[:end]), ModuleType(".".join(parts[:end]))))
        for member, value in members.items():
            setattr(sys.modules[".".join(parts)], member, value)
        if len(parts) > 1:
            setattr(sys.modules[".".join(parts[:-1])], parts[-1], sys.modules[".".join(parts)])


def restored(model, path):
    assert path.endswith(".npz")
    return model


@pytest.fixture
def packages(monkeypatch, tmp_path):
    """The stand-ins installed, and weights for them."""
    install(monkeypatch, cotracker__predictor={"CoTrackerOnlinePredictor": StandInCoTracker}, tapnet__torch__tapir_model={"TAPIR": StandInTapir})
    install(monkeypatch, tapnet__tapnext__tapnext_torch={"TAPNext": StandInTapNext}, tapnet__tapnext__tapnext_torch_utils={"restore_model_from_jax_checkpoint": restored})
    torch.save({"model": nn.Linear(2, 2).state_dict()}, tmp_path / "scaled_online.pth")
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


@pytest.mark.parametrize(("name", "licence"), [("CoTracker3", "CC-BY-NC-4.0"), ("TAPIR", "Apache-2.0"), ("TAPNext", "Apache-2.0")])
def test_what_is_missing_is_said_with_its_licence(packages, monkeypatch, tmp_path_factory, name, licence):
    with pytest.raises(ValueError, match=f"{name} is {licence}.*expected {KINDS[name].weights[0]}.* in models/motionstream/trackers, got none"):
        open_tracker(name, [tmp_path_factory.mktemp("empty")])
    for module in [module for module in sys.modules if module.split(".")[0] in ("cotracker", "tapnet")]:
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ValueError, match=f"{name} is {licence}.*expected the Python package '{KINDS[name].package}'.*got none"):
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
    made = list(open_tracker().follow(iter([picture[10:80, 10 + t : 110 + t] for t in range(5)]), regular_grid(100, 70, 6, 4)))
    assert np.abs(made[4][0] - made[0][0] - [-4, 0])[made[4][1]].max() < 0.5
    assert list(open_tracker(FLOW.name).follow(iter([]), POINTS)) == []
    with pytest.raises(ValueError, match="tracker: expected one of OpenCV flow, CoTracker3"):
        open_tracker("a hawk")
