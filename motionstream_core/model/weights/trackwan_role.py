"""Which of TrackWan's two networks a file holds: the causal student or the bidirectional teacher.

Both have the same names and shapes, so only the class name in a file beside them tells.
"""

from __future__ import annotations

from pathlib import Path

from .checkpoint_presets import CausalPreset, checkpoint_preset
from .trackwan import role_beside

TRACKWAN = {name: checkpoint_preset(name) for name in ("track-v0", "trackwan-teacher")}


def preset_of_role(source: Path) -> CausalPreset:
    """TrackWan's preset by the class name beside its weights. ValueError where nothing says which it is."""
    role = role_beside(source)
    if role is None:
        names = " or ".join(f"{name} ({preset.about})" for name, preset in TRACKWAN.items())
        raise ValueError(
            f"preset: expected {names}, got none, and nothing beside {source.name} says which of the two it "
            "is (no config.json): both have the same tensors"
        )
    return next(preset for preset in TRACKWAN.values() if preset.role == role)


def check_role(source: Path, preset: CausalPreset | None) -> list[str]:
    """What is doubtful of a TrackWan file, in words. ValueError where the files beside it say that it is the
    other of the two networks, which have the same names and shapes.
    """
    role, wanted = role_beside(source), preset.role if preset is not None else None
    if wanted is None or role == wanted:
        return []
    if role is None:
        return [
            f"nothing beside {source.name} says whether it is TrackWan's causal student or its bidirectional "
            f"teacher (no config.json): it is taken for the {wanted}, as the preset says"
        ]
    raise ValueError(
        f"{source.name}: expected TrackWan's {wanted} for this preset, got its {role}: so says the class "
        "name in config.json or model_index.json beside it"
    )
