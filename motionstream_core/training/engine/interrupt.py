"""Ctrl-C and SIGTERM as a wish that is granted between two steps. Who asks again a while later is not made to
wait.
"""

from __future__ import annotations

import signal
import threading
import time

from .sharding import Processes

SIGNALS = (signal.SIGINT, signal.SIGTERM)
ONE_WISH = 3.0  # s: a terminal and the launcher of several processes both pass on the same Ctrl-C


class Interrupt:
    """`with Interrupt() as interrupt:` … `interrupt.asked(world)`. Outside of the main thread, where no
    signal arrives, nobody asks.
    """

    def __init__(self):
        self.signal = 0
        self.since = 0.0
        self.before: dict[int, object] = {}

    def __bool__(self) -> bool:
        return bool(self.signal)

    def __enter__(self) -> Interrupt:
        if threading.current_thread() is threading.main_thread():
            self.before = {number: signal.signal(number, self._note) for number in SIGNALS}
        return self

    def __exit__(self, *exception) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)  # pyright: ignore

    def _note(self, number: int, frame) -> None:
        if self.signal and time.monotonic() - self.since > ONE_WISH:
            raise KeyboardInterrupt
        self.signal, self.since = number, self.since if self.signal else time.monotonic()

    def asked(self, world: Processes) -> bool:
        """Whether any of the processes has been asked to stop."""
        (self.signal,) = map(int, world.all_reduce_max(self.signal))
        return bool(self)
