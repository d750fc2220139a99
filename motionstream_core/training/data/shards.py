"""Clips as training samples on disk: latents, warp latents, tracks, captions. Here those of the synthetic
world.

Owns what a sample is and the world's writer, `SHARD` clips a file (`shard_files` has the file format, `pool`
reads them back, `folder` writes those of video files).

Per sample, of a clip of 4k + 1 frames (t = k + 1 latent frames): latents and warp (C, t, h, w) float16, masks
(8, t, h, w) uint8 (×255), xy (T, N, 2) float16, visible (T, N) bool padded to N = `LIMIT`, tokens (16,)
int16, where asked for also unspecified (T, N) bool (see `augment`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from ...codec.tiny import TinyCodec
from ...model.text import STYLES, tokenize
from ...streaming.warped_image import forward_warp, warp_condition
from ...tracks.warp.forward import ForwardWarp
from .augment import make_imperfect
from .media import load_media
from .pool import Pool as Pool
from .selection import choose_mixed
from .shard_files import write_shard
from .world import Clip, random_scene, render

SHARD = 32
LIMIT = 256
FINE = 256  # px: up to this size a place in float16 is good to an eighth of a pixel


def frames_tensor(clip: Clip) -> Tensor:
    """(T, 3, H, W) float 0..1."""
    return torch.from_numpy(clip.frames).permute(0, 3, 1, 2).float() / 255


class ClipEncoder(Protocol):
    """What turns frames into latents: the tiny codec, a Wan VAE, or any other object with this call. frames
    (1, T, 3, H, W) 0..1 -> (1, C, t, h, w).

    For presets with a warped start image also start_encode() and encode_chunk(frames, state), as TinyCodec
    has them.
    """

    def encode(self, frames: Tensor) -> Tensor: ...


def make_sample(codec: TinyCodec, clip: Clip, chosen: np.ndarray) -> dict[str, np.ndarray]:
    """One clip and the indices of its tracks -> the arrays of a sample."""
    return sample_of(
        codec, frames_tensor(clip), clip.xy[:, chosen], clip.visible[:, chosen], clip.caption, LIMIT
    )


@torch.no_grad()
def sample_of(
    encoder: Any,
    frames: Tensor,
    xy: np.ndarray,
    visible: np.ndarray,
    caption: str,
    limit: int,
    warp: bool = True,
    unsaid: np.ndarray | None = None,
) -> dict[str, np.ndarray]:
    """The arrays of a sample.

    Args:
        encoder: of the latents.
        frames: (T, 3, H, W) 0..1.
        xy: (T, N, 2) pixels.
        visible: (T, N) bool.
        caption: what is seen.
        limit: N is padded to this.
        warp: also frame 0 carried along the tracks, for which the encoder must encode chunk by chunk.
        unsaid: (T, N) tracks that say nothing there, yet go on carrying pixels, as in a stream.
    """
    carried = {}
    frames = frames.to(device_of(encoder))
    if warp:
        if not hasattr(encoder, "encode_chunk"):
            raise ValueError(f"warp: expected an encoder with encode_chunk, got {type(encoder).__name__}")
        places, seen = (
            torch.from_numpy(xy).to(frames.device),
            torch.from_numpy(visible if unsaid is None else visible | unsaid).to(frames.device),
        )
        latent, masks, _ = warp_condition(
            encoder, forward_warp(ForwardWarp(frames[0], places[0]), places, seen), encoder.start_encode()
        )
        carried = {
            "warp": latent[0].half().cpu().numpy(),
            "masks": (masks[0] * 255).round().byte().cpu().numpy(),
        }
    pad = limit - xy.shape[1]
    return {
        "latents": encoder.encode(frames[None])[0].half().cpu().numpy(),
        **carried,
        "xy": np.pad(xy, ((0, 0), (0, pad), (0, 0))).astype(
            np.float16 if max(frames.shape[-2:]) <= FINE else np.float32
        ),
        "visible": np.pad(visible, ((0, 0), (0, pad))),
        "tokens": tokenize(caption).numpy().astype(np.int16),
    }


def device_of(encoder: ClipEncoder) -> torch.device:
    """Where an encoder wants its frames."""
    if isinstance(encoder, torch.nn.Module):
        return next((p.device for p in encoder.parameters()), torch.device("cpu"))
    return torch.device(getattr(encoder, "device", "cpu"))


def imperfect_sample(
    codec: TinyCodec, clip: Clip, chosen: np.ndarray, seed: int, unspecified: bool = False
) -> dict[str, np.ndarray]:
    """The same clip told of by a person's tracks (`augment.make_imperfect`) in the place of the exact ones.
    What is carried follows them too. Tracks that were never given are not there, tracks that were let go
    rest.

    Args:
        codec: encodes the frames.
        clip: with its exact tracks.
        chosen: indices of the tracks that are told.
        seed: of the draws.
        unspecified: a field says where a track says nothing.
    """
    given = make_imperfect(
        torch.from_numpy(clip.xy[None][:, :, chosen]),
        torch.from_numpy(clip.visible[None][:, :, chosen]),
        torch.Generator().manual_seed(seed),
    )
    there = (given.visible | given.unspecified)[0].any(0)
    there[0] |= not there.any()
    xy, visible, unsaid = (
        value[0][:, there].numpy() for value in (given.xy, given.visible, given.unspecified)
    )
    sample = sample_of(codec, frames_tensor(clip), xy, visible, clip.caption, LIMIT, unsaid=unsaid)
    return sample | _unspecified_field(unsaid) if unspecified else sample


def _unspecified_field(unsaid: np.ndarray) -> dict[str, np.ndarray]:
    return {"unspecified": np.pad(unsaid, ((0, 0), (0, LIMIT - unsaid.shape[1])))}


def write_shards(
    codec: TinyCodec,
    media: Path,
    out: Path,
    seed: int,
    count: int,
    style_share: float = 0.2,
    imperfect_share: float = 0.0,
    unspecified: bool = False,
) -> None:
    """Writes shards, each appearing complete or not at all. The scenes are the same for every share of
    imperfect clips.

    Args:
        codec: encodes the frames.
        media: folder of pictures and sprites.
        out: folder of the shards.
        seed: of the scenes.
        count: how many shards.
        style_share: of scenes whose look a style word changes.
        imperfect_share: of the clips that are told of as people tell.
        unspecified: all samples have the field that says where a track says nothing.
    """
    out.mkdir(parents=True, exist_ok=True)
    rng, hand = np.random.default_rng(seed), np.random.default_rng([seed, 1])
    pictures, sprites, names, _ = load_media(media)
    for number in range(count):
        samples = []
        for _ in range(SHARD):
            style = str(rng.choice(STYLES)) if rng.random() < style_share else None
            clip = render(random_scene(rng, pictures, sprites, names, style=style), rng)
            chosen, spoiled = choose_mixed(rng, clip, LIMIT), hand.random() < imperfect_share
            if spoiled:
                samples.append(imperfect_sample(codec, clip, chosen, int(hand.integers(2**31)), unspecified))
            else:
                samples.append(
                    make_sample(codec, clip, chosen)
                    | (_unspecified_field(np.zeros((len(clip.xy), len(chosen)), bool)) if unspecified else {})
                )
        write_shard(out / f"{seed:04d}_{number:05d}.npz", samples)
