"""The text of a stream: the one that it began with, a schedule's, or a person's.

Owns when which text is told, its encoding on a change alone, and the empty text of guidance. Knows nothing of
chunks, samplers or sessions.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from ..model.compiled import FastDiT
from ..model.config import SamplerConfig
from ..model.dit import TextContext
from ..model.weights.networks import Networks
from .prompt_schedule import PromptSchedule, mixed_embeds

KEPT_PROMPTS = 16


@dataclass(frozen=True)
class LiveFade:
    """A live prompt on its way in: `before` becomes `after` over `frames` pixel frames from `start`."""

    before: Tensor
    after: Tensor
    text: str
    start: int
    frames: int


@dataclass(frozen=True)
class TextSnapshot:
    """A stream's text at a boundary."""

    told: TextContext
    embeds: Tensor
    prompt: str | None
    scheduled: tuple[int, float]
    before: Tensor
    by_hand: int | None
    seen: Tensor | None
    fade: LiveFade | None


class StreamText:
    """What the network is told. `current` is read by the sampler, `prompt` is its text where it is known.

    A live prompt counts until the next prompt of the schedule begins.

    Args:
        networks: whose transformer encodes the text.
        embeds: (1, L, text_dim) of the prompt that the stream begins with.
        encode: how a live prompt becomes embeddings. None: the networks' own text encoder.
        schedule: prompts by frame. Its first one takes the place of `embeds`.
        seen: features of a picture (1, tokens, width), for a model that looks at one beside every text.
    """

    def __init__(
        self,
        networks: Networks,
        embeds: Tensor,
        encode: Callable[[str], Tensor] | None = None,
        schedule: PromptSchedule | None = None,
        seen: Tensor | None = None,
    ):
        if encode is None and networks.text_encoder is not None:
            encode = networks.text_encoder.encode
        self._dit = networks.dit
        self._encode = encode
        self._schedule = schedule
        self._seen = seen
        self.prompt: str | None = None
        if schedule is not None:
            embeds = schedule.prompts[0].embeds
            self.prompt = schedule.prompts[0].text
        self._embeds = embeds
        self.current = self._told(embeds)
        self._kept: OrderedDict[str, tuple[Tensor, TextContext]] = OrderedDict()
        self._scheduled = (0, 1.0)
        self._before = embeds
        self._by_hand: int | None = None
        self._fade: LiveFade | None = None

    def switch(self, text: str, frame: int, fade: int = 0) -> bool:
        """A live prompt from this frame on. False where nobody can encode it.

        Args:
            text: of the prompt.
            frame: the first pixel frame of the next chunk.
            fade: pixel frames over which the embeddings go from what is told now to the new ones.
        """
        if self._encode is None:
            return False
        if text not in self._kept:
            embeds = self._encode(text)
            self._kept[text] = (embeds, self._told(embeds))
            while len(self._kept) > KEPT_PROMPTS:
                self._kept.popitem(last=False)
        self._kept.move_to_end(text)
        before = self._embeds
        after, told = self._kept[text]
        self.prompt = text
        self._by_hand = frame
        self._fade = LiveFade(before, after, text, frame, fade) if fade else None
        if not fade:
            self._embeds, self.current = after, told
        return True

    def follow(self, frame: int, count: int) -> None:
        """The text for the chunk of `count` frames that begins at this frame.

        It is the schedule's, or that of a live prompt on its way in.
        """
        if self._fade is not None:
            self._fade_in(self._fade, frame + count - self._fade.start)
        if self._schedule is None:
            return
        index = self._schedule.index_at(frame)
        prompt = self._schedule.prompts[index]
        if self._by_hand is not None and prompt.frame <= self._by_hand:
            return
        wanted = (index, self._schedule.weight_at(frame, count))
        if wanted == self._scheduled and self._by_hand is None:
            return
        if index != self._scheduled[0] or self._by_hand is not None:
            self._before = self._embeds
        self._by_hand = None
        self._fade = None
        self._scheduled = wanted
        self._embeds = mixed_embeds(self._before, prompt.embeds, wanted[1])
        self.current = self._told(self._embeds)
        self.prompt = prompt.text

    def _fade_in(self, fade: LiveFade, done: int) -> None:
        """The embeddings after `done` frames of the fade. At its end they are the new text's own."""
        weight = done / fade.frames
        self._embeds = mixed_embeds(fade.before, fade.after, weight)
        if weight < 1:
            self.current = self._told(self._embeds)
            return
        self._fade = None
        kept = self._kept.get(fade.text)
        self.current = self._told(fade.after) if kept is None else kept[1]

    def look(self, seen: Tensor) -> None:
        """From now on the model looks at another picture."""
        self._seen = seen
        self._kept.clear()
        self.current = self._told(self._embeds)

    def null(self, sampler: SamplerConfig) -> TextContext | None:
        """The empty text, for a sampler with guidance."""
        if sampler.guidance == 1:
            return None
        if self._encode is None:
            raise ValueError(
                f"guidance: expected a text encoder for a guidance of {sampler.guidance}, got none; link CLIP"
            )
        return self._told(self._encode(""))

    def snapshot(self) -> TextSnapshot:
        return TextSnapshot(
            self.current,
            self._embeds,
            self.prompt,
            self._scheduled,
            self._before,
            self._by_hand,
            self._seen,
            self._fade,
        )

    def restore(self, snapshot: TextSnapshot) -> None:
        self.current = snapshot.told
        self._embeds = snapshot.embeds
        self.prompt = snapshot.prompt
        self._scheduled = snapshot.scheduled
        self._before = snapshot.before
        self._by_hand = snapshot.by_hand
        self._fade = snapshot.fade
        if self._seen is not snapshot.seen:
            self._seen = snapshot.seen
            self._kept.clear()

    def _told(self, embeds: Tensor) -> TextContext:
        embeds = embeds.to(self._dit.device)
        if self._seen is None:
            return self._dit.encode_text(embeds)
        if isinstance(self._dit, FastDiT):
            raise ValueError("picture features: expected none for the built-in model, got some")
        return self._dit.encode_text(embeds, self._seen)
