"""A run of the sampler as people see it: progress, interrupts, previews, events and controls.

Owns the registry of streaming runs of this host process, because the host's routes live as long as the
process does.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping

import comfy.model_management
import comfy.utils
import numpy as np
from comfy.cli_args import args
from comfy_execution.graph import ExecutionBlocker
from comfy_execution.utils import get_executing_context
from PIL import Image
from server import PromptServer

from ...motionstream_core.common.pictures import to_uint8
from ...motionstream_core.streaming.stream import Chunk
from .. import _cut, _osc, _server, _watch, _weights
from .._frames import Frame
from .._live import Run, Runs, Script
from .._types import WordClip
from .models import weight_path

LOG = logging.getLogger("motionstream")
STOCK_PREVIEW_S = 1 / 3  # while nobody watches our own preview
PREVIEW_SIZE = 512

RUNS = Runs()
STEERED: Counter[str] = Counter()  # by node id: see `steered_runs`


def serve_routes():
    """The routes of the live preview and the editor, under the host's own server."""
    _server.register(PromptServer.instance.routes, RUNS, args.enable_cors_header)
    _watch.register(PromptServer.instance.routes, RUNS, args.enable_cors_header)
    _weights.register(PromptServer.instance.routes, weight_path, args.enable_cors_header)
    _osc.register(PromptServer.instance.routes, RUNS, args.enable_cors_header)
    _cut.register(PromptServer.instance.routes, args.enable_cors_header)


def check_interrupt():
    """Raises the host's interrupt when the person has cancelled."""
    comfy.model_management.throw_exception_if_processing_interrupted()


def progress(total: int | None) -> Callable[[int], None]:
    """A progress bar of `total` steps (None: not known) to be told the number of each. Raises the host's
    interrupt.
    """
    bar = comfy.utils.ProgressBar(total or 1)

    def step(number: int):
        check_interrupt()
        bar.update_absolute(number + 1, total or number + 2)

    return step


def block_output(message: str) -> ExecutionBlocker:
    """An output that says `message` to whoever uses it."""
    return ExecutionBlocker(message)


def steered_runs(node_id: str | None) -> int:
    """How many runs of this node were steered or stopped. Part of the node's fingerprint: such a run is not
    the answer to the next one.
    """
    return STEERED[str(node_id)]


class NodeNotes:
    """What a node says of its inputs while it runs, in the log and on the node: call it with a line."""

    def __init__(self):
        self._said: list[str] = []

    def __call__(self, note: str):
        LOG.warning("MotionStream: %s", note)
        self._said.append(note)
        context = get_executing_context()
        if context is not None:
            PromptServer.instance.send_progress_text("\n".join(self._said), context.node_id)


class LiveRun:
    """One execution of the sampler as people see it: progress, previews, events, and the session they control
    it through.

    `notes` are lines for the person, told when it begins. `words` knows which words of a live prompt count.
    `recording` is the name of the file that is written. `made_with` is what a take of it says.
    A context manager. Leaving it, in whatever way, ends the session, tells the client, and frees the viewers.
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
        words: WordClip | None = None,
        recording: str | None = None,
        made_with: Mapping[str, float] | None = None,
        **about,
    ):
        context, server = get_executing_context(), PromptServer.instance
        self.node_id = str(node_id)
        self.prompt_id = context.prompt_id if context is not None else ""
        known = words.cond_stage_model.vocabulary.words[1:] if words is not None else ()
        self.run = Run(
            server.client_id, self.prompt_id, self.node_id, about, takes, script, prompt, known, made_with
        )
        if recording:
            self.run.info["recording"] = recording
        self.session = self.run.session
        self._chunks = chunks
        self._progress = comfy.utils.ProgressBar(chunks or 1)
        self._stock_preview_at = 0.0
        self._spent = Counter()
        self._last: Chunk | None = None
        self.ended_early = False  # by an error, a full disk: it is not the answer to its inputs
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

    # Self is of Python 3.11
    def __enter__(self) -> LiveRun:
        RUNS.add(self.run)
        self._send("motionstream.run", self.run.info)
        for note in self._first_notes:
            self.tell(note)
        return self

    def __exit__(self, kind: type[BaseException] | None, error, trace) -> None:
        if kind is None:
            status = "stopped" if self.session.stopped or self.ended_early else "done"
        else:
            interrupted = issubclass(kind, comfy.model_management.InterruptProcessingException)
            status = "interrupted" if interrupted else "error"
        STEERED[self.node_id] += self.session.steered or self.ended_early
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
        """Hands the chunk's frames to the viewers and moves the progress bar. Raises the host's interrupt."""
        self.session.report(cache_bytes=chunk.cache_bytes, kept_bytes=kept_bytes)
        self._last = chunk
        self._spent.update(chunk.timings)
        watched = self.run.watched
        pixels = to_uint8(chunk.as_bytes if watched else chunk.as_bytes[-1:]).cpu().numpy()
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
        # An endless run has no total, and no bar that creeps towards one.
        self._progress.update_absolute(
            chunk.index + 1 if self._chunks else 0,
            self._chunks or 1,
            None if watched else self._stock_preview(pixels[-1]),
        )

    def _stock_preview(self, pixels: np.ndarray) -> tuple[str, Image.Image, int] | None:
        now = time.monotonic()
        if now - self._stock_preview_at < STOCK_PREVIEW_S:
            return None
        self._stock_preview_at = now
        return "JPEG", Image.fromarray(pixels), PREVIEW_SIZE

    def _send(self, event: str, data: dict):
        """To the tab that queued the prompt and no other. A prompt of nobody is told to nobody."""
        if self.run.client_id is not None:
            PromptServer.instance.send_sync(event, data, self.run.client_id)
