"""Weights files: one safetensors file with named components, the network's config and where the weights come from.

Owns the file format. Knows nothing of what the components are: "dit", "track_head", "codec", "text_encoder" ... are prefixes.
Nothing is ever unpickled. On disk matrices are bfloat16 and vectors (biases, norms, statistics) float32; in memory all is float32.
The header's metadata holds, under "motionstream", JSON: {version, config, settings, provenance}.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from .cache import CacheShape
from .dit import CausalDiT
from .motion import TrackHead
from .packed import unpacked
from .presets import Manner, ModelConfig, MotionConfig

FORMAT = "motionstream"
VERSION = 1
MAX_HEADER = 64 * 2**20
PICKLE_STARTS = (b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")

State = dict[str, Tensor]


@dataclass(frozen=True)
class Bundle:
    """A loaded file. `components`: float32 states by name; `settings`: what a component needs to be built, by name."""

    config: ModelConfig
    components: dict[str, State]
    settings: dict[str, dict[str, Any]]
    provenance: dict[str, Any]
    path: Path

    def load_into(self, name: str, module: nn.Module) -> nn.Module:
        """Gives `module` the component's weights, in evaluation mode; ValueError lists missing, unknown and misshapen keys."""
        if name not in self.components:
            raise ValueError(f"{self.path.name}: expected a component {name!r}, got {sorted(self.components)}")
        state = self.components[name]
        problems = state_problems(module.state_dict(), state)
        if problems:
            raise ValueError(f"{self.path.name}: {name} does not fit: {'; '.join(problems)}")
        module.load_state_dict(state, assign=True)
        return module.eval().requires_grad_(False)

    def dit(self) -> CausalDiT:
        """The transformer, built without initialising weights that would be overwritten."""
        with torch.device("meta"):
            model = CausalDiT(self.config)
        return self.load_into("dit", model)

    def track_head(self) -> TrackHead:
        """The track head; ValueError where the config has no motion."""
        if self.config.motion is None:
            raise ValueError(f"{self.path.name}: expected a motion config, got none")
        return self.load_into("track_head", TrackHead(self.config.motion.map_channels, self.config.motion.head_channels))


def state_problems(expected: Mapping[str, Tensor], got: Mapping[str, Tensor]) -> list[str]:
    """What keeps a state from fitting, in words; empty when it fits."""
    missing, unknown = sorted(expected.keys() - got.keys()), sorted(got.keys() - expected.keys())
    shapes = [key for key in expected.keys() & got.keys() if expected[key].shape != got[key].shape]
    listed = [f"{key} expected {tuple(expected[key].shape)} got {tuple(got[key].shape)}" for key in sorted(shapes)]
    problems = [_listed(listed)] if listed else []
    problems += [f"missing {_listed(missing)}"] if missing else []
    problems += [f"unknown {_listed(unknown)}"] if unknown else []
    return problems


def _listed(names: list[str], most: int = 8) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def save_bundle(
    path: str | Path,
    config: ModelConfig,
    components: Mapping[str, nn.Module | Mapping[str, Tensor]],
    *,
    settings: Mapping[str, Mapping[str, Any]] | None = None,
    provenance: Mapping[str, Any] | None = None,
):
    """Writes one file, whole or not at all. Component names hold no dot; settings and provenance are JSON values."""
    tensors: State = {}
    for name, component in components.items():
        if not name or "." in name:
            raise ValueError(f"component: expected a name without a dot, got {name!r}")
        state = component.state_dict() if isinstance(component, nn.Module) else component
        tensors |= {f"{name}.{key}": _stored(value) for key, value in state.items()}
    about = {"version": VERSION, "config": config_to_dict(config), "settings": dict(settings or {}), "provenance": dict(provenance or {})}
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        save_file(tensors, part, metadata={"format": "pt", FORMAT: json.dumps(about, sort_keys=True)})
        os.replace(part, path)
    except SafetensorError as error:
        raise OSError(f"{path}: could not be written ({error}); what was there before is as it was") from None
    finally:
        part.unlink(missing_ok=True)


def _stored(value: Tensor) -> Tensor:
    """A copy of its own memory (shared or strided tensors cannot be written) in the dtype of the file."""
    value = value.detach().cpu()
    if value.is_floating_point():
        value = value.to(torch.bfloat16 if value.ndim > 1 else torch.float32)
    return value.clone(memory_format=torch.contiguous_format)


def load_bundle(path: str | Path) -> Bundle:
    """Reads a file written by save_bundle; ValueError says what is wrong with any other.

    The tensors are copies: load_file's lie on the file, and would change under a running network when another file is written over it.
    """
    path = Path(path)
    about = _about(path, read_header(path))
    try:
        tensors = load_file(path)
    except SafetensorError as error:
        raise ValueError(f"{path.name}: expected a readable safetensors file, got: {error}") from error
    components: dict[str, State] = {}
    for full, value in tensors.items():
        name, _, key = full.partition(".")
        components.setdefault(name, {})[key] = value.to(torch.float32, copy=True) if value.is_floating_point() else value.clone()
    components = {name: unpacked(state) for name, state in components.items()}
    return Bundle(config_from_dict(about["config"]), components, about["settings"], about["provenance"], path)


def read_header(path: Path) -> dict[str, Any]:
    """The JSON header of a safetensors file, checked against the file's length before anything else is read."""
    with open(path, "rb") as file:
        start = file.read(8)
        size = os.fstat(file.fileno()).st_size
        if start.startswith(PICKLE_STARTS):
            raise ValueError(f"{path.name}: expected a safetensors file, got a pickled one, which is never opened: it could run code")
        length = int.from_bytes(start, "little")
        if len(start) < 8 or length > MAX_HEADER or file.peek(1)[:1] not in (b"{", b""):
            raise ValueError(f"{path.name}: expected a safetensors file, got something else ({size} bytes, starting with {start!r})")
        text = file.read(length)
    if len(text) < length:
        raise ValueError(f"{path.name}: truncated: expected a header of {length} bytes, got {len(text)}")
    try:
        header = json.loads(text)
        end = 8 + length + max((entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"), default=0)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path.name}: expected a safetensors header, got JSON that is none: {error}") from error
    if size != end:
        raise ValueError(f"{path.name}: {'truncated' if size < end else 'damaged'}: expected {end} bytes, got {size}")
    return header


def _about(path: Path, header: Mapping[str, Any]) -> dict[str, Any]:
    metadata = header.get("__metadata__")
    text = metadata.get(FORMAT) if isinstance(metadata, dict) else None
    if text is None:
        keys = sorted(key for key in header if key != "__metadata__")
        raise ValueError(f"{path.name}: expected a {FORMAT} weights file, got foreign weights with {len(keys)} tensors: {_listed(keys, 3)}")
    try:
        about = json.loads(text)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path.name}: expected JSON under {FORMAT!r} in the metadata, got: {error}") from error
    expected = {"version", "config", "settings", "provenance"}
    if not isinstance(about, dict) or set(about) != expected:
        raise ValueError(f"{path.name}: expected metadata {sorted(expected)}, got {sorted(about) if isinstance(about, dict) else about!r}")
    if about["version"] != VERSION:
        raise ValueError(f"{path.name}: expected format version {VERSION}, got {about['version']!r}")
    return about


def config_to_dict(config: ModelConfig) -> dict[str, Any]:
    """JSON values; the context as its label; `sigmas`, a manner of its own and the channel for unspecified tracks only where there are some."""
    values: dict[str, Any] = asdict(config) | {"context": config.context.label}
    if config.motion is not None and not config.motion.unspecified_channel:
        del values["motion"]["unspecified_channel"]
    usual = {"sigmas": config.sigmas is None, "manner": config.manner == Manner()}
    usual |= {"windows": config.windows is None, "wrap": not config.wrap}
    return {name: value for name, value in values.items() if not usual.get(name, False)}


def config_from_dict(values: Mapping[str, Any]) -> ModelConfig:
    """The config written by config_to_dict; ValueError names fields that are missing or unknown."""
    left_out = {"sigmas": None, "manner": asdict(Manner()), "windows": None, "wrap": False}
    values = _fields_of(ModelConfig, {**left_out, **values} if isinstance(values, Mapping) else values)
    if values["motion"] is not None:
        motion = {"unspecified_channel": False, **values["motion"]} if isinstance(values["motion"], Mapping) else values["motion"]
        values["motion"] = MotionConfig(**_fields_of(MotionConfig, motion))
    try:
        values["context"] = CacheShape.parse(values["context"])
        lists = {name: tuple(values[name]) for name in ("vae_stride", "patch", "sigmas") if values[name] is not None or name != "sigmas"}
        lists["windows"] = values["windows"] and tuple(map(tuple, values["windows"]))
        manner = _fields_of(Manner, values["manner"])
        lists["manner"] = Manner(**{name: tuple(value) if isinstance(value, (list, tuple)) else value for name, value in manner.items()})
        return ModelConfig(**values | lists)
    except TypeError as error:
        raise ValueError(f"ModelConfig: expected numbers, names and lists of a config, got a value of another kind: {error}") from error


def _fields_of(kind: type, values: Any) -> dict[str, Any]:
    expected = {field.name for field in fields(kind)}
    if not isinstance(values, Mapping) or set(values) != expected:
        got = sorted(set(values) ^ expected) if isinstance(values, Mapping) else values
        raise ValueError(f"{kind.__name__}: expected exactly the fields {sorted(expected)}; missing or unknown: {got}")
    return dict(values)
