"""Samples from disk: any of them at random or every one once, in bounded memory, to be gone on with, by
several processes.
"""

import json
import tracemalloc
from collections import Counter

import numpy as np
import pytest
import torch

from motionstream_core.training.data.pool import CAPTION_BYTES, Epochs, Pool, caption_bytes, caption_text
from motionstream_core.training.data.shard_files import ShardFile, join_shards, write_shard


def sample(number: int, big: int = 1) -> dict[str, np.ndarray]:
    return {
        "latents": np.full((2, 3, 4, 4 * big), number, np.float16),
        "xy": np.full((9, 5, 2), number, np.float32),
        "visible": np.ones((9, 5), bool),
        "tokens": np.full(16, number, np.int16),
        "masks": np.full((8, 3, 4, 4), 51, np.uint8),
        "caption": caption_bytes(f"clip {number}"),
    }


def fill(folder, *counts, begin=0, name="s"):
    """Shards of the given numbers of clips, numbered on."""
    for shard, count in enumerate(counts):
        write_shard(folder / f"{name}{shard}.npz", [sample(begin + i) for i in range(count)])
        begin += count
    return folder


def numbers(batch) -> list[int]:
    return batch["tokens"][:, 0].tolist()


def test_the_same_rng_draws_the_same_batch_and_every_clip_is_as_likely(tmp_path):
    pool = Pool(fill(tmp_path, 3, 1, 6))
    assert pool.clips == 10
    assert numbers(pool.batch(np.random.default_rng(5), 6)) == numbers(
        Pool(tmp_path).batch(np.random.default_rng(5), 6)
    )
    drawn = Counter(numbers(pool.batch(np.random.default_rng(0), 2000)))
    assert sorted(drawn) == list(range(10)) and min(drawn.values()) > 140 and max(drawn.values()) < 270


def test_a_batch_is_tensors_of_the_stated_kinds(tmp_path):
    batch = Pool(fill(tmp_path, 4)).read([("s0.npz", 2), ("s0.npz", 0)])
    assert (
        batch["latents"].dtype == torch.float32
        and batch["latents"][0].unique().tolist() == [2.0]
        and batch["latents"][1].unique().tolist() == [0.0]
    )
    assert (
        batch["masks"].unique().tolist() == [pytest.approx(0.2)]
        and batch["visible"].dtype == torch.bool
        and batch["tokens"].dtype == torch.int64
    )
    assert [caption_text(row) for row in batch["caption"]] == ["clip 2", "clip 0"]


def test_shards_written_later_are_found(tmp_path):
    pool = Pool(fill(tmp_path, 2))
    fill(tmp_path, 3, begin=2, name="t")
    (tmp_path / "u.npz.partial").write_bytes(b"still being written")
    assert pool.clips == 2 and pool.refresh() == 5
    assert set(numbers(pool.batch(np.random.default_rng(0), 100))) == set(range(5))


def test_shards_of_earlier_versions_are_read(tmp_path):
    old = {
        name: np.stack([sample(number)[name] for number in range(32)])
        for name in ("latents", "xy", "visible", "tokens", "masks")
    }
    with (tmp_path / "0001_00000.npz").open("wb") as file:
        np.savez(file, **old)
    batch = Pool(tmp_path).read([("0001_00000.npz", row) for row in range(32)])
    assert numbers(batch) == list(range(32)) and np.array_equal(batch["xy"].numpy(), old["xy"])


def test_reading_takes_the_memory_of_the_batch_whatever_the_size_of_the_shards(tmp_path):
    write_shard(tmp_path / "big.npz", [sample(number, big=2000) for number in range(64)])  # 24 MB
    row = sample(0, big=2000)["latents"].nbytes
    tracemalloc.start()
    pool = Pool(tmp_path)
    for _ in range(20):
        pool.batch(np.random.default_rng(0), 2)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 12 * row < (tmp_path / "big.npz").stat().st_size / 5


def test_an_epoch_has_every_clip_once_and_the_next_one_another_order(tmp_path):
    pool = Pool(fill(tmp_path, 5, 3, 4))
    epochs = Epochs(pool, seed=1)
    first, second = ([n for _ in range(4) for n in numbers(epochs.batch(None, 3))] for _ in range(2))
    assert sorted(first) == sorted(second) == list(range(12)) and first != second != sorted(second)
    again = Epochs(pool, seed=1)
    assert first == numbers(again.batch(None, 5)) + numbers(again.batch(None, 7))
    assert first != numbers(Epochs(pool, seed=2).batch(None, 12))


@pytest.mark.parametrize("steps", [0, 2, 5, 9])
def test_an_order_goes_on_where_it_was_left(tmp_path, steps):
    epochs = Epochs(Pool(fill(tmp_path, 5, 2)), seed=3)
    for _ in range(steps):
        epochs.batch(None, 3)
    state = json.loads(json.dumps(epochs.state_dict()))
    rest = [numbers(epochs.batch(None, 3)) for _ in range(5)]
    other = Epochs(Pool(tmp_path), seed=99)
    other.load_state_dict(state)
    assert [numbers(other.batch(None, 3)) for _ in range(5)] == rest


def test_processes_share_one_common_batch_and_their_number_may_change(tmp_path):
    fill(tmp_path, 5, 6)
    alone = Epochs(Pool(tmp_path), seed=4)
    wanted = [numbers(alone.batch(None, 4)) for _ in range(6)]
    two = [Epochs(Pool(tmp_path), seed=4, rank=rank, world=2) for rank in range(2)]
    assert [numbers(two[0].batch(None, 2)) + numbers(two[1].batch(None, 2)) for _ in range(3)] == wanted[:3]
    assert two[0].state_dict() == two[1].state_dict()
    four = [Epochs(Pool(tmp_path), rank=rank, world=4) for rank in range(4)]
    for one in four:
        one.load_state_dict(two[0].state_dict())
    assert [sum((numbers(one.batch(None, 1)) for one in four), []) for _ in range(3)] == wanted[3:]


def test_new_shards_join_at_the_next_epoch_and_not_before(tmp_path):
    epochs = Epochs(Pool(fill(tmp_path, 4)), seed=0)
    first = numbers(epochs.batch(None, 2))
    fill(tmp_path, 3, begin=4, name="t")
    state = epochs.state_dict()
    assert sorted(first + numbers(epochs.batch(None, 2))) == [0, 1, 2, 3]
    assert sorted(numbers(epochs.batch(None, 7))) == list(range(7))
    resumed = Epochs(Pool(tmp_path), seed=0)
    resumed.load_state_dict(state)
    assert sorted(first + numbers(resumed.batch(None, 2))) == [0, 1, 2, 3], (
        "a resumed epoch has the shards it began with"
    )


def test_what_cannot_be_read_is_refused_in_words(tmp_path):
    with pytest.raises(ValueError, match="expected a folder of shards"):
        Pool(tmp_path / "absent")
    empty = Pool(tmp_path)
    for draw in (lambda: empty.batch(np.random.default_rng(0), 1), lambda: Epochs(empty)):
        with pytest.raises(ValueError, match=r"expected shards \(\*.npz\) .* got none"):
            draw()
    with pytest.raises(ValueError, match="rank below the number of processes 2, got 2"):
        Epochs(empty, rank=2, world=2)
    write_shard(tmp_path / "a.npz", [sample(0)])
    with pytest.raises(ValueError, match="without warp"):
        Pool(tmp_path, ("latents", "warp"))
    write_shard(tmp_path / "b.npz", [sample(0, big=2)])
    with pytest.raises(ValueError, match="b.npz: expected the fields and shapes of a.npz"):
        Pool(tmp_path)
    np.savez_compressed(tmp_path / "b.npz", **{name: value[None] for name, value in sample(0).items()})
    with pytest.raises(ValueError, match="b.npz: expected a shard stored uncompressed"):
        Pool(tmp_path)
    (tmp_path / "b.npz").write_bytes((tmp_path / "a.npz").read_bytes()[:-700])
    with pytest.raises(ValueError, match="b.npz: expected a shard"):
        Pool(tmp_path)
    with pytest.raises(ValueError, match="sample of 0 .. 0, got 1"):
        ShardFile(tmp_path / "a.npz").row(1)


def test_going_on_without_a_shard_of_that_epoch_is_refused(tmp_path):
    state = Epochs(Pool(fill(tmp_path, 2, 3))).state_dict()
    (tmp_path / "s1.npz").unlink()
    with pytest.raises(ValueError, match="expected the shard s1.npz with 3 clips .* got none"):
        Epochs(Pool(tmp_path)).load_state_dict(state)


def test_a_shard_that_could_not_be_finished_leaves_none(tmp_path):
    with pytest.raises(ValueError, match="expected latents"):
        write_shard(tmp_path / "a.npz", [sample(0), sample(1, big=2)])
    assert list(tmp_path.glob("*.npz")) == []


def test_joined_shards_are_their_samples_in_order(tmp_path):
    parts = [tmp_path / f"s{n}.npz" for n in range(3)]
    fill(tmp_path, 1, 2, 1)
    join_shards(tmp_path / "all.npz", parts)
    with np.load(tmp_path / "all.npz") as data:
        assert data["tokens"][:, 0].tolist() == [0, 1, 2, 3] and data["latents"].shape == (4, 2, 3, 4, 4)


def test_long_captions_are_cut_between_two_characters():
    text = "ü" * 400
    assert caption_bytes(text).shape == (CAPTION_BYTES,) and caption_text(caption_bytes(text)) == "ü" * 256
    assert caption_text(caption_bytes("a" + text)) == "a" + "ü" * 255
