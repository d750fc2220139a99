"""OSC 1.0 messages, as knobs and sliders of other programs send them, read from one packet.

Owns the format and its bounds. Keeps numbers alone: texts and blobs are read over. Knows nothing of sockets.
"""

from __future__ import annotations

import math
import struct

PACKET = 4096  # bytes
ADDRESS = 128  # characters
MESSAGES = 64  # of a packet
VALUES = 16  # of a message
DEPTH = 4  # bundles in bundles
BUNDLE = b"#bundle\0"

Message = tuple[str, tuple[float, ...]]
NUMBERS = {"i": ">i", "f": ">f", "h": ">q", "d": ">d"}
WITHOUT_DATA = {"T": 1.0, "F": 0.0, "N": None, "I": 1.0}


def parse_packet(data: bytes) -> list[Message]:
    """The messages of a packet: address and numbers. Raises ValueError for what is malformed or too large."""
    if len(data) > PACKET:
        raise ValueError(f"osc: expected at most {PACKET} bytes, got {len(data)}")
    found: list[Message] = []
    _read(data, found, DEPTH)
    return found


def _read(data: bytes, found: list[Message], depth: int):
    if not data.startswith(BUNDLE):
        if len(found) >= MESSAGES:
            raise ValueError(f"osc: expected at most {MESSAGES} messages in a packet, got more")
        found.append(_message(data))
        return
    if depth == 0:
        raise ValueError(f"osc: expected bundles at most {DEPTH} deep, got deeper ones")
    at = len(BUNDLE) + 8  # the time tag: everything is taken at once
    if len(data) < at:
        raise ValueError("osc: expected a time in a bundle, got its end")
    while at < len(data):
        length = _number(data, at, ">i")
        at += 4
        if not 0 < length <= len(data) - at:
            raise ValueError(f"osc: expected a message of 1 … {len(data) - at} bytes, got {length}")
        _read(data[at : at + int(length)], found, depth - 1)
        at += int(length)


def _message(data: bytes) -> Message:
    address, at = _text(data, 0)
    if not address.startswith("/") or len(address) > ADDRESS:
        raise ValueError(f"osc: expected an address /… of at most {ADDRESS} characters, got {address[:40]!r}")
    if at >= len(data):
        return address, ()
    tags, at = _text(data, at)
    if not tags.startswith(","):
        raise ValueError(f"osc: expected types , …, got {tags[:40]!r}")
    values: list[float] = []
    for tag in tags[1:]:
        value, at = _argument(data, at, tag)
        if value is not None and math.isfinite(value):
            values.append(value)
    if len(values) > VALUES:
        raise ValueError(f"osc: expected at most {VALUES} numbers, got {len(values)}")
    return address, tuple(values)


def _argument(data: bytes, at: int, tag: str) -> tuple[float | None, int]:
    """The number of an argument, None where it is none, and where the next one begins."""
    if tag in NUMBERS:
        return _number(data, at, NUMBERS[tag]), at + struct.calcsize(NUMBERS[tag])
    if tag in WITHOUT_DATA:
        return WITHOUT_DATA[tag], at
    if tag in "sS":
        return None, _text(data, at)[1]
    if tag in "crmt":
        length = 8 if tag == "t" else 4
    elif tag == "b":
        size = int(_number(data, at, ">i"))
        length = 4 + size + -size % 4 if size >= 0 else 0
    else:
        raise ValueError(f"osc: expected a known type, got {tag!r}")
    if length < 4 or at + length > len(data):
        raise ValueError(f"osc: expected an argument {tag!r} within the message, got its end")
    return None, at + length


def _number(data: bytes, at: int, form: str) -> float:
    try:
        return struct.unpack_from(form, data, at)[0]
    except struct.error as error:
        raise ValueError("osc: expected a number, got the end of the message") from error


def _text(data: bytes, at: int) -> tuple[str, int]:
    end = data.find(b"\0", at)
    if end < 0:
        raise ValueError("osc: expected the end of a text, got the end of the message")
    try:
        text = data[at:end].decode("ascii")
    except UnicodeDecodeError as error:
        raise ValueError("osc: expected plain letters, got others") from error
    return text, end + 4 - (end % 4)
