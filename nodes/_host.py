"""The one door to the host's inside: folders, memory, progress, interrupts, client events, routes. Nothing
else imports them.

Owns the registry of streaming runs of this host process, because the host's routes live as long as the
process does.
"""

from __future__ import annotations

import importlib
import logging
import os
import shutil
import time
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path
from typing import Any

import comfy.ldm.modules.attention
import comfy.model_management
import comfy.model_patcher
import comfy.sd
import comfy.utils
import folder_paths
import numpy as np
import torch
from comfy_execution.graph import ExecutionBlocker
from comfy_execution.utils import get_executing_context
from PIL import Image
from server import PromptServer
from torch import Tensor

from ..motionstream_core.codec.taehv import TAEHV, TaehvCodec, open_taehv
from ..motionstream_core.codec.tiny import TinyCodec
from ..motionstream_core.codec.wan_vae import STATISTICS
from ..motionstream_core.model.attention import AttentionFunction
from ..motionstream_core.model.weights.networks import BUILT_IN, Networks
from ..motionstream_core.streaming.stream import Chunk
from . import _server
from ._frames import Frame
from ._live import Run, Runs, Script
from ._types import MissingComponent, StreamModel, StreamVAE, WordClip

LOG = logging.getLogger("motionstream")
PACK = "ComfyUI-MotionStream"
FOLDER = "motionstream"
TRACKERS = "trackers"  # the folder in it for the weights of point trackers
BUILT_IN_NAME = "built-in (tiny, 128x128)"
WORKFLOWS = Path(__file__).parents[1] / "workflows"
EXAMPLES = [
    WORKFLOWS / f"motionstream_{name}"
    for name in ("example.png", "example_depth.png", "example_mask.png", "source.mp4", "source_mask.png")
]
OWN_MODULES = (StreamModel, TinyCodec, TAEHV)
STOCK_PREVIEW_S = 1 / 3  # while nobody watches our own preview
PREVIEW_SIZE = 512

RUNS = Runs()
STEERED: Counter[str] = Counter()  # by node id: see `steered`


def start():
    """Once, when the pack is loaded: the models' folder, the routes, the pictures and the video of the
    workflows.
    """
    folder = Path(folder_paths.models_dir) / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    folder_paths.add_model_folder_path(FOLDER, str(folder))
    _server.register(PromptServer.instance.routes, RUNS)
    serve_browser_part()
    inputs = Path(folder_paths.get_input_directory())
    for example in EXAMPLES:
        if example.is_file() and not (inputs / example.name).exists():
            inputs.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(example, inputs / example.name)


def serve_browser_part():
    """Under a name of its own where the pack's folder has a name that the host cannot serve: otherwise editor
    and preview would be missing without a word.
    """
    pack = WORKFLOWS.parent
    served = importlib.import_module(
        "nodes"
    ).EXTENSION_WEB_DIRS  # of the host, which has registered the folder by now if it may
    if os.path.abspath(pack / "js") in served.values():
        return
    served[PACK] = os.path.abspath(pack / "js")
    LOG.warning(
        "MotionStream: the host cannot serve help pages from a folder named %r; call it %s and they are back",
        pack.name,
        PACK,
    )


def weight_names() -> list[str]:
    """What the loader offers: the built-in model, then the files of models/motionstream."""
    files = [name for name in folder_paths.get_filename_list(FOLDER) if Path(name).parts[0] != TRACKERS]
    return [
        BUILT_IN_NAME,
        *(name for name in files if name.endswith((".safetensors", ".sft", ".pt", ".pth", ".ckpt", ".bin"))),
    ]


def weight_path(name: str) -> Path:
    """A name of `weight_names` -> its file; a name that is none of them, or leaves the folder, is a
    ValueError.
    """
    names = weight_names()
    if name not in names:
        raise ValueError(f"weights: expected one of {', '.join(names)}, got {name!r}")
    path = BUILT_IN if name == BUILT_IN_NAME else Path(folder_paths.get_full_path_or_raise(FOLDER, name))
    if not path.is_file():
        raise ValueError(f"weights: expected the file {path.name} in {path.parent}, got none")
    return path


def patched(networks: Networks) -> tuple[Any, WordClip, StreamVAE]:
    """Networks -> MODEL, CLIP, VAE. MODEL and VAE are loaded and offloaded by the host's memory
    management.
    """
    device = comfy.model_management.get_torch_device()
    model_offload, vae_offload = (
        comfy.model_management.unet_offload_device(),
        comfy.model_management.vae_offload_device(),
    )
    model = comfy.model_patcher.CoreModelPatcher(
        StreamModel(networks), load_device=device, offload_device=model_offload
    )
    codec = comfy.model_patcher.CoreModelPatcher(
        networks.codec, load_device=device, offload_device=vae_offload
    )
    vae = StreamVAE(
        networks.codec, codec, lambda patcher: load([patcher]), comfy.model_management.intermediate_device()
    )
    return model, WordClip(networks.text_encoder), vae


def checkpoint(path: Path) -> tuple[Any, MissingComponent, MissingComponent]:
    """A converted checkpoint as the host loads it; it has no text encoder and no VAE of its own."""
    lacking = f"expected one, got none: {path.name} holds the transformer alone; use the host's"
    return (
        comfy.sd.load_diffusion_model(str(path)),
        MissingComponent(f"clip: {lacking} Load CLIP (type wan)"),
        MissingComponent(f"vae: {lacking} Load VAE, or Load Tiny VAE"),
    )


def diffusion_models() -> list[tuple[str, Path]]:
    """The safetensors files that the host's loaders of diffusion models, and ours, offer: name and place."""
    found = [
        (f"{folder}/{name}", folder_paths.get_full_path(folder, name))
        for folder in ("diffusion_models", FOLDER)
        for name in folder_paths.get_filename_list(folder)
    ]
    return [
        (name, Path(path))
        for name, path in found
        if path is not None
        and Path(path).suffix in (".safetensors", ".sft")
        and TRACKERS not in Path(name).parts
    ]


def tiny_vae_names() -> list[str]:
    """The files that may be tiny VAEs: those of models/vae_approx and models/vae."""
    return [
        f"{folder}/{name}"
        for folder in ("vae_approx", "vae")
        for name in folder_paths.get_filename_list(folder)
    ]


def tiny_vae_path(name: str) -> Path:
    """A name of `tiny_vae_names` -> its file; ValueError for another name."""
    names = tiny_vae_names()
    if name not in names:
        raise ValueError(
            "file: expected one of "
            f"{', '.join(names) or 'the files of models/vae_approx, which is empty'}, got {name!r}"
        )
    folder, _, inside = name.partition("/")
    return Path(folder_paths.get_full_path_or_raise(folder, inside))


def tiny_vae(path: Path, vae_latents: bool) -> StreamVAE:
    """A TAEHV as a VAE whose memory the host manages."""
    device, offload = comfy.model_management.get_torch_device(), comfy.model_management.vae_offload_device()
    module = open_taehv(path)
    patcher = comfy.model_patcher.CoreModelPatcher(module, load_device=device, offload_device=offload)
    statistics = tuple(torch.tensor(part).view(1, -1, 1, 1, 1) for part in STATISTICS[module.latent_channels])
    codec = TaehvCodec(module, vae_latents=vae_latents, device=device)
    return StreamVAE(
        codec,
        patcher,
        lambda patcher: load([patcher]),
        comfy.model_management.intermediate_device(),
        statistics,
    )


def load(patchers: list, cache: int = 0, beside: int = 0):
    """Brings the patchers' modules onto their device, with room for the bytes of a `cache` and of what is
    worked in `beside` it.

    Both are announced to the host's memory management, which then leaves more of the weights where they are;
    the second is an estimate.
    ValueError where the cache alone does not fit. Our own modules are plain torch modules without the host's
    casting operations: they come whole. The host's may stay half offloaded.
    """
    whole = [patcher for patcher in patchers if isinstance(patcher.model, OWN_MODULES)]
    for patcher in whole:
        if patcher.is_dynamic() and patcher.patches:
            raise ValueError(
                "model: expected one without LoRA under the host's dynamic VRAM, got a patched one (start "
                "it with --disable-dynamic-vram)"
            )
    full = len(whole) == len(patchers) and not any(patcher.is_dynamic() for patcher in whole)
    if whole and not full:
        comfy.model_management.load_models_gpu(
            [patcher for patcher in whole if not patcher.is_dynamic()], force_full_load=True
        )
    comfy.model_management.load_models_gpu(patchers, memory_required=cache + beside, force_full_load=full)
    free = comfy.model_management.get_free_memory(patchers[0].load_device)
    if cache > free:
        wanted, got = (f"{size / 2**30:.1f} GiB" for size in (cache, free))
        raise ValueError(
            f"memory: expected {wanted} for the rolling cache, got {got} free beside the models: choose a "
            "smaller window, sink or size"
        )


def out_of_memory(error: BaseException) -> bool:
    """Whether a device has run out of memory; if so, what can be freed is freed."""
    of_the_machine = isinstance(error, MemoryError) or "DefaultCPUAllocator" in str(
        error
    )  # the host knows of its cards' memory alone
    if not of_the_machine and not comfy.model_management.is_oom(error):
        return False
    comfy.model_management.soft_empty_cache()
    return True


def attention(model: Any) -> AttentionFunction:
    """The host's attention, as its start options chose it, with the model's own override where a node has set
    one.
    """
    options = model.model_options["transformer_options"]

    def attend(q: Tensor, k: Tensor, v: Tensor, heads: int) -> Tensor:
        return comfy.ldm.modules.attention.optimized_attention(q, k, v, heads, transformer_options=options)

    return attend


def tracker_folders() -> list[Path]:
    """Where the weights of point trackers may lie: the folder trackers of every models/motionstream."""
    return [Path(folder) / TRACKERS for folder in folder_paths.get_folder_paths(FOLDER)]


def device() -> str:
    """Where networks run."""
    return str(comfy.model_management.get_torch_device())


def free_memory() -> int:
    """Bytes free where networks run: the card's, what the host could unload included, or the machine's."""
    device = comfy.model_management.get_torch_device()
    held = sum(
        loaded.model_loaded_memory()
        for loaded in comfy.model_management.current_loaded_models
        if loaded.device == device
    )
    return int(comfy.model_management.get_free_memory(device) + held)


def check_interrupt():
    """Raises the host's interrupt when the person has cancelled."""
    comfy.model_management.throw_exception_if_processing_interrupted()


def progress(total: int | None) -> Callable[[int], None]:
    """A progress bar of `total` steps (None: not known) to be told the number of each; raises the host's
    interrupt.
    """
    bar = comfy.utils.ProgressBar(total or 1)

    def step(number: int):
        check_interrupt()
        bar.update_absolute(number + 1, total or number + 2)

    return step


def to_output(chunk: Chunk) -> Chunk:
    """The chunk on the device where nodes hand tensors to each other."""
    device = comfy.model_management.intermediate_device()
    return replace(chunk, frames=chunk.frames.to(device), latents=chunk.latents.to(device))


def blocked(message: str) -> ExecutionBlocker:
    """An output that says `message` to whoever uses it."""
    return ExecutionBlocker(message)


def steered(node_id: str | None) -> int:
    """How many runs of this node were steered or stopped. Part of the node's fingerprint: such a run is not
    the answer to the next one.
    """
    return STEERED[str(node_id)]


def recording_path(prefix: str, width: int, height: int) -> Path:
    """The next free file `prefix`_00001_.mp4 of the output folder, as Save Video numbers them; a prefix that
    leaves the folder is an error.
    """
    folder, name, counter, _, _ = folder_paths.get_save_image_path(
        prefix, folder_paths.get_output_directory(), width, height
    )
    return Path(folder) / f"{name}_{counter:05}_.mp4"


def input_files(suffixes: Collection[str]) -> list[str]:
    """The files of the input folder and the folders in it with one of these endings, as the host's nodes name
    them.
    """
    folder = Path(folder_paths.get_input_directory())
    found = (
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.suffix.lower() in suffixes
    )
    return sorted(name for name in found if not any(part.startswith(".") for part in name.split("/")))


def input_path(name: str) -> Path:
    """A name of `input_files` -> its file; a name that is none, or leaves the folder, is a ValueError."""
    folder = Path(folder_paths.get_input_directory()).resolve()
    path = (folder / name).resolve()
    if not path.is_relative_to(folder) or not path.is_file():
        raise ValueError(f"file: expected one of the input folder, got {name!r}")
    return path


def output_path(prefix: str, suffix: str) -> tuple[Path, str]:
    """The next free file `prefix`_00001_`suffix` of the output folder and the folder within it that it is
    in.
    """
    folder, name, counter, subfolder, _ = folder_paths.get_save_image_path(
        prefix, folder_paths.get_output_directory()
    )
    return Path(folder) / f"{name}_{counter:05}_{suffix}", subfolder


class LiveRun:
    """One execution of the sampler as people see it: progress, previews, events, and the session they control
    it through.

    `notes` are lines for the person, told when it begins. A context manager. Leaving it, in whatever way,
    ends the session, tells the client, and frees the viewers.
    """

    def __init__(
        self,
        node_id: str | None,
        *,
        chunks: int | None,
        takes: Collection[str],
        script: Script = (),
        prompt: str | None = None,
        notes: Collection[str] = (),
        **about,
    ):
        context, server = get_executing_context(), PromptServer.instance
        self.node_id = str(node_id)
        self.prompt_id = context.prompt_id if context is not None else ""
        self.run = Run(server.client_id, self.prompt_id, self.node_id, about, takes, script, prompt)
        self.session = self.run.session
        self._chunks = chunks
        self._progress = comfy.utils.ProgressBar(chunks or 1)
        self._stock_preview_at = 0.0
        self._spent = Counter()
        self._last: Chunk | None = None
        self.notes: list[str] = []
        self._first_notes = notes

    @property
    def figures(self) -> dict:
        """What the run came to so far: frames, first_frame_s, fps, cache_bytes and the seconds of every
        stage.
        """
        last = self._last
        if last is None:
            return {"frames": 0}
        about = {
            "frames": last.start + len(last.frames),
            "first_frame_s": round(last.first_frame_s, 4),
            "fps": round(last.fps, 2),
            "cache_bytes": last.cache_bytes,
        }
        return {**about, **{stage: round(seconds, 4) for stage, seconds in self._spent.items()}}

    def __enter__(self) -> LiveRun:  # noqa: PYI034  Self is of Python 3.11
        RUNS.add(self.run)
        self._send("motionstream.run", self.run.info)
        for note in self._first_notes:
            self.tell(note)
        return self

    def __exit__(self, kind: type[BaseException] | None, error, trace) -> None:
        if kind is None:
            status = "stopped" if self.session.stopped else "done"
        else:
            interrupted = issubclass(kind, comfy.model_management.InterruptProcessingException)
            status = "interrupted" if interrupted else "error"
        STEERED[self.node_id] += self.session.steered
        RUNS.retire(self.run, status)
        self._send("motionstream.end", {"token": self.session.token, "status": status, **self.figures})
        for applied in self.session.log:
            done = "took effect" if applied.ignored is None else f"was ignored ({applied.ignored})"
            LOG.info("MotionStream: %s %s before chunk %d", applied.control.type, done, applied.chunk)

    def tell(self, note: str):
        """A line for the person, in the log and on the node."""
        LOG.warning("MotionStream: %s", note)
        self.notes.append(note)
        PromptServer.instance.send_progress_text("\n".join(self.notes), self.node_id)

    def show(self, chunk: Chunk, kept_bytes: int):
        """Hands the chunk's frames to the viewers and moves the progress bar; raises the host's interrupt."""
        self.session.report(cache_bytes=chunk.cache_bytes, kept_bytes=kept_bytes)
        self._last = chunk
        self._spent.update(chunk.timings)
        watched = self.run.watched
        pixels = to_uint8(chunk.frames if watched else chunk.frames[-1:])
        first = chunk.start + len(chunk.frames) - len(pixels)
        for offset, picture in enumerate(pixels):
            handles = chunk.handles[first - chunk.start + offset] if chunk.handles else ()
            self.run.offer(
                Frame(
                    first + offset,
                    chunk.index,
                    chunk.fps,
                    chunk.latency_s * 1000,
                    picture,
                    chunk.epoch,
                    handles,
                )
            )
        # An endless run has no total: its bar stands one chunk before the end.
        self._progress.update_absolute(
            chunk.index + 1,
            self._chunks or chunk.index + 2,
            None if watched else self._stock_preview(pixels[-1]),
        )

    def _stock_preview(self, pixels: np.ndarray) -> tuple[str, Image.Image, int] | None:
        now = time.monotonic()
        if now - self._stock_preview_at < STOCK_PREVIEW_S:
            return None
        self._stock_preview_at = now
        return "JPEG", Image.fromarray(pixels), PREVIEW_SIZE

    def _send(self, event: str, data: dict):
        """To the tab that queued the prompt and no other; a prompt of nobody is told to nobody."""
        if self.run.client_id is not None:
            PromptServer.instance.send_sync(event, data, self.run.client_id)


def to_uint8(frames: Tensor) -> np.ndarray:
    """(T, H, W, 3) 0..1 -> uint8."""
    return frames.mul(255).round().clamp(0, 255).byte().cpu().numpy()
