"""What a person should know of a run before it begins, said on the node.

Owns the sentences. Knows nothing of the host.
"""

from __future__ import annotations

from ..motionstream_core.live.track_stream import TrackStream
from ..motionstream_core.model.config import ModelConfig
from ..motionstream_core.model.weights.checkpoint_presets import size_note
from ..motionstream_core.tracks.types import Tracks
from ._adopt import ModelParts
from ._types import Motion

CONTROL_WORDS = {
    "track head": "track head",
    "guided": (
        "guided: each chunk begins from the start image moved along the tracks, without a track head; "
        "looser than a trained one"
    ),
    "none": "none: nothing makes the video follow the tracks",
}


def notes_on(parts: ModelParts, motion: Motion, track_control: str, in_work: int) -> list[str]:
    """What a person should know of the run before it begins. in_work: frames of a forward."""
    height, width = motion.image.shape[:2]
    config = parts.dit.config
    control = f"Control: {CONTROL_WORDS[track_control]}"
    told = track_control == "track head"
    notes = [
        control if (config.sampler.guides or config.motion is not None) and not told else None,
        None if motion.video is None else motion.video.note(in_work),
        size_note(config, width, height),
        points_note(config, motion.tracks) if told else None,
        rate_note(config, motion.tracks.fps),
        parts.doubt,
        parts.left_out,
    ]
    return [note for note in notes if note]


def notes_on_words(left_out: str | None) -> list[str]:
    """The words of the prompt that do not count, as a note."""
    return [f"Prompt: {left_out}"] if left_out else []


def points_note(config: ModelConfig, tracks: Tracks | TrackStream) -> str | None:
    """Words where there are more points than the model is told of, or fewer than it knows."""
    known = None if config.motion is None else config.motion.points
    if known is None:
        return None
    count = len(tracks.static) if isinstance(tracks, TrackStream) else tracks.xy.shape[1]
    least, most = known
    if count > most:
        return (
            f"The model was trained on {least} to {most} points and there are {count}: it is told of {most}, "
            "moving ones before those at rest, spread over the picture"
        )
    if count < least:
        return (
            f"The model was trained on {least} to {most} points and there are {count}. Points that stay "
            "where they are hold the rest of the picture still: add some"
        )
    return None


def rate_note(config: ModelConfig, fps: float) -> str | None:
    """Words where tracks of another rate are told to a model that was trained on clips of its own."""
    if config.motion is None or config.motion.points is None or fps == config.fps:
        return None
    return (
        f"The model was trained on {config.fps:g} frames a second, the tracks have {fps:g}: things move "
        f"{fps / config.fps:.2g} times as fast as in its training"
    )
