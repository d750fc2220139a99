"""Whether a stream fits a card, before anything is loaded, and which window, decoder and precision do.

Owns the bytes of inference: weights, rolling cache, activations of one forward, decoder. Weights and cache
are exact. Activations and decoder are estimates, rounded up. The text encoder is not counted: it runs before
the stream and may leave the card.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from ..model.cache import CacheShape
from ..model.config import ModelConfig
from .network_cost import head_parameters, parameters

GIB = 2**30
PRECISIONS = {
    "fp32": 4.0,
    "bf16": 2.0,
    "fp8": 1.0,
}  # bytes of a weight; fp8: the linears in fp8, computed in bfloat16
WORKING = {"fp32": 4, "bf16": 2, "fp8": 2}  # bytes of a key, a value, an activation
RESERVE = int(0.8 * GIB)  # the driver, the libraries' own work space, fragments
PARTS = {
    "weights": "weights",
    "cache": "rolling cache (keys and values of sink, window and chunk)",
    "activations": "activations of a chunk (estimate)",
    "decoder": "decoder (estimate)",
    "encoder": "encoder while the stream runs (estimate)",
    "rewind": "moments that a rewind goes back to",
    "reserve": "driver and fragments (estimate)",
}
DECODERS = ("wan", "taehv", "tiny")
# Numbers a pixel that the Wan decoder keeps from chunk to chunk (two frames at every layer that looks back),
# and that it works in beside them: the next such state and its widest layers, of four frames. Counted on the
# real layers at real sizes, by latent channels.
WAN_DECODER = {16: (2370, 4350), 48: (1790, 4150)}
# Of the Wan encoder, what it keeps from chunk to chunk; counted in the same way.
WAN_ENCODER = {16: 1404, 48: 589}
PICTURE_TOKENS = 257
REWIND = 512 * 2**20  # the Streaming Sampler's own bound


@dataclass(frozen=True)
class Plan:
    """One way to run a stream. rewind: most bytes for its moments."""

    config: ModelConfig
    width: int
    height: int
    context: CacheShape
    precision: str
    decoder: str
    rewind: int = REWIND

    @property
    def grid(self) -> int:
        """Tokens of a latent frame."""
        rows, columns = self.config.token_grid(
            self.height // self.config.vae_stride[1], self.width // self.config.vae_stride[2]
        )
        return rows * columns

    @property
    def parts(self) -> dict[str, int]:
        """Bytes by what they are for."""
        config = self.config
        weights = int((parameters(config) + head_parameters(config)) * PRECISIONS[self.precision])
        return {
            "weights": weights,
            "cache": self.cache,
            "activations": self.activations,
            "decoder": self.decoding,
            "encoder": self.encoding,
            "rewind": self.rewind,
            "reserve": RESERVE,
        }

    @property
    def bytes(self) -> int:
        return sum(self.parts.values())

    @property
    def cache(self) -> int:
        """The rolling cache, as `KVCache` allocates it: rotated keys and values of all frames, plain keys of
        window and chunk.
        """
        config = self.config
        return self.context.kv_bytes(self.grid, config.dim, config.num_layers, WORKING[self.precision])

    @property
    def activations(self) -> int:
        """A forward of a chunk: the float32 residual and what a block makes beside it (norms, q, k, v,
        rotations, the feed-forward), and the text.
        """
        d, f, each = self.config.dim, self.config.ffn_dim, WORKING[self.precision]
        seen = 0 if self.config.image_dim is None else PICTURE_TOKENS
        text = 2 * self.config.num_layers * (self.config.text_len + seen) * d * each
        return self.context.chunk * self.grid * (20 * d + each * (4 * d + 2 * f)) + text

    @property
    def decoding(self) -> int:
        """The decoder's weights and what it works in."""
        weights = (
            20_000_000
            if self.decoder != "wan"
            else 555_000_000
            if self.config.latent_channels == 48
            else 127_000_000
        )
        return weights * WORKING[self.precision] + self.decoder_work

    @property
    def decoder_work(self) -> int:
        """The decoder's memory from chunk to chunk, its widest layers, of four frames at a time (wan) or of a
        chunk's (tiny), and the frames.
        """
        pixels, each = self.width * self.height, WORKING[self.precision]
        frames = self.config.vae_stride[0] * self.context.chunk
        if self.decoder == "wan":
            return sum(WAN_DECODER[self.config.latent_channels]) * pixels * each + frames * 3 * pixels * 4
        scale = (
            4 if self.config.latent_channels == 48 else 1
        )  # TAEHV for Wan 2.2 works on 2x2 pixels at a time
        return 3 * frames * 64 * pixels // scale * each + frames * 3 * pixels * 4

    @property
    def encoding(self) -> int:
        """The Wan encoder's memory before and behind a chunk, where a stream goes on encoding: a picture
        moved along the tracks (guided, or a model that is shown one), or grey behind the start image.
        """
        motion = self.config.motion
        encodes = motion is None or motion.warp or motion.grey
        if self.decoder == "tiny" or not encodes or not self.config.sampler.from_image:
            return 0
        kept = WAN_ENCODER.get(self.config.latent_channels, 0)
        return 2 * kept * self.width * self.height * WORKING[self.precision]

    @property
    def beside(self) -> int:
        """What a stream works in beside its cache and the networks' weights."""
        return self.activations + self.decoder_work + self.encoding + self.rewind

    @property
    def words(self) -> str:
        return f"{self.precision}, {self.context.label}, decoder {self.decoder}"


def beside_bytes(
    dit: Any, width: int, height: int, context: CacheShape | None, decoder: str, rewind: int = 0
) -> int:
    """What a stream works in beside its cache and the networks' weights: an estimate, rounded up.

    Args:
        dit: the network.
        width: of the video in pixels.
        height: of the video in pixels.
        context: chunk, sink and window, None for the model's own.
        decoder: its kind.
        rewind: most bytes for the moments of a rewind.
    """
    precision = "fp32" if dit.dtype.itemsize == 4 else "bf16"
    # The cache is counted elsewhere, so that of the context only the frames of a forward matter.
    shape = context or CacheShape(dit.config.sampler.forward_frames, 0, 0)
    return Plan(dit.config, width, height, shape, precision, decoder, rewind).beside


def cheaper_plans(wish: Plan) -> Iterator[Plan]:
    """The wish, then what costs least to give up: the decoder, the window, the precision, both."""
    tiny = replace(wish, decoder="taehv") if wish.decoder == "wan" else wish
    short = CacheShape(
        wish.context.chunk,
        min(wish.context.sink, wish.context.chunk),
        min(wish.context.window, wish.context.chunk),
    )
    seen = set()
    lower = "bf16" if wish.precision == "fp32" else "fp8"
    for plan in (
        wish,
        tiny,
        replace(tiny, context=short),
        replace(tiny, precision=lower),
        replace(tiny, precision="fp8", context=short),
    ):
        if plan not in seen:
            seen.add(plan)
            yield plan


def first_that_fits(wish: Plan, memory: int) -> Plan | None:
    """The first of `cheaper_plans` that needs no more than `memory` bytes."""
    return next((plan for plan in cheaper_plans(wish) if plan.bytes <= memory), None)


def advice(wish: Plan, memory: int) -> str:
    """In words that people can act on: what it takes, whether it fits, what would."""
    found, gib = first_that_fits(wish, memory), memory / GIB
    lines = [f"{wish.width}x{wish.height}, {wish.words}: needs {wish.bytes / GIB:.1f} GiB of {gib:.1f} GiB"]
    lines += [f"  {PARTS[name]}: {size / GIB:.2f} GiB" for name, size in wish.parts.items()]
    if found == wish:
        lines.append(
            f"It fits, with {gib - wish.bytes / GIB:.1f} GiB to spare. Memory stays the same however long "
            "the video is."
        )
    elif found is not None:
        lines.append(
            f"It does not fit. What does: {found.words} ({found.bytes / GIB:.1f} GiB)."
            f"{describe_changes(wish, found)}"
        )
    else:
        last = list(cheaper_plans(wish))[-1]
        lines.append(
            f"It does not fit; even {last.words} takes {last.bytes / GIB:.1f} GiB."
            f"{suggest_smaller(wish, memory)}"
        )
    return "\n".join(lines)


def suggest_smaller(wish: Plan, memory: int) -> str:
    """What to do where no way of running the wish fits: the largest size of about its form that does, or
    another model.
    """
    found = next(
        (
            plan
            for plan in (first_that_fits(size, memory) for size in smaller_sizes(wish))
            if plan is not None
        ),
        None,
    )
    if found is not None:
        return (
            f" What does: {found.width}x{found.height} with {found.words} ({found.bytes / GIB:.1f} GiB), a "
            f"size that it may not have been trained on.{describe_changes(wish, found)}"
        )
    least = list(cheaper_plans(wish))[-1].parts["weights"] / GIB
    return (
        f" Its weights alone take {least:.1f} GiB: choose a smaller model, or let the host offload weights "
        "(it does so by itself, and is slower)."
    )


def smaller_sizes(wish: Plan) -> Iterator[Plan]:
    """The wish at nine tenths of its size, at eight, … at three."""
    down, across = (
        stride * patch for stride, patch in zip(wish.config.vae_stride[1:], wish.config.patch[1:])
    )
    for tenths in range(9, 2, -1):
        width, height = (
            max(unit, round(size * tenths / 10 / unit) * unit)
            for size, unit in ((wish.width, across), (wish.height, down))
        )
        yield replace(wish, width=width, height=height)


def describe_changes(wish: Plan, found: Plan) -> str:
    """What to change in the graph."""
    out = ""
    if found.decoder != wish.decoder:
        out += " Decode with Load Tiny VAE instead of the Wan VAE."
    if found.context != wish.context:
        out += (
            f" In the Streaming Sampler set sink to {found.context.sink} and window to "
            f"{found.context.window}."
        )
    if found.precision != wish.precision:
        out += f" Load the weights as {found.precision}."
    return out
