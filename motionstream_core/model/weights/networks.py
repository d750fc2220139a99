"""The networks that one weights file holds, built and ready to run, and the file's component names.

Owns which component is which: "dit", "track_head", "codec", "text_encoder" and, where there is one, "detail".
The codec's widths are under settings["codec"], the detail head's under settings["detail"].
Knows nothing of streams or of where the built-in file lies beyond its name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import copy, deepcopy
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ...codec.base import Codec
from ...codec.channels_last import ORDERS, has_bfloat16_cores
from ...codec.tiny import CodecConfig, TinyCodec
from ..compiled import FastDiT
from ..config import CARRIES, ModelConfig
from ..detail import DetailHead
from ..dit import WanDiT
from ..host_dit import HostDiT
from ..motion import TrackHead
from ..presets import preset
from ..text import BUILT_IN as VOCABULARY
from ..text import Vocabulary, WordEncoder
from .bundle import Bundle, load_bundle, save_bundle
from .header import check_widths

BUILT_IN = Path(__file__).parents[2] / "assets" / "tiny.safetensors"
BUILT_IN_CARRY = "layered"  # docs/adr/0013
CARTOON = BUILT_IN.with_name("cartoon.safetensors")  # text to video on the moving buffer
CARTOON_STUDENT = BUILT_IN.with_name("cartoon_student.safetensors")  # the same in one evaluation a chunk
CARTOON_MOTION = BUILT_IN.with_name("cartoon_motion.safetensors")  # its student that follows tracks


Transformer = WanDiT | HostDiT | FastDiT


@dataclass(frozen=True)
class Networks:
    """What a stream runs on. `text_encoder` may be None where the caller brings embeddings of its own,
    `track_head` where the model has none, `detail` where decoded frames are shown as they are.
    running_latents: the model's latents are those of a running stream, whose first one holds four frames too.
    carry: how the start image is moved along the tracks for it, one of CARRIES.
    """

    dit: Transformer
    track_head: TrackHead | None
    codec: Codec
    text_encoder: WordEncoder | None
    detail: DetailHead | None = None
    running_latents: bool = False
    carry: str = "nearest"

    @property
    def config(self) -> ModelConfig:
        return self.dit.config


def decoding_matters(networks: Networks) -> bool:
    """Whether decoding is no small part of the work: the pack's own small codec beside a transformer of its
    size.
    """
    return isinstance(networks.codec, TinyCodec)


def with_convolutions(networks: Networks, order: str) -> Networks:
    """The same networks whose decoder and detail head convolve in `order`, one of `channels_last.ORDERS`.

    Weights of the codec are shared with the networks given, which stay as they are. Other codecs than the
    pack's own small one on a CPU have one order.
    """
    codec = networks.codec
    if order not in ORDERS:
        raise ValueError(f"convolutions: expected one of {', '.join(ORDERS)}, got {order!r}")
    if order == "bfloat16" and not has_bfloat16_cores():
        raise ValueError("convolutions: expected a core with AVX512-BF16 for bfloat16, got one without")
    if order == "plain" or not isinstance(codec, TinyCodec):
        return networks
    codec = copy(codec)  # another attribute, the same parameters
    codec.convolutions = order
    detail = None if networks.detail is None else deepcopy(networks.detail).faster_order()
    return replace(networks, codec=codec, detail=detail)


def check_size(config: ModelConfig, width: int, height: int):
    """ValueError unless the size is a positive multiple of the codec's stride times the patch."""
    unit_h, unit_w = config.vae_stride[1] * config.patch[1], config.vae_stride[2] * config.patch[2]
    if width < unit_w or height < unit_h or width % unit_w or height % unit_h:
        raise ValueError(
            f"size: expected a width divisible by {unit_w} and a height divisible by {unit_h}, got "
            f"{width}x{height}"
        )


def open_networks(
    path: str | Path = BUILT_IN,
    check_interrupt: Callable[[], None] = lambda: None,
    carry: str | None = None,
) -> Networks:
    """The networks of a weights file, the built-in one by default. ValueError says what is wrong with any
    other file.

    `check_interrupt` is called again and again, and may raise to stop.
    carry: one of CARRIES in the place of the file's. The built-in file, whose header is older than this
    setting, has BUILT_IN_CARRY.
    """
    networks = networks_of(load_bundle(path, check_interrupt))
    if carry is None and Path(path).resolve() == BUILT_IN.resolve():
        carry = BUILT_IN_CARRY
    return networks if carry is None else replace(networks, carry=carry)


def networks_of(bundle: Bundle) -> Networks:
    """The networks of a loaded file, in evaluation mode."""
    config = bundle.config
    with torch.device("meta"):
        codec = TinyCodec(_codec_config(bundle))
        text = WordEncoder(config.text_dim, config.text_len, _vocabulary(bundle))
    codec = bundle.load_into("codec", codec)
    text = bundle.load_into("text_encoder", text)
    head = None if config.motion is None else bundle.track_head()
    running = bool(bundle.settings.get("stream", {}).get("running_latents", False))
    return Networks(bundle.dit(), head, codec, text, _detail(bundle), running, _carry(bundle))


def save_networks(path: str | Path, networks: Networks, provenance: Mapping[str, Any] | None = None):
    """Writes one weights file. `open_networks` reads it."""
    dit = networks.dit
    codec = networks.codec
    if not isinstance(dit, WanDiT) or not isinstance(codec, TinyCodec):
        raise ValueError(
            f"networks: expected the pack's own transformer and codec, got {type(dit).__name__} and "
            f"{type(codec).__name__}"
        )
    components: dict[str, nn.Module] = {"dit": dit, "codec": codec}
    if networks.track_head is not None:
        components["track_head"] = networks.track_head
    if networks.text_encoder is not None:
        components["text_encoder"] = networks.text_encoder
    settings: dict[str, Any] = {"codec": asdict(codec.config)}
    if networks.text_encoder is not None and networks.text_encoder.vocabulary != VOCABULARY:
        settings["text_encoder"] = {"vocabulary": list(networks.text_encoder.vocabulary.words)}
    if networks.running_latents:
        settings["stream"] = {"running_latents": True}
    if networks.carry != CARRIES[0]:
        settings["stream"] = settings.get("stream", {}) | {"carry": networks.carry}
    if networks.detail is not None:
        components["detail"] = networks.detail
        settings["detail"] = {"widths": list(networks.detail.widths)}
    save_bundle(path, networks.config, components, settings=settings, provenance=provenance)


def untrained_networks(name: str = "tiny", seed: int = 0) -> Networks:
    """The networks of a preset with random weights: for tests and for the start of a training."""
    config = preset(name)
    if config.motion is None:
        raise ValueError(f"preset: expected one with motion, got {name!r}")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        head = TrackHead(config.motion.map_channels, config.motion.head_channels)
        dit = WanDiT(config)
        codec = TinyCodec()
        text_encoder = WordEncoder(config.text_dim, config.text_len)
    for module in (dit, head, codec, text_encoder):
        module.eval().requires_grad_(False)
    return Networks(dit, head, codec, text_encoder)


def _vocabulary(bundle: Bundle) -> Vocabulary:
    """The words of a file that has a vocabulary of its own, else the built-in ones."""
    settings = bundle.settings.get("text_encoder")
    if settings is None:
        return VOCABULARY
    words = settings.get("vocabulary") if isinstance(settings, dict) else None
    if not isinstance(words, list):
        raise ValueError(f"{bundle.path.name}: expected a vocabulary as a list of words, got {words!r:.80}")
    try:
        return Vocabulary(tuple(words))
    except (ValueError, TypeError) as error:
        raise ValueError(f"{bundle.path.name}: {error}") from None


def _carry(bundle: Bundle) -> str:
    """A file without the setting was made on the nearest-track carry."""
    carry = bundle.settings.get("stream", {}).get("carry", CARRIES[0])
    if carry not in CARRIES:
        raise ValueError(
            f"{bundle.path.name}: expected a carry among {', '.join(CARRIES)}, got {carry!r:.40}"
        )
    return carry


def _detail(bundle: Bundle) -> DetailHead | None:
    if "detail" not in bundle.settings:
        return None
    a, b, c = check_widths(bundle.settings["detail"].get("widths"), 3, f"{bundle.path.name}: detail head")
    with torch.device("meta"):
        head = DetailHead((a, b, c))
    return bundle.load_into("detail", head)


def _codec_config(bundle: Bundle) -> CodecConfig:
    values, expected = bundle.settings.get("codec"), {field.name for field in fields(CodecConfig)}
    if not isinstance(values, dict) or set(values) != expected:
        raise ValueError(
            f"{bundle.path.name}: expected settings of the codec with {sorted(expected)}, got {values!r:.200}"
        )
    name = f"{bundle.path.name}: codec"
    e1, e2, e3 = check_widths(values["encoder"], 3, name)
    d1, d2, d3, d4 = check_widths(values["decoder"], 4, name)
    (channels,) = check_widths([values["latent_channels"]], 1, name)
    return CodecConfig(channels, (e1, e2, e3), (d1, d2, d3, d4))
