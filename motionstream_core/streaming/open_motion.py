"""The motion source of a stream, by what makes its frames follow the tracks.

Owns the choice between a track head, a guide of latents and no motion.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..model.weights.networks import Networks
from ..tracks.types import TrackSource
from .guided_motion import GuidedMotion
from .motion_conditioner import MotionConditioner
from .motion_source import MotionSource
from .null_motion import NullMotion
from .options import StreamOptions, check_track_control


def open_motion_source(
    networks: Networks,
    image: Tensor,
    tracks: TrackSource,
    options: StreamOptions,
    still: Tensor | None = None,
) -> MotionSource:
    """The motion source of a track control.

    Args:
        networks: the model.
        image: (3, H, W) 0..1.
        tracks: the tracks by pixel frame.
        options: of the stream.
        still: (N,) which points never move.
    """
    config = networks.config
    carry = options.carry or networks.carry
    match check_track_control(config, options.track_control):
        case "track head":
            assert networks.track_head is not None
            rng = torch.Generator().manual_seed(options.id_seed)
            return MotionConditioner(
                config,
                networks.track_head,
                networks.codec,
                image,
                tracks,
                rng,
                carry,
                still=still,
                running=networks.running_latents,
            )
        case "guided":
            return GuidedMotion(config, networks.codec, image, tracks, options.guide_strength, carry)
        case _:
            return NullMotion(config, networks.codec, image, tracks)
