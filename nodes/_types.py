"""What travels between our nodes and the host's: the MODEL's module, the CLIP, the VAE and the MOTION.

Owns their shapes and the checks on what a person plugs in. Knows nothing of the host's modules: patchers come
in from `_host`.
Shapes: IMAGE (T, H, W, 3) 0..1. LATENT (B, C, t, h, w). Embeddings (1, L, text_dim).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from ..motionstream_core.codec.taehv import TaehvCodec
from ..motionstream_core.codec.tiny import TIME_STRIDE, TinyCodec
from ..motionstream_core.common.pictures import centre_crop, three_channels
from ..motionstream_core.live.track_stream import TrackStream
from ..motionstream_core.model.presets import ModelConfig
from ..motionstream_core.model.text import WordEncoder
from ..motionstream_core.model.weights.networks import Networks
from ..motionstream_core.streaming.prompt_schedule import PromptSchedule
from ..motionstream_core.streaming.source_video import SourceVideo
from ..motionstream_core.tracks.types import Tracks

LOG = logging.getLogger("motionstream")
LOADER = "Load MotionStream"
SPOKEN = "motionstream_text"  # in a CONDITIONING of our CLIP: the text and the embeddings made from it
LEFT_OUT = "motionstream_left_out"  # the words of it that do not count, in a line
SCHEDULED = "motionstream_schedule"  # in that of a Prompt Schedule: the schedule and its first embeddings


@dataclass(frozen=True)
class Motion:
    """The MOTIONSTREAM_MOTION type: where everything starts and where it goes. `image` (H, W, 3) has the size
    of the tracks' canvas. `groups` (N,) says which track belongs to which handle, None: each is its own.
    `vae` is the VAE that encodes the image, None: the sampler's. `see`: a picture (H, W, 3) to its features
    (1, tokens, width), for a model that looks at the start image. None where no CLIP vision is linked.
    `video` is made into the video (video to video). `pictured`: the image is a start image, not a canvas.
    `objects`: masks (H, W) bool of the handles that were cut out of the image.
    """

    image: Tensor
    tracks: Tracks | TrackStream
    fit: str
    id_seed: int
    groups: Tensor | None = None
    vae: Any = None
    see: Callable[[Tensor], Tensor] | None = None
    video: SourceVideo | None = None
    pictured: bool = True
    objects: dict[int, Tensor] = field(default_factory=dict)

    @property
    def reference(self) -> Tensor | None:
        """The start image as pictures (1, H, W, 3) before the stream. None where there is none."""
        return self.image[None] if self.pictured else None


def objects_on(masks: Mapping[int, np.ndarray], width: int, height: int) -> dict[int, Tensor]:
    """Masks (H, W) bool by handle as those of a video of width × height. Empty ones are left out."""
    made = {}
    for handle, mask in masks.items():
        plane = torch.from_numpy(mask).float()[None, None]
        found = F.interpolate(plane, size=(height, width), mode="nearest-exact")[0, 0] > 0.5
        if found.any():
            made[handle] = found
    return made


class StreamModel(nn.Module):
    """The module inside our MODEL: what the host's patcher moves between devices and what LoRA keys are
    looked up in.
    """

    def __init__(self, networks: Networks):
        super().__init__()
        self.diffusion_model = networks.dit
        self.track_head = networks.track_head
        self.detail = networks.detail
        self.running_latents = networks.running_latents
        self.carry = networks.carry
        self.model_config = SimpleNamespace(unet_config={})  # the host's LoRA key lookup reads it
        self.device: torch.device | None = None

    def get_dtype(self) -> torch.dtype:
        return self.diffusion_model.dtype

    @property
    def latent_format(self):
        """The first thing the host's samplers ask a model for."""
        raise ValueError(
            f"sampler: expected the Streaming Sampler for a {LOADER} model, got one of the host's samplers"
        )


class WordClip:
    """Our CLIP: what the stock CLIPTextEncode calls."""

    def __init__(self, encoder: WordEncoder):
        self.cond_stage_model = encoder

    def clone(self) -> WordClip:
        return WordClip(self.cond_stage_model)

    def add_patches(self, patches, strength_patch=1.0, strength_model=1.0) -> list:
        """A word table takes no LoRA: no key is used."""
        return []

    def tokenize(self, text: str, return_word_ids: bool = False, **options) -> dict[str, Tensor | str]:
        left_out = self.left_out(text)
        if left_out:
            LOG.warning("MotionStream: %s", left_out)
        return {"words": self.cond_stage_model.tokenize(text)[None], "text": text}

    def left_out(self, text: str) -> str | None:
        """One line that names the words of a text that do not count. None where all do."""
        return self.cond_stage_model.vocabulary.left_out(text, self.cond_stage_model.length)

    def encode_from_tokens(self, tokens: Any, return_pooled: bool | str = False, return_dict: bool = False):
        if not isinstance(tokens, dict) or "words" not in tokens:
            raise ValueError(f"tokens: expected those of the CLIP of {LOADER}, got {type(tokens).__name__}")
        with torch.no_grad():
            embeds = self.cond_stage_model(tokens["words"].to(self.cond_stage_model.position.device))
        if return_dict:
            return {"cond": embeds, "pooled_output": None}
        return (embeds, None) if return_pooled else embeds

    def encode_from_tokens_scheduled(
        self, tokens, unprojected: bool = False, add_dict: dict | None = None, show_pbar: bool = True
    ) -> list:
        embeds = self.encode_from_tokens(tokens)
        text = tokens.get("text")
        about = {"pooled_output": None, SPOKEN: (text, embeds), LEFT_OUT: text and self.left_out(text)}
        return [[embeds, {**about, **(add_dict or {})}]]


class MissingComponent:
    """A CLIP or VAE that is not there: whoever uses it is told why. What a host asks of any object stays as
    it is.
    """

    def __init__(self, words: str):
        self.words = words

    def _tell(self, *given, **named):
        raise ValueError(self.words)

    clone = tokenize = encode_from_tokens = encode_from_tokens_scheduled = _tell
    encode = decode = encode_tiled = decode_tiled = spacial_compression_decode = (
        spacial_compression_encode
    ) = temporal_compression_decode = _tell


class StreamVAE:
    """Our VAE: what the stock VAEDecode, VAEEncode and their tiled forms call. The codec is small, so tiles
    are never needed.

    statistics: mean and spread (1, C, 1, 1, 1) of latents as the host has them, for a codec whose own are
    normalised. Empty: the same.
    """

    def __init__(
        self,
        codec: TinyCodec | TaehvCodec,
        patcher: Any,
        load: Callable[[Any], None],
        output_device: torch.device,
        statistics: tuple = (),
    ):
        self.codec = codec
        self.first_stage_model = patcher.model if hasattr(patcher, "model") else codec
        self.patcher = patcher
        self.latent_channels = codec.latent_channels
        self.output_device = output_device
        self.statistics = statistics
        self._load = load

    def spacial_compression_decode(self) -> int:
        return self.codec.stride

    def spacial_compression_encode(self) -> int:
        return self.codec.stride

    def temporal_compression_decode(self) -> int:
        return TIME_STRIDE

    @torch.no_grad()
    def decode(self, samples: Tensor, vae_options: dict | None = None) -> Tensor:
        """(B, C, t, h, w) -> (B, T, H, W, 3)."""
        if samples.ndim != 5 or samples.shape[1] != self.latent_channels:
            raise ValueError(
                f"latent: expected (B, {self.latent_channels}, t, h, w), got {tuple(samples.shape)}"
            )
        self._load(self.patcher)
        if self.statistics:
            mean, std = (part.to(samples.device) for part in self.statistics)
            samples = (samples.float() - mean) / std
        frames = self.codec.decode(samples.float().to(self.codec.latent_mean.device))
        return rearrange(frames, "b t c h w -> b t h w c").to(self.output_device)

    @torch.no_grad()
    def encode(self, pixels: Tensor) -> Tensor:
        """(T, H, W, 3) -> (1, C, t, h, w). As with the host's video VAEs, T is cut to 1 + 4k and H and W to
        multiples of the stride.
        """
        if pixels.ndim != 4:
            raise ValueError(f"image: expected (T, H, W, 3), got {tuple(pixels.shape)}")
        pixels = three_channels(pixels)
        stride = self.codec.stride
        time = (pixels.shape[0] - 1) // TIME_STRIDE
        height = pixels.shape[1] // stride
        width = pixels.shape[2] // stride
        if not height or not width:
            raise ValueError(
                f"image: expected at least {stride}x{stride}, got {pixels.shape[2]}x{pixels.shape[1]}"
            )
        pixels = centre_crop(pixels[: 1 + TIME_STRIDE * time], width * stride, height * stride)
        self._load(self.patcher)
        frames = rearrange(pixels, "t h w c -> 1 t c h w").float().to(self.codec.latent_mean.device)
        latents = self.codec.encode(frames)
        if self.statistics:
            mean, std = (part.to(latents.device) for part in self.statistics)
            latents = latents * std + mean
        return latents.to(self.output_device)

    def decode_tiled(self, samples: Tensor, **tiles) -> Tensor:
        return self.decode(samples)

    def encode_tiled(self, pixels: Tensor, **tiles) -> Tensor:
        return self.encode(pixels)


def stream_vae(vae: Any, config: ModelConfig) -> StreamVAE:
    """A VAE of ours that fits the model. ValueError names what else was plugged in."""
    if not isinstance(vae, StreamVAE):
        inner = getattr(vae, "first_stage_model", vae)
        raise ValueError(f"vae: expected the VAE of {LOADER}, got {type(inner).__name__}")
    if vae.latent_channels != config.latent_channels:
        raise ValueError(
            f"vae: expected one with {config.latent_channels} latent channels, got {vae.latent_channels}"
        )
    return vae


def text_embeds(conditioning: Any, config: ModelConfig) -> Tensor:
    """The embeddings (1, L, text_dim) of a CONDITIONING. ValueError names the width expected and got."""
    if not isinstance(conditioning, (list, tuple)) or len(conditioning) != 1:
        got = (
            f"{len(conditioning)} entries"
            if isinstance(conditioning, (list, tuple))
            else type(conditioning).__name__
        )
        raise ValueError(f"positive: expected one text encoding, got {got}")
    embeds = conditioning[0][0]
    if embeds.ndim != 3 or embeds.shape[0] != 1 or embeds.shape[2] != config.text_dim:
        raise ValueError(
            f"positive: expected embeddings of width {config.text_dim} from the CLIP that belongs to the "
            f"model, got {tuple(embeds.shape)} "
            "(the text encoder of another model)"
        )
    if embeds.shape[1] > config.text_len:
        raise ValueError(f"positive: expected at most {config.text_len} tokens, got {embeds.shape[1]}")
    return embeds


def text_of(conditioning: Any) -> str | None:
    """The text that a CONDITIONING of our CLIP was made from. None for that of another CLIP, or one that a
    node has changed since.
    """
    embeds, about = conditioning[0]
    text, of = about.get(SPOKEN, (None, None))
    return text if of is embeds else None


def left_out_of(conditioning: Any) -> str | None:
    """One line that names the words of the text that do not count. None where all do, or nobody knows."""
    return conditioning[0][1].get(LEFT_OUT) if text_of(conditioning) is not None else None


def vocabulary_of(clip: Any) -> WordClip | None:
    """A CLIP whose words are known one by one. None for any other."""
    return clip if isinstance(clip, WordClip) else None


def picture_function(clip_vision: Any) -> Callable[[Tensor], Tensor] | None:
    """How a picture (H, W, 3) becomes features (1, tokens, width): by a CLIP vision, if there is one."""
    if clip_vision is None:
        return None
    return lambda picture: clip_vision.encode_image(picture[None], crop=True).penultimate_hidden_states


def schedule_of(conditioning: Any, config: ModelConfig) -> PromptSchedule | None:
    """The prompts by frame of a Prompt Schedule, each checked. None for any other CONDITIONING."""
    embeds, about = conditioning[0]
    schedule, of = about.get(SCHEDULED, (None, None))
    if schedule is None or of is not embeds:
        return None
    for prompt in schedule.prompts:
        text_embeds([[prompt.embeds, {}]], config)
    return schedule


def unknown_words(clip: Any, text: str) -> list[str]:
    """The words of a text that our CLIP does not know. Those of other CLIPs know all."""
    if not isinstance(clip, WordClip):
        return []
    return list(dict.fromkeys(clip.cond_stage_model.vocabulary.unknown(text)))


def text_function(
    clip: Any, config: ModelConfig, tell: Callable[[str], None] = lambda note: None
) -> Callable[[str], Tensor] | None:
    """How a live prompt becomes embeddings (1, L, text_dim): by a CLIP, if there is one. `tell` is given the
    words that do not count, in a line.
    """
    if clip is None:
        return None

    def encode(text: str) -> Tensor:
        left_out = clip.left_out(text) if isinstance(clip, WordClip) else None
        if left_out:
            tell(f"Prompt: {left_out}")
        return text_embeds(clip.encode_from_tokens_scheduled(clip.tokenize(text)), config)

    return encode
