"""The host's autoregressive sampler beside ours, in one process, on the same random weights and the same
shapes, in turns.

`python -m harness.ar_bench [--device cpu] [--preset wan2.1-1.3b] …` starts itself as a program in the host's
environment (the host comes first on the path, our core is imported behind it, without the pack's nodes). Owns
what is compared: `SamplerARVideo` with its whole-clip cache, our rollout with the same span (`equal span`:
nothing is forgotten) and our rollout with the preset's rolling context (`rolling`).
Only the transformer runs: denoising steps and the clean-context pass of every chunk, text included. Prints a
table and one JSON line.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from datetime import date
from pathlib import Path
from statistics import median
from time import perf_counter, process_time

HERE = Path(__file__).resolve()
ROOT = HERE.parents[2]
# Small enough for one CPU core; the head of 128 channels is that of every Wan.
SMALL = {
    "dim": 256,
    "ffn_dim": 1024,
    "num_heads": 2,
    "num_layers": 4,
    "text_dim": 256,
    "text_len": 64,
    "freq_dim": 256,
}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m harness.ar_bench", description=__doc__.splitlines()[0])
    parser.add_argument("--preset", default="wan2.1-1.3b")
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument(
        "--full", action="store_true", help="the preset's own sizes instead of small ones; for a GPU"
    )
    parser.add_argument("--size", default="288x160", help="WIDTHxHEIGHT of the video")
    parser.add_argument("--frames", default="81,161,321", help="lengths, with commas")
    parser.add_argument("--context", default="c3s3w3", help="our rolling context")
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--clock",
        choices=("wall", "process"),
        default=None,
        help="process: the processor's seconds, for a machine that others use too; one thread only",
    )
    parser.add_argument("--fast", default="off", help="our fast path, as in bench")
    parser.add_argument(
        "--host-attention",
        default="",
        help="a start option of the host, such as --use-pytorch-cross-attention; its own choice by default",
    )
    parser.add_argument("--results", type=Path, default=None)
    parser.add_argument("--inside", default=None, help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    args = arguments()
    if args.inside is not None:
        return inside(args)
    from harness import install

    environment = {**os.environ, "PYTHONPATH": ""}
    command = [sys.executable, str(HERE), "--inside", str(install.host_source()), *sys.argv[1:]]
    done = subprocess.run(command, env=environment, check=False)
    return sys.exit(done.returncode)


def inside(args: argparse.Namespace) -> None:
    start_host(args)
    import torch

    from motionstream_core.evaluation.results import git_commit

    torch.set_grad_enabled(False)
    contest = Contest(args)
    rows = []
    for frames in map(int, args.frames.split(",")):
        rows.append(contest.row(frames))
        print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
    attention = args.host_attention or "its own choice"
    report = {
        "preset": args.preset,
        "full": args.full,
        "device": contest.device_name,
        "threads": torch.get_num_threads(),
        "clock": contest.clock,
        "fast": args.fast,
        "torch": torch.__version__,
        "size": args.size,
        "context": args.context,
        "steps": args.steps,
        "rounds": args.rounds,
        "host_attention": attention,
        "commit": git_commit(),
        "rows": rows,
    }
    print(table(rows))
    if args.results is not None:
        print(f"kept in {keep(report, args)}", file=sys.stderr)
    print(json.dumps(report))


def start_host(args: argparse.Namespace) -> None:
    """The host as an import; our core behind it on the path."""
    sys.path[:0] = [str(HERE.parents[1])]
    from harness.launch import stand_in_for_packages, stand_in_for_torchvision

    del sys.path[0]
    sys.path[0] = args.inside
    options = (["--cpu"] if args.device == "cpu" else []) + args.host_attention.split()
    sys.argv = ["ar_bench", *options]
    stand_in_for_torchvision()
    stand_in_for_packages()
    import comfy.options

    comfy.options.enable_args_parsing()
    sys.path.append(str(ROOT))


class Contest:
    """Both sides on one set of weights, ready to be timed."""

    def __init__(self, args: argparse.Namespace):
        import torch

        from motionstream_core.model.cache import CacheShape
        from motionstream_core.model.compiled import accelerate
        from motionstream_core.model.dit import WanDiT
        from motionstream_core.model.presets import preset
        from motionstream_core.sampling.flow import sigma_schedule

        self.args, self.torch = args, torch
        self.config = preset(args.preset) if args.full else resized(preset(args.preset))
        self.device, self.dtype = (
            torch.device(args.device),
            torch.float32 if args.device == "cpu" else torch.bfloat16,
        )
        self.clock = args.clock or (
            "process" if args.device == "cpu" and torch.get_num_threads() == 1 else "wall"
        )
        if self.clock == "process" and (args.device != "cpu" or torch.get_num_threads() != 1):
            raise SystemExit("--clock process: expected a CPU and one thread (OMP_NUM_THREADS=1)")
        self.device_name = torch.cuda.get_device_name() if args.device == "cuda" else "cpu"
        torch.manual_seed(0)
        with torch.device(self.device):
            net = WanDiT(self.config).to(self.dtype)
        for parameter in net.parameters():
            torch.nn.init.normal_(parameter, std=0.02)
        self.dit = net.eval().requires_grad_(False)
        self.fast = accelerate(self.dit, args.fast)
        width, height = map(int, args.size.split("x"))
        self.cells = height // self.config.vae_stride[1], width // self.config.vae_stride[2]
        self.sigmas = sigma_schedule(args.steps, self.config.rolling.shift)
        self.shape = CacheShape.parse(args.context)
        self.embeds = torch.randn(1, self.config.text_len, self.config.text_dim)
        self.patcher = self.host_model()

    def host_model(self):
        import comfy.sd

        about = {"text_dim": self.config.text_dim, "text_len": self.config.text_len, "causal_ar": True}
        state = {name: value.clone() for name, value in self.dit.state_dict().items()}
        return comfy.sd.load_diffusion_model_state_dict(
            state,
            model_options={"dtype": self.dtype},
            metadata={"config": json.dumps({"transformer": about})},
        )

    def host(self, latent_frames: int) -> float:
        """Seconds of the host's sampler for a clip; its model is loaded before."""
        import comfy.model_management
        import comfy.samplers

        comfy.model_management.load_models_gpu([self.patcher])
        torch = self.torch
        guider = comfy.samplers.CFGGuider(self.patcher)
        guider.set_conds([[self.embeds, {}]], [[self.embeds, {}]])
        guider.set_cfg(1.0)
        sampler = comfy.samplers.ksampler("ar_video", {"num_frame_per_block": self.shape.chunk})
        noise = torch.randn(1, self.config.latent_channels, latent_frames, *self.cells)
        return self.timed(
            lambda: guider.sample(
                noise,
                torch.zeros_like(noise),
                sampler,
                torch.tensor([*self.sigmas, 0.0]),
                disable_pbar=True,
                seed=1,
            )
        )

    def ours(self, latent_frames: int, shape) -> tuple[float, float]:
        """Seconds of our rollout for the same clip, and the bytes of its cache."""
        from motionstream_core.sampling.rollout import rollout

        torch = self.torch
        cache = self.dit.make_cache(*self.cells, shape=shape)

        def run():
            text = self.dit.encode_text(self.embeds.to(self.device))
            rng = torch.Generator().manual_seed(1)
            made = rollout(
                self.fast,
                first_latent=None,
                motion=None,
                text=text,
                shape=self.cells,
                sigmas=self.sigmas,
                cache=cache,
                rng=rng,
                chunks=latent_frames // shape.chunk,
            )
            for _ in made:
                pass

        return self.timed(run), cache.nbytes

    def timed(self, function) -> float:
        now = process_time if self.clock == "process" else perf_counter
        began = now()
        function()
        if self.device.type == "cuda":
            self.torch.cuda.synchronize()
        return now() - began

    def row(self, frames: int) -> dict:
        """One length: median seconds of each side over rounds in turns, the first round left out."""
        from motionstream_core.model.cache import CacheShape

        latent_frames = 1 + (frames - 1) // self.config.vae_stride[0]
        latent_frames -= latent_frames % self.shape.chunk
        whole = CacheShape(self.shape.chunk, 0, latent_frames)
        times: dict[str, list[float]] = {"host": [], "equal": [], "rolling": []}
        sizes: dict[str, float] = {}
        for number in range(self.args.rounds + 1):
            found = {"host": self.host(latent_frames)}
            found["equal"], sizes["equal"] = self.ours(latent_frames, whole)
            found["rolling"], sizes["rolling"] = self.ours(latent_frames, self.shape)
            if number or self.args.rounds == 0:
                for side, seconds in found.items():
                    times[side].append(seconds)
        host, equal, rolling = (median(times[side]) for side in ("host", "equal", "rolling"))
        tokens = self.cells[0] * self.cells[1] // 4
        host_cache = (
            2 * self.config.num_layers * latent_frames * tokens * self.config.dim * self.dit.dtype.itemsize
        )
        return {
            "frames": frames,
            "latent_frames": latent_frames,
            "host_s": round(host, 3),
            "equal_s": round(equal, 3),
            "rolling_s": round(rolling, 3),
            "equal_speedup": round(host / equal, 3),
            "rolling_speedup": round(host / rolling, 3),
            "host_cache_mib": round(host_cache / 2**20, 1),
            "rolling_cache_mib": round(sizes["rolling"] / 2**20, 1),
        }


def resized(config):
    from dataclasses import replace

    return replace(config, **SMALL)


def table(rows: list[dict]) -> str:
    keys = list(rows[0])
    lines = ["| " + " | ".join(keys) + " |", "|---" * len(keys) + "|"]
    return "\n".join([*lines, *("| " + " | ".join(str(row[key]) for key in keys) + " |" for row in rows)])


def keep(report: dict, args: argparse.Namespace) -> Path:
    device = report["device"].lower().replace(" ", "-")
    kind = "full" if args.full else "small"
    attention = args.host_attention.strip("-").replace(" ", "") or "default-attention"
    fast = "" if args.fast == "off" else f"-{args.fast.replace('+', '-')}"
    path = (
        ROOT
        / args.results
        / f"ar-sampler-{args.preset}-{kind}-{attention}{fast}_{device}_{date.today():%Y%m}.md"
    )
    sizes = (
        "its own sizes"
        if args.full
        else f"small sizes ({', '.join(f'{key} {value}' for key, value in SMALL.items())})"
    )
    about = (
        f"Random weights of {args.preset} at {sizes}, {args.size}, {args.steps} steps and the "
        f"clean-context pass, chunks of the context {args.context}, "
        f"{report['device']} with {report['threads']} threads, torch {report['torch']}. The host's "
        f"attention: {report['host_attention']}. Medians of {args.rounds} rounds in turns, "
        f"{'seconds of the processor' if report['clock'] == 'process' else 'wall seconds'}, our fast path "
        f"{args.fast}.\n\n"
        "`equal`: our rollout that forgets nothing, as the host's; `rolling`: with the context named. "
        "Speedups are host ÷ ours; the transformer alone, no decoding."
    )
    words = [word for word in sys.orig_argv[2:] if word not in ("--inside", args.inside)]
    command = f"PYTHONPATH=tests:. python -m harness.ar_bench {' '.join(words)}"
    path.write_text(
        f"# The host's SamplerARVideo and ours\n\nCommand: `{command}`. Commit: "
        f"{report['commit']}.\n\n{about}\n\n{table(report['rows'])}\n\n```json\n{json.dumps(report)}\n```\n"
    )
    return path


if __name__ == "__main__":
    main()
