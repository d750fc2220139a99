"""The readers that `fuzz` feeds, each with inputs that are in joint: the mutations do the rest."""

from __future__ import annotations

import importlib
import io
import json
import random
import struct
import sys
import types
from contextlib import suppress
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from motionstream_core.live.controls import Control, parse_control
from motionstream_core.live.live_tracks import LiveTracks
from motionstream_core.live.performance import read_performance
from motionstream_core.live.session import LiveSession
from motionstream_core.model.text import split_words, tokenize
from motionstream_core.model.weights.networks import open_networks, save_networks, untrained_networks
from motionstream_core.planning.examination import checkpoint_lines
from motionstream_core.tracks.camera.files import read_camera
from motionstream_core.tracks.camera.poses import AS_SAID, CONVENTIONS
from motionstream_core.tracks.document.parse import document_to_tracks, parse_document
from motionstream_core.tracks.formats import read_tracks, tracks_from_text
from motionstream_core.tracks.layout import ORDERS, UNITS
from motionstream_core.tracks.track_json import tracks_to_json
from motionstream_core.tracks.types import Tracks
from motionstream_core.tracks.video.point_prompts import point_prompts

from .fuzz import ODD, Reader, broken, broken_bytes, to_text

ROOT = Path(__file__).parents[2]
FIXTURES = ROOT / "tests" / "fixtures"
PACK = "motionstream_pack_under_fuzz"


def readers() -> dict[str, Reader]:
    """All of them, by name."""
    return {
        "document": Reader(_document, _read_document),
        "json": Reader(_json_tracks, _read_text),
        "npz": Reader(_npz, _read_npz),
        "host": Reader(_host_tracks, _read_host),
        "camera": Reader(_camera, _read_camera),
        "control": Reader(_controls, _read_controls),
        "performance": Reader(_performance, lambda text, _: _void(read_performance(text))),
        "header": Reader(_header, _read_header),
        "clicked": Reader(_clicked, lambda value, _: _void(point_prompts(value, 64, 48))),
        "prompt": Reader(_prompt, _read_prompt),
    }


def _void(value: Any) -> None:
    """A value that was read."""


# ---- documents and tracks ----


@cache
def _documents() -> list[dict]:
    golden = json.loads((ROOT / "tests" / "golden" / "spline.json").read_text(encoding="utf-8"))
    return [case["document"] for case in golden["cases"]]


def _document(rng: random.Random) -> str:
    text = to_text(broken(rng.choice(_documents()), rng))
    return broken_bytes(text.encode(), rng).decode("utf-8", "replace") if rng.random() < 0.1 else text


def _read_document(text: str, folder: Path) -> None:
    document = parse_document(text)
    document_to_tracks(document)
    document_to_tracks(document, 7)


def _tracks(rng: random.Random) -> Tracks:
    frames, count = rng.randint(1, 12), rng.randint(1, 5)
    draw = torch.Generator().manual_seed(rng.randrange(2**31))
    xy = torch.rand(frames, count, 2, generator=draw) * torch.tensor([64.0, 48.0])
    return Tracks(xy, torch.rand(frames, count, generator=draw) > 0.2, 64, 48, 16.0)


def _json_tracks(rng: random.Random) -> tuple[str, dict[str, Any]]:
    how = {"order": rng.choice(ORDERS), "units": rng.choice(UNITS)}
    kind = rng.randrange(3)
    if kind == 0:
        value = json.loads(tracks_to_json(_tracks(rng), rng.choice(["ati", "kjnodes", "cotracker", "pairs"])))
    elif kind == 1:
        samples = [
            {"frame": n, "visible": True, "x_px": rng.random() * 64, "y_px": rng.random() * 48}
            for n in range(rng.randint(1, 6))
        ]
        value = {
            "format": "majoor.omnicam.ati-bridge.v1",
            "width": 64,
            "height": 48,
            "fps": 24,
            "trajectories": [{"samples": samples}] * rng.randint(1, 3),
        }
    else:
        value = [
            [[rng.random() * 64, rng.random() * 48, rng.choice([0, 1, 0.4])] for _ in range(5)] for _ in "ab"
        ]
    text = to_text(broken(value, rng))
    text = broken_bytes(text.encode(), rng).decode("utf-8", "replace") if rng.random() < 0.2 else text
    return text.replace('"', "'") if rng.random() < 0.1 else text, how


def _read_text(case: tuple[str, dict[str, Any]], folder: Path) -> None:
    text, how = case
    tracks_from_text(text, 64, 48, note=_void, **how)


def _npz(rng: random.Random) -> tuple[str, bytes, dict[str, Any]]:
    tracks = _tracks(rng)
    xy: Any = tracks.xy.numpy().astype(rng.choice(["f4", "f8", "f2", "i2", ">f4", "u1"]))
    xy = rng.choice(
        [xy, xy.swapaxes(0, 1), xy[None], xy[..., None], xy * np.float64(rng.choice([1e30, -1, 0.01]))]
    )
    arrays: dict[str, Any] = {rng.choice(["xy", "tracks", "trajs", "arr_0", "points", "pred_tracks"]): xy}
    names = ["visible", "visibs", "occluded", "width", "height", "fps", "other"]
    for name in names:
        if rng.random() < 0.4:
            odd = rng.choice([tracks.visible.numpy(), 64, 1e30, np.zeros(0), np.array(["a"]), -1, np.nan])
            arrays[name] = odd
    buffer = io.BytesIO()
    suffix = rng.choice([".npz", ".npy", ".npz", ".pth"])
    if suffix == ".npy":
        np.save(buffer, xy)
    else:
        rng.choice([np.savez, np.savez_compressed])(buffer, **arrays)
    data = buffer.getvalue()
    if rng.random() < 0.6:
        data = _broken_header(data, rng) if rng.random() < 0.5 else broken_bytes(data, rng)
    return suffix, data, {"order": rng.choice(ORDERS), "units": rng.choice(UNITS)}


def _broken_header(data: bytes, rng: random.Random) -> bytes:
    """An array's header of the same length that says something else."""
    start = data.find(b"{'descr'")
    end = data.find(b"}", start)
    if start < 0:
        return data
    head = data[start:end]
    new = rng.choice(
        [
            head.replace(b"(", b"(9999999, ", 1),
            head.replace(b"'<f4'", b"'|O'"),
            head.replace(b"False", b"True"),
            head.replace(b"(", b"(-1, ", 1),
            b"{" + bytes(rng.randrange(32, 127) for _ in range(len(head) - 1)),
        ]
    )
    return data[:start] + new.ljust(len(head))[: len(head)] + data[end:]


def _read_npz(case: tuple[str, bytes, dict[str, Any]], folder: Path) -> None:
    suffix, data, how = case
    path = folder / f"case{suffix}"
    path.write_bytes(data)
    read_tracks(path, 64, 48, note=_void, **how)


@cache
def _pack():
    """nodes._tracks, as the host finds it: in a package of another name."""
    root = types.ModuleType(PACK)
    root.__path__ = [str(ROOT)]
    sys.modules[PACK] = root
    return importlib.import_module(f"{PACK}.nodes._tracks")


def _host_tracks(rng: random.Random) -> Any:
    tracks = _tracks(rng)
    value: dict[str, Any] = _pack().to_host(tracks, list(range(tracks.count)))
    odd = (
        *ODD,
        torch.tensor(float("nan")),
        torch.zeros(3, 0, 2),
        np.array("x"),
        torch.zeros(2, 2).to_sparse(),
    )
    for _ in range(rng.choice([0, 1, 1, 2])):
        where = (
            rng.choice([value, value["motionstream"]]) if isinstance(value["motionstream"], dict) else value
        )
        if where:
            where[rng.choice(list(where))] = rng.choice(odd)
    if rng.random() < 0.2 and isinstance(value["track_path"], Tensor) and value["track_path"].ndim == 3:
        path = value["track_path"]
        value["track_path"] = rng.choice(
            [
                path.numpy,
                path.double,
                path.half,
                lambda: path.to("meta"),
                lambda: path[0],
                path.int,
                path.bool,
            ]
        )()
    return rng.choice(ODD) if rng.random() < 0.02 else value


def _read_host(value: Any, folder: Path) -> None:
    pack = _pack()
    tracks = pack.to_tracks(value, (64, 48))
    pack.groups_of(value, tracks)
    pack.canvas_of(value)
    pack.rate_of(value)
    pack.to_prompts(value, 64, 48)


def _clicked(rng: random.Random) -> Any:
    value: Any = rng.choice(
        [[{"x": 10, "y": 20}, {"x": 3.5, "y": 4}], [[1, 2], [30, 40]], [[[5, 6], [7, 8]]]]
    )
    value = broken(value, rng, 0.1)
    return to_text(value) if rng.random() < 0.7 else value


# ---- cameras ----


@cache
def _camera_files() -> list[tuple[str, bytes]]:
    """The fixtures, and one of each kind of matrices in JSON, text and arrays."""
    found = [
        (path.name, path.read_bytes())
        for path in sorted(FIXTURES.rglob("*"))
        if path.suffix in (".json", ".txt") and path.stat().st_size < 60_000 and "README" not in path.name
    ]
    eye = np.tile(np.eye(4), (5, 1, 1))
    eye[:, 0, 3] = np.arange(5)
    for name in ("w2c", "c2w", "poses"):
        text = json.dumps({name: eye.tolist(), "convention": "OpenCV", "K": [50, 50, 32, 24]})
        found.append((f"{name}.json", text.encode()))
    found.append(("kitti.txt", "\n".join(" ".join(map(str, row[:3].ravel())) for row in eye).encode()))
    found.append(("tum.txt", "\n".join(f"{n} {n} 0 0 0 0 0 1" for n in range(5)).encode()))
    buffer = io.BytesIO()
    np.savez(buffer, w2c=eye, convention="OpenCV w2c", width=64, height=48, intrinsics=[50.0, 50, 32, 24])
    found.append(("matrices.npz", buffer.getvalue()))
    return found


def _camera(rng: random.Random) -> tuple[str, bytes, dict[str, bytes], str, str]:
    name, data = rng.choice(_camera_files())
    if name.endswith(".json") and rng.random() < 0.7:
        with suppress(ValueError, RecursionError):
            data = to_text(broken(json.loads(data), rng, 0.04)).encode()
    elif rng.random() < 0.8:
        data = _broken_words(data, rng) if rng.random() < 0.6 else broken_bytes(data, rng)
    beside = {}
    if name == "images.txt" or rng.random() < 0.1:
        beside["cameras.txt"] = _broken_words(
            b"1 PINHOLE 64 48 50 50 32 24\n2 OPENCV 64 48 50 50 32 24 0 0 0 0", rng
        )
        beside["points3D.txt"] = _broken_words(
            b"1 0 0 5 1 1 1 0.1\n2 0 1 5 1 1 1 0.1\n3 1 0 5 1 1 1 0.1", rng
        )
    return name, data, beside, rng.choice([AS_SAID, AS_SAID, *CONVENTIONS]), rng.choice(["", "", "1", "x"])


def _broken_words(data: bytes, rng: random.Random) -> bytes:
    """A text with some of its words changed, left out or doubled."""
    words_of = [
        "0",
        "-1",
        "1e999",
        "nan",
        "inf",
        "x",
        "",
        "9" * 400,
        "1e308",
        "²",
        "FISHEYE",
        "1 1",
        "[",
        "{",
    ]
    lines = data.decode("utf-8", "replace").split("\n")
    for _ in range(rng.choice([0, 1, 2, 5])):
        at = rng.randrange(len(lines))
        parts = lines[at].split(" ")
        parts[rng.randrange(len(parts))] = rng.choice(words_of)
        lines[at] = " ".join(parts)
        if rng.random() < 0.1:
            lines[at : at + 1] = [lines[at]] * rng.choice([0, 2, 50])
            lines = lines or [""]
    return "\n".join(lines).encode()


def _read_camera(case: tuple[str, bytes, dict[str, bytes], str, str], folder: Path) -> None:
    name, data, beside, convention, camera = case
    for other in ("cameras.txt", "points3D.txt"):
        (folder / other).unlink(missing_ok=True)
    for other, text in beside.items():
        (folder / other).write_bytes(text)
    (folder / name).write_bytes(data)
    read_camera(folder / name, convention, camera).resampled(9)


# ---- live ----

CONTROLS = (
    {"type": "pause"},
    {"type": "rewind", "chunk": 3},
    {"type": "scene"},
    {"type": "prompt", "text": "a bird"},
    {"type": "camera", "pan": [3, -2], "zoom": 0.5, "roll": 10, "orbit": 5},
    {"type": "grab", "hand": 1, "handle": 0},
    {"type": "grab", "hand": 0, "at": [20, 20], "radius": 12},
    {"type": "move", "hand": 0, "to": [[1, 2], [30, 40]]},
    {"type": "release", "hand": 0, "mode": "fade"},
    {"type": "add", "kind": "pin", "points": [[1, 1], [9, 9]], "brush": {"radius": 9, "spacing": 3}},
    {"type": "add", "kind": "path", "points": [[1, 1], [9, 9]], "seconds": 2},
    {"type": "add", "kind": "grid", "points": [[5, 5], [20, 9]]},
    {"type": "remove", "handle": 1},
    {"type": "pin_border"},
)


def _controls(rng: random.Random) -> list[Any]:
    chosen = [dict(rng.choice(CONTROLS)) for _ in range(rng.randint(1, 12))]
    return [broken(control, rng, 0.1) if rng.random() < 0.7 else control for control in chosen]


def _read_controls(messages: list[Any], folder: Path) -> None:
    """What is accepted can be done: only the refusal of a message may raise."""
    live = LiveTracks(lambda start, count: (torch.zeros(count, 2, 2), torch.ones(count, 2) > 0), 64, 48, 16.0)
    session, taken, refused = LiveSession(), [], None
    for message in messages:
        try:
            session.post(message)
            taken.append(parse_control(message))
        except ValueError as error:
            refused = error
    live(0, 1)
    for number in range(3):
        session.try_boundary(number)
        ignored: list[Any] = []
        session.carry_out(taken, partial(_apply, live, ignored))
        if ignored:
            raise RuntimeError(f"taken, and failed: {ignored[0]!r:.200}")
        live(1 + 4 * number, 4)
        live.handles(torch.zeros(4, len(live.state.points), 2), torch.ones(4, len(live.state.points)) > 0)
    if refused is not None and "expected" not in str(refused):
        raise RuntimeError(f"unclear: {refused}")


def _apply(live: LiveTracks, failed: list[Any], control: Control) -> bool:
    if control.type in ("pause", "resume", "stop", "step", "rewind", "scene", "prompt"):
        return True
    try:
        return live.apply(control, lambda places: places)  # pyright: ignore[reportArgumentType]
    except ValueError as error:
        if getattr(error, "code", "") != "no_room":
            failed.append(error)
        raise


def _performance(rng: random.Random) -> str:
    playable = [control for control in CONTROLS if control["type"] not in ("pause", "rewind")]
    controls = [{"chunk": n, **rng.choice(playable)} for n in range(rng.randint(0, 8))]
    about = {"seed": 3, "width": 64, "height": 48, "fps": 16, "chunk_frames": 8, "frames": 60}
    value = {"kind": "motionstream-performance", "version": 1, **about, "controls": controls}
    text = to_text(broken(value, rng))
    return broken_bytes(text.encode(), rng).decode("utf-8", "replace") if rng.random() < 0.1 else text


def _prompt(rng: random.Random) -> str:
    letters = ["ball", "red", " ", "ß", "İ", "\ud800", "\x00", "🎈", "(", ":1e999)", "\n", "x" * 3000, "'"]
    return "".join(rng.choice(letters) for _ in range(rng.randint(0, 60)))


def _read_prompt(text: str, folder: Path) -> None:
    tokenize(text)
    split_words(text)
    parse_control({"type": "prompt", "text": text})


# ---- weights ----


@cache
def _weights() -> tuple[dict, bytes]:
    """The header and the tensors of a small weights file."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "w.safetensors"
        save_networks(path, untrained_networks("tiny"))
        data = path.read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    return json.loads(data[8 : 8 + size]), data[8 + size :]


def _header(rng: random.Random) -> bytes:
    header, tensors = _weights()
    metadata = dict(header["__metadata__"])
    header = dict(header)
    if rng.random() < 0.8:
        about = json.loads(metadata["motionstream"])
        part = rng.choice(["config", "config", "settings", None])
        if part is None:
            about = broken(about, rng, 0.1)
        else:
            about[part] = broken(about[part], rng, 0.1)
            for _ in range(rng.randint(0, 2)):
                _change_number(about[part], rng)
        metadata["motionstream"] = to_text(about)
        header["__metadata__"] = metadata
    else:
        names = rng.sample(sorted(header), 3)
        header |= {name: broken(header[name], rng, 0.2) for name in names}
    text = to_text(header).encode("utf-8", "surrogatepass")
    if rng.random() < 0.1:
        text = broken_bytes(text, rng)
    return struct.pack("<Q", len(text)) + text + tensors


def _change_number(values: Any, rng: random.Random) -> None:
    if isinstance(values, dict) and values:
        values[rng.choice(list(values))] = rng.choice(
            [0, -1, 1, 3, 10**4, 10**6, 10**12, 2.5, "8", None, [4, 4], [10**6] * 3, [64] * 3000, True]
        )


def _read_header(data: bytes, folder: Path) -> None:
    path = folder / "w.safetensors"
    path.write_bytes(data)
    lines = checkpoint_lines([("w", path)])
    if not lines:
        raise RuntimeError("expected a line of the doctor, got none")
    open_networks(path)
