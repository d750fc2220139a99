"""The route that cuts a thing out for the editor, and the objects that TRACKS hold."""

import asyncio
import base64
import io

import numpy as np
import pytest
import torch
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from PIL import Image


def png(width=96, height=72):
    made = np.full((height, width, 3), 100, np.uint8)
    made[20:40, 30:60] = [220, 30, 30]
    file = io.BytesIO()
    Image.fromarray(made).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def test_a_picture_is_cut_and_what_is_wrong_is_refused(pack):
    server = pack("nodes._cut")
    found = {}

    async def going():
        routes = web.RouteTableDef()
        server.register(routes)
        app = web.Application()
        app.add_routes(routes)
        async with TestClient(TestServer(app)) as client:

            async def post(name, message, **options):
                async with client.post("/motionstream/cut", json=message, **options) as answer:
                    found[name] = (answer.status, await answer.json())

            await post("box", {"picture": png(), "box": [24, 14, 66, 46]})
            await post("click", {"picture": png(), "at": [44, 30]})
            await post("nowhere", {"picture": png(), "at": [400, 30]})
            await post("no place", {"picture": png()})
            await post("no picture", {"picture": "x" * 40, "at": [1, 1]})
            await post("large", {"picture": png(1025, 4), "at": [1, 1]})
            await post("elsewhere", {"picture": png(), "at": [1, 1]}, headers={"Origin": "http://elsewhere"})

    asyncio.run(going())
    for name in ("box", "click"):
        status, answer = found[name]
        mask = np.repeat(np.arange(len(answer["runs"])) % 2 == 1, answer["runs"]).reshape(72, 96)
        assert status == 200 and abs(int(mask.sum()) - 600) < 70 and mask[30, 45]
    refused = {name: answer["code"] for name, (status, answer) in found.items() if status != 200}
    assert refused == {
        "nowhere": "bad_control",
        "no place": "bad_control",
        "no picture": "bad_control",
        "large": "bad_control",
        "elsewhere": "foreign_origin",
    }


def test_objects_stay_with_their_handles_and_go_with_those_that_go(pack):
    tracks, types = pack("nodes._tracks"), pack("motionstream_core.tracks.types")
    found = types.Tracks(torch.zeros(2, 3, 2), torch.ones(2, 3, dtype=torch.bool), 8, 6)
    mask = np.zeros((6, 8), bool)
    mask[2:4, 1:5] = True
    host = tracks.to_host(found, [4, 4, -1], objects={4: mask})
    assert np.array_equal(tracks.objects_of(host, tracks.groups_of(host, found))[4], mask)
    assert tracks.objects_of(host, [1, 2, 3]) == {}
    assert tracks.objects_of({**host, "motionstream": {"width": 8, "height": 6}}, [4, 4, -1]) == {}


def test_masks_are_cut_as_the_picture_is_and_made_the_size_of_the_video(pack):
    mask = torch.zeros(3, 40, 80)
    mask[1, 10:30, 30:50] = 1
    masks = pack("nodes._pictures").masks_in(mask, "mask", (20, 20))
    assert [one.sum() for one in masks] == [0, 100, 0] and masks[1].shape == (20, 20)
    on = pack("nodes._types").objects_on({2: masks[1], 3: masks[0]}, 40, 40)
    assert list(on) == [2] and int(on[2].sum()) == 400
    with pytest.raises(ValueError, match=r"mask: expected masks \(T, H, W\)"):
        pack("nodes._pictures").masks_in(torch.zeros(1, 2, 3, 4), "mask", (20, 20))
