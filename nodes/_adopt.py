"""What a stream needs of the MODEL and VAE that are plugged in: ours, or the host's own with a causal Wan
checkpoint and a Wan VAE inside.

Owns how a host's MODEL says what it was made for (a statement attached to it, or its file's header), and the
checks on what else is on it.
Knows the host's objects by their attributes alone. Shapes as in `_types.py`.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..motionstream_core.codec.base import Codec
from ..motionstream_core.codec.split import SplitCodec
from ..motionstream_core.codec.taehv import TaehvCodec, taehv_of
from ..motionstream_core.codec.wan_vae import STATISTICS, WanCodec, channels_of
from ..motionstream_core.model.detail import DetailHead
from ..motionstream_core.model.host_dit import HostDiT, adopted_config, sizes_of
from ..motionstream_core.model.motion import TrackHead
from ..motionstream_core.model.presets import ModelConfig
from ..motionstream_core.model.weights.checkpoint_presets import (
    checkpoint_preset,
    config_for,
    read_stated_config,
    with_schedule,
)
from ..motionstream_core.model.weights.convert import open_known, open_track_head
from ..motionstream_core.model.weights.networks import Transformer
from ._left_out import left_out
from ._types import LOADER, MissingComponent, StreamModel, StreamVAE, stream_vae

LOG = logging.getLogger("motionstream")
STATEMENT = "motionstream"
CHECKPOINT = "Causal Wan Checkpoint"
WHOLE_CLIP = "Whole-Clip Sampler"
DOUBT = (
    "Only the preset that you chose says that these weights are causal; the file does not. An ordinary "
    "(bidirectional) Wan has weights of the"
    " same names and sizes: if the picture falls apart after the first frames, it is one"
)
GUIDANCE = ("sampler_cfg_function", "sampler_post_cfg_function", "sampler_pre_cfg_function")


@dataclass(frozen=True)
class ModelParts:
    """The network a stream runs on. `doubt`: what nobody can know of the weights. `left_out`: see
    `_left_out`. `carry`: how the start image is moved for it, one of CARRIES.
    """

    dit: Transformer
    track_head: TrackHead | None
    detail: DetailHead | None = None
    doubt: str | None = None
    left_out: str | None = None
    running_latents: bool = False
    carry: str = "layered"


@dataclass(frozen=True)
class CodecParts:
    """The codec a stream runs on, and the patchers whose modules must be on their device for it."""

    codec: Codec
    patchers: tuple
    mean: Tensor | None = None
    std: Tensor | None = None

    @property
    def kind(self) -> str:
        """Of the decoder, as the planner names it."""
        decoder = getattr(self.codec, "decoder", self.codec)
        return (
            "wan" if isinstance(decoder, WanCodec) else "taehv" if isinstance(decoder, TaehvCodec) else "tiny"
        )

    def to_host(self, latents: Tensor) -> Tensor:
        """Latents (B, C, t, h, w) as the host's LATENT has them: a Wan VAE's own, before they are
        normalised.
        """
        if self.mean is None or self.std is None:
            return latents
        return latents * self.std.to(latents) + self.mean.to(latents)


def config_in(model: Any) -> ModelConfig:
    """What a MODEL was made for. ValueError says what is missing for it to stream."""
    inner = getattr(model, "model", None)
    if isinstance(inner, StreamModel):
        return inner.diffusion_model.config
    net = getattr(inner, "diffusion_model", None)
    if not isinstance(net, nn.Module):
        raise ValueError(
            f"model: expected the MODEL of {LOADER} or a causal Wan checkpoint, got "
            f"{type(inner if inner is not None else model).__name__}"
        )
    try:
        sizes_of(net)
    except ValueError as error:
        raise ValueError(
            f"model: expected the MODEL of {LOADER} or a causal Wan checkpoint, got "
            f"{type(inner).__name__}: {error}"
        ) from error
    config = statement_of(model)
    if config is None:
        says = (
            "its file calls it causal, but not for which chunk and noise levels"
            if "Causal" in type(net).__name__
            else "nothing says that it is causal; an ordinary Wan is not"
        )
        raise ValueError(
            f"model: expected a checkpoint that says what it was made for, got {type(net).__name__}: "
            f"{says}. State it with the node {CHECKPOINT},"
            " or convert the file with `python -m motionstream_core convert`"
        )
    return with_shift(adopted_config(net, config), model)


def statement_of(model: Any) -> ModelConfig | None:
    """What was stated of a MODEL, by the node or by its file's header."""
    given = getattr(model, "attachments", {}).get(STATEMENT)
    if given is not None:
        return given
    path = file_of(model)
    return read_stated_config(path) if path is not None else None


def file_of(model: Any) -> Path | None:
    """The safetensors file that the host made a MODEL from, where it knows."""
    made = getattr(model, "cached_patcher_init", None)
    first = made[1][0] if made and len(made) > 1 and made[1] else None
    path = Path(first) if isinstance(first, str) else None
    return path if path is not None and path.suffix in (".safetensors", ".sft") and path.is_file() else None


def stated_config(model: Any, name: str | None) -> ModelConfig:
    """The statement for a MODEL of the host: the file's own, under the preset where one is chosen. ValueError
    where they cannot go together.
    """
    if isinstance(getattr(model, "model", None), StreamModel):
        raise ValueError(
            f"model: expected one of the host's loaders, got the MODEL of {LOADER}, which says itself what "
            "it was made for"
        )
    path = file_of(model)
    own = read_stated_config(path) if path is not None else None
    preset = None if name is None else checkpoint_preset(name)
    if own is not None:
        config = own
    elif preset is not None:
        config = config_for(preset)
    else:
        raise ValueError("preset: expected one, because the file says nothing of what it was made for")
    if preset is not None:
        if config_for(preset).latent_channels != config.latent_channels:
            raise ValueError(
                f"preset: expected one for a latent of {config.latent_channels} channels, got one for "
                f"{config_for(preset).latent_channels}"
            )
        if config.bidirectional:
            raise ValueError(
                f"preset: expected {name!r} for a causal student, got a file that says it is a bidirectional "
                f"teacher: leave the preset away, and run it with the {WHOLE_CLIP}"
            )
        config = with_schedule(config, preset)
    return adopted_config(model.model.diffusion_model, config)


def doubt_of(model: Any) -> str | None:
    """Words, where nothing but a person's choice says that a MODEL of the host is causal."""
    path = file_of(model)
    if "Causal" in type(model.model.diffusion_model).__name__ or (
        path is not None and read_stated_config(path) is not None
    ):
        return None
    return DOUBT


def with_shift(config: ModelConfig, model: Any) -> ModelConfig:
    """The shift that a node of the host has set on the MODEL (ModelSamplingSD3 and its like) counts."""
    sampling = getattr(model, "object_patches", {}).get("model_sampling")
    shift = getattr(sampling, "shift", None)
    return config if shift is None else replace(config, sampler=config.rolling.with_shift(float(shift)))


def picture_features(conditioning: Any) -> Tensor | None:
    """CLIP vision's features (1, tokens, width) in a CONDITIONING, as the host's Wan nodes put them there."""
    seen = (
        conditioning[0][1].get("clip_vision_output")
        if isinstance(conditioning, (list, tuple)) and conditioning
        else None
    )
    return None if seen is None else seen.penultimate_hidden_states


def model_in(model: Any, positive: Any = None, sees: bool = False, whole_clip: bool = False) -> ModelParts:
    """The network of a MODEL, ready to stream once its patcher is loaded. ValueError for what cannot.

    sees: features of pictures come with each text, in the place of those in `positive`.
    whole_clip: a bidirectional network is wanted, and no causal one.
    """
    config = config_in(model)
    check_direction(config, whole_clip)
    check_patches(model)
    inner = model.model
    if isinstance(inner, StreamModel):
        return ModelParts(
            inner.diffusion_model,
            inner.track_head,
            inner.detail,
            left_out=left_out(model),
            running_latents=inner.running_latents,
            carry=inner.carry,
        )
    options = getattr(model, "model_options", {})
    guided = [name for name in GUIDANCE if options.get(name)]
    if guided:
        raise ValueError(
            "model: expected one without guidance, because a distilled student runs at CFG 1 alone, got "
            f"one with {', '.join(guided)}"
        )
    head = known = None
    if config.motion is not None:
        file = file_of(model)
        if file is None:
            raise ValueError("model: expected a safetensors file that holds its track head, got none")
        head = open_track_head(file, config).to(model.load_device)
        known = open_known(file).to(model.load_device) if config.motion.known else None
    net = inner.diffusion_model
    features = features_for(net, positive, sees)
    dit = HostDiT(
        net, config, dtype=dtype_of(model), device=model.load_device, features=features, known=known
    )
    return ModelParts(dit, head, doubt=doubt_of(model), left_out=left_out(model))


def check_direction(config: ModelConfig, whole_clip: bool):
    """ValueError for a teacher where a student is wanted, and the other way: their tensors tell nobody."""
    if config.bidirectional and not whole_clip:
        raise ValueError(
            "model: expected a causal student, got a bidirectional teacher, which sees a whole clip at once: "
            f"run it with the {WHOLE_CLIP}"
        )
    if whole_clip and not config.bidirectional:
        raise ValueError(
            "model: expected a bidirectional teacher, got a causal student: run it with the Streaming Sampler"
        )


def features_for(net: nn.Module, positive: Any, sees: bool) -> Tensor | None:
    """The features of the start image that a conditioning holds, for a network that looks at one and is not
    shown it otherwise. ValueError where there are none, or some of another size.
    """
    looks = getattr(net, "img_emb", None)
    if looks is None or sees:
        if looks is None and sees:
            LOG.warning("MotionStream: this model does not look at a picture: the CLIP vision is not used")
        return None
    features = picture_features(positive)
    width = looks.proj[0].normalized_shape[-1]
    if features is None:
        raise ValueError(
            "clip_vision: expected CLIP vision features of the start image for this model, got none: link "
            f"Load CLIP Vision (of width {width}, such as clip_vision_h) to the Motion Encoder. (The host's "
            "WanImageToVideo may also put them into positive)"
        )
    if features.shape[-1] != width:
        raise ValueError(
            f"positive: expected CLIP vision features of width {width} for this model (clip_vision_h), got "
            f"{features.shape[-1]}: another CLIP vision"
        )
    return features


def dtype_of(model: Any) -> torch.dtype:
    """What a MODEL of the host computes in: as its module would say once this MODEL is loaded, whatever
    another clone of it has left in the module.
    """
    return model.get_model_object("manual_cast_dtype") or model.model.get_dtype()


def check_patches(model: Any):
    """ValueError for a LoRA of another network: the host would leave it out and say so in its log alone."""
    for key, patches in getattr(model, "patches", {}).items():
        weight = parameter_of(model.model, key) if isinstance(key, str) else None
        if weight is None:
            continue
        for patch in patches:
            parts = getattr(patch[1], "weights", None)
            if getattr(patch[1], "name", "") != "lora" or not parts or parts[5] is not None:
                continue
            up, down = parts[0], parts[1]
            if (
                up.shape[0] * down.flatten(1).shape[1] != weight.shape.numel()
                and weight.shape[0] != up.shape[0]
            ):
                raise ValueError(
                    f"model: expected a LoRA for this network, got one of {up.shape[0]} x "
                    f"{down.flatten(1).shape[1]} for {key} of {tuple(weight.shape)}"
                )


def parameter_of(module: nn.Module, key: str) -> Tensor | None:
    """A weight by its key. None where a layer keeps it in a form of its own."""
    try:
        return module.get_parameter(key)
    except AttributeError:
        return None


def codec_in(vae: Any, config: ModelConfig, encoder: Any = None) -> CodecParts:
    """The codec of a VAE that fits the model, encoding with `encoder` (another VAE, or None: the same)."""
    parts = _codec_in(vae, config)
    if encoder is None or encoder is vae:
        return parts
    first = _codec_in(encoder, config)
    return replace(
        parts, codec=SplitCodec(first.codec, parts.codec), patchers=(*parts.patchers, *first.patchers)
    )


def _codec_in(vae: Any, config: ModelConfig) -> CodecParts:
    if isinstance(vae, MissingComponent):
        raise ValueError(vae.words)
    if isinstance(vae, StreamVAE):
        stream_vae(vae, config)
        return CodecParts(vae.codec, (vae.patcher,), *vae.statistics)
    module = getattr(vae, "first_stage_model", None)
    kind = type(module).__name__
    if kind == "TAEHV":
        codec: Codec = _tiny(vae, module)
        patchers: tuple = ()
    elif isinstance(module, nn.Module) and hasattr(module, "conv2"):
        channels_of(module)
        codec, patchers = (
            WanCodec(module, dtype=vae.vae_dtype, device=vae.patcher.load_device),
            (vae.patcher,),
        )
    else:
        raise ValueError(
            f"vae: expected a Wan VAE, a TAEHV, or the VAE of {LOADER}, got "
            f"{kind if module is not None else type(vae).__name__}"
        )
    if codec.latent_channels != config.latent_channels or codec.stride != config.vae_stride[1]:
        wanted, got = (
            f"{channels} latent channels and a stride of {stride}"
            for channels, stride in (
                (config.latent_channels, config.vae_stride[1]),
                (codec.latent_channels, codec.stride),
            )
        )
        raise ValueError(f"vae: expected one with {wanted} for this model, got one with {got}")
    mean, std = (torch.tensor(part).view(1, -1, 1, 1, 1) for part in STATISTICS[codec.latent_channels])
    return CodecParts(codec, patchers, mean, std)


def _tiny(vae: Any, module: Any) -> TaehvCodec:
    """The host's TAEHV on weights of our own (a few megabytes): the host takes every 16-channel file in half
    precision for another model's.
    """
    scaled = getattr(module, "latent_format", None)
    if scaled is not None:
        raise ValueError(
            "vae: expected a TAEHV for Wan, got one that the host took for "
            f"{getattr(scaled, '__name__', scaled)}: it does so with every 16-channel"
            " file in half precision. Load the file with the node Load Tiny VAE, where you say what it is"
        )
    state = {key: value for key, value in module.state_dict().items()}
    return TaehvCodec(
        taehv_of(state, "vae").to(vae.patcher.load_device), vae_latents=True, device=vae.patcher.load_device
    )
