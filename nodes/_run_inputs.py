"""What the inputs of the Streaming Sampler mean for a run, and whether they fit together.

Owns those checks. Knows the host not at all.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from ..motionstream_core.live.performance import Performance
from ..motionstream_core.model.cache import CacheShape
from ..motionstream_core.model.weights.networks import Networks, Transformer
from ..motionstream_core.model.weights.speed import speed_state
from ..motionstream_core.streaming.stream import check_track_control
from ._adopt import ModelParts
from ._types import Motion

LOG = logging.getLogger("motionstream")
AUTO = "auto"


def track_control_of(control: str, dit: Transformer) -> str:
    """What the tracks are followed by. ValueError for a track head that the model does not have."""
    if control != AUTO:
        return check_track_control(dit.config, control)
    if dit.config.motion is None and dit.config.sampler.guides:
        return "guided"
    return check_track_control(dit.config, None)


def check_motion(motion) -> Motion:
    if not isinstance(motion, Motion):
        raise ValueError(f"motion: expected the MOTION of the Motion Encoder, got {type(motion).__name__}")
    return motion


def carry_of(parts: ModelParts, recorded: Performance) -> str:
    """How the start image is moved: as for the model, or as in the performance that is played again.
    One that does not say was made on the nearest-track carry.
    """
    if not recorded.about:
        return parts.carry
    return "layered" if recorded.about.get("layered") else "nearest"


def check_performance(played: Performance, about: dict, seed: int) -> Performance:
    """The performance to be played again. Its size, rate and chunks must be this run's."""
    for key, value in about.items():
        if key in played.about and played.about[key] != value:
            raise ValueError(
                f"performance: expected one for a {key} of {value:g} (this run's), got one for "
                f"{played.about[key]:g}"
            )
    if played.about.get("seed", seed) != seed:
        LOG.warning(
            "MotionStream: the performance was made with seed %d; with seed %d its controls make another "
            "video",
            played.about["seed"],
            seed,
        )
    return played


def context_of(dit: Transformer, chunk: int, sink: int, window: int) -> CacheShape | None:
    """What is asked for, the model's own where that is negative. None where nothing is."""
    if max(chunk, sink, window) < 0:
        return None
    own = dit.config.rolling.cache_shape
    return CacheShape(
        own.chunk if chunk < 0 else chunk,
        own.sink if sink < 0 else sink,
        own.window if window < 0 else window,
    )


class SpeedTold:
    """Says which path the transformer takes: by `report` whenever it changes, in words where it fell back."""

    def __init__(self, networks: Networks, report: Callable[..., None], tell: Callable[[str], None]):
        self._networks = networks
        self._report = report
        self._tell = tell
        self._told = ""

    def __call__(self):
        state = speed_state(self._networks)
        if state == self._told:
            return
        self._told = state
        self._report(speed=state)
        if state.startswith("plain: "):
            self._tell(f"Speed: {state}")
