"""The tables of `bench_buffer.py`, of the rows that have been made.

Owns what is said of them. Rows that are not there are left out.
"""

from __future__ import annotations

import argparse
import os
from dataclasses import replace

import torch
from buffer_ways import Way, ablations, main_ways

from motionstream_core.training.cartoon.scene import FPS

ENDS = 10  # seconds at both ends of a long stream


def _asked(args: argparse.Namespace) -> str:
    words = [
        f"--steps {args.steps} --guidance {args.guidance:g}",
        f"--prompts {args.prompts} --seconds {args.seconds:g}",
        f"--few {args.few} --few-seconds {args.few_seconds:g} --long {args.long:g} --streams {args.streams}",
    ]
    return f' ARGS="{" ".join(words + ["--bf16"] * args.bf16)}"'


SHOWN = ("found", "colour", "kind", "direction", "scene")


def written(known: dict[str, dict], args: argparse.Namespace) -> str:
    """The tables; rows that are not made yet are left out."""
    ways = main_ways(args.steps, args.guidance)
    changed = ablations(args.steps, args.guidance)
    lines = [
        "# The moving buffer, measured",
        "",
        f"`make bench-buffer{_asked(args)}` on {os.cpu_count()} shared CPU cores, one thread, "
        f"torch {torch.__version__}, the built-in cartoon at 128x128. Rows of {args.steps} steps have "
        f"guidance {args.guidance:g}, the others none. The first {args.prompts} held-out prompts, "
        f"{args.seconds:g} s each, one seed, none picked" + (", products in bfloat16." if args.bf16 else "."),
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
                f"KiB in the last, {memory['bytes_a_chunk'] + 0.0:g} bytes a chunk over the second half. "
                f"A chunk took {memory['ms_first_tenth']:g} ms of CPU at first and "
                f"{memory['ms_last_tenth']:g} ms at the end.",
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
    "not ablated: it takes a training of its own. "
    "Rows that are not in the tables were not measured."
)
