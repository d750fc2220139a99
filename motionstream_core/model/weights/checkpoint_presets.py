"""What public causal Wan checkpoints were made for: chunk, context and noise levels, by name, and how a file
says it of itself.

Owns the named presets and the header of a single-file checkpoint. A file's own name never counts. Knows
nothing of keys or weights.

The context of a checkpoint trained on a whole clip of 21 latent frames is our choice: its first chunk as a
sink, and a window that makes the three together as long as what it was trained on. Inside 21 latent frames
that is its own full history. Beyond, the cache rolls.
Public configs count the sink and the current chunk in their window ("local_attn_size" 12 of LongLive, 32 of
LongLive 2, 6 of Infinite Forcing). Ours counts the frames between the two. The rotary index of what is kept
is its cache slot, as in Infinite Forcing, in LongLive's "infinite attention" and in LongLive 2's "relative
rope". Their other configurations count frames from the beginning, which is the same until the cache rolls.

Their samplers round: a list of timesteps is told to the network as it stands, and its noise levels are the
nearest of a thousand shifted ones.

The header's metadata: under "config" the host's convention, {"transformer": {"causal_ar": true}}. Under
"motionstream" our {version, config, settings, provenance}, as in `checkpoint.py`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..cache import CacheShape
from ..config import ModelConfig, NetworkConfig, Recache, RollingConfig, Solver
from ..presets import PRESETS, preset
from .bundle import FORMAT, VERSION, config_from_dict, config_to_dict, read_header

TRAINED_FRAMES = 21  # latent frames of an 81-frame clip


@dataclass(frozen=True)
class CausalPreset:
    """How a public checkpoint is sampled, and on which network.

    Args:
        network: the preset of `presets.py` whose sizes the public weights have.
        context: label of the cache, such as "c3s3w15".
        steps: denoising steps of a chunk.
        shift: of the noise levels.
        about: the checkpoint, in words.
        timesteps: a list of its own, otherwise k / steps, shifted.
        first_chunk_sigmas: see RollingConfig.
        solver: see RollingConfig.
        recache: see RollingConfig.
        sigmas: the noise levels of `timesteps`, where they are not the nearest of a thousand.
        role: of a checkpoint with a twin of the same names and shapes, which of the two it is.
    """

    network: str
    context: str
    steps: int
    shift: float
    about: str
    timesteps: tuple[float, ...] | None = None
    first_chunk_sigmas: tuple[float, ...] | None = None
    solver: Solver = "renoise"
    recache: Recache = "chunks"
    sigmas: tuple[float, ...] | None = None
    role: str | None = None

    @property
    def sampler(self) -> RollingConfig:
        shape = CacheShape.parse(self.context)
        levels = self.timesteps
        sigmas = self.sigmas
        if levels is not None and (sigmas is None or len(sigmas) != len(levels)):
            sigmas = tuple(nearest_level(each, self.shift) for each in levels)
        return RollingConfig(
            shape.chunk,
            shape.sink,
            shape.window,
            steps=self.steps,
            shift=self.shift,
            sigmas=sigmas,
            timesteps=levels,
            first_chunk_sigmas=self.first_chunk_sigmas,
            solver=self.solver,
            recache=self.recache,
        )


# Causal Forcing++: four steps for the first latent frame that is made.
FOUR_FIRST = (1.0, 0.9375, 5 / 6, 0.625)

CHECKPOINT_PRESETS: dict[str, CausalPreset] = {
    "self-forcing": CausalPreset("wan2.1-1.3b", "c3s3w15", 4, 5.0, "Self Forcing, chunks of three"),
    "causal-forcing": CausalPreset("wan2.1-1.3b", "c3s3w15", 4, 5.0, "Causal Forcing, chunks of three"),
    "causal-forcing-framewise": CausalPreset(
        "wan2.1-1.3b", "c1s1w19", 4, 5.0, "Causal Forcing, frame by frame"
    ),
    "causal-forcing-2step": CausalPreset(
        "wan2.1-1.3b",
        "c1s1w19",
        2,
        5.0,
        "Causal Forcing++, frame by frame in two steps",
        first_chunk_sigmas=FOUR_FIRST,
    ),
    "causal-forcing-1step": CausalPreset(
        "wan2.1-1.3b",
        "c1s1w19",
        1,
        5.0,
        "Causal Forcing++, frame by frame in one step",
        first_chunk_sigmas=FOUR_FIRST,
    ),
    "causvid": CausalPreset("wan2.1-1.3b", "c3s3w15", 3, 8.0, "CausVid", (1000.0, 757.0, 522.0)),
    "longlive": CausalPreset(
        "wan2.1-1.3b", "c3s3w6", 4, 5.0, "LongLive 1, its LoRA merged in", recache="window"
    ),
    "longlive-2": CausalPreset("wan2.2-5b", "c8s8w16", 4, 5.0, "LongLive 2 on Wan 2.2 5B", solver="unipc"),
    "infinite-forcing": CausalPreset("wan2.1-1.3b", "c3s1w2", 4, 5.0, "Infinite Forcing"),
    "krea-14b": CausalPreset("wan2.1-14b", "c3s1w2", 4, 5.0, "Krea Realtime 14B", recache="always"),
    "motionstream-1.3b": CausalPreset(
        "wan2.1-1.3b", "c3s3w3", 3, 5.0, "a student trained by this pack's recipe on Wan 2.1"
    ),
    "motionstream-5b": CausalPreset(
        "wan2.2-5b", "c3s3w3", 3, 5.0, "a student trained by this pack's recipe on Wan 2.2"
    ),
    # Trained at the exact levels, told whole numbers of them (cut off).
    "track-v0": CausalPreset(
        "wan2.1-1.3b-track",
        "c3s1w2",
        4,
        6.0,
        "FastVideo's TrackWan student (Track-v0)",
        (1000.0, 947.0, 857.0, 666.0),
        sigmas=(1.0, 18 / 19, 6 / 7, 2 / 3),
        role="student",
    ),
}

# Bidirectional networks, which the Whole-Clip Sampler runs: steps and shift are the teacher's, the context is
# that of the student beside it.
WHOLE_CLIP_PRESETS: dict[str, CausalPreset] = {
    "trackwan-teacher": CausalPreset(
        "wan2.1-1.3b-track", "c3s1w2", 30, 6.0, "FastVideo's bidirectional TrackWan teacher", role="teacher"
    ),
}


def checkpoint_preset(name: str) -> CausalPreset:
    """The preset called `name`, of a student or of a teacher. ValueError lists the known names."""
    known = CHECKPOINT_PRESETS | WHOLE_CLIP_PRESETS
    if name not in known:
        raise ValueError(f"preset: expected one of {', '.join(known)}, got {name!r}")
    return known[name]


def config_for(preset: CausalPreset) -> ModelConfig:
    """The config of the public weights of a preset."""
    config = with_schedule(PRESETS[preset.network], preset)
    return replace(config, bidirectional=preset.role == "teacher")


def with_schedule(config: ModelConfig, preset: CausalPreset) -> ModelConfig:
    """`config` with the chunk, context and noise levels of a preset."""
    return replace(config, sampler=preset.sampler)


def nearest_level(timestep: float, shift: float) -> float:
    """The noise level that the public samplers take for a timestep: the nearest of a thousand, shifted."""
    return min(
        (shift * k / (1000 + (shift - 1) * k) for k in range(1, 1001)),
        key=lambda level: abs(1000 * level - timestep),
    )


# Width x height that the public weights (and the built-in ones) were trained on, either way up; by preset of
# `presets.py`.
TRAINED_SIZES = {
    "tiny": ((128, 128),),
    "wan2.1-1.3b": ((832, 480),),
    "wan2.1-14b": ((832, 480), (1280, 720)),
    "wan2.2-5b": ((1280, 704),),
}


def size_note(config: NetworkConfig, width: int, height: int) -> str | None:
    """Words about a size that a known network was not trained on. None where it was, or where nothing is
    known.
    """
    for name, sizes in TRAINED_SIZES.items():
        usual = PRESETS[name]
        if (config.dim, config.num_layers, config.latent_channels) != (
            usual.dim,
            usual.num_layers,
            usual.latent_channels,
        ):
            continue
        if (width, height) not in sizes and (height, width) not in sizes:
            known = " or ".join(f"{w}x{h}" for w, h in sizes)
            model = "the built-in model" if name == "tiny" else name
            return (
                f"{width}x{height} is not a size that {model} was trained on ({known}): expect weaker "
                "pictures"
            )
    return None


def metadata_of(config: ModelConfig, provenance: Mapping[str, Any], picture: bool = False) -> dict[str, str]:
    """The header's metadata of a single-file checkpoint.

    The host builds its causal class for "causal_ar", and reads sizes that it cannot tell from the weights. It
    has no causal class for the 48 channels of Wan 2.2 nor for cross attention to a `picture`, and then fails
    on the flag: to the host such a file is the plain model, and only our part says that it is causal.
    """
    transformer: dict[str, Any] = {"causal_ar": True} if config.latent_channels == 16 and not picture else {}
    usual = {"num_heads": config.dim // 128, "text_dim": 4096, "text_len": 512, "freq_dim": 256}
    transformer |= {
        name: getattr(config, name) for name, value in usual.items() if getattr(config, name) != value
    }
    about = {
        "version": VERSION,
        "config": config_to_dict(config),
        "settings": {},
        "provenance": dict(provenance),
    }
    return {
        "format": "pt",
        "config": json.dumps({"transformer": transformer}),
        FORMAT: json.dumps(about, sort_keys=True),
    }


def read_stated_config(path: Path) -> ModelConfig | None:
    """What a safetensors checkpoint says of itself. None where it says nothing to this pack."""
    metadata = metadata_in(path)
    if FORMAT not in metadata:
        return None
    try:
        about = json.loads(metadata[FORMAT])
        version, config = about["version"], about["config"]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise ValueError(
            f"{path.name}: expected JSON with version and config under {FORMAT!r} in the metadata, got: "
            f"{error!r}"
        ) from error
    if version != VERSION:
        raise ValueError(f"{path.name}: expected format version {VERSION}, got {version!r:.40}")
    return config_from_dict(config)


def metadata_in(path: Path) -> Mapping[str, Any]:
    """The metadata of a safetensors header. ValueError where they are no object."""
    metadata = read_header(path).get("__metadata__") or {}
    if not isinstance(metadata, Mapping):
        raise ValueError(f"{path.name}: expected metadata to be an object, got {type(metadata).__name__}")
    return metadata


def is_single_file(path: Path) -> bool:
    """Whether a weights file is a transformer alone, in the host's convention, and not a bundle of
    `checkpoint.py`.
    """
    metadata = metadata_in(path)
    return FORMAT in metadata and "config" in metadata


def host_says_causal(metadata: Mapping[str, str]) -> bool | None:
    """The host's flag in a header's metadata. None where the header does not speak of it."""
    try:
        return json.loads(metadata["config"])["transformer"]["causal_ar"] is True
    except (KeyError, ValueError, TypeError, RecursionError):
        return None


def named_config(name: str) -> ModelConfig:
    """A network's or a public checkpoint's config. ValueError lists both kinds."""
    if name in CHECKPOINT_PRESETS:
        return config_for(checkpoint_preset(name))
    if name not in PRESETS:
        raise ValueError(
            f"preset: expected one of {', '.join([*PRESETS, *CHECKPOINT_PRESETS])}, got {name!r}"
        )
    return preset(name)
