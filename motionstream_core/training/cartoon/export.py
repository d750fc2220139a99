"""Writes the cartoon's weights as one file, and reads it back.

Owns the components' names: "dit", "text_encoder" (the table of words), "codec". Matrices are int8 with a
scale a row. The vocabulary is in the file's settings, so that ids and words cannot part.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ...codec.tiny import TinyCodec
from ...model.config import BufferConfig, Partition
from ...model.packed import pack_state
from ...model.weights.bundle import load_bundle, save_bundle
from ...model.weights.onto import reference_to
from ..methods.roles import MotionModel
from .low_rank import additions_of
from .network import Cartoon
from .vocabulary import TEXT_LENGTH, VOCABULARY


def write(path: Path, net: Cartoon, codec: TinyCodec, provenance: Mapping[str, Any]) -> None:
    components = {"dit": net.dit, "text_encoder": net.words, "codec": codec}
    config = codec.config
    settings = {
        "codec": {
            "latent_channels": config.latent_channels,
            "encoder": config.encoder,
            "decoder": config.decoder,
        },
        "text_encoder": {"vocabulary": list(VOCABULARY), "length": TEXT_LENGTH},
        "stream": {"running_latents": True},
    }
    states = {name: pack_state(module.state_dict()) for name, module in components.items()}
    save_bundle(path, net.config, states, settings=settings, provenance=provenance)


def write_student(path: Path, state: Mapping[str, Tensor], base: Path, provenance: Mapping[str, Any]) -> None:
    """Writes a student of one evaluation a chunk as an addition to the file of its teacher, `base`, which is
    beside it.

    state: that of a network with additions (`low_rank`).
    """
    config = load_bundle(base).config
    if not isinstance(config.sampler, BufferConfig):
        raise ValueError(f"{base.name}: expected a model of the moving buffer, got {type(config.sampler)}")
    of = config.sampler
    known = (Partition(of.chunk_frames, of.chunks, of.reference_frames, 1),)
    config = replace(config, sampler=replace(of, micro_steps=1, guidance=1.0, trained=known))
    settings = {"onto": reference_to(base)}
    about = {"parents": [settings["onto"]], **provenance}
    save_bundle(
        path, config, {"dit": pack_state(additions_of(dict(state)))}, settings=settings, provenance=about
    )


def read(path: Path) -> tuple[Cartoon, TinyCodec]:
    """The network and the codec. ValueError where the file's words are not this vocabulary."""
    bundle = load_bundle(path)
    words = tuple(bundle.settings["text_encoder"]["vocabulary"])
    if words != VOCABULARY:
        raise ValueError(
            f"{path.name}: expected the {len(VOCABULARY)} words of the vocabulary, got {len(words)} others"
        )
    with torch.device("meta"):
        net, codec = Cartoon(bundle.config), TinyCodec()
    net.dit, net.words = bundle.load_into("dit", net.dit), bundle.load_into("text_encoder", net.words)
    return net.eval(), bundle.load_into("codec", codec)


def write_motion(path: Path, model: MotionModel, base: Path, provenance: Mapping[str, Any]) -> None:
    """Writes a motion model with additions (`low_rank.with_motion_additions`) as an addition to the file that
    it began with, `base`, which is beside it.
    """
    held = getattr(model, "held", frozenset())
    learned = {name: value for name, value in model.state_dict().items() if name not in held}
    dit = {name: value for name, value in learned.items() if name.startswith("dit.")}
    head = {
        name.removeprefix("track_head."): value
        for name, value in learned.items()
        if name.startswith("track_head.")
    }
    settings = {"onto": reference_to(base)}
    about = {"parents": [settings["onto"]], **provenance}
    states = {"dit": pack_state(additions_of(dit)), "track_head": pack_state(head)}
    save_bundle(path, model.config, states, settings=settings, provenance=about)
