"""The cameras that runs of this host process want: told to the tab that queued the run."""

from __future__ import annotations

from comfy.cli_args import args
from comfy_execution.utils import get_executing_context
from server import PromptServer

from .. import _camera
from .._camera import Camera, Cameras
from .._live_video import LivePictures
from .live_run import check_interrupt

CAMERAS = Cameras()


def serve_routes():
    """The routes of cameras, under the host's own server."""
    _camera.register(PromptServer.instance.routes, CAMERAS, args.enable_cors_header)


def is_running(prompt_id: str) -> bool:
    """Whether the host is at work on this prompt."""
    queue = PromptServer.instance.prompt_queue
    with queue.mutex:
        return any(item[1] == prompt_id for item in queue.currently_running.values())


def open_camera(node_id: str | None, device: str, side: int, fps: float) -> LivePictures | None:
    """Asks the tab that queued the running prompt for its camera. None where it was no tab."""
    server, context = PromptServer.instance, get_executing_context()
    client_id = server.client_id
    if client_id is None or context is None or client_id not in server.sockets:
        return None
    prompt_id = context.prompt_id
    about = {"prompt_id": prompt_id, "node_id": str(node_id), "device": device, "side": side, "fps": fps}
    camera = Camera(client_id, about, lambda: is_running(prompt_id))
    CAMERAS.add(camera)
    server.send_sync("motionstream.camera", camera.info, client_id)
    return LivePictures(camera.feed, fps, check_interrupt)
