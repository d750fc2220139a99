"""`bench`: speed and memory of a stream, stage by stage, as a table and, as last line, one JSON document.

Owns the fixed load: a smooth picture, tracks that wander, the loop fit. Random weights cost the same time as
trained ones.
"""

from __future__ import annotations

import argparse
import platform
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import torch
from torch import Tensor

from ..common.devices import device_label, parse_size, pick_device, show_progress
from ..evaluation.results import markdown_table, round_figures, show_result, write_result
from ..model.attention import BACKENDS, Backend, check_backend
from ..model.cache import CacheShape
from ..model.compiled import MODES, Compiled, FastDiT, accelerate
from ..model.weights.networks import Networks, decoding_matters, with_convolutions
from ..streaming.chunk import Chunk
from ..streaming.decoders import overlaps_decode
from ..streaming.stream import STAGES, StreamOptions, stream
from ..tracks.types import Tracks
from .bench_networks import DECODERS, chunk_flops, peak_flops, random_networks
from .options import add_convolutions_option, add_model_options, open_on


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_model_options(parser)
    add_convolutions_option(parser)
    parser.add_argument("--preset", default=None, help="random weights of a preset instead of a weights file")
    parser.add_argument("--frames", type=int, default=241)
    parser.add_argument("--size", type=parse_size, default=(128, 128), help="WIDTHxHEIGHT")
    parser.add_argument("--tracks", type=int, default=256, help="number of tracks")
    parser.add_argument(
        "--context",
        type=CacheShape.parse,
        default=None,
        help="chunk, sink and window such as c3s1w3, the model's own by default",
    )
    parser.add_argument(
        "--alone",
        dest="against",
        action="store_false",
        help="leave out the comparison with a cache that keeps the whole history",
    )
    parser.add_argument("--name", default=None, help="name of the result file, that of the model by default")
    parser.add_argument("--small", action="store_true", help="a Wan preset at stand-in sizes, for a CPU")
    parser.add_argument(
        "--decoder", default="taehv", choices=DECODERS, help="what decodes the frames of a Wan preset"
    )
    parser.add_argument(
        "--attention", default="sdpa", choices=tuple(BACKENDS), help="checked against sdpa before it is used"
    )
    parser.add_argument(
        "--fast",
        default="off",
        choices=MODES,
        help=(
            "compile: torch.compile, swapped in while the stream runs; graphs: CUDA graphs; fp8: "
            "eight-bit linears"
        ),
    )
    parser.add_argument(
        "--beside",
        action="store_true",
        default=None,
        help="decode beside the transformer, in a thread of its own on a CPU too",
    )
    parser.add_argument(
        "--one-queue",
        dest="beside",
        action="store_false",
        help="decode in the transformer's own queue, on a GPU too",
    )
    parser.add_argument(
        "--results", type=Path, default=None, help="folder to keep the result in, such as benchmarks/results"
    )


def run(args: argparse.Namespace) -> None:
    device = pick_device(args.device)
    networks = (
        random_networks(args.preset, device, small=args.small, decoder=args.decoder)
        if args.preset
        else open_on(args.weights, device)
    )
    check_backend(
        args.attention, networks.config.num_heads, networks.config.head_dim, device, networks.dit.dtype
    )
    networks = with_convolutions(networks, args.convolutions)
    networks = replace(networks, dit=accelerate(networks.dit, args.fast))
    if networks.config.motion is None or args.fast != "off":
        args.against = False
    report = {
        "model": args.name or (args.preset or args.weights.stem) + ("-small" if args.small else ""),
        "device": device_label(device),
        "cpu": platform.machine(),
        "torch": torch.__version__,
    }
    width, height = args.size
    report |= measure(
        networks,
        width,
        height,
        args.frames,
        args.tracks,
        args.steps,
        args.context,
        args.attention,
        beside=args.beside,
    )
    report |= {
        "attention": args.attention,
        "convolutions": args.convolutions,
        "decode_beside": overlaps_decode(device, args.beside, decoding_matters(networks)),
        "way": args.fast,
        "fast": networks.dit.state if isinstance(networks.dit, FastDiT) else args.fast,
    }
    if args.against:
        report |= against_full_history(report, networks, args)
    show_result(table(report), report, None if args.results is None else save_report(report, args.results))


def measure(
    networks: Networks,
    width: int,
    height: int,
    frames: int,
    count: int,
    steps: int | None,
    context: CacheShape | None,
    attention: Backend = "sdpa",
    check_interrupt: Callable[[], None] | None = None,
    beside: bool | None = None,
) -> dict[str, Any]:
    """Streams once and returns what it cost.

    chunk_s: from a chunk's hand-out to the next one's, in the steady state, that of the fast path where there
    is one. latency_s: from its border to its frames. late_over_early: late seconds a chunk over early ones, 1
    is constant time. spread: of 5 to 95 % of the chunks, over their median. widest: of all. grown_mib: growth
    of the peak memory over the second half of the stream.

    Args:
        networks: what streams.
        width: of the video in px, as `height`.
        height: see `width`.
        frames: length of the stream.
        count: tracks.
        steps: denoising steps of a chunk. None: the model's own.
        context: chunk, sink and window. None: the model's own.
        attention: the attention backend.
        check_interrupt: called between steps. May raise to stop.
        beside: decode while the next chunk is made. None: where it helps.
    """
    options = StreamOptions(
        frames,
        steps=steps,
        context=context,
        fit="loop",
        overlap_decode=beside,
        backend=attention,
        check_interrupt=check_interrupt,
    )
    run = _stream_once(
        networks, smooth_picture(width, height), wandering_tracks(count, width, height), options
    )
    shape = context or networks.config.rolling.cache_shape
    steady = run.steady(shape)
    report: dict[str, Any] = {
        "width": width,
        "height": height,
        "frames": frames,
        "tracks": count,
        "steps": steps or networks.config.sampler.steps,
        "context": shape.label,
    }
    times = _times_of(steady)
    report["steady_fps"] = shape.chunk * networks.config.vae_stride[0] / times["chunk_p50_s"]
    report["stream_fps"] = run.last.fps
    report["first_frame_s"] = run.first_frame_s
    report |= {key: median(cost[key] for cost in steady) for key in steady[0]}
    report |= times
    report |= against_peak(networks, width, height, shape, report)
    report["late_over_early"] = _late_over_early(steady)
    report["cache_mib"] = run.last.cache_bytes / 2**20
    report["peak_mib"] = run.memory[-1]
    report["grown_mib"] = run.memory[-1] - run.memory[len(run.memory) // 2]
    return round_figures(report, 4)


@dataclass(frozen=True)
class _Run:
    """What one stream cost: `costs` and `memory` (MiB, the peak so far) of every chunk."""

    costs: list[dict[str, float]]
    memory: list[float]
    first_frame_s: float
    last: Chunk
    warm: int  # chunks before the fast path was ready

    def steady(self, shape: CacheShape) -> list[dict[str, float]]:
        """The costs from the chunk on at which the cache is full and the fast path ready, but the last."""
        full = 1 + -(-(shape.sink + shape.window) // shape.chunk)
        begin = max(full, self.warm + 1 if self.warm < len(self.costs) else 0)
        return self.costs[begin:-1] or self.costs[-1:]


def _stream_once(networks: Networks, image: Tensor, tracks: Tracks, options: StreamOptions) -> _Run:
    words = torch.zeros(1, networks.config.text_len, networks.config.text_dim)
    costs: list[dict[str, float]] = []
    memory: list[float] = []
    frames = options.frames or 0
    first_frame_s = 0.0
    warm = 0
    last = None
    shown = perf_counter()
    for last in stream(networks, image, tracks, words, options):
        before, shown = shown, perf_counter()
        first_frame_s = first_frame_s or last.first_frame_s
        if join_compiler(networks.dit):
            shown = perf_counter()
        warm = warm if state_of(networks.dit) == "fast" else len(costs) + 1
        cost = {"chunk_s": shown - before, "latency_s": last.latency_s}
        costs.append(cost | {stage: last.timings.get(stage, 0.0) for stage in STAGES})
        memory.append(memory_mib())
        made = last.start + len(last.frames)
        show_progress(f"frame {made}/{frames} · {last.fps:.1f} fps", last=made >= frames)
    if last is None:
        raise ValueError(f"frames: expected at least one chunk, got {frames} frames")
    return _Run(costs, memory, first_frame_s, last, warm)


def _times_of(steady: list[dict[str, float]]) -> dict[str, float]:
    """Median and spread of the seconds of a chunk."""
    spent = sorted(cost["chunk_s"] for cost in steady)

    def share(of: float) -> float:
        return spent[min(len(spent) - 1, round(of * (len(spent) - 1)))]

    p50 = share(0.5)
    return {
        "chunk_p50_s": p50,
        "chunk_p95_s": share(0.95),
        "spread": (share(0.95) - share(0.05)) / p50,
        "widest": (spent[-1] - spent[0]) / p50,
        "steady_chunks": len(steady),
    }


def _late_over_early(steady: list[dict[str, float]]) -> float:
    half = len(steady) // 2
    early = median(cost["chunk_s"] for cost in steady[: max(1, half)])
    late = median(cost["chunk_s"] for cost in steady[half:])
    return late / early


def join_compiler(dit: Any) -> bool:
    """Waits for what is being compiled -> whether anything was: the plain path's figures under the load of a
    compiler are of no use to anybody.
    """
    mode = dit.mode if isinstance(dit, FastDiT) else None
    if not isinstance(mode, Compiled) or mode.state != "compiling":
        return False
    mode.join()
    return True


def state_of(dit: Any) -> str:
    return dit.state if isinstance(dit, FastDiT) else "fast"


def against_peak(networks: Networks, width: int, height: int, shape: CacheShape, report: dict) -> dict:
    """FLOPs of a steady chunk by the architecture, and what share of the device's measured matrix products
    the transformer reaches.

    Args:
        networks: whose transformer ran.
        width: of the video in pixels.
        height: of the video in pixels.
        shape: chunk, sink and window of the run.
        report: what `measure` returned.
    """
    config, dit = networks.config, networks.dit
    rows, columns = config.token_grid(height // config.vae_stride[1], width // config.vae_stride[2])
    flops, peak = (
        chunk_flops(config, rows * columns, shape, report["steps"]),
        peak_flops(dit.device, dit.dtype),
    )
    reached = sum(flops.values()) / (report["denoise_s"] + report["cache_s"])
    return {
        "denoise_gflop": flops["denoise"] / 1e9,
        "cache_gflop": flops["cache"] / 1e9,
        "tflops": reached / 1e12,
        "peak_tflops": peak / 1e12,
        "of_peak": reached / peak,
    }


def against_full_history(report: dict, networks: Networks, args: argparse.Namespace) -> dict:
    """The same stream with a cache that forgets nothing, as causal samplers without a window keep it: its
    figures and the ratios to ours.

    The chunk time compared is that of the stream's last quarter. The history costs more with every chunk, a
    rolling window does not.
    """
    _, ours = last_quarter(networks, args, args.context or networks.config.rolling.cache_shape)
    latent_frames = 1 + -(-args.frames // networks.config.vae_stride[0])
    chunk = networks.config.rolling.cache_shape.chunk
    cache, theirs = last_quarter(networks, args, CacheShape(chunk, 0, latent_frames))
    return {
        "full_history_chunk_s": round(theirs, 4),
        "full_history_cache_mib": round(cache, 1),
        "chunk_time_ratio": round(theirs / ours, 3),
        "cache_ratio": round(cache / report["cache_mib"], 2),
    }


def last_quarter(networks: Networks, args: argparse.Namespace, context: CacheShape) -> tuple[float, float]:
    """Cache in MiB and the median seconds of denoising and caching per chunk over the last quarter of the
    stream.
    """
    tracks, words = (
        wandering_tracks(args.tracks, *args.size),
        torch.zeros(1, networks.config.text_len, networks.config.text_dim),
    )
    chunks = list(
        stream(
            networks,
            smooth_picture(*args.size),
            tracks,
            words,
            StreamOptions(args.frames, steps=args.steps, context=context, fit="loop"),
        )
    )
    costs = [
        chunk.timings["denoise_s"] + chunk.timings["cache_s"]
        for chunk in chunks[-max(2, len(chunks) // 4) : -1]
    ]
    return chunks[-1].cache_bytes / 2**20, median(costs)


def smooth_picture(width: int, height: int) -> Tensor:
    """(H, W, 3): colours that run smoothly over the canvas."""
    rows, columns = (
        torch.linspace(0, 1, height)[:, None].expand(height, width),
        torch.linspace(0, 1, width).expand(height, width),
    )
    return torch.stack([rows, columns, 0.5 + 0.5 * torch.sin(12 * rows + 9 * columns)], dim=-1)


def wandering_tracks(count: int, width: int, height: int, frames: int = 97) -> Tracks:
    """Tracks that start everywhere and circle, so that a loop has no seam."""
    rng = torch.Generator().manual_seed(0)
    start = torch.rand(count, 2, generator=rng) * torch.tensor([width, height])
    turn = torch.linspace(0, 2 * torch.pi, frames)[:, None]
    circle = torch.stack([turn.sin(), 1 - turn.cos()], dim=-1) * min(width, height) / 8
    return Tracks(start + circle, torch.ones(frames, count, dtype=torch.bool), width, height)


def memory_mib() -> float:
    """The most memory held so far: the GPU's where there is one in use, else the process's. 0 where the
    system does not say.
    """
    if torch.cuda.is_available() and torch.cuda.max_memory_allocated():
        return torch.cuda.max_memory_allocated() / 2**20
    if find_spec("resource") is None:
        return 0.0
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


def table(report: dict) -> str:
    """The report as a Markdown table."""
    return markdown_table(("measure", "value"), report.items())


def save_report(report: dict, folder: Path) -> Path:
    """Writes <model>-bench_<device>_<YYYYMM>.md with the command, the commit, the table and the JSON."""
    name = f"{report['model']}-bench"
    title = f"Speed and memory of {report['model']}"
    return write_result(folder, name, report["device"], title, "", table(report), report)
