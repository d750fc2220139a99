"""Memory, time and money of a training stage, before it is begun.

Owns what each stage holds and computes (in the terms of `network_cost`), how that is divided over GPUs as
`sharding` does it, and the table.
An estimate: throughput, price and link are arguments. Fragmentation and the driver's own memory are the
constant `REST`. Activations are those of one clip per GPU at a time, the rest of a batch is accumulated.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..model.config import BufferConfig
from ..model.presets import PRESETS, ModelConfig, preset
from .buffer_cost import attention_pairs
from .network_cost import (
    Pass,
    block_parameters,
    cache_bytes,
    head_parameters,
    kept_bytes,
    parameters,
    pass_flops,
    text_flops,
)

GIB = 2**30
REST = 2 * GIB
GPUS = (1, 2, 4, 8, 16, 32)
STAGES = ("teacher", "causal-init", "distill")
BUFFER_STAGES = ("buffer", "segments")  # of a moving buffer
# The paper's numbers (MotionStream, sections 3.1 and 3.2): steps and batch of a stage; a distill step is one
# update of the student.
# Of StreamDiT's: 10,000 steps (of each of three phases) on 128 cards, then on 64. No batch is
# published, so it is one clip a card.
PAPER = {
    "teacher": (4800, 128),
    "causal-init": (2000, 128),
    "distill": (400, 64),
    "buffer": (10_000, 128),
    "segments": (10_000, 64),
}
CRITIC_STEPS = 5
TRAJECTORIES, ODE_STEPS = 4000, 50
# Width, height and frames of a clip: the paper's sizes, and whole chunks of three latent frames behind the
# start image, which stands alone here. 85 frames are 22 latent frames, seven chunks as the paper's 81 have
# with the start image in the first; 121 are 31, ten chunks.
CLIPS = {
    "wan2.1-1.3b-track": (832, 480, 121),
    "wan2.1": (832, 480, 85),
    "wan2.2": (1280, 704, 121),
    "tiny": (128, 128, 37),
}
BUFFER_CLIPS = {
    "streamdit-4b": (512, 512),
    "streamdit-tiny": (128, 128),
    "streamdit-tiny-motion": (128, 128),
    "cartoon": (128, 128),
}
LARGE = ("wan2.1", "wan2.2")


@dataclass(frozen=True)
class ClipSize:
    """Pixels of a training clip."""

    width: int
    height: int
    frames: int


@dataclass(frozen=True)
class Machine:
    """What is assumed of a GPU: sustained 10^12 FLOP/s in bfloat16, memory in GiB, GB/s to the others,
    dollars an hour.
    """

    tflops: float = 400.0
    memory: float = 80.0
    link: float = 200.0
    price: float = 2.5

    def __post_init__(self):
        for name in ("tflops", "memory", "link"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name}: expected above 0, got {getattr(self, name)}")
        if not self.price >= 0:
            raise ValueError(f"price: expected 0 or more, got {self.price}")


@dataclass(frozen=True)
class Load:
    """What a stage asks for, of one model of `config` on clips of `latents` latent frames of `grid`
    tokens.
    """

    config: ModelConfig
    stage: str
    grid: int
    latents: int

    @property
    def size(self) -> int:
        """Parameters of one role."""
        return parameters(self.config) + head_parameters(self.config)

    @property
    def learned(self) -> int:
        """Parameters that learn in one role: the track head does so in the teacher's first phase alone."""
        return self.size if self.stage == "teacher" else parameters(self.config)

    @property
    def roles(self) -> tuple[int, int]:
        """How many models are held, and how many of them learn."""
        return (3, 2) if self.stage == "distill" else (1, 1)

    @property
    def clip(self) -> Pass:
        """A bidirectional model on a whole clip."""
        return Pass(self.latents, self.latents)

    def chunks(self) -> list[Pass]:
        """A student's chunks, each with what the rolling cache then keeps in front of it."""
        shape = self.config.rolling.cache_shape
        out = []
        for start in range(1, self.latents - shape.chunk + 1, shape.chunk):
            sink = min(start, shape.sink)
            out.append(Pass(shape.chunk, shape.chunk + sink + min(start - sink, shape.window)))
        return out

    def flops(self, checkpointing: bool = True) -> float:
        """Of one clip of a step. A backward pass is two forwards, checkpointing one more. An exit step is on
        average the middle one.
        """
        text, clip = text_flops(self.config), self._flops([self.clip])
        learnt = 4 if checkpointing else 3
        if self.stage == "teacher":
            return learnt * clip + 3 * text
        chunks, first = self._flops(self.chunks()), self._flops([Pass(1, 1)])
        if self.stage == "causal-init":
            # Every chunk is denoised once, and all but the last are written to the cache.
            return learnt * (first + 2 * chunks - self._flops(self.chunks()[-1:])) + 3 * text
        made = first + chunks * ((self.config.sampler.steps + 1) / 2 + 1) + text
        student = made + (learnt - 1) * chunks + 4 * clip + 5 * text
        made -= self._flops(self.chunks()[-1:])  # without gradients nothing is committed after the last chunk
        return student + CRITIC_STEPS * (made + learnt * clip + 3 * text)

    def gathers(self) -> float:
        """How often in a step all parameters of a role are brought together: once for each forward, once for
        each backward. The divided gradients go out once, in float32, which counts twice.
        """
        if self.stage == "teacher":
            return 4.0
        count = len(self.chunks())
        if self.stage == "causal-init":
            return 4.0 * 2 * count
        made = 1 + count * ((self.config.sampler.steps + 1) / 2 + 1)
        return made + 3 * count + 2 + CRITIC_STEPS * (made + 4)

    def _flops(self, passes: list[Pass]) -> int:
        return sum(pass_flops(self.config, self.grid, run) for run in passes)

    def activations(self, checkpointing: bool) -> int:
        """The most that one clip's backward pass needs kept."""
        config, grid = self.config, self.grid
        whole = kept_bytes(config, grid, self.clip, cached=False, checkpointing=checkpointing)
        if self.stage == "teacher":
            return whole
        passes = (
            self.chunks()
            if self.stage == "distill"
            else [Pass(1, 1), *(run for run in self.chunks() for _ in range(2))][:-1]
        )
        chunked = [kept_bytes(config, grid, run, cached=True, checkpointing=checkpointing) for run in passes]
        if checkpointing:  # of all passes only one block is in full at a time
            full = [
                kept_bytes(config, grid, run, cached=True, checkpointing=False) // config.num_layers
                for run in passes
            ]
            chunked = [kept - block for kept, block in zip(chunked, full)] + [max(full)]
        return max(whole, sum(chunked)) if self.stage == "distill" else sum(chunked)

    def cache(self, checkpointing: bool) -> int:
        """Keys and values of the past beyond what the activations hold. With gradients and checkpointing
        every pass's cache is kept.
        """
        shape, one = (
            self.config.rolling.cache_shape,
            cache_bytes(
                self.config,
                self.grid,
                self.config.rolling.cache_shape.sink,
                self.config.rolling.cache_shape.window,
            ),
        )
        if self.stage == "teacher":
            return 0
        if not checkpointing:
            return one
        chunk = cache_bytes(self.config, self.grid, 0, shape.window)
        return one + chunk * len(self.chunks())

    def memory(self, gpus: int, checkpointing: bool = True) -> dict[str, float]:
        """Bytes on each of `gpus`, by what they are for. Divided (FSDP2): float32 weights, gradients, AdamW's
        moments, average.
        """
        held, learning = self.roles
        block = block_parameters(self.config)
        # Alone: bfloat16 copies of the role in work. Divided: two gathered blocks and the gradients of one on
        # their way out in float32.
        gathered = 2 * self.size if gpus == 1 else (2 * 2 + 2 + 2 * 4) * block
        return {
            "weights": 4 * held * self.size / gpus,
            "gradients": 4 * self.learned / gpus,
            "optimizer": 8 * learning * self.learned / gpus,
            "average": 4 * self.learned / gpus,
            "gathered": gathered,
            "activations": self.activations(checkpointing),
            "cache": self.cache(checkpointing),
            "rest": REST,
        }


@dataclass(frozen=True)
class BufferLoad(Load):
    """The load of a moving buffer's stage: one forward of the whole queue within windows."""

    video: tuple[int, int, int] = (1, 1, 1)  # of the queue, in tokens

    @property
    def learned(self) -> int:
        return self.size

    @property
    def roles(self) -> tuple[int, int]:
        return (2, 1) if self.stage == "segments" else (1, 1)

    @property
    def teacher_passes(self) -> int:
        """Evaluations of the teacher in a step: guided micro-steps through a segment."""
        sampler = self.config.sampler
        if self.stage != "segments" or not isinstance(sampler, BufferConfig):
            return 0
        return 2 * sampler.micro_steps

    def flops(self, checkpointing: bool = True) -> float:
        tokens = self.latents * self.grid
        full = 4 * self.config.dim * tokens * tokens * self.config.num_layers
        seen = 4 * self.config.dim * attention_pairs(self.config, self.video)
        one = self._flops([self.clip]) - full + seen
        text = text_flops(self.config)
        made = self.teacher_passes * one + (2 * text if self.teacher_passes else 0)
        return made + (4 if checkpointing else 3) * one + 3 * text

    def gathers(self) -> float:
        return 4.0 + self.teacher_passes

    def activations(self, checkpointing: bool) -> int:
        return kept_bytes(self.config, self.grid, self.clip, cached=False, checkpointing=checkpointing)

    def cache(self, checkpointing: bool) -> int:
        return 0


def buffer_load(name: str, stage: str, clip: ClipSize) -> BufferLoad:
    """The load of a moving buffer's preset at the width and height of a clip. Its frames are the queue's."""
    config = preset(name)
    if not isinstance(config.sampler, BufferConfig):
        raise ValueError(f"preset: expected one of a moving buffer for {stage}, got {name!r}")
    _, down, across = config.vae_stride
    rows, columns = config.token_grid(clip.height // down, clip.width // across)
    frames = config.sampler.frames
    return BufferLoad(config, stage, rows * columns, frames, (frames, rows, columns))


def stages_of(name: str) -> tuple[str, ...]:
    """The stages of a preset's way."""
    return BUFFER_STAGES if isinstance(preset(name).sampler, BufferConfig) else STAGES


def load_of(name: str, stage: str, clip: ClipSize | None = None) -> Load:
    """The load of a preset. Of its motion model where the name is a base model's. ValueError for what does
    not go together.
    """
    if stage in BUFFER_STAGES:
        return buffer_load(name, stage, clip or usual_clip(name))
    if stage not in STAGES:
        raise ValueError(f"stage: expected one of {STAGES}, got {stage!r}")
    config = preset(f"{name}-motion" if f"{name}-motion" in PRESETS else name)
    if config.motion is None:
        raise ValueError(f"preset: expected one with motion, got {name!r}")
    clip = clip or usual_clip(name)
    time, down, across = config.vae_stride
    chunk = config.rolling.cache_shape.chunk
    if (clip.frames - 1) % (time * chunk) or clip.frames <= 1:
        raise ValueError(
            f"frames: expected 1 + a multiple of {time * chunk} (whole chunks), got {clip.frames}"
        )
    if clip.height % (2 * down) or clip.width % (2 * across):
        raise ValueError(
            f"size: expected multiples of {2 * across}x{2 * down}, got {clip.width}x{clip.height}"
        )
    rows, columns = config.token_grid(clip.height // down, clip.width // across)
    return Load(config, stage, rows * columns, 1 + (clip.frames - 1) // time)


def usual_clip(name: str) -> ClipSize:
    """The clips that a preset's family is trained on."""
    if name in BUFFER_CLIPS:
        return ClipSize(*BUFFER_CLIPS[name], 4 * preset(name).sampler.forward_frames)
    return next(ClipSize(*sizes) for family, sizes in CLIPS.items() if name.startswith(family))


def step_seconds(
    load: Load, gpus: int, batch: int, machine: Machine, checkpointing: bool
) -> tuple[float, float]:
    """Seconds of one step: computing, and bringing parameters together. They overlap, so the longer one
    counts.

    Args:
        load: what a step computes and holds.
        gpus: how many share it.
        batch: clips of a step.
        machine: throughput and link.
        checkpointing: whether blocks are computed again.
    """
    clips = batch / gpus
    traffic = 0.0 if gpus == 1 else load.gathers() * 2 * load.size * (gpus - 1) / gpus * clips
    return load.flops(checkpointing) * clips / (machine.tflops * 1e12), traffic / (machine.link * 1e9)


def table(
    name: str,
    stage: str,
    *,
    clip: ClipSize | None = None,
    machine: Machine | None = None,
    steps: int | None = None,
    batch: int | None = None,
) -> str:
    """The plan of a stage in words and figures, a line for every number of GPUs.

    Args:
        name: a preset.
        stage: of its training.
        clip: size and length of a clip.
        machine: throughput, memory and price.
        steps: of the training.
        batch: clips of a step.
    """
    load, machine = load_of(name, stage, clip), machine or Machine()
    steps, batch = steps or PAPER[stage][0], batch or PAPER[stage][1]
    held, learning = load.roles
    lines = [
        f"{stage} of {name}: {held} model{'s' if held > 1 else ''} of {load.size / 1e9:.3f} billion "
        f"parameters, {learning} learning; "
        f"clips of {load.latents} latent frames x {load.grid} tokens",
        f"{steps} steps of {batch} clips, {load.flops() / 1e15:.2f} PFLOP a clip with checkpointing "
        f"({load.flops(False) / 1e15:.2f} without)",
        f"assumed: {machine.tflops:g} TFLOP/s sustained, {machine.memory:g} GiB, {machine.link:g} GB/s "
        f"between GPUs, ${machine.price:g} an hour and GPU; an estimate",
        "",
        "GiB on each GPU, one clip at a time",
        f"{'GPUs':>4} {'weights':>8} {'grad':>7} {'optim':>7} {'EMA':>6} {'gather':>7} {'KV':>6} "
        f"{'act':>7} {'total':>7} {'fits':>5} | {'act':>7} {'total':>7} {'fits':>5} | "
        f"{'s/step':>7} {'hours':>7} {'$':>8}",
        f"{'':>4} {'':>8} {'':>7} {'':>7} {'':>6} {'':>7} {'':>6} {'checkpointing':>22}{'':>6}| "
        f"{'all kept':>15}{'':>6} | with checkpointing",
    ]
    for gpus in GPUS:
        lines.append(_line(load, gpus, batch, steps, machine))
    if stage == "causal-init":
        once = (
            TRAJECTORIES
            * (ODE_STEPS * 3 * load._flops([load.clip]) + 2 * text_flops(load.config))
            / (machine.tflops * 1e12)
            / 3600
        )
        lines += [
            "",
            f"before it, once: {TRAJECTORIES} trajectories of {ODE_STEPS} guided steps, {once:.0f} GPU "
            f"hours, ${once * machine.price:,.0f}",
        ]
    return "\n".join(lines)


def _line(load: Load, gpus: int, batch: int, steps: int, machine: Machine) -> str:
    parts, kept = load.memory(gpus), load.memory(gpus, checkpointing=False)
    gib = {name: value / GIB for name, value in parts.items()}
    totals = [sum(values.values()) / GIB for values in (parts, kept)]
    fits = ["yes" if total <= machine.memory else "no" for total in totals]
    seconds = max(step_seconds(load, gpus, batch, machine, True))
    hours = steps * seconds / 3600
    return (
        f"{gpus:>4} {gib['weights']:>8.1f} {gib['gradients']:>7.1f} {gib['optimizer']:>7.1f} "
        f"{gib['average']:>6.1f} {gib['gathered']:>7.1f} {gib['cache']:>6.1f} "
        f"{gib['activations']:>7.1f} {totals[0]:>7.1f} {fits[0]:>5} | {kept['activations'] / GIB:>7.1f} "
        f"{totals[1]:>7.1f} {fits[1]:>5} | "
        f"{seconds:>7.1f} {hours:>7.1f} {hours * gpus * machine.price:>8,.0f}"
    )
