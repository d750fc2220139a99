"""Prompts by frame: the written form, when one takes effect, cross-fades, and a person's own prompt."""

import json

import pytest
import torch
from core.test_buffer_stream import chunks_of, no_tracks, small_networks
from core.test_source_video import rewound

from motionstream_core.live.controls import SetPrompt, parse_control
from motionstream_core.live.performance import read_performance, write_performance
from motionstream_core.live.session import LiveSession
from motionstream_core.model.config import BufferConfig
from motionstream_core.streaming.options import StreamOptions
from motionstream_core.streaming.pipeline import StreamPipeline
from motionstream_core.streaming.prompt_schedule import (
    PromptSchedule,
    ScheduledPrompt,
    mixed_embeds,
    parse_prompts,
)
from motionstream_core.streaming.stream import track_source

CONFIG = BufferConfig(1, 4, 1)  # chunks of 1, 4, 4, 4 … pixel frames


def schedule(*prompts, fade=0):
    encoder = small_networks(CONFIG).text_encoder
    return PromptSchedule(tuple(ScheduledPrompt(f, t, encoder.encode(t)) for f, t in prompts), fade)


def test_a_prompt_a_line():
    text = "0: a red car\n\n# later\n 48 : a blue car: by night \n96= a train"
    assert parse_prompts(text) == ((0, "a red car"), (48, "a blue car: by night"), (96, "a train"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected 1 to 1000 lines with a prompt, got 0"),
        ("a red car", "line 1: expected a frame and its prompt, .* got 'a red car'"),
        ("0: red\n\n48:", "line 3: expected a frame and its prompt"),
        ("5: red", "line 1: expected the first prompt at frame 0, got 5"),
        ("0: red\n48: blue\n24: red", r"line 3: expected a frame after 48 \(in order\), got 24"),
        ("0: red\n0: blue", "line 2: expected a frame after 0"),
    ],
)
def test_what_is_no_schedule_is_named_by_its_line(text, message):
    with pytest.raises(ValueError, match=message):
        parse_prompts(text)


def test_a_schedule_is_a_script_of_live_prompts():
    """The first chunk that begins at frame 9 or later is chunk 3: the same latents as by hand."""
    by_hand = chunks_of(CONFIG, frames=33, session=LiveSession(script=[(3, SetPrompt("blue car"))]))
    made = chunks_of(CONFIG, frames=33, prompts=schedule((0, "red car"), (7, "blue car")))
    assert [chunk.start for chunk in made[:4]] == [0, 1, 5, 9]
    assert all(torch.equal(a.latents, b.latents) for a, b in zip(by_hand, made, strict=True))


def told(made: StreamPipeline, chunks: int) -> list[str | None]:
    found = []
    for _ in range(chunks):
        chunk = made.begin()
        assert chunk is not None
        found.append(made.text.prompt)
    return found


def pipeline(prompts: PromptSchedule) -> StreamPipeline:
    networks = small_networks(CONFIG)
    options = StreamOptions(None, fit="hold", prompts=prompts, overlap_decode=False)
    tracks = no_tracks()
    image = torch.zeros(32, 32, 3)
    embeds = prompts.prompts[0].embeds
    return StreamPipeline(networks, image, tracks, track_source(tracks, None, "hold"), embeds, options)


def test_a_person_counts_until_the_next_scheduled_prompt_and_a_rewind_brings_both_back():
    made = pipeline(schedule((0, "red car"), (9, "blue car")))
    assert told(made, 1) == ["red car"]
    made.save_snapshot()
    assert made.apply(SetPrompt("blue"))
    after = ["blue", "blue", "blue car", "blue car"]
    assert told(made, 4) == after
    made.rewind_to(1)
    assert told(made, 3) == ["red car", "red car", "blue car"]


def test_a_cross_fade_ends_at_the_new_text_and_goes_there_evenly():
    prompts = schedule((0, "red car"), (9, "blue car"), fade=8)
    before, after = (each.embeds for each in prompts.prompts)
    assert [prompts.weight_at(frame, 4) for frame in (0, 5, 9, 13, 17)] == [1.0, 1.0, 0.5, 1.0, 1.0]
    torch.testing.assert_close(mixed_embeds(before, after, 0.5), (before + after) / 2)
    short = mixed_embeds(before[:, :2], after, 0.25)
    torch.testing.assert_close(short[:, 2:], 0.25 * after[:, 2:])
    at_once = chunks_of(CONFIG, frames=33, prompts=schedule((0, "red car"), (9, "blue car")))
    faded = chunks_of(CONFIG, frames=33, prompts=prompts)
    differ = [not torch.equal(a.latents, b.latents) for a, b in zip(at_once, faded)]
    assert not any(differ[:3]) and differ[3]


def test_a_rewind_in_a_session_repeats_the_schedule():
    prompts = schedule((0, "red car"), (9, "blue car"), fade=8)
    plain = chunks_of(CONFIG, frames=25, prompts=prompts)
    made = rewound(5, 2, frames=25, prompts=prompts)
    final = {chunk.index: chunk.latents for chunk in made}
    assert len(made) == len(plain) + 4
    assert all(torch.equal(final[chunk.index], chunk.latents) for chunk in plain)


@pytest.mark.parametrize("frames", [[], [3], [0, 5, 5], [0, 8, 4]])
def test_a_schedule_out_of_order_is_refused(frames):
    prompts = tuple(ScheduledPrompt(frame, "red", torch.zeros(1, 1, 8)) for frame in frames)
    with pytest.raises(ValueError, match="expected rising frames from 0"):
        PromptSchedule(prompts)


def test_a_live_prompt_fades_in_over_its_frames_and_ends_as_the_text_itself():
    made = pipeline(schedule((0, "red car")))
    text = made.text
    before = text._embeds
    assert (
        made.apply(parse_control({"type": "prompt", "text": "blue car", "fade": 8}))
        and text.prompt == "blue car"
    )
    text.follow(made.made, 4)
    half = text._embeds
    after = text._kept["blue car"][0]
    assert torch.equal(half, mixed_embeds(before, after, 0.5)) and not torch.equal(half, after)
    kept = text.snapshot()
    text.follow(made.made + 4, 4)
    assert torch.equal(text._embeds, after) and text.current is text._kept["blue car"][1]
    text.restore(kept)
    text.follow(made.made + 4, 4)
    assert torch.equal(text._embeds, after)
    assert made.apply(SetPrompt("red car")) and text.current is text._kept["red car"][1]


def test_a_fade_of_a_live_prompt_is_played_again_as_it_was():
    session = LiveSession(script=[(3, SetPrompt("blue car", 24))])
    first = chunks_of(CONFIG, frames=33, session=session)
    text = write_performance(session.performance)
    assert json.loads(text)["controls"][0]["fade"] == 24
    again = chunks_of(CONFIG, frames=33, session=LiveSession(script=read_performance(text).controls))
    at_once = chunks_of(CONFIG, frames=33, session=LiveSession(script=[(3, SetPrompt("blue car"))]))
    assert all(torch.equal(a.latents, b.latents) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first[-1].latents, at_once[-1].latents)


@pytest.mark.parametrize("fade", [-1, 1.5, "8", 1001])
def test_a_fade_that_is_no_number_of_frames_is_refused(fade):
    with pytest.raises(ValueError, match="prompt: fade: expected a whole number"):
        parse_control({"type": "prompt", "text": "red", "fade": fade})
