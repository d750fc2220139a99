"""Pictures in bytes: the frame-by-frame way gives what the plain expression gives."""

import torch

from motionstream_core.common.pictures import to_uint8


def plain(frames: torch.Tensor) -> torch.Tensor:
    """The expression that every viewer and file used before, with temporaries of the whole chunk."""
    return frames.float().mul(255).round().clamp(0, 255).byte()


def test_bytes_are_those_of_the_plain_expression():
    rng = torch.Generator().manual_seed(0)
    frames = torch.rand(5, 16, 24, 3, generator=rng) * 1.4 - 0.2
    frames[0, 0, 0, 0] = 0.5 / 255  # a tie: to even
    frames[0, 0, 0, 1] = 1.5 / 255
    for kind in (torch.float32, torch.bfloat16, torch.float16):
        assert to_uint8(frames.to(kind)).equal(plain(frames.to(kind)))
    every = torch.arange(256, dtype=torch.float32).view(1, 16, 16, 1).expand(2, -1, -1, 3) / 255
    assert to_uint8(every).equal((every * 255).round().byte())


def test_a_strided_view_and_bytes_come_back_right_and_nothing_is_written_to():
    frames = torch.rand(3, 3, 16, 24, generator=torch.Generator().manual_seed(1))
    before = frames.clone()
    seen = frames.permute(0, 2, 3, 1)
    assert to_uint8(seen).equal(plain(seen))
    assert frames.equal(before)
    made = to_uint8(seen)
    assert to_uint8(made) is made
    assert to_uint8(frames[:0]).shape == (0, 3, 16, 24)
