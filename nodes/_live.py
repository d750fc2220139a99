"""The runs that are streaming now: each with its session, its viewers and the client that started it.

Owns the registry of runs by token. Knows nothing of HTTP, of the host or of tensors. `_server` answers
requests from it and the sampler feeds it.
"""

from __future__ import annotations

import logging
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from ..motionstream_core.live.boundary import Ignored
from ..motionstream_core.live.controls import CONTROLS, MAX_PROMPT, Control
from ..motionstream_core.live.device_sinks import open_device
from ..motionstream_core.live.performance import write_performance
from ..motionstream_core.live.session import ENDINGS, LiveSession
from ..motionstream_core.live.sinks import FrameSink, Outlet, SinkThread
from ._frames import Frame, Viewer

LOG = logging.getLogger("motionstream")
Script = Iterable[tuple[int, Control]]
VIEWERS = 8
SILENT_S = 3.0  # without an answer to the frames it was sent
REMEMBERED = 32
USUAL_FPS = 16.0
LONGEST_TAKE = 200_000  # characters of a performance that the page keeps


class Run:
    """One streaming run. `info` is what a client is told of it: token, prompt_id, node_id, `about` and the
    types of controls it takes.

    Args:
        client_id: the tab that started it. None where it was no tab.
        prompt_id: the host's.
        node_id: the host's.
        about: width, height, fps, frames, first_frames, chunk_frames.
        takes: the types of controls that the run can follow.
        script: the controls of a performance, which take effect as if posted then.
        prompt: the text that the run begins with, None where nobody knows it.
        vocabulary: the words that a prompt may have. None where any word counts.
        made_with: seed and whatever else of the stream a take of it says.
    """

    def __init__(
        self,
        client_id: str | None,
        prompt_id: str,
        node_id: str,
        about: Mapping,
        takes: Collection[str] = CONTROLS,
        script: Script = (),
        prompt: str | None = None,
        vocabulary: Sequence[str] = (),
        made_with: Mapping[str, float] | None = None,
    ):
        self.session = LiveSession(
            on_change=self._changed,
            on_ignored=self._ignored,
            on_rewind=self._rewound,
            lets_go=True,
            takes=takes,
            script=script,
        )
        self._made_with = made_with
        self.client_id = client_id
        self.info = {
            "token": self.session.token,
            "prompt_id": prompt_id,
            "node_id": node_id,
            **about,
            "controls": list(self.session.takes),
        }
        if vocabulary:
            self.info["vocabulary"] = list(vocabulary)
        self.latest: Frame | None = None
        size = int(about.get("width", 0)), int(about.get("height", 0))
        self.outlet = Outlet(*size, float(about.get("fps", USUAL_FPS)))
        self.link: str | None = None  # of those who watch
        self._watchers: list[FrameSink] = []
        self._closers: list[Callable[[], None]] = []
        self._devices: dict[str, FrameSink] = {}
        # It is sent with every state: a text of megabytes would be the most of what is sent.
        self._prompt = prompt if prompt is None else prompt[:MAX_PROMPT]
        self._objects: list[dict] = []  # as they were told last: they are large, and seldom change
        self._viewers: list[Viewer] = []
        self._lock = threading.Lock()

    @property
    def state(self) -> dict:
        """What viewers are told. The prompt is the one that runs: the live one, or, before there is one, the
        one the run began with.
        """
        state = self.session.state
        state.pop("objects", None)
        live = state.pop("prompt", None)
        return {"type": "state", **state, "prompt": self._prompt if live is None else live}

    @property
    def watched(self) -> bool:
        return bool(self._viewers) or self.outlet.watched

    def make_link(self) -> str:
        """The token of those who watch, the same until it is ended."""
        with self._lock:
            self.link = self.link or secrets.token_urlsafe(16)
            return self.link

    def end_link(self):
        """Whoever watches by the link is let go. Devices stay."""
        with self._lock:
            self.link = None
            watchers, self._watchers = self._watchers, []
        for watcher in watchers:
            self.outlet.remove(watcher)

    def set_device(self, name: str, on: bool):
        """Shows the run on a device of this machine, or no longer. What opening it raises gets through."""
        with self._lock:
            known = self._devices.pop(name, None)
        if known is not None:
            self.outlet.remove(known)
        if not on:
            return

        def failed(error: Exception):
            LOG.warning("MotionStream: the %s has failed, and is closed: %s", name, error)
            self.set_device(name, False)

        sink = SinkThread(open_device(name), failed)
        self.outlet.add(sink)
        with self._lock:
            before = self._devices.get(name)
            self._devices[name] = sink
        if before is not None:
            self.outlet.remove(before)

    @property
    def devices(self) -> list[str]:
        """Those that show it now."""
        with self._lock:
            return list(self._devices)

    def hear(self, values: dict[str, list[float]]):
        """What an OSC program says, to everybody who views the run."""
        for viewer in self._everyone():
            viewer.hear(values)

    def listen_until_end(self, close: Callable[[], None]):
        """`close` ends a listener: with the run, or by `hang_up`. At once where the run has ended."""
        with self._lock:
            self._closers.append(close)
        if self.session.status in ENDINGS:
            self.hang_up()

    def hang_up(self):
        """No listener is left."""
        with self._lock:
            closers, self._closers = self._closers, []
        for close in closers:
            close()

    def watch(self, watcher: FrameSink):
        """A new watcher. ValueError where there are too many, or the link has ended meanwhile."""
        with self._lock:
            if self.link is None:
                raise ValueError("expected a watch link, got one that has ended")
            self.outlet.add(watcher)
            self._watchers.append(watcher)

    def unwatch(self, watcher: FrameSink):
        with self._lock:
            if watcher in self._watchers:
                self._watchers.remove(watcher)
        self.outlet.remove(watcher)

    def attach(self, wake: Callable[[], None]) -> Viewer:
        """A new viewer, which gets the state and the latest frame at once. ValueError beyond VIEWERS."""
        viewer = Viewer(wake)
        with self._lock:
            if len(self._viewers) >= VIEWERS:
                self._drop_silent()
            if len(self._viewers) >= VIEWERS:
                raise ValueError(f"expected at most {VIEWERS} viewers of one run, got one more")
            self._viewers.append(viewer)
        viewer.tell(self.state)
        if self._objects:
            viewer.tell({"type": "objects", "objects": self._objects})
        if self.session.status in ENDINGS:
            viewer.end()
        if self.latest is not None:
            viewer.offer(self.latest)
        return viewer

    def _drop_silent(self):
        """A place that a page left without a word is free for the next one: the heartbeat takes longer."""
        silent = [viewer for viewer in self._viewers if viewer.silent_s > SILENT_S]
        if silent:
            gone = max(silent, key=lambda viewer: viewer.silent_s)
            self._viewers.remove(gone)
            gone.end()

    def detach(self, viewer: Viewer):
        with self._lock:
            if viewer in self._viewers:
                self._viewers.remove(viewer)

    def offer(self, frame: Frame):
        """Hands a frame to every viewer. Never waits for one."""
        self.latest = frame
        self.outlet.offer(frame)
        for viewer in self._everyone():
            viewer.offer(frame)

    def end(self, status: str):
        self.session.close(status)
        self.link = None
        self.hang_up()
        self.outlet.end(show_rest=status in ("done", "stopped"))
        for viewer in self._everyone():
            viewer.end()

    def _changed(self):
        state = self.state
        objects = self.session.state.get("objects", self._objects)
        news = [] if objects == self._objects else [{"type": "objects", "objects": objects}]
        self._objects = objects
        for viewer in self._everyone():
            for message in (state, *news):
                viewer.tell(message)

    def _ignored(self, chunk: int, ignored: Sequence[Ignored]):
        """The sender of a control knows it by its id."""
        controls = [
            {"type": each.type, "id": each.id, "code": each.code, "reason": each.reason} for each in ignored
        ]
        for viewer in self._everyone():
            viewer.tell({"type": "ignored", "chunk": chunk, "controls": controls})

    def _rewound(self, chunk: int):
        """What is cut off is a take of its own, for who would like it back. A chunk without a control is
        none.
        """
        session, about = self.session, self.info
        cut = session.chunk - chunk
        if self._made_with is None or cut < 1 or (cut < 2 and session.performance.last_chunk < chunk):
            return
        frames = int(about.get("first_frames", 1)) + (session.chunk - 1) * int(about["chunk_frames"])
        facts = {key: about[key] for key in ("width", "height", "fps", "chunk_frames")}
        text = write_performance(session.performance, frames=frames, **self._made_with, **facts)
        if len(text) <= LONGEST_TAKE:
            take = {"performance": text, "seed": str(self._made_with["seed"]), "frames": frames}
            for viewer in self._everyone():
                viewer.tell({"type": "take", **take})

    def _everyone(self) -> list[Viewer]:
        with self._lock:
            return list(self._viewers)


class Runs:
    """Runs by token. The last REMEMBERED tokens that ended stay known, so that a late message is told that it
    is late.
    """

    def __init__(self):
        self._running: dict[str, Run] = {}
        self._ended: OrderedDict[str, str] = OrderedDict()
        self._lock = threading.Lock()

    def add(self, run: Run):
        with self._lock:
            self._running[run.session.token] = run

    def retire(self, run: Run, status: str):
        """Ends the run and forgets all but its token."""
        run.end(status)
        with self._lock:
            self._running.pop(run.session.token, None)
            self._ended[run.session.token] = status
            while len(self._ended) > REMEMBERED:
                self._ended.popitem(last=False)

    def find(self, token: object) -> Run | None:
        with self._lock:
            return self._running.get(token) if isinstance(token, str) else None

    def find_watched(self, link: object) -> Run | None:
        """The run that this watch link is of."""
        if not isinstance(link, str) or not link:
            return None
        with self._lock:
            running = list(self._running.values())
        known = ((run, run.link) for run in running)
        return next(
            (run for run, own in known if own and secrets.compare_digest(own.encode(), link.encode())), None
        )

    def ending(self, token: object) -> str | None:
        """How the run of this token ended. None when it has not or was never known."""
        with self._lock:
            return self._ended.get(token) if isinstance(token, str) else None

    def of_client(self, client_id: str) -> list[dict]:
        """What a client may know of its own runs, to attach again after a reload."""
        with self._lock:
            return [
                run.info
                for run in self._running.values()
                if run.client_id is not None and run.client_id == client_id
            ]
