"""OSC packets: what is read, and what is refused."""

import random
import struct

import pytest

from motionstream_core.live.osc import ADDRESS, MESSAGES, PACKET, parse_packet


def text(value: str) -> bytes:
    data = value.encode()
    return data + b"\0" * (4 - len(data) % 4)


def message(address: str, tags: str = "", data: bytes = b"") -> bytes:
    return text(address) + text("," + tags) + data


def bundle(*parts: bytes) -> bytes:
    return b"#bundle\0" + bytes(8) + b"".join(struct.pack(">i", len(part)) + part for part in parts)


def test_numbers_of_every_type_are_read_and_everything_else_is_read_over():
    data = struct.pack(">if", 3, 0.25) + text("hello") + struct.pack(">i", 5) + b"blob!" + bytes(3)
    data += struct.pack(">qd", 7, 1.5)
    assert parse_packet(message("/knob/1", "ifsbhdTFN", data)) == [
        ("/knob/1", (3.0, 0.25, 7.0, 1.5, 1.0, 0.0))
    ]


def test_an_address_alone_has_no_numbers():
    assert parse_packet(text("/ping")) == [("/ping", ())]
    assert parse_packet(message("/ping")) == [("/ping", ())]


def test_bundles_are_taken_apart_and_nan_is_no_number():
    one, two = message("/a", "f", struct.pack(">f", 1)), message("/b", "f", struct.pack(">f", float("nan")))
    assert parse_packet(bundle(one, bundle(two))) == [("/a", (1.0,)), ("/b", ())]


DEEP = message("/a")
for _ in range(6):
    DEEP = bundle(DEEP)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no zero",
        message("knob", "f", bytes(4)),
        message("/" + "x" * ADDRESS, "f", bytes(4)),
        message("/a", "f", b"\0\0"),
        message("/a", "x", bytes(4)),
        message("/a", "b", struct.pack(">i", -1)),
        message("/a", "b", struct.pack(">i", 2**30)),
        message("/a", "i" * 17, bytes(4 * 17)),
        text("/a") + text("f"),
        text("/ä".encode().decode("latin1")),
        b"#bundle\0",
        bundle(message("/a")) + b"\0\0",
        b"#bundle\0" + bytes(8) + struct.pack(">i", 0),
        bundle(*[message("/a")] * (MESSAGES + 1)),
        DEEP,
        bytes(PACKET + 1),
    ],
)
def test_what_is_malformed_or_too_large_is_a_value_error(data):
    with pytest.raises(ValueError, match="osc: expected"):
        parse_packet(data)


def test_no_packet_of_noise_raises_anything_else():
    rng = random.Random(0)
    whole = bundle(message("/a/b", "ifs", struct.pack(">if", 1, 2) + text("x")), message("/c", "T"))
    for _ in range(3000):
        data = bytearray(whole)
        for _ in range(rng.randrange(1, 6)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        try:
            parse_packet(bytes(data[: rng.randrange(len(data) + 1)]))
        except ValueError:
            pass
