"""Tracks on the latent grid."""

from dataclasses import replace

import pytest
import torch

from motionstream_core.model.motion import (
    ID_RANGE,
    MotionEncoder,
    TrackHead,
    motion_map,
    pack_time,
    sinusoidal_ids,
    track_ids,
)
from motionstream_core.model.presets import PRESETS, MotionConfig
from motionstream_core.model.weights.bundle import config_from_dict, config_to_dict


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def random_tracks(frames: int, count: int, size: int = 32) -> tuple[torch.Tensor, torch.Tensor]:
    rng = seeded(3)
    xy = torch.rand(frames, count, 2, generator=rng) * size * 1.4 - size * 0.2
    return xy, torch.rand(frames, count, generator=rng) > 0.2


def plain_motion_map(xy, visible, emb, grid, stride):
    """Reference: one point at a time, the lowest track index last so that it wins."""
    out = torch.zeros(emb.shape[1], len(xy), *grid)
    for t in range(len(xy)):
        for n in reversed(range(xy.shape[1])):
            x, y = int(xy[t, n, 0] // stride), int(xy[t, n, 1] // stride)
            if visible[t, n] and 0 <= x < grid[1] and 0 <= y < grid[0]:
                out[:, t, y, x] = emb[n]
    return out


def test_ids_are_distinct_in_range_and_repeat_with_the_seed():
    ids = track_ids(2500, seeded(7))
    assert len(set(ids.tolist())) == 2500 and 0 <= ids.min() and ids.max() < ID_RANGE
    assert torch.equal(ids, track_ids(2500, seeded(7))) and not torch.equal(ids, track_ids(2500, seeded(8)))


@pytest.mark.parametrize("count", [0, ID_RANGE + 1])
def test_a_number_of_tracks_out_of_range_is_refused(count):
    with pytest.raises(ValueError, match=f"got {count}"):
        track_ids(count, seeded())


def test_embeddings_of_random_ids_differ_in_every_channel():
    emb = sinusoidal_ids(track_ids(500, seeded()), 64)
    assert emb.shape == (500, 64) and emb.dtype == torch.float32
    assert emb.std(dim=0).min() > 0.5


def test_the_map_equals_writing_one_point_at_a_time():
    xy, visible = random_tracks(5, 40)
    emb = sinusoidal_ids(track_ids(40, seeded()))
    assert torch.equal(motion_map(xy, visible, emb, (4, 4), 8), plain_motion_map(xy, visible, emb, (4, 4), 8))


def test_a_batch_of_maps_equals_the_maps_one_by_one():
    xy, visible = random_tracks(6, 10)
    xy, visible = xy.reshape(2, 3, 10, 2), visible.reshape(2, 3, 10)
    emb = torch.stack([sinusoidal_ids(track_ids(10, seeded(s))) for s in range(2)])
    both = motion_map(xy, visible, emb, (4, 4), 8)
    assert torch.equal(
        both, torch.stack([motion_map(xy[b], visible[b], emb[b], (4, 4), 8) for b in range(2)])
    )


def test_the_lowest_track_index_wins_a_shared_cell():
    xy = torch.tensor([[[9.0, 1.0], [15.9, 7.9], [8.0, 0.0]]])
    out = motion_map(xy, torch.tensor([[False, True, True]]), torch.eye(3), (2, 2), 8)
    assert out[:, 0, 0, 1].tolist() == [0, 1, 0] and out.abs().sum() == 1


def test_points_just_off_the_canvas_are_not_written():
    xy = torch.tensor([[[-0.1, 3.0], [16.0, 3.0], [3.0, -1e9], [3.0, 1e30]]])
    assert motion_map(xy, torch.ones(1, 4, dtype=torch.bool), torch.ones(4, 2), (2, 2), 8).abs().sum() == 0


def test_frame_zero_is_packed_four_times_and_then_four_frames_each():
    maps = torch.arange(9.0).reshape(1, 9, 1, 1)
    assert pack_time(maps)[:, :, 0, 0].T.tolist() == [[0, 0, 0, 0], [1, 2, 3, 4], [5, 6, 7, 8]]


@pytest.mark.parametrize(("frames", "first"), [(4, True), (5, False), (0, False)])
def test_a_number_of_frames_that_does_not_pack_is_refused(frames, first):
    with pytest.raises(ValueError, match=f"got {frames}"):
        pack_time(torch.zeros(2, frames, 1, 1), first)


@pytest.mark.parametrize("pieces", [(1, 4, 4, 4, 12), (9, 12, 4), (1, 12, 12)])
def test_encoding_chunk_by_chunk_equals_encoding_the_clip_at_once(pieces):
    torch.manual_seed(0)
    xy, visible = random_tracks(25, 30)
    encoder = MotionEncoder(TrackHead(), track_ids(30, seeded()), (4, 4), 8)
    whole = encoder.encode(xy, visible)
    encoder.reset()
    parts = [encoder.encode(a, b) for a, b in zip(xy.split(pieces), visible.split(pieces))]
    assert whole.shape == (1, 16, 7, 4, 4)
    assert torch.allclose(torch.cat(parts, dim=2), whole, atol=1e-6)


def test_an_encoder_refuses_another_number_of_tracks():
    encoder = MotionEncoder(TrackHead(), track_ids(30, seeded()), (4, 4), 8)
    with pytest.raises(ValueError, match="30"):
        encoder.encode(torch.zeros(1, 29, 2), torch.ones(1, 29, dtype=torch.bool))


def test_a_track_let_go_is_told_from_a_hidden_one_by_a_channel_of_its_own():
    xy = torch.tensor([[[4.0, 4.0], [12.0, 4.0]]]).expand(5, -1, -1)
    visible = torch.tensor([[True, True]] + [[False, False]] * 4)
    let_go = torch.tensor([[False, False]] * 3 + [[False, True]] * 2)
    maps = motion_map(xy, visible, torch.ones(2, 3), (2, 2), 8, let_go)
    assert maps.shape == (4, 5, 2, 2)
    assert torch.equal(maps[:3], motion_map(xy, visible, torch.ones(2, 3), (2, 2), 8))
    assert maps[3, :3].abs().sum() == 0 and maps[3, 3:].tolist() == [[[0.0, 1.0], [0.0, 0.0]]] * 2
    both = motion_map(
        xy[None].repeat(2, 1, 1, 1),
        visible[None].repeat(2, 1, 1),
        torch.ones(2, 2, 3),
        (2, 2),
        8,
        let_go[None].repeat(2, 1, 1),
    )
    assert torch.equal(both, maps[None].repeat(2, 1, 1, 1, 1))


def test_an_encoder_with_the_channel_sees_what_is_let_go_and_one_without_does_not():
    config = MotionConfig(unspecified_channel=True)
    assert (config.map_channels, MotionConfig().map_channels, config.channels) == (
        65,
        64,
        MotionConfig().channels,
    )
    torch.manual_seed(0)
    xy, visible = random_tracks(25, 30)
    visible[13:] = False
    let_go = ~visible
    head = TrackHead(config.map_channels)
    encoder = MotionEncoder(head, track_ids(30, seeded()), (4, 4), 8, unspecified=True)
    with_bit = encoder.encode(xy, visible, let_go)
    encoder.reset()
    without = encoder.encode(xy, visible)
    assert (with_bit[:, :, 4:] - without[:, :, 4:]).abs().max() > 1e-3
    encoder.reset()
    parts = [
        encoder.encode(a, b, c)
        for a, b, c in zip(xy.split((1, 12, 12)), visible.split((1, 12, 12)), let_go.split((1, 12, 12)))
    ]
    assert torch.allclose(torch.cat(parts, dim=2), with_bit, atol=1e-6)
    plain = MotionEncoder(TrackHead(), track_ids(30, seeded()), (4, 4), 8)
    first = plain.encode(xy, visible, let_go)
    plain.reset()
    assert torch.equal(first, plain.encode(xy, visible))


def test_weights_without_the_channel_are_written_and_read_as_before_it():
    shipped = PRESETS["tiny"]
    assert (
        "unspecified_channel" not in config_to_dict(shipped)["motion"]
        and config_from_dict(config_to_dict(shipped)) == shipped
    )
    with_bit = replace(shipped, motion=replace(shipped.motion, unspecified_channel=True))
    assert config_from_dict(config_to_dict(with_bit)) == with_bit


def test_an_ids_embedding_is_its_sines_then_its_cosines_of_base_10000():
    """A released track head fits no other."""
    got = sinusoidal_ids(torch.tensor([0, 1, 700]), 8)
    angles = torch.tensor([[0.0] * 4, [1.0, 0.1, 0.01, 0.001], [700.0, 70.0, 7.0, 0.7]], dtype=torch.float64)
    torch.testing.assert_close(got, torch.cat([angles.sin(), angles.cos()], dim=1).float())
    assert got[0].tolist() == [0, 0, 0, 0, 1, 1, 1, 1]
