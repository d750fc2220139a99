"""The moving buffer, measured on the built-in cartoon: baselines, ablations, prompts, memory, and a roofline.

    make bench-buffer        or: PYTHONPATH=. python benchmarks/bench_buffer.py --out OUT.md

Rows are kept in OUT with the suffix .jsonl as they are made, so that a run that is stopped goes on. Speed is
frames per CPU second of this process on one thread, so that other programs on the machine do not count.
"""

from __future__ import annotations

import argparse
import json
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
from buffer_tables import ENDS, written
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
    parser.add_argument("--tables", action="store_true", help="write the tables of what is there, and end")
    args = parser.parse_args()
    torch.set_num_threads(1)
    kept = args.out.with_suffix(".jsonl")
    kept.parent.mkdir(parents=True, exist_ok=True)
    known = {}
    if kept.is_file():
        known = {row["row"]: row for row in map(json.loads, kept.read_text().splitlines())}

    if args.tables:
        args.out.write_text(written(known, args))
        return

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


if __name__ == "__main__":
    main()
