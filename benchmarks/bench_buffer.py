"""The moving buffer, measured on the built-in cartoon: baselines, ablations, prompts, memory, and a roofline.

    make bench-buffer        or: PYTHONPATH=. python benchmarks/bench_buffer.py --out OUT.md

Rows are kept in OUT with the suffix .jsonl as they are made, so that a run that is stopped goes on. Speed is
frames per CPU second of this process on one thread, so that other programs on the machine do not count.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from buffer_figures import drift, figures, frames_of, pieces_of, shown, true_streams
from buffer_meta import counted
from buffer_ways import Files, Stream, Way, ablations, main_ways, rolling
from torch import Tensor

from motionstream_core.codec.tiny import TinyCodec
from motionstream_core.evaluation.cartoon.command import JUDGE
from motionstream_core.evaluation.cartoon.judging import load_judge, looks_of
from motionstream_core.evaluation.cartoon.report import frechet, recoloured, seam
from motionstream_core.evaluation.cartoon.sheet import prompts
from motionstream_core.model.config import BufferConfig
from motionstream_core.model.context import bidirectional_context
from motionstream_core.model.dit import WanDiT
from motionstream_core.model.presets import preset
from motionstream_core.planning.buffer_cost import Roofline, evaluation_cost
from motionstream_core.sampling.buffer import MovingBuffer
from motionstream_core.sampling.rolling import RollingSampler
from motionstream_core.sampling.sampler import SamplerRun
from motionstream_core.sampling.step import predict_x0
from motionstream_core.training.cartoon.scene import FPS, Scene

ENDS = 10  # seconds at both ends of a long stream


@dataclass(frozen=True)
class Bench:
    """What all rows share."""

    files: Files
    scenes: list[Scene]
    seconds: float
    long: float
    streams: int
    bf16: bool
    kept: dict[float, np.ndarray] = field(default_factory=dict)

    @property
    def true(self) -> np.ndarray:
        """True streams of the scenes through the codec, made once."""
        if self.seconds not in self.kept:
            self.kept[self.seconds] = self.real(self.scenes)
        return self.kept[self.seconds]

    def real(self, scenes: list[Scene]) -> np.ndarray:
        return true_streams(scenes, self.codec, int(self.seconds * FPS), bf16=self.bf16)

    @property
    def codec(self) -> TinyCodec:
        codec = self.files.base.codec
        assert isinstance(codec, TinyCodec)
        return codec

    def frames(self, way: Way, scenes: list[Scene], seconds: float) -> tuple[np.ndarray, Stream, float]:
        """Decoded streams of the scenes' prompts, without the fill's cost in the count of evaluations."""
        captions = [scene.caption for scene in scenes]
        stream = Stream(way, self.files.of(way), captions, seed=0, bf16=self.bf16)
        first = next(stream)
        stream.evaluated = 0
        wanted = -(-int(seconds * FPS / 4) // way.chunk_frames) - 1

        def chunks() -> Iterator[Tensor]:
            yield first
            yield from islice(stream, wanted)

        frames = frames_of(self.codec, chunks(), bf16=self.bf16)
        return frames, stream, stream.evaluated / (wanted * way.chunk_frames)


def truth_row(bench: Bench) -> dict:
    """True streams of the same scenes through the codec, and of others: what the measures can reach."""
    count = len(bench.scenes)
    true = bench.true
    others = prompts(2 * count)[0][count:]
    far = bench.real(others)
    judge = load_judge(JUDGE)
    with torch.no_grad():
        features = [
            judge.features(looks_of(pieces_of(clips, some)[0]))
            for clips, some in ((far, others), (true, bench.scenes))
        ]
    made = figures(true, bench.scenes, JUDGE, true, 8)
    return rounded(made | {"frechet": frechet(*features)})


def stream_row(bench: Bench, way: Way) -> dict:
    """A way's short streams, and its figures."""
    frames, _, evaluated = bench.frames(way, bench.scenes, bench.seconds)
    true = bench.true[:, : frames.shape[1]]
    made = figures(frames, bench.scenes, JUDGE, true, 4 * way.chunk_frames)
    # The first chunk has three frames fewer.
    made["seam"] = seam(frames[:, 4 * way.chunk_frames - 3 :], 4 * way.chunk_frames)
    made["seam_8"] = seam(frames[:, (4 * way.chunk_frames - 3) % 8 :], 8)  # at one distance for all
    return rounded({"frames": frames.shape[1], "evaluated": evaluated, **made})


def long_row(bench: Bench, way: Way) -> dict:
    """A way's long streams: their last seconds against the first."""
    scenes = bench.scenes[: bench.streams]
    frames, _, _ = bench.frames(way, scenes, bench.long)
    ends = {f"first_{name}": value for name, value in shown(frames[:, : ENDS * FPS], scenes, JUDGE).items()}
    return rounded({"seconds": bench.long, "streams": len(scenes), **ends, **drift(frames, scenes, JUDGE)})


def speed_row(bench: Bench, way: Way, chunks: int = 3) -> dict:
    """Frames a CPU second of one stream in float32, decoding included, the fill left out."""
    stream = Stream(way, bench.files.of(way), [bench.scenes[0].caption], seed=0)
    first = next(stream)
    begun = time.process_time()
    frames_of(bench.codec, islice(stream, chunks * (2 if first.shape[2] == 1 else 1)))
    spent = time.process_time() - begun
    count = chunks * (2 if first.shape[2] == 1 else 1) * 4 * way.chunk_frames
    return rounded({"fps": count / spent})


def prompt_row(bench: Bench, way: Way) -> dict:
    """From a prompt's change at a boundary: frames until the first one that differs from the stream without
    it, and until the first one born under it.
    """
    scene = bench.scenes[0]
    stream = Stream(way, bench.files.of(way), [scene.caption], seed=0, bf16=bench.bf16)
    list(islice(stream, 2))
    there = stream.sampler.snapshot()
    config = way.config
    behind = config.queue_frames - config.chunk_frames if isinstance(config, BufferConfig) else 0
    count = behind // config.chunk_frames + 3
    plain = torch.cat(list(islice(stream, count)), 2)
    stream.sampler.restore(there)  # pyright: ignore[reportArgumentType]
    stream.ask([recoloured(scene).caption])
    changed = torch.cat(list(islice(stream, count)), 2)
    far = (plain - changed).square().mean((0, 1, 3, 4)).sqrt()
    last = float(far[-config.chunk_frames :].mean())
    return {
        "first_affected_frame": 4 * int((far > 0).nonzero()[0]),
        "half_way_frame": 4 * int((far > last / 2).nonzero()[0]),
        "first_born_frame": 4 * behind,
        "shares_by_chunk": [round(float(value) / last, 3) for value in far[:: config.chunk_frames]],
    }


def memory_row(chunks: int, of_buffer: bool) -> dict:
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

    rng = torch.Generator().manual_seed(0)
    if of_buffer:
        stream: Iterator = MovingBuffer(BufferConfig(2, 4, 1), predict, (1, 16, 8, 8), rng)
    else:
        config = rolling(1, "renoise")
        cache = net.make_cache(8, 8, shape=config.cache_shape)
        run = SamplerRun((1, 8, 8), rng)
        stream = RollingSampler(
            config, net, cache=cache, motion=None, text=lambda _: text, first=None, run=run
        )
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


def rounded(row: dict) -> dict:
    return {key: round(value, 4) if isinstance(value, float) else value for key, value in row.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/moving_buffer_202611.md"))
    parser.add_argument("--steps", type=int, default=16, help="of every frame, a multiple of 8")
    parser.add_argument("--guidance", type=float, default=2.5)
    parser.add_argument("--prompts", type=int, default=3, help="the first held-out ones")
    parser.add_argument("--seconds", type=float, default=12.0, help="of video in a row, for each prompt")
    parser.add_argument("--few", type=int, default=3, help="prompts of the ablations")
    parser.add_argument("--few-seconds", type=float, default=12.0, help="of the ablations")
    parser.add_argument("--long", type=float, default=60.0, help="of the rows that drift")
    parser.add_argument("--streams", type=int, default=2, help="prompts of the rows that drift")
    parser.add_argument("--chunks", type=int, default=2000, help="of the memory rows")
    parser.add_argument("--bf16", action="store_true", help="products in bfloat16, but for the speed")
    args = parser.parse_args()
    torch.set_num_threads(1)
    kept = args.out.with_suffix(".jsonl")
    kept.parent.mkdir(parents=True, exist_ok=True)
    known = {}
    if kept.is_file():
        known = {row["row"]: row for row in map(json.loads, kept.read_text().splitlines())}

    def once(name: str, make: Callable[[], dict]) -> None:
        if name in known:
            return
        begun = time.process_time()
        known[name] = {"row": name, **make(), "cpu_s": round(time.process_time() - begun, 1)}
        with kept.open("a") as file:
            file.write(json.dumps(known[name]) + "\n")
        print(json.dumps(known[name]), flush=True)
        args.out.write_text(written(known, args))

    once("roofline", roofline_row)
    once("meta", lambda: counted("streamdit-4b", 512, 512))
    once("memory: moving buffer", lambda: memory_row(args.chunks, True))
    once("memory: rolling cache", lambda: memory_row(args.chunks, False))
    files, scenes = Files.opened(), prompts(args.prompts)[0]
    bench = Bench(files, scenes, args.seconds, args.long, args.streams, args.bf16)
    less = Bench(files, scenes[: args.few], args.few_seconds, args.long, args.streams, args.bf16)
    ways, changed = main_ways(args.steps, args.guidance), ablations(args.steps, args.guidance)
    once("truth", lambda: truth_row(bench))
    for way in ways:
        once(f"stream: {way.name}", lambda way=way: stream_row(bench, way))
        once(f"speed: {way.name}", lambda way=way: speed_row(bench, way))
    for way in (*ways, *changed[:2]):
        once(f"prompt: {way.name}", lambda way=way: prompt_row(bench, way))
    for way in (replace(ways[0], name="c = 2"), *changed):
        once(f"changed: {way.name}", lambda way=way: stream_row(less, way))
    for way in sorted(ways, key=lambda way: way.guidance):
        once(f"long: {way.name}", lambda way=way: long_row(bench, way))
    args.out.write_text(written(known, args))
    print(f"{args.out}: written")


SHOWN = ("found", "colour", "kind", "direction", "scene")


def written(known: dict[str, dict], args: argparse.Namespace) -> str:
    """The tables; rows that are not made yet are left out."""
    ways = main_ways(args.steps, args.guidance)
    changed = ablations(args.steps, args.guidance)
    lines = [
        "# The moving buffer, measured",
        "",
        f"`make bench-buffer` on {os.cpu_count()} shared CPU cores, one thread, torch {torch.__version__}, "
        f"the built-in cartoon at 128x128. Rows of {args.steps} steps have guidance {args.guidance:g}, the "
        f"others none. The first {args.prompts} held-out prompts, {args.seconds:g} s each, one seed, none "
        "picked" + (", products in bfloat16." if args.bf16 else "."),
        "",
        *_quality([*ways], known, "stream"),
        f"## The moving buffer with one thing changed: {args.few} prompts, {args.few_seconds:g} s each",
        "",
        *_quality([replace(ways[0], name="c = 2"), *changed], known, "changed"),
        READ,
        "",
        *_long(ways, known, args),
        *_prompts([*ways, *changed[:2]], known),
        *_memory(known),
        *_roofline(known),
        CAVEATS,
        "",
    ]
    return "\n".join(lines)


def _quality(ways: list[Way], known: dict[str, dict], kind: str) -> list[str]:
    rows = []
    for way in ways:
        one = known.get(f"{kind}: {way.name}")
        if one is None:
            continue
        fps = known.get(f"speed: {way.name}", {}).get("fps")
        rows.append(
            f"| {way.name} | {way.trained} | {one['evaluated']:g} | {_figures(one)} | {one['seam_8']:.2f} "
            f"| {'' if fps is None else f'{fps:.1f}'} |"
        )
    if "truth" in known and kind == "stream":
        rows.append(f"| true streams through the codec | | | {_figures(known['truth'])} | | |")
    return [
        "| way | trained for it | frames evaluated | found | colour | kind | direction | scene | Fréchet "
        "| sharpness | motion | flow, px/s | seam | seam at 8 | fps |",
        "|---" * 15 + "|",
        *rows,
        "",
    ]


def _figures(one: dict) -> str:
    shares = " | ".join(f"{one[name]:.2f}" for name in SHOWN)
    return (
        f"{shares} | {one['frechet']:.1f} | {one['sharpness']:.2f} | {one['motion']:.2f} | {one['flow']:.1f} "
        f"| {one['seam']:.2f}"
    )


def _long(ways: tuple[Way, ...], known: dict[str, dict], args: argparse.Namespace) -> list[str]:
    rows = []
    for way in ways:
        one = known.get(f"long: {way.name}")
        if one is not None:
            shares = " | ".join(f"{one[f'first_{name}']:.2f} {one[f'drift_{name}']:+.2f}" for name in SHOWN)
            rows.append(
                f"| {way.name} | {shares} | {100 * one['drift_sharpness']:+.0f} % "
                f"| {100 * one['drift_flow']:+.0f} % | {one['drift_light']:+.1f} |"
            )
    return [
        f"## {args.long:g} seconds",
        "",
        f"{args.streams} prompts. The first {ENDS} s, and by how much the last {ENDS} s differ.",
        "",
        "| way | found | colour | kind | direction | scene | sharpness | flow | light, of 255 |",
        "|---" * 9 + "|",
        *rows,
        "",
    ]


def _prompts(ways: list[Way], known: dict[str, dict]) -> list[str]:
    rows = []
    for way in ways:
        one = known.get(f"prompt: {way.name}")
        if one is not None:
            shares = ", ".join(f"{share:.2f}" for share in one["shares_by_chunk"])
            rows.append(
                f"| {way.name} | {one['first_affected_frame']} | {one['half_way_frame']} "
                f"| {one['first_born_frame']} ({one['first_born_frame'] / FPS:.2f} s) | {shares} |"
            )
    return [
        "## From a prompt to its effect",
        "",
        "Another colour is asked for at a boundary. Frames behind it; the change by chunk is the latents' "
        "distance from the stream without it, as a share of the last chunk's.",
        "",
        "| way | first affected frame | half of the change | first frame born under the prompt "
        "| change by chunk |",
        "|---" * 5 + "|",
        *rows,
        "",
    ]


def _memory(known: dict[str, dict]) -> list[str]:
    lines = ["## Memory and time for ever", ""]
    for name in ("moving buffer", "rolling cache"):
        memory = known.get(f"memory: {name}")
        if memory is not None:
            lines += [
                f"The {name} over {memory['chunks']} chunks of a small network with random weights: "
                f"{memory['kib_first_tenth']} KiB resident in the first tenth, {memory['kib_last_tenth']} "
                f"KiB in the last, {memory['bytes_a_chunk']:g} bytes a chunk over the second half. A chunk "
                f"took {memory['ms_first_tenth']:g} ms of CPU at first and {memory['ms_last_tenth']:g} ms "
                "at the end.",
                "",
            ]
    return lines


def _roofline(known: dict[str, dict]) -> list[str]:
    roof = known["roofline"]
    meta = known.get("meta")
    if meta is None:
        return []
    eager = (meta["product_bytes"] + meta["other_bytes"]) / 4.8e9
    compute = roof["linear_flops"] / 790e9 + (roof["attention_flops"] + roof["text_flops"]) / 500e9
    return [
        "## `streamdit-4b` at 512x512, counted",
        "",
        f"One evaluation: {roof['linear_flops'] / 1e12:.1f} TFLOP in linear layers, "
        f"{roof['attention_flops'] / 1e12:.1f} in windowed attention "
        f"({roof['full_attention_flops'] / 1e12:.1f} if it were full), {roof['text_flops'] / 1e12:.1f} in "
        f"attention to the text, {roof['weight_bytes'] / 1e9:.1f} GB of weights, "
        f"{roof['moved_bytes'] / 1e9:.1f} GB of activations moved. At the roof of an H200 "
        f"({roof['ms_at_the_roof']:g} ms an evaluation) that is {roof['fps_at_the_roof']:g} fps of a student "
        "with c = 2. Nothing of it has run on a GPU.",
        "",
        f"On meta tensors ({meta['parameters'] / 1e9:.3f} billion parameters) torch's own counter finds "
        f"{meta['flops'] / 1e12:.1f} TFLOP where the formulas above make "
        f"{(roof['linear_flops'] + roof['attention_flops'] + roof['text_flops']) / 1e12:.1f}. Operation by "
        f"operation, nothing fused but attention, products move {meta['product_bytes'] / 1e9:.0f} GB and all "
        f"others {meta['other_bytes'] / 1e9:.0f} GB: {eager:.0f} ms at 4.8 TB/s beside the products' "
        f"{compute:.0f} ms, {8000 / (eager + compute):.1f} fps. So 32 fps (250 ms) "
        + ("needs fused kernels." if eager + compute > 250 else "is in reach without fused kernels."),
        "",
    ]


READ = (
    "Shares are of pieces of two seconds, with the measures of `evaluate cartoon`; direction counts "
    "prompts whose thing moves. Fréchet: to true streams of the same scenes in the judge's features; "
    "the last row has true streams of other scenes. It is of few pieces and compares rows of this table "
    "alone. Sharpness: mean difference of neighbouring pixels. Motion: that of neighbouring frames, of "
    "255. Flow: the strongest twentieth of the pixels' optical flow. Seam: change where chunks meet "
    "over change within; seam at 8 takes every eighth frame in all rows. Frames evaluated: latent "
    "frames through the network for one that leaves; the clean-context passes of the rolling cache are "
    "counted. fps: of one stream in float32, a CPU second, decoding included."
)
CAVEATS = (
    "How to read it: the weights met whole clips and buffers with chunks of 1, 2, 4 and 8 frames, "
    "windows whose wrap is masked, and no reference frames; the student one step a slot of c = 2 and "
    "whole clips at its four levels. What is said not to be trained shows what this network makes of "
    "it, not what the method can do. The lookahead runs on weights that know clips at mixed levels. A "
    "few prompts and one seed: differences of a few hundredths are noise. The mixing of partitions was "
    "not ablated: it takes a training of its own."
)


if __name__ == "__main__":
    main()
