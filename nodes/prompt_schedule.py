"""Prompt Schedule: prompts by frame as one CONDITIONING."""

from __future__ import annotations

from comfy_api.latest import io

from ..motionstream_core.streaming.prompt_schedule import PromptSchedule, ScheduledPrompt, parse_prompts
from . import _host
from ._types import SCHEDULED, SPOKEN, unknown_words
from .loader import CATEGORY

EXAMPLE = "0: a red car moves left at the sea\n64: a red boat moves left at the sea at sunset"


class PromptScheduler(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="MotionStreamPromptSchedule",
            display_name="Prompt Schedule",
            category=CATEGORY,
            description=(
                "Prompts by frame for the Streaming Sampler: each takes effect while the video runs, without "
                "a new beginning. It stands in the place of CLIP Text Encode."
            ),
            search_aliases=["motionstream", "prompt travel", "interactive prompt", "keyframe", "schedule"],
            inputs=[
                io.Clip.Input("clip", tooltip="The CLIP that belongs to the model."),
                io.String.Input(
                    "prompts",
                    multiline=True,
                    default=EXAMPLE,
                    tooltip=(
                        "One prompt a line behind the frame at which it begins, the first at 0: "
                        "'0: a red car'. Lines that begin with # are left out."
                    ),
                ),
                io.Int.Input(
                    "fade",
                    default=0,
                    min=0,
                    max=100_000,
                    tooltip=(
                        "Frames over which the text's encoding goes from one prompt to the next. 0: at once."
                    ),
                ),
            ],
            outputs=[
                io.Conditioning.Output(
                    tooltip="For the Streaming Sampler's positive. Other samplers get the first prompt."
                )
            ],
        )

    @classmethod
    def execute(cls, clip, prompts: str, fade: int = 0) -> io.NodeOutput:
        notes = _host.NodeNotes()
        found: list[ScheduledPrompt] = []
        about: dict = {}
        for frame, text in parse_prompts(prompts):
            unknown = unknown_words(clip, text)
            if unknown:
                notes(f"frame {frame}: words outside the model's vocabulary: {', '.join(unknown)}")
            made = clip.encode_from_tokens_scheduled(clip.tokenize(text))
            if len(made) != 1:
                raise ValueError(f"clip: expected one text encoding of a prompt, got {len(made)} entries")
            found.append(ScheduledPrompt(frame, text, made[0][0]))
            about = about or made[0][1]
        embeds = found[0].embeds
        schedule = PromptSchedule(tuple(found), fade)
        said = {**about, SPOKEN: (found[0].text, embeds), SCHEDULED: (schedule, embeds)}
        return io.NodeOutput([[embeds, said]])
