"""The pack's nodes, in the host's V3 form. They map types and call the core. Everything about the host's
inside is in `_host`.
"""

from __future__ import annotations


async def comfy_entrypoint():
    """What the host calls. The imports stay inside, so that this package can be looked into without a
    host.
    """
    from comfy_api.latest import ComfyExtension, io

    from . import _host
    from .buffer_settings import BufferSettings
    from .camera import CameraTracks, LoadCamera
    from .checkpoint import CausalCheckpoint
    from .doctor import Benchmark, Doctor
    from .edit import CombineTracks, EditTracks
    from .editor import TrackEditor
    from .files import LoadTracks, SaveTracks
    from .live_camera import LiveCamera
    from .live_video import LiveVideoMotion
    from .loader import LoadMotionStream
    from .motion import EncodeMotion
    from .preview import StreamPreview
    from .prompt_schedule import PromptScheduler
    from .sampler import StreamingSampler
    from .text_to_video import EmptyMotion
    from .tiny_vae import LoadTinyVAE
    from .video import VideoTracks
    from .video_to_video import VideoToVideo
    from .whole_clip import WholeClipSampler

    class MotionStreamExtension(ComfyExtension):
        async def on_load(self) -> None:
            _host.start()

        async def get_node_list(self) -> list[type[io.ComfyNode]]:
            return [
                LoadMotionStream,
                TrackEditor,
                CameraTracks,
                EncodeMotion,
                EmptyMotion,
                VideoToVideo,
                PromptScheduler,
                BufferSettings,
                StreamingSampler,
                StreamPreview,
                VideoTracks,
                LiveVideoMotion,
                LiveCamera,
                EditTracks,
                CombineTracks,
                LoadTracks,
                SaveTracks,
                LoadCamera,
                CausalCheckpoint,
                WholeClipSampler,
                LoadTinyVAE,
                Doctor,
                Benchmark,
            ]

    return MotionStreamExtension()
