"""Ways to make an endless stream of the cartoon, at equal work: moving buffers and baselines.

Owns which ways there are, which of them the weights were trained for, and how each is opened. Work is
counted in evaluated latent frames a latent frame that leaves.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from motionstream_core.model.config import BufferConfig, RollingConfig
from motionstream_core.model.context import bidirectional_context
from motionstream_core.model.dit import TextContext, WanDiT
from motionstream_core.model.weights.networks import CARTOON, CARTOON_STUDENT, Networks, open_networks
from motionstream_core.sampling.buffer import MovingBuffer, with_lookahead
from motionstream_core.sampling.rolling import RollingSampler
from motionstream_core.sampling.sampler import SamplerRun
from motionstream_core.sampling.step import predict_x0

CLIP = 8  # latent frames of the clips that the cartoon was trained on
CELLS = 16
Weights = Literal["base", "student"]


@dataclass(frozen=True)
class Way:
    """A way to make the stream.

    Args:
        name: in the tables.
        config: of its sampler.
        weights: "base", the teacher of the moving buffer, or its "student".
        guidance: of the text; 1 is none.
        window: frames of the lookahead, for FIFO-Diffusion.
        full: full attention in the place of the windows.
        wrap: tokens that meet across the video's edges in a shifted window see each other.
        trained: whether the weights were trained for it, in words.
    """

    name: str
    config: BufferConfig | RollingConfig
    weights: Weights = "base"
    guidance: float = 1.0
    window: int | None = None
    full: bool = False
    wrap: bool = False
    trained: str = "yes"

    @property
    def chunk_frames(self) -> int:
        return self.config.chunk_frames


def rolling(steps: int, solver: Literal["renoise", "unipc"]) -> RollingConfig:
    """Chunks of two against a sink and a window that make eight latent frames with it, as many as the clips
    of the training have.
    """
    return RollingConfig(2, 1, CLIP - 3, steps, 1.0, solver=solver)


def main_ways(steps: int, guidance: float) -> tuple[Way, ...]:
    """The table of the issue: every frame gets `steps` guided steps, the students' four without guidance."""
    fifo = max(4, steps // 2)  # the lookahead evaluates every frame twice
    no = "no: whole clips and buffers, never a cache"
    return (
        Way("moving buffer, c = 2", BufferConfig.partition(8, 2, steps), guidance=guidance),
        Way("moving buffer, c = 2, student", BufferConfig.partition(8, 2, 4), "student"),
        Way(
            "FIFO without training (lookahead)",
            BufferConfig(1, fifo, 1, CLIP // 2),
            guidance=guidance,
            window=CLIP,
            trained="as clips at mixed levels",
        ),
        Way(
            "chunk-causal without distillation",
            rolling(steps, "unipc"),
            guidance=guidance,
            trained=no,
        ),
        Way("MotionStream's rollout, 4 steps, base", rolling(4, "renoise"), trained=no),
        Way("MotionStream's rollout, 4 steps, student", rolling(4, "renoise"), "student", trained=no),
    )


def ablations(steps: int, guidance: float) -> tuple[Way, ...]:
    """The moving buffer with one thing changed."""
    base = Way("", BufferConfig.partition(8, 2, steps), guidance=guidance)
    known = [BufferConfig.partition(8, 2, steps, reference_frames=k) for k in (1, 2)]
    return (
        replace(base, name="c = 1", config=BufferConfig.partition(8, 1, steps)),
        replace(base, name="c = 4", config=BufferConfig.partition(8, 4, steps)),
        replace(base, name="K = 1", config=known[0], trained="no: K = 0"),
        replace(base, name="K = 2", config=known[1], trained="no: K = 0"),
        replace(base, name="full attention", full=True, trained="no: windows"),
        replace(base, name="wrap not masked", wrap=True, trained="no: masked"),
        replace(base, name="c = 8 (clip by clip)", config=BufferConfig.partition(8, 8, steps)),
    )


@dataclass
class Files:
    """Both weights files, opened once."""

    base: Networks
    student: Networks

    @staticmethod
    def opened() -> Files:
        return Files(open_networks(CARTOON), open_networks(CARTOON_STUDENT))

    def of(self, way: Way) -> Networks:
        """The networks of a way, their attention as it asks for."""
        networks = self.base if way.weights == "base" else self.student
        config = networks.dit.config
        if not (way.full or way.wrap):
            return networks
        other = replace(config, windows=None if way.full else config.windows, wrap=way.wrap)
        with torch.device("meta"):
            net = WanDiT(other)
        net.load_state_dict(networks.dit.state_dict(), assign=True)
        return replace(networks, dit=net.eval().requires_grad_(False))


class Stream:
    """One way at work on a batch of prompts.

    Args:
        way: how.
        networks: its own.
        prompts: of the batch.
        seed: of the noise.
        bf16: matrix products in bfloat16.
    """

    def __init__(self, way: Way, networks: Networks, prompts: list[str], seed: int, *, bf16: bool = False):
        assert isinstance(networks.dit, WanDiT)
        self.way = way
        self.networks = networks
        self.count = len(prompts)
        self.evaluated = 0  # latent frames, of one prompt
        self._net = networks.dit
        self._bf16 = bf16
        self._context = bidirectional_context(networks.config)
        self._text = self.told(prompts)
        self._rng = torch.Generator().manual_seed(seed)
        if isinstance(way.config, BufferConfig):
            self.sampler: MovingBuffer | RollingSampler = self._buffer(way.config, seed)
        else:
            self.sampler = self._rolling(way.config)

    @property
    def guided(self) -> bool:
        return self.way.guidance != 1

    def told(self, prompts: list[str]) -> TextContext:
        """The prompts' context, with the empty prompt's behind it where the way has guidance."""
        encoder = self.networks.text_encoder
        assert encoder is not None
        words = [*prompts, *[""] * (len(prompts) if self.guided else 0)]
        with torch.no_grad():
            return self._net.encode_text(torch.cat([encoder.encode(one) for one in words]))

    def ask(self, prompts: list[str]) -> None:
        """Other prompts from the next step on."""
        self._text = self.told(prompts)

    def __iter__(self) -> Iterator[Tensor]:
        while True:
            yield next(self)

    def __next__(self) -> Tensor:
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=self._bf16):
            made = next(self.sampler)
        latents = made if isinstance(made, Tensor) else made.latents
        return latents[: self.count].float()

    # ---- the moving buffer ----

    def _buffer(self, config: BufferConfig, seed: int) -> MovingBuffer:
        predict = self._predict if self.way.window is None else with_lookahead(self._predict, self.way.window)
        size = (self.count, 16, CELLS, CELLS)
        reference = None
        if config.reference_frames:  # the beginning of an ordinary clip
            rng = torch.Generator().manual_seed(seed)
            clip = MovingBuffer(BufferConfig(CLIP, 1, 16), self._predict, size, rng)
            with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=self._bf16):
                reference = next(clip)[:, :, : config.reference_frames]
        return MovingBuffer(config, predict, size, self._rng, reference=reference)

    def _predict(self, x: Tensor, sigma: Tensor, frames: range) -> Tensor:
        self.evaluated += x.shape[2] * (2 if self.guided else 1)
        both = torch.cat([x, x]) if self.guided else x
        made = predict_x0(self._net, both, sigma, None, self._text, self._context)
        return self._mixed(made)[: self.count]

    def _mixed(self, made: Tensor) -> Tensor:
        """Guided away from the empty prompt's half, the same in both halves."""
        if not self.guided:
            return made
        told, empty = made.float().chunk(2)
        led = empty + self.way.guidance * (told - empty)
        return torch.cat([led, led])

    # ---- a rolling cache ----

    def _rolling(self, config: RollingConfig) -> RollingSampler:
        batch = self.count * (2 if self.guided else 1)
        run = SamplerRun((batch, CELLS, CELLS), self._rng)
        return RollingSampler(
            config,
            self,
            cache=self._net.make_cache(CELLS, CELLS, batch=batch, shape=config.cache_shape),
            motion=None,
            text=lambda chunk: self._text,
            first=None,
            run=run,
        )

    @property
    def config(self):
        """Of the network: to the rolling sampler this stream is one that is guided."""
        return self._net.config

    @property
    def device(self) -> torch.device:
        return self._net.device

    def __call__(self, x: Tensor, timestep: Tensor, text: TextContext, context) -> Tensor:
        """The network's output, guided. Both halves of the batch are shown the first half's latents."""
        if self.guided:
            x = torch.cat([x[: self.count]] * 2)
        self.evaluated += x.shape[2] * (2 if self.guided else 1)
        made = self._net(x, timestep, text, context)
        return self._mixed(made) if made.numel() else made
