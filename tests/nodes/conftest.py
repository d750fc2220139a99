"""The parts of the nodes that need no host, loaded as the host loads the pack: as a package of another name,
found by its path.
"""

import asyncio
import importlib
import pathlib
import sys
import types

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

ROOT = pathlib.Path(__file__).parents[2]
PACK = "motionstream_pack_under_test"


@pytest.fixture(scope="session")
def pack():
    """pack("nodes._frames") -> that module. The pack's root module is left out: it is for the host."""
    root = types.ModuleType(PACK)
    root.__path__ = [str(ROOT)]
    sys.modules[PACK] = root
    return lambda name: importlib.import_module(f"{PACK}.{name}")


@pytest.fixture
def serve():
    """serve(prepare, work): `prepare(routes)` adds routes and says what `work` gets behind its client -> what
    `work` returns.
    """

    def served(prepare, work):
        async def going():
            routes = web.RouteTableDef()
            given = prepare(routes)
            app = web.Application()
            app.add_routes(routes)
            async with TestClient(TestServer(app)) as client:
                return await work(client, *given)

        return asyncio.run(going())

    return served
