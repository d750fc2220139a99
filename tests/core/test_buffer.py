"""The moving buffer under an oracle: levels, order, steps of a frame, starts, entries, snapshots, memory."""

import itertools
import random
from dataclasses import replace

import pytest
import torch

from motionstream_core.model.config import BufferConfig
from motionstream_core.sampling.buffer import MovingBuffer, QueueEntry, with_lookahead

SIZE = (1, 3, 2, 2)
PARTITIONS = [
    BufferConfig(c, n, s, k, gamma)
    for c, n, s, k, gamma in [
        (1, 8, 1, 0, 1.0), (2, 4, 1, 0, 1.0), (2, 4, 3, 0, 1.0), (3, 2, 5, 1, 1.0), (8, 1, 6, 0, 1.0),
        (3, 1, 8, 2, 1.0), (1, 5, 2, 3, 2.0), (4, 2, 1, 0, 0.5),
    ]
]  # fmt: skip


def data(frames: range) -> torch.Tensor:
    """The clean latents of frames of a stream, by number."""
    numbers = torch.tensor(list(frames), dtype=torch.float64)
    values = torch.stack([torch.sin(numbers * k + k) for k in range(1, 13)])
    return values.reshape(3, 2, 2, -1).permute(0, 3, 1, 2)[None].float()


class Oracle:
    """Predicts the data, and writes down what it was shown."""

    def __init__(self):
        self.calls = []

    def __call__(self, x, sigma, frames):
        self.calls.append((x.clone(), sigma.clone(), frames))
        return data(frames)


def reference(config: BufferConfig) -> torch.Tensor | None:
    return data(range(-config.reference_frames, 0)) if config.reference_frames else None


def buffer(config: BufferConfig, predict, seed: int = 1, start="uniform", **options) -> MovingBuffer:
    rng = torch.Generator().manual_seed(seed)
    config = replace(config, start=start)
    return MovingBuffer(config, predict, SIZE, rng, reference=reference(config), **options)


@pytest.mark.parametrize("start", ["grow", "uniform"])
@pytest.mark.parametrize("config", PARTITIONS, ids=str)
def test_every_frame_that_leaves_is_its_data_frame(config, start):
    made = list(itertools.islice(buffer(config, Oracle(), start=start), 6))
    video = torch.cat(made, 2)
    assert video.shape[2] == 6 * config.chunk_frames
    torch.testing.assert_close(video, data(range(video.shape[2])), atol=1e-5, rtol=0)


@pytest.mark.parametrize("start", ["grow", "uniform"])
@pytest.mark.parametrize("config", PARTITIONS, ids=str)
def test_each_frame_gets_exactly_s_n_steps_and_its_level_falls_evenly(config, start):
    oracle = Oracle()
    chunks = 2 * config.chunks + 1
    list(itertools.islice(buffer(config, oracle, start=start), chunks))
    levels: dict[int, list[float]] = {}
    for _, sigma, frames in oracle.calls:
        for frame, level in zip(frames, sigma.tolist()):
            levels.setdefault(frame, []).append(level)
    expected = [config.level(step / config.steps) for step in range(config.steps)]
    born = (
        0 if start == "grow" else config.queue_frames
    )  # the uniform run also steps frames whose state is not taken
    for frame in range(born, chunks * config.chunk_frames):
        assert levels[frame][: config.steps] == pytest.approx(expected, abs=1e-6)
    for frame in range(-config.reference_frames, 0):
        assert set(levels[frame]) == {0.0}


def test_partitions_by_lot_lose_no_frame():
    draws = random.Random(7)
    for _ in range(24):
        config = BufferConfig(
            draws.randint(1, 5), draws.randint(1, 6), draws.randint(1, 4), draws.randint(0, 3)
        )
        oracle = Oracle()
        stream = buffer(config, oracle, start=draws.choice(["grow", "uniform"]))
        video = torch.cat(list(itertools.islice(stream, 3)), 2)
        torch.testing.assert_close(video, data(range(video.shape[2])), atol=1e-5, rtol=0)
        assert len(oracle.calls) == config.steps + 2 * config.micro_steps


def by_hand(x, levels, after):
    """One Euler step of frames (T,) from their levels to others."""
    velocity = (x - blurred(x, levels, range(0))) / levels[:, None, None]
    return x + (after - levels)[:, None, None] * velocity


def test_one_chunk_is_plain_text_to_video():
    config = BufferConfig(4, 1, 5)
    made = next(buffer(config, blurred))
    x = torch.randn(1, 3, 4, 2, 2, generator=torch.Generator().manual_seed(1))
    for step in range(5):
        x = by_hand(x, torch.full((4,), 1 - step / 5), torch.full((4,), 0.8 - step / 5))
    torch.testing.assert_close(made, x, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("steps", [1, 2])
def test_the_queue_of_the_uniform_start_is_the_runs_own_intermediates(steps):
    """And what follows from it with chunks of one frame and one step is the diagonal."""
    config = BufferConfig(1, 4, steps)
    total = config.steps
    x = torch.randn(1, 3, 4, 2, 2, generator=torch.Generator().manual_seed(1))
    states = [x]
    for step in range(total):
        levels = torch.full((4,), 1 - step / total)
        states.append(by_hand(states[-1], levels, levels - 1 / total))
    stream = buffer(config, blurred)
    queue = torch.cat([states[(3 - slot) * steps][:, :, slot : slot + 1] for slot in range(4)], 2)
    torch.testing.assert_close(stream.ready(), queue, atol=1e-5, rtol=1e-5)
    if steps == 1:
        diagonal = torch.tensor([0.25, 0.5, 0.75, 1.0])
        first = by_hand(queue, diagonal, diagonal - 0.25)[:, :, :1]
        torch.testing.assert_close(next(stream), first, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("config", PARTITIONS, ids=str)
def test_levels_after_a_shift_are_the_levels_before_it(config):
    first, last = config.sigmas(0), config.sigmas(config.micro_steps)
    assert last[0] == 0
    assert last[1:] == pytest.approx(first[:-1])
    assert list(first) == sorted(first) and first[-1] == 1


def test_noisy_latents_are_the_data_and_noise_at_their_levels():
    config = BufferConfig(2, 4, 2)
    oracle = Oracle()
    list(itertools.islice(buffer(config, oracle), 3))
    for x, sigma, frames in oracle.calls[-4:]:
        noise = (x - (1 - sigma[:, None, None]) * data(frames)) / sigma[:, None, None]
        assert abs(float(noise.mean())) < 0.6 and 0.6 < float(noise.std()) < 1.5


def test_a_chunk_costs_s_predictions_and_the_first_one_those_of_the_fill():
    config = BufferConfig(2, 4, 3)
    for start in ("grow", "uniform"):
        oracle = Oracle()
        stream = buffer(config, oracle, start=start)
        next(stream)
        assert len(oracle.calls) == config.steps
        next(stream)
        assert len(oracle.calls) == config.steps + config.micro_steps


def blurred(x, sigma, frames):
    """A prediction that depends on everything in work."""
    return 0.5 * x + 0.3 * x.mean(2, keepdim=True) - 0.1 * sigma[:, None, None]


def test_the_same_seed_is_the_same_video_and_another_one_is_not():
    config = BufferConfig(2, 3, 2)
    one, same, other = (
        torch.cat(list(itertools.islice(buffer(config, blurred, seed), 4)), 2) for seed in (5, 5, 6)
    )
    assert torch.equal(one, same)
    assert not torch.allclose(one, other)


@pytest.mark.parametrize("config", [BufferConfig(2, 3, 2), BufferConfig(1, 4, 1, 2)], ids=str)
@pytest.mark.parametrize("before", [0, 1, 5])
def test_a_snapshot_brings_back_what_followed(config, before):
    stream = buffer(config, blurred)
    list(itertools.islice(stream, before))
    there = stream.snapshot()
    once = [next(stream) for _ in range(4)]
    stream.restore(there)
    again = [next(stream) for _ in range(4)]
    assert stream.start == (before + 4) * config.chunk_frames
    assert all(torch.equal(a, b) for a, b in zip(once, again))


def test_entries_enter_at_their_strength_and_0_leaves_them_alone():
    config = BufferConfig(2, 3, 2)
    for strength in (0.0, 0.4, 1.0):
        oracle = Oracle()
        shown = {}

        def entries(frames, strength=strength, shown=shown):
            shown[frames] = strength
            return QueueEntry(data(frames) + 7, strength)

        video = torch.cat(list(itertools.islice(buffer(config, oracle, entries=entries), 4)), 2)
        truth = data(range(8)) + (7 if strength == 0 else 0)
        torch.testing.assert_close(video, truth, atol=1e-5, rtol=0)
        top = max(float(sigma.max()) for _, sigma, _ in oracle.calls)
        assert top == pytest.approx(strength)
        assert sorted(frame for frames in shown for frame in frames) == list(range(2 * len(shown)))


def test_the_strength_may_change_from_chunk_to_chunk():
    config = BufferConfig(1, 4, 1)
    oracle = Oracle()
    strengths = itertools.cycle((1.0, 0.25))
    stream = buffer(config, oracle, entries=lambda frames: QueueEntry(data(frames), next(strengths)))
    list(itertools.islice(stream, 4))
    _, sigma, _ = oracle.calls[-1]
    base = torch.tensor(config.sigmas(0))
    assert sorted((sigma / base).tolist()) == pytest.approx([0.25, 0.25, 1, 1])


def test_reference_frames_are_the_last_clean_ones():
    config = BufferConfig(2, 2, 1, 3)
    oracle = Oracle()
    list(itertools.islice(buffer(config, oracle), 4))
    x, sigma, frames = oracle.calls[-1]
    assert frames == range(6 - 3, 6 + 4)
    torch.testing.assert_close(x[:, :, :3], data(range(3, 6)), atol=1e-5, rtol=0)
    assert sigma[:3].tolist() == [0, 0, 0]


def test_what_is_in_work_stays_the_same_for_2000_chunks():
    config = BufferConfig(1, 3, 1, 1)
    stream = buffer(config, blurred)
    next(stream)
    size = (stream.snapshot().nbytes, stream.nbytes)
    for _ in range(2000):
        next(stream)
    assert (stream.snapshot().nbytes, stream.nbytes) == size
    assert stream.start == 2001


def test_lookahead_takes_the_later_half_of_every_window():
    config = BufferConfig(1, 8, 1, 2)
    calls = []

    def short(x, sigma, frames):
        calls.append((x.shape[2], list(frames)))
        return data(frames)

    video = torch.cat(list(itertools.islice(buffer(config, with_lookahead(short, 4)), 12)), 2)
    torch.testing.assert_close(video, data(range(12)), atol=1e-5, rtol=0)
    assert {frames for frames, _ in calls} == {4}
    assert [numbers for _, numbers in calls[-4:]] == [
        [9, 10, 11, 12],
        [11, 12, 13, 14],
        [13, 14, 15, 16],
        [15, 16, 17, 18],
    ]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: BufferConfig(0, 4), "chunk_frames: expected a whole number from 1, got 0"),
        (lambda: BufferConfig(2, 4, 1, -1), "reference_frames: expected a whole number from 0, got -1"),
        (lambda: BufferConfig(gamma=0), "gamma: expected above 0, got 0"),
        (
            lambda: BufferConfig.partition(8, 3, 8),
            "chunk_frames: expected a divisor of 8 latent frames, got 3",
        ),
        (lambda: BufferConfig.partition(8, 2, 6), "steps: expected a multiple of 4 chunks, got 6"),
        (lambda: BufferConfig(2, 4).sigmas(2), "micro_step: expected 0..1, got 2"),
        (
            lambda: MovingBuffer(BufferConfig(2, 2, 1, 2), Oracle(), SIZE, torch.Generator()),
            "reference: expected 2 latent frames, got none",
        ),
        (
            lambda: BufferConfig(start="later"),
            "start: expected one of .* got 'later'",
        ),
        (
            lambda: next(buffer(BufferConfig(2, 2), Oracle(), entries=lambda f: QueueEntry(data(f), 1.5))),
            "strength: expected 0..1, got 1.5",
        ),
        (
            lambda: next(
                buffer(BufferConfig(2, 2), Oracle(), entries=lambda f: QueueEntry(data(range(3)), 0.5))
            ),
            r"entry of latent frames 0 to 1: expected \(1, 3, 2, 2, 2\), got \(1, 3, 3, 2, 2\)",
        ),
    ],
)
def test_what_does_not_fit_is_an_error(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_partition_is_named_by_its_frames_and_steps():
    assert BufferConfig.partition(16, 2, 128) == BufferConfig(2, 8, 16)
    assert BufferConfig.partition(16, 16, 32).steps == 32
