"""The routes by themselves: what is taken, what is refused with which code, and what viewers are told."""

import asyncio
import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).parents[2]
ABOUT = {"width": 32, "height": 32, "fps": 16.0, "frames": 9, "chunk_frames": 12}


@pytest.fixture
def serving(pack, serve):
    """serving(work): runs work(client, run, runs) against the routes, with one run."""
    live, server = pack("nodes._live"), pack("nodes._server")

    def prepare(routes):
        runs = live.Runs()
        run = live.Run("tab", "prompt", "6", ABOUT, ("pause", "stop", "scene", "remove"))
        runs.add(run)
        server.register(routes, runs)
        return run, runs

    return lambda work: serve(prepare, work)


def test_every_refusal_carries_its_code_beside_its_text(serving, pack):
    found = {}

    async def work(client, run, runs):
        async def post(name: str, message, **options):
            async with client.post("/motionstream/control", json=message, **options) as answer:
                body = await answer.json()
                found[name] = (answer.status, body.get("code"))
                assert answer.status == 200 or body["error"]

        token = run.session.token
        await post("taken", {"token": token, "type": "scene", "id": "once"})
        await post("taken before", {"token": token, "type": "scene", "id": "once"})
        await post("malformed", {"token": token, "type": "remove", "handle": int("9" * 310)})
        await post("not of this run", {"token": token, "type": "prompt", "text": "night"})
        await post("unknown", {"token": "x", "type": "scene"})
        await post("elsewhere", {"token": token, "type": "scene"}, headers={"Origin": "http://elsewhere"})
        await post("a list", [1])
        await post("large", {"token": token, "type": "scene", "x": "x" * 300_000})
        for _ in range(130):
            await post("many", {"token": token, "type": "scene"})
        runs.retire(run, "done")
        await post("late", {"token": token, "type": "scene"})

    serving(work)
    assert found == {
        "taken": (200, None),
        "taken before": (409, "id_taken"),
        "malformed": (400, "bad_control"),
        "not of this run": (400, "bad_control"),
        "unknown": (404, "unknown_run"),
        "elsewhere": (403, "foreign_origin"),
        "a list": (400, "bad_control"),
        "large": (413, "too_large"),
        "many": (429, "too_many"),
        "late": (409, "run_ended"),
    }


def test_viewers_are_told_which_controls_did_nothing(serving):
    async def work(client, run, runs):
        token = run.session.token
        async with client.ws_connect(f"/motionstream/stream?token={token}") as socket:
            assert (await socket.receive_json())["type"] == "state"
            run.session.post({"type": "remove", "handle": 4, "id": "mine-1"})
            controls = run.session.wait_at_boundary(3).controls
            run.session.carry_out(controls, lambda control: False)
            while True:
                message = await asyncio.wait_for(socket.receive_json(), 10)
                if message["type"] == "ignored":
                    return message

    message = serving(work)
    assert message["chunk"] == 3
    (told,) = message["controls"]
    assert (told["type"], told["id"], told["code"]) == ("remove", "mine-1", "no_target") and told["reason"]


def test_the_codes_are_those_of_the_description(pack):
    described = re.findall(r"^\| `(\w+)` \| (4\d\d) ", (ROOT / "docs" / "live.md").read_text(), re.MULTILINE)
    sent = pack("nodes._server").STATUS
    assert {code: int(status) for code, status in described} == {
        code: status for code, status in sent.items() if code != "not_a_socket"
    }
