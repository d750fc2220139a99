"""A recording that a thread of its own encodes, so that nobody who makes frames waits for x264.

Owns the queue between the two, its bound, and what becomes of errors. The file is `recording`'s.
Shapes: frames (T, H, W, 3) float RGB in 0..1 or uint8.
"""

from __future__ import annotations

from pathlib import Path
from queue import Queue
from threading import Thread

from torch import Tensor

from .recording import VideoRecording

WAITING = 1  # chunks beside the one that is encoded: a kill loses no more than both


class RecordingThread:
    """`VideoRecording`, written behind the caller.

    `failure` is what the disk said once it refused a frame: the file holds the frames before it, and what
    comes later is dropped. Any other error is raised by the next call of `write` or `wait`.
    """

    def __init__(self, path: Path, fps: float):
        self.recording = VideoRecording(path, fps)
        self.failure: OSError | None = None
        self._error: Exception | None = None
        self._jobs: Queue[tuple[int, Tensor] | None] = Queue(WAITING)
        self._thread: Thread | None = None

    def write(self, start: int, frames: Tensor):
        """Frames that follow the first `start` of the file: those behind are cut off. Waits while the queue
        is full. The frames are not changed any more by whoever gave them.
        """
        self._raise()
        if self.failure is not None:
            return
        if self._thread is None:
            self._thread = Thread(target=self._run, name="motionstream-record", daemon=True)
            self._thread.start()
        self._jobs.put((start, frames))

    def wait(self):
        """Waits until all frames are in the file, or an error has ended it."""
        self._jobs.join()
        self._raise()

    def close(self):
        """Writes what is waiting and ends the file. Calls after the first do nothing."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._jobs.put(None)
            thread.join()
        try:
            self.recording.close()
        except OSError as error:
            self.failure = self.failure or error

    def _raise(self):
        error, self._error = self._error, None
        if error is not None:
            raise error

    def _run(self):
        broken = False
        while True:
            job = self._jobs.get()
            try:
                if job is None:
                    return
                if not broken:
                    start, frames = job
                    self.recording.cut(start)
                    self.recording.write(frames)
            except OSError as error:
                broken = True
                self.failure = error
                # An open file keeps the disk full, even one that somebody deletes.
                self._end()
            # Kept for the caller's thread, where it ends the run
            except Exception as error:
                broken = True
                self._error = error
            finally:
                del job
                self._jobs.task_done()

    def _end(self):
        try:
            self.recording.close()
        except OSError as error:
            self.failure = self.failure or error
