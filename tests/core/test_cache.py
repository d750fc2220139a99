"""What the rolling cache keeps, and that a cached forward is full attention under the equivalent mask."""

import pytest
import torch
from reference import full_forward, kept_frames, small_model, small_text

from motionstream_core.model.cache import CacheShape, GradKVCache, KVCache
from motionstream_core.model.context import rolling_context
from motionstream_core.model.rope import Rope

CASES = [
    ("c3s1w3", [1, 3, 3, 3, 3]),
    ("c3s1w3", [3, 3, 3, 3]),
    ("c3s3w3", [1, 3, 3, 3, 3]),
    ("c3s3w3", [3, 3, 3, 3, 3]),
    ("c1s1w2", [1, 1, 1, 1, 1, 1]),
    ("c3s0w4", [3, 1, 3, 2, 3]),
    ("c3s5w2", [1, 3, 3, 3, 2, 3]),
    ("c3s2w0", [1, 3, 3, 3]),
    ("c3s0w0", [3, 3]),
]
KINDS = ["rolling", "grad"]


def make_cache(kind: str, label: str):
    rope, shape = Rope(4, (1, 2)), CacheShape.parse(label)
    return KVCache(shape, 1, 4, rope) if kind == "rolling" else GradKVCache(shape, 1, rope)


def numbered(start: int, frames: int) -> torch.Tensor:
    """Values (1, frames x 2 tokens, 4) that carry the number of their latent frame."""
    return torch.arange(start, start + frames).float().repeat_interleave(2)[None, :, None].repeat(1, 1, 4)


def frames_seen(values: torch.Tensor) -> list[int]:
    return values[0, ::2, 0].int().tolist()


def feed(cache, sizes: list[int]):
    """A noisy forward, then a committed one, per chunk; yields the frames each saw and those kept after
    it.
    """
    start = 0
    for size in sizes:
        clean = numbered(start, size)
        noisy_seen = frames_seen(cache.extend(0, clean, clean + 100)[1])
        seen = frames_seen(cache.extend(0, clean, clean, commit=True)[1])
        cache.advance(size)
        start += size
        yield (
            noisy_seen,
            seen,
            list(range(cache.in_sink)),
            list(range(cache.total - cache.in_window, cache.total)),
        )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("label", "sizes", "kept"),
    [
        ("c3s1w3", [1, 3, 3, 3], [([0], []), ([0], [1, 2, 3]), ([0], [4, 5, 6]), ([0], [7, 8, 9])]),
        ("c3s1w3", [3, 3, 3], [([0], [1, 2]), ([0], [3, 4, 5]), ([0], [6, 7, 8])]),
        (
            "c3s3w3",
            [1, 3, 3, 3],
            [([0], []), ([0, 1, 2], [3]), ([0, 1, 2], [4, 5, 6]), ([0, 1, 2], [7, 8, 9])],
        ),
        ("c1s1w2", [1, 1, 1, 1, 1], [([0], []), ([0], [1]), ([0], [1, 2]), ([0], [2, 3]), ([0], [3, 4])]),
        ("c3s0w2", [1, 3, 3], [([], [0]), ([], [2, 3]), ([], [5, 6])]),
        ("c3s2w0", [1, 3, 3], [([0], []), ([0, 1], []), ([0, 1], [])]),
        (
            "c3s0w4",
            [3, 1, 2, 3],
            [([], [0, 1, 2]), ([], [0, 1, 2, 3]), ([], [2, 3, 4, 5]), ([], [5, 6, 7, 8])],
        ),
    ],
)
def test_sink_and_window_hold_exactly_these_frames_after_each_chunk(kind, label, sizes, kept):
    assert [(sink, window) for _, _, sink, window in feed(make_cache(kind, label), sizes)] == kept


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("label", "sizes"), CASES)
def test_attention_gets_the_kept_frames_and_then_the_chunk_itself(kind, label, sizes):
    starts = [sum(sizes[:i]) for i in range(len(sizes))]
    expected = kept_frames(sizes, CacheShape.parse(label))
    for (noisy, clean, _, _), past, start, size in zip(
        feed(make_cache(kind, label), sizes), expected, starts, sizes
    ):
        assert clean == past + list(range(start, start + size))
        assert noisy == past + list(range(start + 100, start + 100 + size))


@pytest.mark.parametrize(("label", "sizes"), CASES)
def test_the_rolling_and_the_training_cache_agree(label, sizes):
    model = small_model(context=label)
    text, rng = small_text(model), torch.Generator().manual_seed(0)
    caches = [model.make_cache(4, 4, batch=2), model.make_grad_cache(4, 4)]
    for size in sizes:
        x = torch.randn(2, 56, size, 4, 4, generator=rng)
        timestep = torch.rand(2, size, generator=rng) * 1000
        for write in (False, True):
            fast, plain = (model(x, timestep, text, rolling_context(cache, write=write)) for cache in caches)
            assert (fast - plain).abs().max() <= 1e-5


@pytest.mark.parametrize(("label", "sizes"), CASES)
def test_cached_forwards_equal_full_attention_under_the_equivalent_mask(label, sizes):
    model = small_model(context=label)
    text, rng, frames = small_text(model), torch.Generator().manual_seed(0), sum(sizes)
    clean, noisy = (torch.randn(1, 56, frames, 4, 4, generator=rng) for _ in range(2))
    times = torch.cat([torch.zeros(1, frames), torch.rand(1, frames, generator=rng) * 1000], dim=1)
    sees: list[dict[int, int]] = [{} for _ in range(2 * frames)]
    start = 0
    for size, past in zip(sizes, kept_frames(sizes, model.config.rolling.cache_shape)):
        slots = {frame: slot for slot, frame in enumerate(past)}
        for offset in (0, frames):
            own = {start + offset + i: len(past) + i for i in range(size)}
            for frame in own:
                sees[frame] = slots | own
        start += size
    expected = full_forward(model, torch.cat([clean, noisy], dim=2), times, text, sees)

    cache, got_clean, got_noisy = model.make_cache(4, 4), [], []
    for x, z, t in zip(clean.split(sizes, 2), noisy.split(sizes, 2), times[:, frames:].split(sizes, 1)):
        got_noisy.append(model(z, t, text, rolling_context(cache)))
        got_clean.append(model(x, torch.zeros_like(t), text, rolling_context(cache, write=True)))
    difference = (torch.cat(got_clean + got_noisy, dim=2) - expected).abs().max()
    assert expected.std() > 0.1 and difference <= 1e-4


def test_no_buffer_moves_or_grows_over_a_long_stream():
    cache = make_cache("rolling", "c3s1w3")
    clean = numbered(0, 3)
    addresses = {cache.extend(0, clean, clean, commit=True)[0].data_ptr()}
    size = cache.nbytes
    cache.advance(3)
    for _ in range(200):
        keys, _ = cache.extend(0, clean, clean, commit=True)
        cache.advance(3)
        addresses.add(keys.data_ptr())
        assert keys.shape[1] <= cache.shape.frames * 2
    assert len(addresses) == 1 and cache.nbytes == size and cache.total == 603


def test_slots_never_pass_the_last_slot_of_the_shape():
    cache = make_cache("rolling", "c3s1w3")
    for _ in feed(cache, [1] + [3] * 20):
        assert max(cache.slots(3)) <= cache.shape.frames - 1
    assert cache.slots(3) == (4, 5, 6)


def test_a_reset_cache_is_an_empty_cache():
    cache = make_cache("rolling", "c3s1w3")
    first = list(feed(cache, [1, 3, 3]))
    cache.reset()
    assert cache.filled == 0 and list(feed(cache, [1, 3, 3])) == first


def committed_gradient(detached: bool) -> torch.Tensor | None:
    model = small_model()
    text, cache = small_text(model), model.make_grad_cache(4, 4, detached=detached)
    first = torch.randn(1, 56, 1, 4, 4, requires_grad=True)
    model(first, torch.zeros(1, 1), text, rolling_context(cache, write=True))
    second = torch.randn(1, 56, 3, 4, 4, requires_grad=True)
    model(second, torch.full((1, 3), 500.0), text, rolling_context(cache)).square().sum().backward()
    return first.grad


def test_gradients_flow_through_committed_frames_unless_detached():
    assert committed_gradient(detached=False).abs().sum() > 0
    assert committed_gradient(detached=True) is None


def test_the_rolling_cache_refuses_to_train():
    model = small_model()
    x = torch.randn(1, 56, 1, 4, 4, requires_grad=True)
    with pytest.raises(ValueError, match="GradKVCache"):
        model(x, torch.zeros(1, 1), small_text(model), rolling_context(model.make_cache(4, 4)))


@pytest.mark.parametrize("kind", KINDS)
def test_a_chunk_longer_than_the_shape_is_refused(kind):
    with pytest.raises(ValueError, match="got 4"):
        make_cache(kind, "c3s1w3").extend(0, numbered(0, 4), numbered(0, 4))


def test_labels_are_parsed_and_written():
    assert CacheShape.parse("c3s1w12") == CacheShape(3, 1, 12) and CacheShape(3, 1, 12).label == "c3s1w12"


@pytest.mark.parametrize("label", ["", "c3s1", "3,1,3", "c0s1w3", "c3s1w3 "])
def test_a_label_that_is_no_cache_shape_is_refused(label):
    with pytest.raises(ValueError, match="cache: expected"):
        CacheShape.parse(label)
