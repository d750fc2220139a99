"""The moving buffer, measured: partitions and baselines on the built-in cartoon, memory, and the 4B roofline.

    python benchmarks/bench_buffer.py --out benchmarks/results/moving_buffer_202611.md

Rows are kept in OUT with the suffix .jsonl as they are made, so that a run that is stopped goes on. Speed is
per CPU second of this process on one thread, so that other programs on the machine do not count.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from motionstream_core.codec.base import CodecState
from motionstream_core.model.config import BufferConfig
from motionstream_core.model.context import bidirectional_context
from motionstream_core.model.dit import WanDiT
from motionstream_core.model.presets import preset
from motionstream_core.model.weights.networks import CARTOON, Networks, open_networks
from motionstream_core.planning.buffer_cost import Roofline, evaluation_cost
from motionstream_core.sampling.buffer import MovingBuffer, lookahead
from motionstream_core.sampling.step import predict_x0

PROMPTS = (
    "a red car moves right hills day clear camera still",
    "a blue boat moves left sea sunset clear camera still",
)
OTHER = "a red car moves right snowfield night clear camera still"
CLIP = 8  # latent frames of the clips that the cartoon was trained on
FPS = 16


@dataclass(frozen=True)
class Row:
    """A way to make the stream; evaluations a latent frame are the same in all rows."""

    name: str
    config: BufferConfig
    window: int | None = None  # of the lookahead


def rows_of(steps: int) -> tuple[Row, ...]:
    """The rows for so many steps of a frame; the lookahead, which evaluates twice, has half of them where its
    queue can be halved.
    """
    fifo = max(4, steps // 2)
    return (
        Row("moving buffer, c = 1", BufferConfig.partition(8, 1, steps)),
        Row("moving buffer, c = 2", BufferConfig.partition(8, 2, steps)),
        Row("moving buffer, c = 4", BufferConfig.partition(8, 4, steps)),
        Row("uniform, c = 8 (clip by clip)", BufferConfig.partition(8, 8, steps)),
        Row(f"FIFO without training, lookahead, {fifo} steps", BufferConfig(1, fifo, 1, 4), CLIP),
    )


class Model:
    """The cartoon under guidance, with a count of its evaluations."""

    def __init__(self, networks: Networks, guidance: float):
        self.networks = networks
        self.guidance = guidance
        self.evaluations = 0
        self.text = self.told(PROMPTS[0])
        self.empty = self.told("")
        self._context = bidirectional_context(networks.config)

    def told(self, prompt: str):
        assert self.networks.text_encoder is not None
        return self.networks.dit.encode_text(self.networks.text_encoder.encode(prompt))

    def __call__(self, x: Tensor, sigma: Tensor, frames: range) -> Tensor:
        made = []
        for text in (self.text, self.empty) if self.guidance != 1 else (self.text,):
            self.evaluations += 1
            made.append(predict_x0(self.networks.dit, x, sigma, None, text, self._context))
        return made[0] if len(made) == 1 else made[1] + self.guidance * (made[0] - made[1])


def opened(row: Row, model: Model, seed: int) -> MovingBuffer:
    predict = model if row.window is None else lookahead(model, row.window)
    rng = torch.Generator().manual_seed(seed)
    reference = None
    if row.config.reference_frames:  # the beginning of an ordinary clip
        first = MovingBuffer(BufferConfig(CLIP, 1, 2 * row.config.chunks), model, (1, 16, 16, 16), rng)
        reference = next(first)[:, :, : row.config.reference_frames]
    return MovingBuffer(row.config, predict, (1, 16, 16, 16), rng, reference=reference)


def frames_of(networks: Networks, chunks: Iterator[Tensor]) -> Iterator[np.ndarray]:
    """Decoded chunks (T, H, W, 3) 0..1, as the stream decodes them."""
    state: CodecState = networks.codec.start_decode()
    for latents in chunks:
        warm = not state.started
        latents = torch.cat([latents[:, :, :1], latents], 2) if warm else latents
        with torch.no_grad():
            frames, state = networks.codec.decode_chunk(latents, state)
        yield frames[0, 4 if warm else 0 :].permute(0, 2, 3, 1).clamp(0, 1).numpy()


def sharpness(frames: np.ndarray) -> np.ndarray:
    """Variance of the Laplacian of every frame's grey values, 0..255."""
    grey = 255 * frames.mean(-1)
    lap = (
        -4 * grey[:, 1:-1, 1:-1]
        + grey[:, :-2, 1:-1]
        + grey[:, 2:, 1:-1]
        + grey[:, 1:-1, :-2]
        + grey[:, 1:-1, 2:]
    )
    return lap.var((1, 2))


def drift(values: np.ndarray, count: int) -> float:
    """How far the last `count` values are from the first ones, as a share of the first."""
    first = values[:count].mean()
    return float(abs(values[-count:].mean() - first) / max(first, 1e-9))


def measured(frames: np.ndarray, borders: list[int]) -> dict[str, float]:
    """The row's figures; borders: the first frame of every chunk but the first."""
    step = 255 * np.abs(frames[1:] - frames[:-1]).mean((1, 2, 3))  # step[i]: into frame i + 1
    at = np.zeros(len(step), bool)
    at[[b - 1 for b in borders if b - 1 < len(step)]] = True
    five = min(5 * FPS, len(frames) // 3)
    light = frames.mean((1, 2, 3))
    colour = (frames.max(-1) - frames.min(-1)).mean((1, 2))
    sharp = sharpness(frames)
    return {
        "sharpness": float(sharp.mean()),
        "motion": float(step.mean()),
        "seam": float(step[at].mean() / step[~at].mean()),
        "drift_sharpness": drift(sharp, five),
        "drift_light": drift(light, five),
        "drift_colour": drift(colour, five),
    }


def stream_row(row: Row, networks: Networks, seconds: float, guidance: float) -> dict:
    """Streams of both prompts, and their figures."""
    found = []
    spent = 0.0
    total = 0
    evaluations = 0
    for seed, prompt in enumerate(PROMPTS):
        model = Model(networks, guidance)
        model.text = model.told(prompt)
        stream = opened(row, model, seed)
        next(stream)  # the fill is another cost
        model.evaluations, begun = 0, time.process_time()
        wanted = -(-int(seconds * FPS / 4) // row.config.chunk_frames)
        parts = list(frames_of(networks, islice(stream, wanted)))
        spent += time.process_time() - begun
        evaluations += model.evaluations
        borders = list(np.cumsum([len(part) for part in parts])[:-1])
        frames = np.concatenate(parts)
        total += len(frames)
        found.append(measured(frames, borders))
    mean = {key: round(float(np.mean([one[key] for one in found])), 4) for key in found[0]}
    per_latent = evaluations / (total / 4)
    return {"seconds": seconds, **mean, "evaluations": round(per_latent, 2), "fps": round(total / spent, 2)}


def prompt_row(row: Row, networks: Networks, guidance: float) -> dict:
    """From a prompt's change at a boundary: frames until the first one that differs from the stream without
    it, and until the first one born under it.
    """
    model = Model(networks, guidance)
    stream = opened(row, model, 0)
    list(islice(stream, 2))
    there = stream.snapshot()
    count = row.config.chunks + 2
    plain = torch.cat(list(islice(stream, count)), 2)
    stream.restore(there)
    model.text = model.told(OTHER)
    changed = torch.cat(list(islice(stream, count)), 2)
    far = (plain - changed).square().mean((0, 1, 3, 4)).sqrt()
    last = float(far[-row.config.chunk_frames :].mean())
    shares = [round(float(value) / last, 3) for value in far[:: row.config.chunk_frames]]
    return {
        "first_affected_frame": 4 * int((far > 0).nonzero()[0]),
        "half_way_frame": 4 * int((far > last / 2).nonzero()[0]),
        "first_born_frame": 4 * (row.config.queue_frames - row.config.chunk_frames),
        "shares_by_chunk": shares,
    }


def memory_row(chunks: int) -> dict:
    """Resident memory and time of a chunk over a long stream of a small network with random weights."""
    small = replace(
        preset("cartoon"), dim=24, ffn_dim=32, num_heads=2, num_layers=2, freq_dim=16, windows=((1, 2, 2),)
    )
    torch.manual_seed(0)
    net = WanDiT(small).eval().requires_grad_(False)
    text = net.encode_text(torch.zeros(1, 1, small.text_dim))
    context = bidirectional_context(small)

    def predict(x: Tensor, sigma: Tensor, frames: range) -> Tensor:
        return predict_x0(net, x, sigma, None, text, context)

    stream = MovingBuffer(BufferConfig(2, 4, 1), predict, (1, 16, 8, 8), torch.Generator().manual_seed(0))
    resident, spent = np.zeros(chunks), np.zeros(chunks)
    page = resource.getpagesize()
    for number in range(chunks):
        begun = time.process_time()
        next(stream)
        spent[number] = time.process_time() - begun
        resident[number] = int(Path("/proc/self/statm").read_text().split()[1]) * page
    tenth = max(1, chunks // 10)
    half = chunks // 2  # by then the allocator has what it needs
    slope = np.polyfit(np.arange(half, chunks), resident[half:], 1)[0]
    return {
        "chunks": chunks,
        "kib_first_tenth": round(np.mean(resident[:tenth]) / 1024),
        "kib_last_tenth": round(np.mean(resident[-tenth:]) / 1024),
        "bytes_a_chunk": round(float(slope), 2),
        "ms_first_tenth": round(1000 * float(np.median(spent[:tenth])), 2),
        "ms_last_tenth": round(1000 * float(np.median(spent[-tenth:])), 2),
    }


def roofline_row() -> dict:
    cost = evaluation_cost(preset("streamdit-4b"), 512, 512)
    card = Roofline()
    return cost.as_dict() | {
        "full_attention_flops": cost.full_attention_flops,
        "ms_at_the_roof": round(1000 * card.seconds(cost), 1),
        "fps_at_the_roof": round(8 / card.seconds(cost), 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/moving_buffer_202611.md"))
    parser.add_argument("--steps", type=int, default=16, help="of every frame, a multiple of 8")
    parser.add_argument("--guidance", type=float, default=2.5)
    parser.add_argument("--seconds", type=float, default=12.0, help="of video in a row, for each prompt")
    parser.add_argument("--long", type=float, default=60.0, help="of the row that drifts")
    parser.add_argument("--chunks", type=int, default=2000, help="of the memory row")
    args = parser.parse_args()
    torch.set_num_threads(1)
    kept = args.out.with_suffix(".jsonl")
    kept.parent.mkdir(parents=True, exist_ok=True)
    known = {}
    if kept.is_file():
        known = {row["row"]: row for row in map(json.loads, kept.read_text().splitlines())}
    networks = open_networks(CARTOON)

    def once(name: str, make: Callable[[], dict]) -> None:
        if name in known:
            return
        known[name] = {"row": name, **make()}
        with kept.open("a") as file:
            file.write(json.dumps(known[name]) + "\n")
        print(json.dumps(known[name]), flush=True)

    once("roofline", roofline_row)
    once("memory", lambda: memory_row(args.chunks))
    rows = rows_of(args.steps)
    for row in rows:
        once(f"stream: {row.name}", lambda row=row: stream_row(row, networks, args.seconds, args.guidance))
        args.out.write_text(written(known, args))
    for row in rows:
        once(f"prompt: {row.name}", lambda row=row: prompt_row(row, networks, args.guidance))
    once("long", lambda: stream_row(rows[1], networks, args.long, args.guidance))
    args.out.write_text(written(known, args))
    print(f"{args.out}: written")


def written(known: dict[str, dict], args: argparse.Namespace) -> str:
    """The tables; rows that are not made yet are left out."""
    memory, roof = known["memory"], known["roofline"]
    lines = [
        "# The moving buffer, measured",
        "",
        f"`python benchmarks/bench_buffer.py` on {os.cpu_count()} shared CPU cores, one thread, "
        f"torch {torch.__version__}, the built-in cartoon (not distilled) at 128x128, {args.steps} steps "
        f"a frame, guidance {args.guidance:g}, streams of {args.seconds:g} s. Two prompts, seeds 0 and 1, "
        "none picked. fps is per CPU second, decode included.",
        "",
        "| way | evaluations a latent frame | sharpness | motion a frame | seam "
        "| drift: sharpness, light, colour | fps |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows_of(args.steps):
        if f"stream: {row.name}" in known:
            lines.append(_line(row.name, known[f"stream: {row.name}"]))
    if "long" in known:
        long = known["long"]
        lines.append(_line(f"moving buffer, c = 2, {long['seconds']:g} s", long))
    lines += [
        "",
        "Sharpness: variance of the Laplacian. Motion: mean difference of neighbouring frames, of 255. "
        "Seam: the same at a chunk's border, divided by inside. Drift: last five seconds against the first, "
        "as a share (a third of the video where it is short).",
        "",
        "| way | first affected frame | half of the change | first frame born under the prompt "
        "| change by chunk |",
        "|---|---|---|---|---|",
    ]
    for row in rows_of(args.steps):
        one = known.get(f"prompt: {row.name}")
        if one is None:
            continue
        lines.append(
            f"| {row.name} | {one['first_affected_frame']} | {one['half_way_frame']} "
            f"| {one['first_born_frame']} | {', '.join(f'{share:.2f}' for share in one['shares_by_chunk'])} |"
        )
    lines += [
        "",
        "Frames after the boundary at which the prompt changes. Change by chunk: distance of the latents "
        "from the stream without the change, as a share of the last chunk's.",
        "",
        f"Memory over {memory['chunks']} chunks of a small network with random weights: "
        f"{memory['kib_first_tenth']} KiB in the first tenth, {memory['kib_last_tenth']} KiB in the last, "
        f"{memory['bytes_a_chunk']:g} bytes a chunk over the second half. "
        f"A chunk took {memory['ms_first_tenth']:g} ms of CPU at "
        f"first and {memory['ms_last_tenth']:g} ms at the end.",
        "",
        "`streamdit-4b` at 512x512, counted: "
        f"{roof['linear_flops'] / 1e12:.1f} TFLOP in linear layers, {roof['attention_flops'] / 1e12:.1f} in "
        f"windowed attention ({roof['full_attention_flops'] / 1e12:.1f} if it were full), "
        f"{roof['text_flops'] / 1e12:.1f} in attention to the text, {roof['weight_bytes'] / 1e9:.1f} GB of "
        f"weights. At the roof of an H200 ({roof['ms_at_the_roof']:g} ms an evaluation) that is "
        f"{roof['fps_at_the_roof']:g} fps of a student with c = 2. Nothing of it has run on a GPU.",
        "",
    ]
    return "\n".join([*lines, CAVEATS, ""])


CAVEATS = (
    "How to read it: the lookahead runs on the same weights, which have met chunks of one frame in training. "
    "It is the schedule that differs, not a model never trained for a queue. Drift over a few seconds is "
    "mostly the start: the first chunks come from a uniform run. Rows that are not in the table were not "
    "measured."
)


def _line(name: str, one: dict) -> str:
    drifts = ", ".join(f"{one[f'drift_{key}']:.2f}" for key in ("sharpness", "light", "colour"))
    return (
        f"| {name} | {one['evaluations']:g} | {one['sharpness']:.0f} | {one['motion']:.2f} "
        f"| {one['seam']:.2f} | {drifts} | {one['fps']:.2f} |"
    )


if __name__ == "__main__":
    main()
