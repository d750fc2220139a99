"""Imperfect tracks: what each way changes, and what none of them may."""

import pytest
import torch

from motionstream_core.training.data import augment
from motionstream_core.training.data.augment import Imperfection, exact_tracks, make_imperfect

SIZE, FRAMES, TRACKS = 6, 37, 40


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def tracks(seed=1, padding=5):
    """Smooth random paths, a tenth of the places hidden, the last tracks padding."""
    g = rng(seed)
    t = torch.linspace(0, 1, FRAMES)[None, :, None, None]
    xy = 128 * torch.rand(SIZE, 1, TRACKS, 2, generator=g) + 30 * t * torch.randn(
        SIZE, 1, TRACKS, 2, generator=g
    )
    xy = (
        xy
        + 6 * torch.sin(6 * t + 6 * torch.rand(SIZE, 1, TRACKS, 2, generator=g))
        - 6 * torch.sin(6 * torch.zeros(1))
    )
    visible = torch.rand(SIZE, FRAMES, TRACKS, generator=g) < 0.9
    visible[:, 0] = True
    visible[..., TRACKS - padding :] = False
    return xy, visible


def given(seed=1):
    return exact_tracks(*tracks(seed))


@pytest.mark.parametrize("name", augment.CHANGES)
def test_every_way_is_pure_repeatable_and_leaves_frame_0_where_it_is(name):
    before = given()
    kept = [value.clone() for value in (before.xy, before.visible, before.unspecified)]
    made, again = (augment.CHANGES[name](before, rng(3)) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(kept, (before.xy, before.visible, before.unspecified)))
    assert (
        torch.equal(made.xy, again.xy)
        and torch.equal(made.visible, again.visible)
        and torch.equal(made.unspecified, again.unspecified)
    )
    assert made.xy.shape == before.xy.shape and made.xy.isfinite().all() and made.xy.dtype == before.xy.dtype
    assert torch.equal(made.xy[:, 0], before.xy[:, 0]) and not made.unspecified[:, 0].any()
    assert not (made.visible & made.unspecified).any()
    padding = ~before.visible.any(1)
    assert not made.visible.any(1)[padding].any() and not made.unspecified.any(1)[padding].any()
    changed = not (torch.equal(made.xy, before.xy) and torch.equal(made.visible, before.visible))
    assert changed, "the way did nothing"
    if name != "sparse":
        assert torch.equal(made.visible[:, 0], before.visible[:, 0])


def test_of_a_dense_set_few_tracks_are_left_and_never_padding():
    counts = torch.cat(
        [augment.keep_few(given(), rng(seed), 1, 24).visible.any(1).sum(1) for seed in range(40)]
    )
    assert counts.min() == 1 and 18 <= counts.max() <= 24
    assert (counts <= 5).float().mean() > 0.35, "log-uniform: as many of 1..5 as of 5..24"
    before, made = given(), augment.keep_few(given(), rng(0))
    left = made.visible.any(1)
    assert torch.equal(made.visible, before.visible & left[:, None])


def test_a_hand_drawn_path_goes_through_few_points_near_the_true_one():
    before = given()
    clean = augment.hand_drawn(before, rng(0), (4, 4), noise=0.0)
    at = torch.linspace(0, FRAMES - 1, 4).round().long()
    torch.testing.assert_close(clean.xy[:, at], before.xy[:, at])
    assert (clean.xy - before.xy).norm(dim=-1).max() > 0.5, "between the points it is another curve"
    straight = exact_tracks(
        torch.linspace(0, 36, FRAMES)[None, :, None, None].expand(1, -1, 3, 2).clone(),
        torch.ones(1, FRAMES, 3, dtype=torch.bool),
    )
    torch.testing.assert_close(
        augment.hand_drawn(straight, rng(0), noise=0.0).xy, straight.xy, atol=1e-4, rtol=0
    )
    noisy = augment.hand_drawn(before, rng(0), (4, 4), noise=4.0).xy - clean.xy
    assert 1.5 < noisy[:, at[1:]].std() < 8
    assert noisy[:, at[1:]].mean(2).std() > 2 * (noisy - noisy.mean(2, keepdim=True))[:, at[1:]].std(), (
        "what a stroke holds moves in one piece"
    )


def test_too_fast_is_the_whole_motion_early_then_rest():
    before = given()
    made = augment.too_fast(before, rng(0), 2.0, 2.0)
    torch.testing.assert_close(made.xy[:, :19], before.xy[:, ::2])
    torch.testing.assert_close(made.xy[:, 18:], before.xy[:, -1:].expand(-1, FRAMES - 18, -1, -1))
    assert torch.equal(made.visible[:, :19], before.visible[:, ::2])


def test_jitter_is_of_the_stated_size_and_shakes_a_sample_together():
    off = torch.cat([(augment.jitter_tracks(given(), rng(s), 2.0).xy - given().xy)[:, 1:] for s in range(5)])
    assert 0.6 < off.std() < 2.2
    assert off.mean(2).std() > 2 * (off - off.mean(2, keepdim=True)).std()


def test_what_is_let_go_stays_let_go_and_is_told_from_hidden():
    before = given()
    made = augment.release_tracks(before, rng(0), all_share=1.0)
    for b in range(SIZE):
        moments = made.unspecified[b, :, 0].nonzero()
        first = int(moments[0])
        assert made.unspecified[b, first:, : TRACKS - 5].all() and not made.unspecified[b, :first].any()
        assert not made.visible[b, first:].any() and torch.equal(
            made.visible[b, :first], before.visible[b, :first]
        )
        torch.testing.assert_close(
            made.xy[b, first:, :35], before.xy[b, first - 1, :35].expand(FRAMES - first, -1, -1)
        )
    some = augment.release_tracks(before, rng(0), all_share=0.0).unspecified[..., :35].any(1).float().mean(1)
    assert (some > 0.15).all() and (some < 0.85).all()


def test_whole_chunks_in_the_middle_are_masked_as_often_as_stated():
    starts = torch.cat(
        [
            augment.chunk_masked(given(), rng(seed), 0.2, 6).unspecified[:, 1:, 0].unflatten(1, (6, 6))
            for seed in range(150)
        ]
    )
    assert torch.equal(starts.any(-1), starts.all(-1)), "a chunk is masked as a whole"
    share = starts.all(-1).float().mean(0)
    assert share[0] == share[-1] == 0 and ((share[1:-1] - 0.2).abs() < 0.05).all()


def test_the_mixture_does_nothing_at_zero_and_everything_at_one():
    xy, visible = tracks()
    none = make_imperfect(xy, visible, rng(), Imperfection(0, 0, 0, 0, 0, 0))
    assert torch.equal(none.xy, xy) and torch.equal(none.visible, visible) and not none.unspecified.any()
    every = make_imperfect(xy, visible, rng(), Imperfection(1, 1, 1, 1, 1, 1))
    assert not (every.visible & every.unspecified).any() and torch.equal(every.xy[:, 0], xy[:, 0])
    assert (every.xy - xy).abs().amax((1, 2, 3)).min() > 0
    half = make_imperfect(
        xy.repeat(20, 1, 1, 1), visible.repeat(20, 1, 1), rng(), Imperfection(0.5, 0, 0, 0, 0, 0)
    )
    share = (half.visible.any(1).sum(1) < 30).float().mean()
    assert 0.35 < share < 0.65, "each sample draws for itself"
    again = make_imperfect(xy, visible, rng(), Imperfection(1, 1, 1, 1, 1, 1))
    assert torch.equal(again.xy, every.xy)


def test_a_clip_of_one_frame_is_left_alone():
    one = exact_tracks(torch.rand(2, 1, 3, 2), torch.ones(2, 1, 3, dtype=torch.bool))
    for name, way in augment.CHANGES.items():
        made = way(one, rng())
        assert torch.equal(made.xy, one.xy), name


def test_shapes_and_shares_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"expected xy \(B, T, N, 2\)"):
        exact_tracks(torch.zeros(3, 4, 2), torch.zeros(3, 4))
    with pytest.raises(ValueError, match="released: expected a share of 0 to 1, got 1.5"):
        Imperfection(released=1.5)
    with pytest.raises(ValueError, match="least <= most"):
        augment.keep_few(given(), rng(), 5, 2)
