"""What weights a name stands for: size and hash, of files that the loader offers and of nothing else."""

from __future__ import annotations

import asyncio
import hashlib

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer


def asked(module, find, *queries):
    """The answers (status, body) to these queries, one after another on one server."""

    async def ask():
        routes = web.RouteTableDef()
        module.register(routes, find)
        app = web.Application()
        app.add_routes(routes)
        async with TestClient(TestServer(app)) as client:
            found = []
            for query in queries:
                answer = await client.get("/motionstream/weights", params=query)
                found.append((answer.status, await answer.json()))
            return found

    return asyncio.run(ask())


@pytest.fixture
def weights(pack):
    return pack("nodes._weights")


@pytest.fixture
def offered(tmp_path):
    files = {"a.safetensors": tmp_path / "a.safetensors", "folder/": tmp_path / "folder"}
    files["a.safetensors"].write_bytes(b"abc")
    files["folder/"].mkdir()
    (files["folder/"] / "x").write_bytes(b"12345")

    def find(name):
        if name not in files:
            raise ValueError(f"weights: expected one of {', '.join(files)}, got {name!r}")
        return files[name]

    return find, files


def test_a_file_has_its_size_and_hash_and_a_folder_its_size(weights, offered):
    find, _ = offered
    made = asked(weights, find, {"name": "a.safetensors"}, {"name": "folder/"})
    digest = hashlib.sha256(b"abc").hexdigest()
    assert made[0] == (200, {"name": "a.safetensors", "bytes": 3, "sha256": digest})
    assert made[1] == (200, {"name": "folder/", "bytes": 5, "sha256": ""})


def test_what_is_not_offered_is_not_told(weights, offered):
    find, _ = offered
    made = asked(weights, find, {"name": "../../etc/passwd"}, {}, {"name": "x" * 2000})
    assert [status for status, _ in made] == [404, 400, 400]
    assert made[0][1]["code"] == "no_weights" and "passwd" in made[0][1]["error"]


def test_a_file_is_hashed_once_and_again_when_it_has_changed(weights, offered, monkeypatch):
    find, files = offered
    hashed = []
    plain = weights.sha256_of
    monkeypatch.setattr(weights, "sha256_of", lambda path: hashed.append(path) or plain(path))
    hashes = weights.WeightHashes(find)
    first = hashes._of("a.safetensors")
    assert hashes._of("a.safetensors") == first and len(hashed) == 1
    files["a.safetensors"].write_bytes(b"abcd")
    assert hashes._of("a.safetensors")["sha256"] != first["sha256"] and len(hashed) == 2
    monkeypatch.setattr(weights, "HASHED", 3)
    files["a.safetensors"].write_bytes(b"abcde")
    assert hashes._of("a.safetensors") == {"name": "a.safetensors", "bytes": 5, "sha256": ""}
