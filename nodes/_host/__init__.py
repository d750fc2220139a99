"""The one door to the host's inside: folders, memory, progress, interrupts, client events, routes.

Nothing else imports the host's modules `comfy`, `folder_paths` and `server`. By what is asked for: `files`,
`memory`, `models`, `live_run`.
"""

from __future__ import annotations

from . import cameras, files, live_run
from .cameras import open_camera
from .files import input_files, input_path, output_item, output_path, recording_path
from .live_run import LiveRun, NodeNotes, block_output, check_interrupt, progress, steered_runs
from .memory import free_memory, load_patchers, memory_to_keep, out_of_memory, run_device, to_output
from .models import (
    BUILT_IN_NAME,
    diffusion_models,
    host_attention,
    load_checkpoint,
    models_folder,
    tiny_vae,
    tiny_vae_names,
    tiny_vae_path,
    to_patchers,
    tracker_folders,
    weight_names,
    weight_path,
)

__all__ = [
    "BUILT_IN_NAME",
    "LiveRun",
    "NodeNotes",
    "block_output",
    "check_interrupt",
    "diffusion_models",
    "free_memory",
    "host_attention",
    "input_files",
    "input_path",
    "load_checkpoint",
    "load_patchers",
    "memory_to_keep",
    "models_folder",
    "open_camera",
    "out_of_memory",
    "output_item",
    "output_path",
    "progress",
    "recording_path",
    "run_device",
    "start",
    "steered_runs",
    "tiny_vae",
    "tiny_vae_names",
    "tiny_vae_path",
    "to_output",
    "to_patchers",
    "tracker_folders",
    "weight_names",
    "weight_path",
]


def start():
    """Once, when the pack is loaded: the models' folder, the routes, the browser's part, the examples."""
    files.add_models_folder()
    live_run.serve_routes()
    cameras.serve_routes()
    files.serve_browser_part()
    files.copy_examples()
