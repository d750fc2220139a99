"""What weights a name stands for: size and hash, of files that the loader offers and of nothing else."""

from __future__ import annotations

import hashlib

import pytest


@pytest.fixture
def asked(serve):
    """asked(module, find, *queries) -> the answers (status, body), one after another on one server."""

    def ask(module, find, *queries):
        async def work(client):
            found = []
            for query in queries:
                answer = await client.get("/motionstream/weights", params=query)
                found.append((answer.status, await answer.json()))
            return found

        def prepare(routes):
            module.register(routes, find)
            return ()

        return serve(prepare, work)

    return ask


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


def test_a_file_has_its_size_and_hash_and_a_folder_its_size(asked, weights, offered):
    find, _ = offered
    made = asked(weights, find, {"name": "a.safetensors"}, {"name": "folder/"})
    digest = hashlib.sha256(b"abc").hexdigest()
    assert made[0] == (200, {"name": "a.safetensors", "bytes": 3, "sha256": digest})
    assert made[1] == (200, {"name": "folder/", "bytes": 5, "sha256": ""})


def test_what_is_not_offered_is_not_told(asked, weights, offered):
    find, _ = offered
    made = asked(weights, find, {"name": "../../etc/passwd"}, {}, {"name": "x" * 2000})
    assert [status for status, _ in made] == [404, 400, 400]
    assert made[0][1]["code"] == "no_weights" and "passwd" in made[0][1]["error"]


def test_a_file_is_hashed_once_and_again_when_it_has_changed(weights, offered, monkeypatch):
    find, files = offered
    hashed = []
    plain = weights.file_sha256
    monkeypatch.setattr(weights, "file_sha256", lambda path: hashed.append(path) or plain(path))
    hashes = weights.WeightHashes(find)
    first = hashes._of("a.safetensors")
    assert hashes._of("a.safetensors") == first and len(hashed) == 1
    files["a.safetensors"].write_bytes(b"abcd")
    assert hashes._of("a.safetensors")["sha256"] != first["sha256"] and len(hashed) == 2
    monkeypatch.setattr(weights, "HASHED", 3)
    files["a.safetensors"].write_bytes(b"abcde")
    assert hashes._of("a.safetensors") == {"name": "a.safetensors", "bytes": 5, "sha256": ""}
