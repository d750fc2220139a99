"""Video to video: how a source's pictures enter the moving buffer, at which strength, and how it ends."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from core.test_buffer_stream import chunks_of, no_tracks, small_networks

from motionstream_core.live.controls import SetStrength
from motionstream_core.live.session import LiveSession
from motionstream_core.model.config import BufferConfig, Partition
from motionstream_core.streaming.options import StreamOptions
from motionstream_core.streaming.source_video import SourceReader, SourceVideo, reference_latents
from motionstream_core.streaming.stream import controls_of, stream

SIDE = 32
CONFIG = BufferConfig(1, 4, 1)


def picture(number: int, width: int = SIDE, height: int = SIDE) -> np.ndarray:
    rng = np.random.default_rng(number)
    return np.kron(rng.integers(0, 255, (height // 8, width // 8, 3)), np.ones((8, 8, 1))).astype(np.uint8)


def video(count: int = 60, strength: float = 0.5, at_end: str = "end", known: bool = True) -> SourceVideo:
    frames = count if known else None
    return SourceVideo(lambda: iter([picture(i) for i in range(count)]), strength, at_end, frames)


def reader(source: SourceVideo, running: bool = False) -> SourceReader:
    return SourceReader(source, small_networks(CONFIG).codec, (SIDE, SIDE), "cpu", running)


def encoded(numbers) -> torch.Tensor:
    """The whole clip of these pictures, encoded in one piece."""
    clip = torch.stack([torch.from_numpy(picture(n)) for n in numbers])
    clip = clip.permute(0, 3, 1, 2)[None].float() / 255
    with torch.no_grad():
        return small_networks(CONFIG).codec.encode(clip)


def rewound(at: int, to: int, session: LiveSession | None = None, **options) -> list:
    """The chunks of a stream that goes back once, after chunk `at`."""
    session = session or LiveSession()
    networks = small_networks(CONFIG)
    options = StreamOptions(fit="hold", seed=5, **options)
    made = []
    for chunk in stream(networks, torch.zeros(SIDE, SIDE, 3), no_tracks(), "red car", options, session):
        made.append(chunk)
        if len(made) == at + 1:
            session.post({"type": "rewind", "chunk": to})
    return made


def read(made: SourceReader, latents: int, chunk: int = 1) -> torch.Tensor:
    return torch.cat([made(range(i, i + chunk)).latents for i in range(0, latents, chunk)], 2)


@pytest.mark.parametrize("chunk", [1, 2, 4])
def test_chunk_by_chunk_is_the_whole_clip(chunk):
    torch.testing.assert_close(read(reader(video()), 8, chunk), encoded(range(29)), atol=1e-4, rtol=1e-4)


def test_latents_of_a_running_stream_begin_warm():
    numbers = [0] * 9 + list(range(1, 13))
    made = read(reader(video(), running=True), 4)
    torch.testing.assert_close(made, encoded(numbers)[:, :, 2:], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    ("at_end", "numbers", "length"),
    [
        ("hold", [0, 1, 2, 3, 4, 5, 5, 5, 5, 5, 5, 5, 5], None),
        ("loop", [0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5, 0], None),
        ("end", [0, 1, 2, 3, 4, 5, 5, 5, 5, 5, 5, 5, 5], 6),
    ],
)
def test_a_short_video_is_held_or_looped_or_ends_the_stream(at_end, numbers, length):
    made = reader(video(6, at_end=at_end))
    torch.testing.assert_close(read(made, 4), encoded(numbers), atol=1e-4, rtol=1e-4)
    assert made.length == length


def test_a_short_video_is_said():
    assert video(60).note(13) is None and video(6, known=False).note(13) is None
    assert video(6, at_end="loop").note(13) == (
        "Source video: 6 frames, fewer than the 13 in work at once: it is begun anew"
    )
    assert "held on its last frame" in (video(6).note(13) or "")


def test_the_stream_ends_with_a_video_that_ends_and_loses_nothing_with_one_that_breaks():
    def broken():
        yield from (picture(i) for i in range(20))
        raise ValueError("video: expected a file that can be decoded, got damage")

    for source in (video(20), SourceVideo(broken)):
        made = chunks_of(CONFIG, frames=None, video=source)
        assert sum(len(chunk.frames) for chunk in made) == 20
    with pytest.raises(ValueError, match="expected at least one frame, got none"):
        chunks_of(CONFIG, frames=9, video=video(0))


def test_pictures_may_change_their_size_in_mid_stream():
    sizes = [(SIDE, SIDE)] * 7 + [(64, 48)] * 14
    source = SourceVideo(lambda: iter([picture(i, *size) for i, size in enumerate(sizes)]))
    made = chunks_of(CONFIG, frames=None, video=source)
    assert sum(len(chunk.frames) for chunk in made) == 21
    assert {chunk.frames.shape[1:] for chunk in made} == {(SIDE, SIDE, 3)}


def test_strength_0_is_the_source_and_1_is_the_words_alone():
    numbers = [0] * 9 + list(range(1, 17))
    kept = torch.cat([c.latents for c in chunks_of(CONFIG, frames=17, video=video(strength=0.0))], 2)
    torch.testing.assert_close(kept, encoded(numbers)[:, :, 2:], atol=1e-4, rtol=1e-4)
    words = torch.cat([c.latents for c in chunks_of(CONFIG, frames=17)], 2)
    free = torch.cat([c.latents for c in chunks_of(CONFIG, frames=17, video=video(strength=1.0))], 2)
    torch.testing.assert_close(free, words, atol=1e-5, rtol=1e-5)
    middle = torch.cat([c.latents for c in chunks_of(CONFIG, frames=17, video=video(strength=0.5))], 2)
    assert 0.01 < float((middle - kept).square().mean()) < float((free - kept).square().mean())


def test_a_live_strength_counts_for_the_frames_that_enter_from_then_on_and_a_rewind_repeats_it():
    plain = chunks_of(CONFIG, frames=41, video=video(strength=0.0))
    session = LiveSession(script=[(2, SetStrength(1.0))])
    made = rewound(8, 5, session, frames=41, video=video(strength=0.0))
    final = {chunk.index: chunk.latents for chunk in made}
    same = [torch.equal(final[c.index], c.latents) for c in plain]
    # Chunks 0 to 4 had entered by the boundary of chunk 2 (four in work), and leave as they were.
    assert same == [True] * 5 + [False] * (len(plain) - 5)
    once = {c.index: c.latents for c in made[:9]}
    assert all(torch.equal(final[i], once[i]) for i in range(9)) and len(made) == len(plain) + 4
    assert session.state["strength"] == 1.0


@pytest.mark.parametrize("running", [False, True])
def test_reference_frames_are_a_held_start_image_or_the_end_of_a_clip(running):
    codec = small_networks(CONFIG).codec
    clip = torch.stack([torch.from_numpy(picture(n)) for n in range(12)]).float() / 255
    made = reference_latents(clip, 2, codec, "cpu", running)
    numbers = [3] * 9 + list(range(4, 12)) if running else list(range(3, 12))
    torch.testing.assert_close(made, encoded(numbers)[:, :, -2:], atol=1e-4, rtol=1e-4)
    held = reference_latents(clip[:1], 2, codec, "cpu", running)
    numbers = [0] * (13 if running else 5)
    torch.testing.assert_close(held, encoded(numbers)[:, :, -2:], atol=1e-4, rtol=1e-4)


def test_a_buffer_with_reference_frames_goes_on_from_a_start_image_and_needs_one():
    config = BufferConfig(1, 4, 1, reference_frames=1)  # the small network sees frames in pairs
    one, same, other = (
        torch.cat([c.latents for c in chunks_of(config, reference=torch.from_numpy(seen)[None] / 255)], 2)
        for seen in (picture(1), picture(1), picture(2))
    )
    assert torch.equal(one, same) and not torch.allclose(one, other)
    with pytest.raises(ValueError, match="expected 0 in a stream without a start image, got 1"):
        chunks_of(config)


def test_who_takes_a_strength():
    networks = small_networks(CONFIG)
    assert "strength" not in controls_of(networks)
    assert "strength" in controls_of(networks, video=video())


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: video(strength=1.2), "strength: expected 0..1, got 1.2"),
        (lambda: video(at_end="stop"), "at_end: expected one of end, loop, hold, got 'stop'"),
    ],
)
def test_what_does_not_fit_is_an_error(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_settings_that_the_weights_were_not_trained_for_are_refused_with_the_list():
    trained = BufferConfig(2, 4, 4, trained=(Partition(2, 4), Partition(1, 8, micro_steps=1)))
    assert trained.divided(micro_steps=2).steps == 8
    assert trained.divided(chunk_frames=1, micro_steps=1) == replace(
        trained, chunk_frames=1, chunks=8, micro_steps=1
    )
    listed = r"\(c=2 N=4, c=1 N=8 s=1\), got"
    for settings, got in (
        ({"chunk_frames": 4}, "c=4 N=2 s=8"),
        ({"chunk_frames": 1}, "c=1 N=8 s=2"),
        ({"chunks": 2, "micro_steps": 4}, "c=2 N=2 s=4"),
        ({"reference_frames": 1}, "c=2 N=4 K=1 s=4"),
    ):
        with pytest.raises(ValueError, match=f"trained for {listed} {got}"):
            trained.divided(**settings)
    with pytest.raises(ValueError, match="expected a divisor of 8 latent frames, got 3"):
        trained.divided(chunk_frames=3)


def test_a_live_source_is_not_begun_anew_by_a_rewind_and_goes_on_with_what_comes():
    opened = []

    def pictures():
        opened.append(1)
        number = 0
        while True:
            yield picture(number)
            number += 1

    source = reader(SourceVideo(pictures, live=True))
    read(source, 2)
    before = source.snapshot()
    after = source(range(2, 3)).latents
    source.restore(before)
    again = source(range(2, 3)).latents
    assert opened == [1]
    assert not torch.equal(after, again)  # other pictures have come meanwhile
    kept = reader(video())
    read(kept, 2)
    before = kept.snapshot()
    after = kept(range(2, 3)).latents
    kept.restore(before)
    assert torch.equal(after, kept(range(2, 3)).latents)
