"""The methods `buffer` and `segments`: targets against hand-rolled ones, partitions by their shares, and the
way from shards to a file that a stream runs.
"""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from motionstream_core.__main__ import main
from motionstream_core.codec.tiny import TinyCodec
from motionstream_core.model.config import BufferConfig, Partition
from motionstream_core.model.presets import PRESETS, preset
from motionstream_core.model.weights.networks import open_networks
from motionstream_core.sampling.buffer import MovingBuffer
from motionstream_core.streaming.options import StreamOptions
from motionstream_core.streaming.stream import stream
from motionstream_core.tracks.types import Tracks
from motionstream_core.training.engine.stage import Draws
from motionstream_core.training.methods import buffer as method
from motionstream_core.training.methods.buffer import BufferRecipe, BufferStage
from motionstream_core.training.methods.segments import SegmentsRecipe, SegmentsStage
from motionstream_core.training.methods.video_model import TextVideoModel, velocity_at
from motionstream_core.training.segments import one_step

SMALL = {"dim": 24, "ffn_dim": 32, "num_heads": 2, "num_layers": 2, "freq_dim": 16}
CONFIG = replace(
    preset("streamdit-tiny"), **SMALL, windows=((1, 2, 2), (2, 1, 1)), sampler=BufferConfig(2, 4, 2)
)
MOTION = replace(PRESETS["tiny-ids"], **SMALL, sampler=BufferConfig(2, 4, 2))


def model(seed=0, config=CONFIG):
    torch.manual_seed(seed)
    made = TextVideoModel(config)
    nn.init.normal_(made.dit.head.head.weight, std=0.2)
    return made


def batch(size=2, frames=10, seed=0):
    g = torch.Generator().manual_seed(seed)
    return {
        "latents": torch.randn(size, 16, frames, 4, 4, generator=g),
        "tokens": torch.randint(1, 20, (size, 16), generator=g),
    }


# buffer


@pytest.mark.parametrize("reference", [0, 2])
def test_the_loss_is_the_velocitys_error_behind_the_reference_frames(reference):
    net, data = model(), batch(frames=8 + reference)
    rng = torch.Generator().manual_seed(3)
    levels = method.buffer_levels(BufferConfig(2, 4, 2), 2, 2, reference, rng, 0.5)
    assert levels.shape == (2, 8 + reference) and not levels[:, :reference].any()
    loss = method.buffer_loss(net, data, levels, reference, torch.Generator().manual_seed(4))
    x0 = data["latents"]
    noise = torch.randn(x0.shape, generator=torch.Generator().manual_seed(4))
    x = x0 + levels[:, None, :, None, None] * (noise - x0)
    with torch.no_grad():
        made = velocity_at(net, x, levels, None, net.text(data))
    expected = torch.stack(
        [((made - noise + x0)[:, :, k] ** 2).mean() for k in range(reference, 8 + reference)]
    ).mean()
    torch.testing.assert_close(loss, expected)


def test_a_model_that_knows_the_velocity_has_no_loss(monkeypatch):
    data = batch(frames=8)
    x0 = data["latents"]

    def knowing(net, x, levels, motion, text):
        return (x - x0) / levels[:, None, :, None, None]

    monkeypatch.setattr(method, "velocity_at", knowing)
    levels = method.buffer_levels(BufferConfig(2, 4, 2), 2, 2, 0, torch.Generator().manual_seed(1), 0.0)
    assert float(method.buffer_loss(model(), data, levels, 0, torch.Generator())) < 1e-6


def test_levels_follow_the_samplers_level_function():
    config = BufferConfig(2, 4, 1, gamma=2.0)
    levels = method.buffer_levels(config, 500, 2, 0, torch.Generator().manual_seed(0), 0.5)
    for slot in range(4):  # the oldest has gone through progress 3/4 .. 1
        low, high = config.level((4 - slot) / 4), config.level((3 - slot) / 4)
        found = levels[:, 2 * slot]
        assert low - 1e-6 <= found.min() and found.max() <= high + 1e-6
        assert found.max() - found.min() > 0.9 * (high - low)


@pytest.mark.parametrize(("shared", "together"), [(0.0, 0), (1.0, 1)])
def test_chunks_stand_apart_or_at_one_place_of_their_segments(shared, together):
    levels = method.buffer_levels(CONFIG.sampler, 200, 2, 0, torch.Generator().manual_seed(0), shared)
    place = levels[:, ::2] * 4 - torch.arange(4)
    same = (place - place[:, :1]).abs().amax(1) < 1e-4
    assert float(same.float().mean()) == together


def test_partitions_come_by_their_shares_the_same_in_the_whole_step():
    stage = BufferStage(model(), BufferRecipe({1: 1, 2: 2, 8: 1}))
    assert stage.shares == {1: 0.25, 2: 0.5, 8: 0.25}
    chunks = [method.draw_chunk_frames(stage.shares, Draws.of_seed(seed)) for seed in range(2000)]
    for chunk, share in stage.shares.items():
        assert abs(chunks.count(chunk) / 2000 - share) < 0.04
    assert method.usual_shares(16) == pytest.approx({1: 0.175, 2: 0.175, 4: 0.175, 8: 0.175, 16: 0.3})


def test_a_motion_model_learns_the_buffer_with_its_tracks():
    from motionstream_core.training.methods.roles import MotionModel

    torch.manual_seed(0)
    net = MotionModel(MOTION)
    nn.init.normal_(net.dit.head.head.weight, std=0.2)
    g = torch.Generator().manual_seed(0)
    data = batch() | {
        "xy": torch.rand(2, 37, 5, 2, generator=g) * 32,
        "visible": torch.ones(2, 37, 5, dtype=torch.bool),
    }
    stage = BufferStage(net, BufferRecipe())
    loss, _ = stage.loss("teacher", data, Draws.of_seed(0))
    loss.backward()
    assert net.track_head.conv.weight.grad.abs().sum() > 0
    moved = data | {"xy": data["xy"].flip(1)}
    assert not torch.allclose(stage.loss("teacher", moved, Draws.of_seed(0))[0], loss)


# segments


def test_the_target_is_the_guided_teachers_way_by_hand():
    teacher, data = model(1), batch(frames=8)
    stage = SegmentsStage(model(2), teacher, SegmentsRecipe(micro_steps=3, guidance=2.0, first=0))
    start, target = stage.lesson(data, Draws.of_seed(5))
    x = start.clone()
    empty = teacher.text(data, torch.zeros(2, dtype=torch.bool))
    with torch.no_grad():
        for m in range(3):
            at = torch.tensor([(j + 1) / 4 - m / 12 for j in range(4)]).repeat_interleave(2).expand(2, -1)
            both = velocity_at(teacher, x, at, None, teacher.text(data))
            none = velocity_at(teacher, x, at, None, empty)
            x = x - (none + 2.0 * (both - none)) / 12
    torch.testing.assert_close(one_step(target, start, 4), x, atol=1e-4, rtol=1e-4)
    loss, _ = stage.loss("student", data, Draws.of_seed(5))
    made = stage.student_velocity(data, start)
    assert loss.requires_grad and torch.isfinite(loss)
    assert not torch.allclose(made, target)


def test_a_student_at_its_target_emits_the_teachers_chunk_in_one_step():
    data = batch(size=1, frames=8)
    recipe = SegmentsRecipe(micro_steps=4, guidance=1.0, states="rollout", first=0)
    stage = SegmentsStage(model(2), model(1), recipe)
    start, target = stage.lesson(data, Draws.of_seed(7))
    guided = stage.guided_velocity(data)

    def predict(x, sigma, frames):
        at = sigma.expand(len(x), -1)
        return x - at[:, None, :, None, None] * guided(x, at)

    def fresh(config, ask):
        made = MovingBuffer(config, ask, (1, 16, 4, 4), torch.Generator().manual_seed(0))
        made._queue, made._strengths = start.clone(), (1.0,) * 4
        return made

    teacher = fresh(stage.sampler, predict)
    student_config = recipe.student(stage.student.config.sampler)
    assert student_config.steps == 4 and student_config.trained == (Partition(2, 4, 0, 1),)
    at = (torch.arange(4) + 1).repeat_interleave(2)[None, None, :, None, None] / 4
    student = fresh(student_config, lambda x, sigma, frames: x - at * target)
    torch.testing.assert_close(next(student), next(teacher), atol=1e-4, rtol=1e-4)


def test_states_come_from_clips_or_from_the_teachers_own_buffer():
    data = batch(frames=8)
    for states in ("data", "rollout"):
        stage = SegmentsStage(model(2), model(1), SegmentsRecipe(micro_steps=2, states=states, first=0))
        start = stage.start(data, Draws.of_seed(3), stage.guided_velocity(data))
        other = stage.start(batch(frames=8, seed=9), Draws.of_seed(3), stage.guided_velocity(data))
        assert start.shape == data["latents"].shape and torch.isfinite(start).all()
        # The newest chunk is noise; the older ones know the clips, or do not.
        assert torch.equal(start[:, :, 6:], other[:, :, 6:])
        assert torch.equal(start[:, :, :2], other[:, :, :2]) == (states == "rollout")


# what does not fit


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: BufferStage(model(), BufferRecipe({3: 1.0})), "expected divisors of 8 latent frames, got 3"),
        (lambda: BufferRecipe({2: -1.0}), "expected shares from 0"),
        (lambda: BufferRecipe(shared=2.0), r"expected a share of 0\.\.1, got 2"),
        (lambda: BufferRecipe(reference_frames=(-1,)), "expected numbers from 0"),
        (lambda: SegmentsRecipe(states="teacher"), "states: expected one of .* got 'teacher'"),
        (lambda: SegmentsRecipe(guidance=0.5), "guidance: expected at least 1, got 0.5"),
        (
            lambda: SegmentsStage(model(), model(1), SegmentsRecipe(chunk_frames=3)),
            "chunk_frames: expected a divisor of 8 latent frames, got 3",
        ),
        (
            lambda: BufferStage(model(), BufferRecipe()).loss("teacher", batch(frames=7), Draws.of_seed(0)),
            "expected at least 9 latent frames for a buffer of 8, got 7",
        ),
        (
            lambda: method.check_buffer(preset("tiny"), "buffer"),
            "expected one of a moving buffer for buffer, got one with a rolling cache",
        ),
    ],
)
def test_what_does_not_fit_is_an_error(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# from shards to a stream


@pytest.mark.parametrize("name", ["streamdit-tiny", "streamdit-tiny-motion"])
def test_the_way_from_shards_to_a_file_that_a_stream_runs(name, tmp_path, monkeypatch):
    told = name.endswith("motion")
    config = replace(CONFIG, in_channels=32, motion=preset(name).motion) if told else CONFIG
    monkeypatch.setitem(PRESETS, name, config)
    rng = np.random.default_rng(0)
    (tmp_path / "shards").mkdir()
    points = {
        "xy": rng.uniform(0, 32, (4, 37, 3, 2)).astype(np.float32),
        "visible": np.ones((4, 37, 3), bool),
    }
    np.savez(
        tmp_path / "shards/0000_00000.npz",
        latents=rng.standard_normal((4, 16, 10, 4, 4)).astype(np.float16),
        tokens=rng.integers(0, 20, (4, 16)).astype(np.int16),
        **(points if told else {}),
    )
    common = ["--preset", name, "--data", tmp_path / "shards", "--batch", 2, "--warmup", 0, "--decay", 0]

    def train(*words):
        assert main(["train", *map(str, words)]) == 0

    train("buffer", *common, "--steps", 2, "--out", tmp_path / "b", "--partitions", "2:.7,8:.3")
    train("buffer", *common, "--steps", 4, "--out", tmp_path / "b", "--partitions", "2:.7,8:.3")
    rows = [json.loads(line) for line in (tmp_path / "b/curve.jsonl").read_text().splitlines()]
    assert rows[-1]["step"] == 4, "it went on where it was"
    held = ["--held", tmp_path / "shards"]
    teacher = ["--teacher", tmp_path / "b/teacher.safetensors", "--micro-steps", 2]
    train("segments", *common, *held, *teacher, "--steps", 2, "--out", tmp_path / "s")
    (tmp_path / "codec").mkdir()
    torch.manual_seed(0)
    save_file(TinyCodec().state_dict(), tmp_path / "codec/codec.safetensors")
    for weights, trained in (
        ("b/teacher", (Partition(2, 4), Partition(8, 1))),
        ("s/student", (Partition(2, 4, 0, 1),)),
    ):
        out = tmp_path / f"{weights[0]}.safetensors"
        path = tmp_path / f"{weights}.safetensors"
        train("export", "--preset", name, "--folder", tmp_path, "--weights", path, "--out", out)
        networks = open_networks(out)
        assert networks.config.sampler.trained == trained and networks.running_latents
        point = Tracks(torch.zeros(1, 1, 2), torch.zeros(1, 1, dtype=torch.bool), 32, 32)
        options = StreamOptions(9, fit="hold")
        made = list(stream(networks, torch.zeros(32, 32, 3), point, "red ball", options))
        assert sum(len(chunk.frames) for chunk in made) == 9
        with pytest.raises(ValueError, match=r"trained for \(c=2 N=4"):
            stream(
                networks,
                torch.zeros(32, 32, 3),
                point,
                "red ball",
                replace(options, buffer={"chunk_frames": 1}),
            )
