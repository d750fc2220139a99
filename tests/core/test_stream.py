"""The stream: frames, timings, length, controls and what it refuses. Small untrained networks on the CPU."""

import threading
from itertools import islice
from time import perf_counter

import pytest
import torch
from core.small import SIZE, drag, joined, picture, stream

from motionstream_core.live.session import LiveSession
from motionstream_core.model.cache import CacheShape
from motionstream_core.model.weights.networks import open_networks, save_networks
from motionstream_core.streaming.stream import STAGES, cache_bytes


def run(networks, frames, tracks=None, **options):
    return list(
        stream(networks, picture(), tracks or drag(frames), "red ball moves right", frames, **options)
    )


@pytest.mark.parametrize("frames", [1, 2, 9, 10, 25])
def test_a_stream_makes_exactly_the_frames_asked_for(networks, frames):
    chunks = run(networks, frames)
    assert joined(chunks).shape == (frames, SIZE, SIZE, 3)
    assert [chunk.index for chunk in chunks] == list(range(len(chunks)))
    assert [chunk.start for chunk in chunks] == [0, *range(1, frames, 8)]
    assert 0 <= joined(chunks).min() and joined(chunks).max() <= 1


def test_the_same_seed_gives_the_same_video_and_another_seed_another(networks):
    first, again, other = (joined(run(networks, 17, seed=seed)) for seed in (5, 5, 6))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_a_longer_stream_begins_with_the_shorter_one(networks):
    tracks = drag(33)
    short = joined(stream(networks, picture(), tracks, "", 9, fit="hold"))
    assert torch.equal(short, joined(stream(networks, picture(), tracks, "", 33))[:9])


def test_the_streamed_frames_are_those_of_decoding_all_latents_at_once(networks):
    chunks = run(networks, 25)
    clip = networks.codec.decode(torch.cat([chunk.latents for chunk in chunks], 2))[0].permute(0, 2, 3, 1)
    assert torch.allclose(joined(chunks), clip[:25], atol=1e-5)


def test_every_stage_of_every_chunk_is_timed_and_the_cache_stays_as_large_as_foretold(networks):
    chunks = run(networks, 25)
    for chunk in chunks:
        assert set(chunk.timings) == set(STAGES)
        within = sum(seconds for stage, seconds in chunk.timings.items() if stage != "cache_s")
        assert within <= chunk.latency_s < within + 2
        assert chunk.first_frame_s == chunks[0].first_frame_s > 0
        assert chunk.cache_bytes == cache_bytes(networks.dit, SIZE, SIZE)
    assert chunks[0].fps == 0
    assert all(chunk.fps > 0 for chunk in chunks[1:])


def test_an_endless_stream_goes_on_until_the_stop_and_keeps_what_was_made(networks):
    session = LiveSession()
    chunks = []
    for chunk in stream(networks, picture(), drag(9), "", None, fit="ping-pong", control=session):
        chunks.append(chunk)
        if len(chunks) == 6:
            session.post({"type": "stop"})
    assert len(chunks) == 6
    assert joined(chunks).shape[0] == 1 + 5 * 8
    assert [(applied.control.type, applied.chunk) for applied in session.log] == [("stop", 6)]


def test_a_stop_before_anything_was_made_still_keeps_the_start_image(networks):
    session = LiveSession()
    session.post({"type": "stop"})
    assert [chunk.frames.shape[0] for chunk in run(networks, 9, control=session)] == [1]


def test_a_pause_changes_the_time_but_not_the_video_and_counts_in_no_rate(networks):
    session = LiveSession()
    chunks = []
    for chunk in stream(networks, picture(), drag(17), "", 17, control=session):
        chunks.append(chunk)
        ended = perf_counter()
        if len(chunks) == 1:
            began = ended
            session.post({"type": "pause"})
            threading.Timer(0.4, session.post, ({"type": "resume"},)).start()
    assert torch.equal(joined(chunks), joined(stream(networks, picture(), drag(17), "", 17)))
    assert session.paused_s >= 0.3
    assert 16 / chunks[-1].fps < ended - began - 0.3  # the seconds that the rate is of


def test_an_interrupt_in_the_middle_of_a_chunk_gets_through(networks):
    class Interrupted(BaseException):
        pass

    calls = []

    def interrupt():
        calls.append(1)
        if len(calls) == 3:  # the first denoising step of the second chunk
            raise Interrupted

    chunks = stream(networks, picture(), drag(25), "", 25, check_interrupt=interrupt)
    assert [chunk.index for chunk in islice(chunks, 2)] == [0, 1]
    with pytest.raises(Interrupted):
        next(chunks)


def test_embeddings_stand_for_the_text_they_come_from(networks):
    embeds = networks.text_encoder.encode("red ball").detach()
    texts = [list(stream(networks, picture(), drag(9), prompt, 9)) for prompt in ("red ball", embeds)]
    assert torch.equal(*map(joined, texts))


def test_another_context_can_be_asked_for(networks):
    chunks = run(networks, 25, context=CacheShape(3, 1, 0))
    assert [len(chunk.frames) for chunk in chunks] == [1, 12, 12]
    assert chunks[0].cache_bytes == cache_bytes(networks.dit, SIZE, SIZE, CacheShape(3, 1, 0))


@pytest.mark.parametrize("fit", ["hold", "loop", "ping-pong", "resample"])
def test_tracks_of_another_length_can_be_fitted(networks, fit):
    assert joined(run(networks, 17, drag(6), fit=fit)).shape[0] == 17


def test_tracks_of_another_length_are_an_error_that_names_both_lengths_and_the_choices(networks):
    with pytest.raises(ValueError, match=r"(?s)(?=.*17)(?=.*6)(?=.*hold)(?=.*resample)"):
        run(networks, 17, drag(6))


def test_an_endless_stream_with_tracks_that_end_is_an_error(networks):
    with pytest.raises(ValueError, match="expected hold, loop or ping-pong"):
        stream(networks, picture(), drag(9), "", None)


@pytest.mark.parametrize(
    ("image", "tracks", "frames", "message"),
    [
        (picture(40, 32), drag(9, 40, 32), 9, "divisible by 16.*40x32"),
        (picture(32, 24), drag(9, 32, 24), 9, "divisible by 16.*32x24"),
        (picture(), drag(9, 64, 64), 9, "32x32.*64x64"),
        (picture()[None], drag(9), 9, r"\(H, W, 3\)"),
        (picture(), drag(9), 0, "at least 1, got 0"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_computed(networks, image, tracks, frames, message):
    with pytest.raises(ValueError, match=message):
        stream(networks, image, tracks, "", frames)


def test_networks_come_back_from_their_file(networks, tmp_path):
    path = tmp_path / "small.safetensors"
    save_networks(path, networks, {"seed": 0})
    again = open_networks(path)
    assert again.config == networks.config
    assert again.codec.config == networks.codec.config
    assert torch.allclose(
        joined(run(again, 9)), joined(run(networks, 9)), atol=0.05
    )  # the file holds bfloat16 matrices
