"""The one door to the host's inside: folders, memory, progress, interrupts, client events, routes.

Nothing else imports the host's modules `comfy`, `folder_paths` and `server`. By what is asked for: `files`,
`memory`, `models`, `live_run`.
"""

from __future__ import annotations

from . import files, live_run
from .files import input_files, input_path, output_item, output_path, recording_path
from .live_run import LiveRun, NodeNotes, blocked, check_interrupt, progress, steered
from .memory import device, free_memory, load, memory_to_keep, out_of_memory, to_output
from .models import (
    BUILT_IN_NAME,
    attention,
    checkpoint,
    diffusion_models,
    models_folder,
    patched,
    tiny_vae,
    tiny_vae_names,
    tiny_vae_path,
    tracker_folders,
    weight_names,
    weight_path,
)

__all__ = [
    "BUILT_IN_NAME",
    "LiveRun",
    "NodeNotes",
    "attention",
    "blocked",
    "check_interrupt",
    "checkpoint",
    "device",
    "diffusion_models",
    "free_memory",
    "input_files",
    "input_path",
    "load",
    "memory_to_keep",
    "models_folder",
    "out_of_memory",
    "output_item",
    "output_path",
    "patched",
    "progress",
    "recording_path",
    "start",
    "steered",
    "tiny_vae",
    "tiny_vae_names",
    "tiny_vae_path",
    "to_output",
    "tracker_folders",
    "weight_names",
    "weight_path",
]


def start():
    """Once, when the pack is loaded: the models' folder, the routes, the browser's part, the examples."""
    files.add_models_folder()
    live_run.serve_routes()
    files.serve_browser_part()
    files.copy_examples()
