"""The OSC port of a run: on loopback, off by default, and gone with the run."""

import asyncio
import socket
import struct

import pytest

ABOUT = {"width": 32, "height": 32, "fps": 16.0, "frames": 9, "chunk_frames": 12}


def knob(address: str, value: float) -> bytes:
    name = address.encode()
    return name + b"\0" * (4 - len(name) % 4) + b",f\0\0" + struct.pack(">f", value)


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def is_taken(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


@pytest.fixture
def serving(pack, serve):
    live, server, osc = pack("nodes._live"), pack("nodes._server"), pack("nodes._osc")

    def prepare(routes):
        runs = live.Runs()
        run = live.Run("tab", "prompt", "6", ABOUT)
        runs.add(run)
        server.register(routes, runs)
        osc.register(routes, runs)
        return run, runs

    return lambda work: serve(prepare, work)


async def ask(client, run, port):
    async with client.post("/motionstream/osc", json={"token": run.session.token, "port": port}) as answer:
        return answer.status, await answer.json()


async def heard(viewer) -> dict:
    while True:
        message = await asyncio.wait_for(viewer.receive_json(), 10)
        if message["type"] == "osc":
            return message["values"]


def test_what_a_program_sends_is_told_to_the_viewers_of_the_run(serving):
    port = free_port()

    async def work(client, run, runs):
        async with client.ws_connect(f"/motionstream/stream?token={run.session.token}") as viewer:
            assert await ask(client, run, port) == (200, {"port": port})
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as program:
                program.sendto(b"noise", ("127.0.0.1", port))
                program.sendto(knob("/1/fader", 0.5), ("127.0.0.1", port))
            return await heard(viewer)

    assert serving(work) == {"/1/fader": [0.5]}


@pytest.mark.parametrize("how", ["asked", "done", "error", "interrupted"])
def test_the_port_is_free_again_after_every_ending(serving, how):
    port = free_port()

    async def work(client, run, runs):
        assert not is_taken(port)
        await ask(client, run, port)
        assert is_taken(port)
        if how == "asked":
            await ask(client, run, 0)
        else:
            runs.retire(run, how)
        await asyncio.sleep(0.05)
        return is_taken(port)

    assert serving(work) is False


@pytest.mark.parametrize("port", [None, "9000", 80, 70000, -1, True, 9000.5])
def test_a_port_that_is_none_is_refused(serving, port):
    async def work(client, run, runs):
        status, body = await ask(client, run, port)
        return status, body["code"]

    assert serving(work) == (400, "bad_control")


def test_a_port_that_is_taken_is_said(serving):
    async def work(client, run, runs):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.bind(("127.0.0.1", 0))
            return await ask(client, run, other.getsockname()[1])

    status, body = serving(work)
    assert status == 409 and body["code"] == "no_device" and "port" in body["error"]


def test_a_flood_keeps_the_newest_of_each_address(serving, pack):
    osc, frames = pack("nodes._osc"), pack("nodes._frames")
    viewer = frames.Viewer(lambda: None)
    listener = osc.OscListener(viewer.hear)
    for number in range(osc.PACKETS + 200):
        listener.datagram_received(knob(f"/{number % 100}", number), None)
    (state,) = viewer.take_states()
    assert len(state["values"]) == frames.ADDRESSES and state["values"]["/0"] == [1000.0 - 100]
    assert listener.dropped >= 100 and viewer.take_states() == []
