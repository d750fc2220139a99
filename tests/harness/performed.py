"""Where a performance commanded the points of a workflow to be, worked out without a stream: what its frames
are measured against.
"""

from __future__ import annotations

import torch

from motionstream_core.live.live_tracks import LiveTracks
from motionstream_core.live.performance import Performance
from motionstream_core.streaming.stream import track_source
from motionstream_core.tracks.document.handles import document_groups
from motionstream_core.tracks.document.parse import document_to_tracks, parse_document
from motionstream_core.tracks.types import Tracks

from .workflow import nodes_of_type


def commanded(workflow: dict, played: Performance, frames: int, fit: str = "hold") -> Tracks:
    """The tracks of the first `frames` frames, points added live left out (their number at the start is
    kept).
    """
    (editor,) = nodes_of_type(workflow, "MotionStreamTrackEditor")
    document = parse_document(editor["widgets_values"][0])
    tracks = document_to_tracks(document)
    motion = LiveTracks(
        track_source(tracks, None, fit),
        tracks.width,
        tracks.height,
        tracks.fps,
        groups=torch.tensor(document_groups(document)),
    )
    chunk_frames = int(played.about["chunk_frames"])
    pieces, start, chunk = [motion(0, 1)], 1, 1
    while start < frames:
        for at, control in played.controls:
            if at == chunk and control.type not in ("prompt", "scene"):
                motion.apply(control, lambda places: places)
        pieces.append(motion(start, chunk_frames))
        start, chunk = start + chunk_frames, chunk + 1
    xy = torch.cat([piece.xy[:, : tracks.count] for piece in pieces])[:frames]
    visible = torch.cat([piece.drives_pixels[:, : tracks.count] for piece in pieces])[:frames]
    return Tracks(xy, visible, tracks.width, tracks.height, tracks.fps)
