"""The tiny codec: streaming equals batch, shapes, and what it refuses."""

import pytest
import torch

from motionstream_core.codec.tiny import CodecConfig, TinyCodec

SMALL = CodecConfig(encoder=(8, 8, 12), decoder=(12, 8, 8, 8))


@pytest.fixture
def codec() -> TinyCodec:
    torch.manual_seed(0)
    made = TinyCodec(SMALL).eval()
    made.latent_mean.normal_()
    made.latent_std.uniform_(0.5, 2.0)
    return made


def test_one_frame_is_one_latent_frame_and_four_more_frames_are_one_more(codec):
    for frames, latent_frames in ((1, 1), (5, 2), (25, 7)):
        latents = codec.encode(torch.rand(2, frames, 3, 32, 48))
        assert latents.shape == (2, 16, latent_frames, 4, 6)
        assert codec.decode(latents).shape == (2, frames, 3, 32, 48)


@pytest.mark.parametrize("pieces", [(1, 12, 12), (13, 12), (5, 4, 16), (25,)])
@torch.no_grad()
def test_a_clip_encoded_in_pieces_gives_the_latents_of_the_whole_clip(codec, pieces):
    clip = torch.rand(1, 25, 3, 32, 32)
    state, parts, start = codec.start_encode(), [], 0
    for length in pieces:
        part, state = codec.encode_chunk(clip[:, start : start + length], state)
        parts.append(part)
        start += length
    torch.testing.assert_close(torch.cat(parts, 2), codec.encode(clip), atol=1e-5, rtol=0)


@pytest.mark.parametrize("pieces", [(1, 3, 3), (4, 3), (1,) * 7])
@torch.no_grad()
def test_latents_decoded_in_pieces_give_the_frames_of_the_whole_clip(codec, pieces):
    latents = torch.randn(1, 16, 7, 4, 4)
    state, parts, start = codec.start_decode(), [], 0
    for length in pieces:
        part, state = codec.decode_chunk(latents[:, :, start : start + length], state)
        parts.append(part)
        start += length
    torch.testing.assert_close(torch.cat(parts, 1), codec.decode(latents), atol=1e-5, rtol=0)


@torch.no_grad()
def test_the_codec_is_causal_later_frames_do_not_change_earlier_latents(codec):
    clip = torch.rand(1, 9, 3, 32, 32)
    changed = clip.clone()
    changed[:, 5:] = 0
    before, after = codec.encode(clip), codec.encode(changed)
    torch.testing.assert_close(before[:, :, :2], after[:, :, :2], atol=0, rtol=0)
    assert (before[:, :, 2] - after[:, :, 2]).abs().max() > 1e-3


@torch.no_grad()
def test_the_state_of_a_stream_does_not_grow(codec):
    state, sizes = codec.start_decode(), []
    for _ in range(4):
        _, state = codec.decode_chunk(torch.randn(1, 16, 3, 4, 4), state)
        sizes.append(sum(m.nelement() for m in state.memory))
    assert len(set(sizes)) == 1


def test_an_untrained_codec_already_gives_back_the_mean_colours():
    torch.manual_seed(0)
    flat = torch.rand(1, 1, 3, 1, 1).expand(1, 5, 3, 32, 32)
    with torch.no_grad():
        error = (TinyCodec(SMALL).decode(TinyCodec(SMALL).encode(flat)) - flat).abs().mean()
    assert error < 0.1


def test_a_frame_count_that_does_not_fit_is_refused_with_the_numbers(codec):
    with pytest.raises(
        ValueError, match=r"expected 1 \+ a multiple of 4 frames at the start of a stream, got 4"
    ):
        codec.encode(torch.rand(1, 4, 3, 32, 32))
    _, state = codec.encode_chunk(torch.rand(1, 1, 3, 32, 32), codec.start_encode())
    with pytest.raises(ValueError, match="got 5"):
        codec.encode_chunk(torch.rand(1, 5, 3, 32, 32), state)


def test_a_size_that_does_not_fit_the_stride_is_refused_with_the_numbers(codec):
    with pytest.raises(ValueError, match="divisible by 8, got 33x32"):
        codec.encode(torch.rand(1, 1, 3, 32, 33))
