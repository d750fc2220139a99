"""How a run ends before its end: what was made is kept, and the person is told why there is no more.

Owns the loop over a stream's chunks and what each kind of failure is called. Knows nothing of the host beside
what it is given.
"""

from __future__ import annotations

import errno
import logging
from collections.abc import Callable, Iterator

from ..motionstream_core.streaming.chunk import NotFinite
from ..motionstream_core.streaming.recorder import StreamRecorder
from ..motionstream_core.streaming.stream import Chunk

LOG = logging.getLogger("motionstream")
MIB = 2**20
SMALLER = "choose a smaller window, sink or size, or decode with Load Tiny VAE"


def keep_chunks(
    chunks: Iterator[Chunk],
    recorder: StreamRecorder,
    show: Callable[[Chunk], None],
    tell: Callable[[str], None],
    out_of_memory: Callable[[BaseException], bool],
    to_output: Callable[[Chunk], Chunk] = lambda chunk: chunk,
) -> bool:
    """Keeps and shows the chunks of a stream -> whether it came to its own end.

    Where it breaks, by memory, a full disk, numbers that are none or anything else, the person is told and
    what was made is kept. An interrupt of the host gets through, and so does an error where nothing but the
    start image was made: out of memory as a ValueError with advice.

    Args:
        chunks: of the stream.
        recorder: keeps them.
        show: is given each chunk for the viewers.
        tell: told in words what broke.
        out_of_memory: whether an error means that memory ran out.
        to_output: moves a chunk to where outputs are kept.
    """
    made = 0
    try:
        for chunk in chunks:
            recorder.add(to_output(chunk))
            made += 1
            show(chunk)
            if recorder.failure is not None:
                tell(_file_ended(recorder))
                return False
        recorder.wait()
        if recorder.failure is not None:
            tell(_file_ended(recorder))
            return False
    except Exception as error:
        ended = out_of_memory(error)
        if made <= 1:
            if not ended:
                raise
            raise ValueError(
                f"memory: expected room for one chunk after the start image, got none: {SMALLER}"
            ) from error
        if not ended:
            LOG.exception("MotionStream: the stream broke in chunk %d", made)
        tell(_describe_failure(error, ended, made, recorder.nbytes))
        return False
    finally:
        close = getattr(chunks, "close", None)
        if close is not None:
            close()
    return True


def missing_frames(recorder: StreamRecorder, first: int) -> str | None:
    """A line for a result that begins with frame `first`. None where it is whole."""
    if not first:
        return None
    budget = f"keep_mb ({recorder.budget // MIB} MiB)"
    why = f"they need more than {budget}"
    if recorder.short:
        why = f"the machine has less memory than {budget} allows"
    where = " The recorded file has them all." if recorder.path and recorder.failure is None else ""
    return f"Frames 0 to {first - 1} are not in the outputs: {why}.{where}"


def _describe_failure(error: BaseException, out_of_memory: bool, made: int, kept: int) -> str:
    if out_of_memory:
        return (
            f"Out of memory in chunk {made}: the video ends with what was made before it. For a longer one "
            f"{SMALLER}, or lower keep_mb: {kept // MIB} MiB were kept for the outputs"
        )
    if isinstance(error, NotFinite):
        return f"{error}: the video ends with what was made before it"
    text = f"{error}" if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
    return f"An error in chunk {made}: the video ends with what was made before it. {text[:400]}"


def _file_ended(recorder: StreamRecorder) -> str:
    failure = recorder.failure
    full = failure is not None and failure.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    why = "The disk is full" if full else f"The file cannot be written ({failure})"
    name = recorder.path.name if recorder.path is not None else "the recording"
    return (
        f"{why}: the run was stopped. {name} holds the frames before that, and the outputs all that was kept"
    )
