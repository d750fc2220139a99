"""The real stages on very small networks and random clips; a program, for tests of several processes:
`python -m core.small_stages '[{"stage": …, "out": …, "steps": …, …}, …]'`; the curve of each OUT has every
step's loss.
"""

import contextlib
import json
import os
import resource
import sys
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from motionstream_core.codec.tiny import CodecConfig, TinyCodec
from motionstream_core.model.config import BufferConfig, RollingConfig
from motionstream_core.model.presets import PRESETS
from motionstream_core.training.engine.engine import train
from motionstream_core.training.engine.stage import TrainConfig
from motionstream_core.training.methods.buffer import BufferRecipe, BufferStage
from motionstream_core.training.methods.causal import CausalRecipe, CausalStage
from motionstream_core.training.methods.causal_init import CausalInitRecipe, CausalInitStage
from motionstream_core.training.methods.distill import DistillRecipe, DistillStage
from motionstream_core.training.methods.refresh import NEVER, SinkRefresh
from motionstream_core.training.methods.roles import MotionModel
from motionstream_core.training.methods.segments import SegmentsRecipe, SegmentsStage
from motionstream_core.training.methods.teacher import TeacherRecipe, TeacherStage
from motionstream_core.training.methods.video_model import TextVideoModel

TINY = replace(
    PRESETS["tiny"],
    dim=48,
    ffn_dim=64,
    num_heads=2,
    num_layers=2,
    sampler=RollingConfig(2, 1, 2, steps=2, shift=6.0),
)
WORDS = replace(
    PRESETS["streamdit-tiny"],
    dim=48,
    ffn_dim=64,
    num_heads=2,
    num_layers=2,
    windows=((1, 2, 2), (2, 1, 1)),
    sampler=BufferConfig(2, 3, 1),
)


class RandomClips:
    def batch(self, rng, size):
        g = torch.Generator().manual_seed(int(rng.integers(2**40)))
        latents = torch.randn(size, 16, 7, 4, 4, generator=g)
        return {
            "latents": latents,
            "warp": latents + 0.5 * torch.randn(latents.shape, generator=g),
            "masks": torch.rand(size, 8, 7, 4, 4, generator=g),
            "xy": torch.rand(size, 25, 5, 2, generator=g) * 32,
            "visible": torch.rand(size, 25, 5, generator=g) < 0.8,
            "tokens": torch.randint(1, 20, (size, 16), generator=g),
        }


def model(seed):
    torch.manual_seed(seed)
    made = MotionModel(TINY)
    nn.init.normal_(made.dit.head.head.weight, std=0.05)
    return made


def words_model(seed):
    torch.manual_seed(seed)
    made = TextVideoModel(WORDS)
    nn.init.normal_(made.dit.head.head.weight, std=0.05)
    return made


class NoNumber(TeacherStage):
    """A loss that is no number in one process alone, at step 2."""

    def role_at(self, step):
        self.step = step
        return super().role_at(step)

    def loss(self, role, batch, draws):
        loss, figures = super().loss(role, batch, draws)
        return loss * (float("nan") if self.step == 2 and os.environ.get("RANK") == "1" else 1.0), figures


def stage(name):
    if name == "no-number":
        return NoNumber(model(1), TeacherRecipe())
    if name == "apart":  # every process begins with weights of its own
        return TeacherStage(model(1 + int(os.environ.get("RANK", 0))), TeacherRecipe())
    if name == "teacher":
        return TeacherStage(model(1), TeacherRecipe(phase=1))
    if name == "buffer":
        return BufferStage(words_model(1), BufferRecipe())
    if name == "segments":
        recipe = SegmentsRecipe(micro_steps=2, states="rollout")
        return SegmentsStage(words_model(1), words_model(2), recipe)
    if name == "causal-init":
        return CausalInitStage(model(1), CausalInitRecipe(start="ar"))
    torch.manual_seed(3)
    refresh = SinkRefresh(
        0.5, TinyCodec(CodecConfig(encoder=(8, 8, 8), decoder=(8, 8, 8, 8))).eval().requires_grad_(False)
    )
    if name == "causal":
        return CausalStage(model(1), CausalRecipe(), refresh=refresh)
    return DistillStage(
        model(1), model(2), DistillRecipe(critic_steps=1), refresh=refresh if name == "refreshed" else NEVER
    )


def run(name, out, steps, tell=lambda line: None, **values):
    made = stage(name)
    lr = dict.fromkeys(made.trainable, 1e-3)
    config = TrainConfig(
        **{
            "lr": lr,
            "steps": steps,
            "batch": 1,
            "accumulate": 2,
            "log_every": 1,
            "device": "cpu",
            "ema_decay": 0.9,
            **values,
        }
    )
    return train(made, RandomClips(), config, Path(out), {"preset": "tiny-test"}, tell)


def losses(out):
    """Loss of every step of a run, by role."""
    rows = [json.loads(line) for line in (Path(out) / "curve.jsonl").read_text().splitlines()]
    return [(key, value) for row in rows for key, value in row.items() if key.endswith("/loss")]


def run_all(scenarios):
    """One after the other in one process group; what a scenario raises is written beside its files by every
    process.
    """
    for values in scenarios:
        out = Path(values.pop("out"))
        try:
            with limited(values.pop("most_bytes", None)):
                run(values.pop("stage"), out, values.pop("steps"), **values)
        except (ValueError, FloatingPointError, OSError) as error:
            out.mkdir(parents=True, exist_ok=True)
            (out / f"error-{os.environ.get('RANK', 0)}.txt").write_text(f"{type(error).__name__}: {error}")


@contextlib.contextmanager
def limited(most_bytes):
    """A disk that is full after so many bytes of a file."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes or soft, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


if __name__ == "__main__":
    run_all(json.loads(sys.argv[1]))
