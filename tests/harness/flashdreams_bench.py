"""flashdreams' Wan transformer beside ours, in one process, with random weights and the same shapes, in
turns; a GPU is expected.

`python -m harness.flashdreams_bench` where the package `flashdreams` (0.1.0) is installed; where it, or what
it imports (triton), is not, one line says so, and the exit code is 3. Owns what is compared: of each chunk
the denoising steps and the clean-context pass, no text, no decoding. Theirs runs as it is shipped, compiled
and captured; ours by the fast path named. Prints a table and one JSON line.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from time import perf_counter

import torch

from harness.ar_bench import SMALL, table
from motionstream_core.cli.bench_networks import fill_random
from motionstream_core.model.cache import CacheShape
from motionstream_core.model.compiled import accelerate
from motionstream_core.model.dit import WanDiT
from motionstream_core.model.presets import ModelConfig, preset
from motionstream_core.sampling.flow import sigma_schedule
from motionstream_core.sampling.rollout import rollout

MISSING = 3


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m harness.flashdreams_bench", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--preset", default="wan2.1-1.3b", choices=("wan2.1-1.3b", "wan2.1-14b", "wan2.2-5b"))
    parser.add_argument("--device", default="cuda", choices=("cpu", "cuda"))
    parser.add_argument("--small", action="store_true", help="small sizes, not compiled: to see that it runs")
    parser.add_argument("--size", default="832x480", help="WIDTHxHEIGHT of the video")
    parser.add_argument("--context", type=CacheShape.parse, default=CacheShape(3, 3, 3))
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--chunks", type=int, default=20, help="timed, once theirs and ours are warm")
    parser.add_argument("--fast", default="fp8+graphs", help="our fast path, as in bench")
    parser.add_argument("--results", type=Path, default=None)
    return parser.parse_args()


def main() -> None:
    args = arguments()
    missing = lacking()
    if missing is not None:
        print(
            f"{missing} is not installed here: left out (pip install flashdreams==0.1.0, into an "
            "environment of its own with a CUDA build of PyTorch)",
            file=sys.stderr,
        )
        sys.exit(MISSING)
    config = replace(preset(args.preset), **SMALL) if args.small else preset(args.preset)
    cells = tuple(
        int(edge) // stride for edge, stride in zip(reversed(args.size.split("x")), config.vae_stride[1:])
    )
    with torch.no_grad():
        rows = [
            {"side": "ours", **ours(args, config, cells)},
            {"side": "flashdreams", **theirs(args, config, cells)},
        ]
    ratio = round(rows[1]["chunk_s"] / rows[0]["chunk_s"], 3)
    report = {
        "preset": args.preset,
        "small": args.small,
        "size": args.size,
        "context": args.context.label,
        "steps": args.steps,
        "torch": torch.__version__,
        "flashdreams": version("flashdreams"),
        "device": torch.cuda.get_device_name() if args.device == "cuda" else "cpu",
        "rows": rows,
        "speedup": ratio,
    }
    print(table(rows))
    if args.results is not None:
        path = args.results / f"flashdreams-{args.preset}_{report['device'].lower().replace(' ', '-')}.md"
        path.write_text(
            "# flashdreams' transformer and ours\n\nCommand: `python -m harness.flashdreams_bench "
            f"{' '.join(sys.argv[1:])}`\n\n{table(rows)}\n\n```json\n{json.dumps(report)}\n```\n"
        )
    print(json.dumps(report))


def lacking() -> str | None:
    """The package without which theirs cannot be imported; None where it can."""
    if find_spec("flashdreams") is None:
        return "flashdreams"
    try:
        import_module("flashdreams.recipes.wan.transformer.wan21")
    except ModuleNotFoundError as error:
        return f"{error.name}, which flashdreams imports,"
    return None


def timed(device: str, chunk, chunks: int) -> dict:
    """Median seconds of `chunk()`, and their spread."""
    times = []
    for _ in range(chunks):
        began = perf_counter()
        chunk()
        if device == "cuda":
            torch.cuda.synchronize()
        times.append(perf_counter() - began)
    return {"chunk_s": round(median(times), 5), "spread": round((max(times) - min(times)) / median(times), 3)}


def ours(args: argparse.Namespace, config: ModelConfig, cells: tuple[int, int]) -> dict:
    device = torch.device(args.device)
    dit = fill_random(
        lambda: WanDiT(config), device, torch.float32 if args.device == "cpu" else torch.bfloat16
    )
    dit = accelerate(dit, args.fast)
    text = dit.encode_text(torch.zeros(1, config.text_len, config.text_dim, device=device))
    made = rollout(
        dit,
        first_latent=None,
        motion=None,
        text=text,
        shape=cells,
        sigmas=sigma_schedule(args.steps, config.rolling.shift),
        cache=dit.make_cache(*cells, shape=args.context),
        rng=torch.Generator().manual_seed(0),
    )
    for _ in range(8):
        next(made)
    state = getattr(dit, "state", "off")
    return {"way": args.fast, "state": state, **timed(args.device, lambda: next(made), args.chunks)}


def theirs(args: argparse.Namespace, config: ModelConfig, cells: tuple[int, int]) -> dict:
    from flashdreams.recipes.wan.transformer.impl.network import WanDiTNetworkConfig
    from flashdreams.recipes.wan.transformer.wan21 import Wan21Transformer, Wan21TransformerConfig

    sizes = {
        name: getattr(config, name)
        for name in ("dim", "ffn_dim", "num_heads", "num_layers", "text_len", "text_dim", "freq_dim")
    }
    network = WanDiTNetworkConfig(
        in_dim=config.latent_channels,
        out_dim=config.latent_channels,
        apply_rope_before_kvcache=False,
        **sizes,
    )
    dtype, quick, context = (
        torch.float32 if args.device == "cpu" else torch.bfloat16,
        not args.small,
        args.context,
    )
    # Their window holds the chunk in work too.
    about = {
        "len_t": context.chunk,
        "window_size_t": context.window + context.chunk,
        "sink_size_t": context.sink,
    }
    with torch.device(args.device):
        net = Wan21Transformer(
            Wan21TransformerConfig(
                network=network, dtype=dtype, compile_network=quick, use_cuda_graph=quick, **about
            )
        )
    for parameter in net.parameters():
        parameter.normal_(0.0, 0.02)
    net = net.to(args.device).eval().requires_grad_(False)
    words = torch.zeros(1, config.text_len, config.text_dim, device=args.device, dtype=dtype)
    cache = net.initialize_autoregressive_cache(height=cells[0], width=cells[1], text_embeddings=words)
    sigmas, numbers = sigma_schedule(args.steps, config.rolling.shift), iter(range(10**6))

    def chunk():
        index = next(numbers)
        cache.start(index)
        x = torch.randn(net.latent_shape, device=args.device, dtype=dtype)
        for step, sigma in enumerate(sigmas):
            x0 = x - sigma * net.predict_flow(x, torch.tensor(1000.0 * sigma, device=args.device), cache)
            x = (
                x0
                if step == len(sigmas) - 1
                else (1 - sigmas[step + 1]) * x0 + sigmas[step + 1] * torch.randn_like(x0)
            )
        net.finalize_kv_cache(x, torch.tensor(0.0, device=args.device), cache)
        cache.finalize(index)

    for _ in range(8):
        chunk()
    return {
        "way": "compiled and captured" if quick else "plain",
        "state": "fast" if quick else "plain",
        **timed(args.device, chunk, args.chunks),
    }


if __name__ == "__main__":
    main()
