"""Weights files: one safetensors file with named components, the network's config and where the weights come
from.

Owns the file format. Knows nothing of what the components are: "dit", "track_head", "codec", "text_encoder"
... are prefixes.
Nothing is ever unpickled. On disk matrices are bfloat16 and vectors (biases, norms, statistics) float32. In
memory all is float32.
The header's metadata holds, under "motionstream", JSON: {version, config, settings, provenance}.
"""

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from ...common.checked import excerpt
from ...common.state_dict import State, listed_names, state_problems
from ..cache import CacheShape
from ..config import (
    PAPER_MAP,
    BufferConfig,
    MapRules,
    ModelConfig,
    MotionConfig,
    NetworkConfig,
    Partition,
    RollingConfig,
)
from ..dit import WanDiT
from ..motion import TrackHead
from ..packed import unpack_state
from .header import (
    check_buffer,
    check_entries,
    check_levels,
    check_motion,
    check_network,
    check_rolling,
    count_layers,
)
from .onto import base_of, join_components

Module = TypeVar("Module", bound=nn.Module)
FORMAT = "motionstream"
VERSION = 1
MAX_HEADER = 64 * 2**20
PICKLE_STARTS = (b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")


@dataclass(frozen=True)
class Bundle:
    """A loaded file. `components`: float32 states by name. `settings`: what a component needs to be built, by
    name.
    """

    config: ModelConfig
    components: dict[str, State]
    settings: dict[str, dict[str, Any]]
    provenance: dict[str, Any]
    path: Path

    def load_into(self, name: str, module: Module) -> Module:
        """Gives `module` the component's weights, in evaluation mode. ValueError lists missing, unknown and
        misshapen keys.
        """
        if name not in self.components:
            raise ValueError(
                f"{self.path.name}: expected a component {name!r}, got {sorted(self.components)}"
            )
        state = self.components[name]
        problems = state_problems(module.state_dict(), state)
        if problems:
            raise ValueError(f"{self.path.name}: {name} does not fit: {'; '.join(problems)}")
        module.load_state_dict(state, assign=True)
        return module.eval().requires_grad_(False)

    def dit(self) -> WanDiT:
        """The transformer, built without initialising weights that would be overwritten."""
        layers = count_layers(self.components.get("dit", {}))
        if "dit" in self.components and layers != self.config.num_layers:
            raise ValueError(
                f"{self.path.name}: expected weights of {self.config.num_layers} layers, got {layers}"
            )
        with torch.device("meta"):
            model = WanDiT(self.config)
        return self.load_into("dit", model)

    def track_head(self) -> TrackHead:
        """The track head. ValueError where the config has no motion."""
        if self.config.motion is None:
            raise ValueError(f"{self.path.name}: expected a motion config, got none")
        with torch.device("meta"):
            head = TrackHead(self.config.motion.map_channels, self.config.motion.head_channels)
        return self.load_into("track_head", head)


def save_bundle(
    path: str | Path,
    config: ModelConfig,
    components: Mapping[str, nn.Module | Mapping[str, Tensor]],
    *,
    settings: Mapping[str, Mapping[str, Any]] | None = None,
    provenance: Mapping[str, Any] | None = None,
):
    """Writes one file, whole or not at all.

    Args:
        path: of the file.
        config: of the network.
        components: modules or states by name. A name holds no dot.
        settings: JSON values by component.
        provenance: JSON values.
    """
    tensors: State = {}
    for name, component in components.items():
        if not name or "." in name:
            raise ValueError(f"component: expected a name without a dot, got {name!r}")
        state = component.state_dict() if isinstance(component, nn.Module) else component
        tensors |= {f"{name}.{key}": _storable(value) for key, value in state.items()}
    about = {
        "version": VERSION,
        "config": config_to_dict(config),
        "settings": dict(settings or {}),
        "provenance": dict(provenance or {}),
    }
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


def _storable(value: Tensor) -> Tensor:
    """A copy of its own memory (shared or strided tensors cannot be written) in the dtype of the file."""
    value = value.detach().cpu()
    if value.is_floating_point():
        value = value.to(torch.bfloat16 if value.ndim > 1 else torch.float32)
    return value.clone(memory_format=torch.contiguous_format)


def load_bundle(path: str | Path, check_interrupt: Callable[[], None] = lambda: None) -> Bundle:
    """Reads a file written by save_bundle. ValueError says what is wrong with any other.

    `check_interrupt` is called before every tensor, and may raise to stop.
    A file that is an addition to another one (`onto`) is read with it.
    The tensors are copies: load_file's lie on the file, and would change under a running network when another
    file is written over it.
    """
    path = Path(path)
    about = _about(path, read_header(path))
    config = config_from_dict(about["config"])
    components: dict[str, State] = {}
    try:
        with safe_open(path, "pt") as file:
            for full in file.keys():
                check_interrupt()
                value = file.get_tensor(full)
                name, _, key = full.partition(".")
                components.setdefault(name, {})[key] = (
                    value.to(torch.float32, copy=True) if value.is_floating_point() else value.clone()
                )
        components = {name: unpack_state(state) for name, state in components.items()}
    except (SafetensorError, RuntimeError) as error:
        raise ValueError(f"{path.name}: expected a readable safetensors file, got: {error}") from error
    settings = about["settings"]
    if "onto" in settings:
        base = load_bundle(base_of(path, settings["onto"]), check_interrupt)
        components = join_components(base.components, components, path.name)
        settings = {**base.settings, **settings}
    return Bundle(config, components, settings, about["provenance"], path)


def read_header(path: Path) -> dict[str, Any]:
    """The JSON header of a safetensors file, checked against the file's length before anything else is
    read.
    """
    if not path.is_file() and path.exists():
        raise ValueError(f"{path.name}: expected a file, got something else")  # a pipe would be waited for
    with open(path, "rb") as file:
        start = file.read(8)
        size = os.fstat(file.fileno()).st_size
        if start.startswith(PICKLE_STARTS):
            raise ValueError(
                f"{path.name}: expected a safetensors file, got a pickled one, which is never opened: it "
                "could run code"
            )
        if start == b"version ":
            raise ValueError(
                f"{path.name}: expected a safetensors file, got a Git LFS pointer to one ({size} bytes): "
                "download the file itself"
            )
        length = int.from_bytes(start, "little")
        if len(start) < 8 or length > MAX_HEADER or file.peek(1)[:1] not in (b"{", b""):
            raise ValueError(
                f"{path.name}: expected a safetensors file, got something else ({size} bytes, starting "
                f"with {start!r})"
            )
        text = file.read(length)
    if len(text) < length:
        raise ValueError(f"{path.name}: truncated: expected a header of {length} bytes, got {len(text)}")
    try:
        header = json.loads(text)
        if not isinstance(header, dict):
            raise ValueError(f"expected an object, got {type(header).__name__}")
        end = 8 + length + check_entries(header)
    except (ValueError, RecursionError) as error:
        raise ValueError(
            f"{path.name}: expected a safetensors header, got JSON that is none: {error}"
        ) from error
    if size != end:
        raise ValueError(
            f"{path.name}: {'truncated' if size < end else 'damaged'}: expected {end} bytes, got {size}"
        )
    return header


def _about(path: Path, header: Mapping[str, Any]) -> dict[str, Any]:
    metadata = header.get("__metadata__")
    text = metadata.get(FORMAT) if isinstance(metadata, dict) else None
    if text is None:
        keys = sorted(key for key in header if key != "__metadata__")
        raise ValueError(
            f"{path.name}: expected a {FORMAT} weights file, got foreign weights with {len(keys)} tensors: "
            f"{listed_names(keys, 3)}"
        )
    try:
        about = json.loads(text)
    except (ValueError, TypeError, RecursionError) as error:
        raise ValueError(
            f"{path.name}: expected JSON under {FORMAT!r} in the metadata, got: {error}"
        ) from error
    expected = {"version", "config", "settings", "provenance"}
    if not isinstance(about, dict) or set(about) != expected:
        raise ValueError(
            f"{path.name}: expected metadata {sorted(expected)}, got "
            f"{sorted(about) if isinstance(about, dict) else about!r}"
        )
    if type(about["version"]) is not int or about["version"] != VERSION:
        raise ValueError(f"{path.name}: expected format version {VERSION}, got {about['version']!r:.40}")
    for name in ("settings", "provenance"):
        if not isinstance(about[name], dict):
            raise ValueError(f"{path.name}: expected {name} to be an object, got {excerpt(about[name])}")
    for name, settings in about["settings"].items():
        if not isinstance(settings, dict):
            raise ValueError(f"{path.name}: expected the settings of {name} to be an object, got others")
    return about


# Fields of a network that headers without them do not have; they stand in a header where they differ.
LATER_FIELDS: Mapping[str, Any] = {
    "windows": None,
    "wrap": False,
    "image_dim": None,
    "fps": 16.0,
    "place_features": 0,
    "bidirectional": False,
}


def config_to_dict(config: ModelConfig) -> dict[str, Any]:
    """JSON values of the header's "config", version 1: the network's fields and the sampler's beside them.

    A rolling sampler has its cache as a label ("context"), `steps` and `shift`. `sigmas` and a "manner" stand
    there only where a checkpoint has some of its own. A buffer has all its fields under "buffer".
    """
    values: dict[str, Any] = asdict(config)
    del values["sampler"]
    if values["motion"] is not None:
        values["motion"] = _without_usual(values["motion"], USUAL_MOTION)
    values = _without_usual(values, LATER_FIELDS)
    sampler = config.sampler
    return values | (
        _rolling_to_dict(sampler)
        if isinstance(sampler, RollingConfig)
        else {"buffer": buffer_to_dict(sampler)}
    )


def config_from_dict(values: Mapping[str, Any]) -> ModelConfig:
    """The config written by config_to_dict. ValueError names fields that are missing or unknown."""
    buffered = isinstance(values, Mapping) and "buffer" in values
    sampling = ("buffer",) if buffered else ROLLING_FIELDS
    usual: dict[str, Any] = dict(LATER_FIELDS)
    if not buffered:
        usual |= {"sigmas": None, "manner": USUAL_MANNER}
    values = _exactly(
        "ModelConfig",
        {field.name for field in fields(NetworkConfig)} | set(sampling),
        {**usual, **values} if isinstance(values, Mapping) else values,
    )
    sampled = {name: values.pop(name) for name in sampling}
    if values["motion"] is not None:
        values["motion"] = _motion_from_dict(values["motion"])
    check_network(values)
    try:
        for name in ("vae_stride", "patch"):
            values[name] = tuple(values[name])
        values["windows"] = values["windows"] and tuple(map(tuple, values["windows"]))
        sampler = buffer_from_dict(sampled["buffer"]) if buffered else _rolling_from_dict(sampled)
        return ModelConfig(**values, sampler=sampler)
    except TypeError as error:
        raise ValueError(
            "ModelConfig: expected numbers, names and lists of a config, got a value of another kind: "
            f"{error}"
        ) from error


# Fields that stand in the header only where a model has another value. Older files lack them.
USUAL_MOTION: dict[str, Any] = {
    "unspecified_channel": False,
    "known": False,
    "grey": False,
    "map": asdict(PAPER_MAP),
    "points": None,
    "id_range": MotionConfig.id_range,
}


def _without_usual(values: Mapping[str, Any], usual: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name not in usual or value != usual[name]}


def _motion_from_dict(values: Any) -> MotionConfig:
    made = _fields_of(MotionConfig, {**USUAL_MOTION, **values} if isinstance(values, Mapping) else values)
    check_motion(made)
    made["map"] = MapRules(**_fields_of(MapRules, made["map"]))
    made["points"] = made["points"] and tuple(made["points"])
    return MotionConfig(**made)


# What version 1 of the header calls the settings of a rolling sampler that differ from the plain ones.
MANNER = {
    "solver": "solver",
    "timesteps": "timesteps",
    "first_sigmas": "first_chunk_sigmas",
    "recache": "recache",
}
USUAL_MANNER: dict[str, Any] = {
    "solver": "renoise",
    "timesteps": None,
    "first_sigmas": None,
    "recache": "chunks",
}
ROLLING_FIELDS = ("context", "steps", "shift", "sigmas", "manner")


def buffer_to_dict(sampler: BufferConfig) -> dict[str, Any]:
    """All fields of a buffer. `start` and `trained` stand there only where they are not the usual ones."""
    values = asdict(sampler)
    if sampler.start == "uniform":
        del values["start"]
    if not sampler.trained:
        del values["trained"]
    else:
        values["trained"] = [list(each) for each in sampler.trained]
    return values


def buffer_from_dict(values: Any) -> BufferConfig:
    """The settings written by buffer_to_dict."""
    usual = {"gamma": 1.0, "guidance": 1.0, "start": "uniform", "trained": ()}
    found = _fields_of(BufferConfig, usual | values if isinstance(values, dict) else values)
    check_buffer(found)
    found["trained"] = tuple(Partition(*each) for each in found["trained"])
    return BufferConfig(**found)


def _rolling_to_dict(sampler: RollingConfig) -> dict[str, Any]:
    values: dict[str, Any] = {
        "context": sampler.cache_shape.label,
        "steps": sampler.steps,
        "shift": sampler.shift,
    }
    if sampler.sigmas is not None:
        values["sigmas"] = sampler.sigmas
    manner = {name: getattr(sampler, ours) for name, ours in MANNER.items()}
    return values if manner == USUAL_MANNER else values | {"manner": manner}


def _rolling_from_dict(values: Mapping[str, Any]) -> RollingConfig:
    check_rolling(values)
    shape = CacheShape.parse(values["context"])
    manner = _exactly("Manner", set(MANNER), values["manner"])
    return RollingConfig(
        shape.chunk,
        shape.sink,
        shape.window,
        steps=values["steps"],
        shift=values["shift"],
        sigmas=check_levels(values["sigmas"], "sigmas"),
        timesteps=check_levels(manner["timesteps"], "timesteps"),
        first_chunk_sigmas=check_levels(manner["first_sigmas"], "first_sigmas"),
        solver=manner["solver"],
        recache=manner["recache"],
    )


def _fields_of(kind: type, values: Any) -> dict[str, Any]:
    return _exactly(kind.__name__, {field.name for field in fields(kind)}, values)


def _exactly(what: str, expected: set[str], values: Any) -> dict[str, Any]:
    """The values as a dict of their own. ValueError unless they are these fields."""
    if not isinstance(values, Mapping) or set(values) != expected:
        got = excerpt(sorted(set(values) ^ expected) if isinstance(values, Mapping) else values, 200)
        raise ValueError(f"{what}: expected exactly the fields {sorted(expected)}; missing or unknown: {got}")
    return dict(values)
