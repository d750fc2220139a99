"""Writes spline.json, the points that the browser and Python must both find in a track document.

A third, plain reading of docs/track-document.md that shares no line with either: run it again only when that text changes.
    python tests/golden/make_spline.py
"""

from __future__ import annotations

import itertools
import json
import math
from pathlib import Path

SEGMENTS = 32
SAME = 1e-6


def distinct(points):
    kept = []
    for x, y in points:
        if not kept or math.dist(kept[-1], (x, y)) > SAME:
            kept.append((float(x), float(y)))
    return kept


def mix(a, b, ta, tb, t):
    return tuple(((tb - t) * p + (t - ta) * q) / (tb - ta) for p, q in zip(a, b, strict=True))


def span(p, s):
    t = [0.0]
    for left, right in itertools.pairwise(p):
        t.append(t[-1] + math.dist(left, right) ** 0.5)
    now = t[1] + s * (t[2] - t[1])
    a = [mix(p[i], p[i + 1], t[i], t[i + 1], now) for i in range(3)]
    b = [mix(a[i], a[i + 1], t[i], t[i + 2], now) for i in range(2)]
    return mix(b[0], b[1], t[1], t[2], now)


def polyline(points, interpolation):
    p = distinct(points)
    if interpolation != "spline" or len(p) < 2:
        return p
    first = tuple(2 * a - b for a, b in zip(p[0], p[1], strict=True))
    last = tuple(2 * a - b for a, b in zip(p[-1], p[-2], strict=True))
    padded = [first, *p, last]
    line = [span(padded[i : i + 4], k / SEGMENTS) for i in range(len(p) - 1) for k in range(SEGMENTS)]
    return [*line, p[-1]]


def along(line, fraction):
    lengths = [math.dist(a, b) for a, b in itertools.pairwise(line)]
    left = fraction * sum(lengths)
    for (a, b), length in zip(itertools.pairwise(line), lengths, strict=True):
        if left <= length:
            return mix(a, b, 0.0, length, left)
        left -= length
    return line[-1]


def position(track, frame, frames):
    points = [(point["x"], point["y"]) for point in track["points"]]
    kind = track.get("kind", "path")
    if kind == "pin":
        return points[0]
    line = polyline(points, track.get("interpolation", "linear") if kind == "path" else "linear")
    start = track.get("start", 0)
    end = track.get("end")
    end = frames - 1 if end is None else end
    return along(line, min(1.0, max(0.0, (frame - start) / max(1, end - start))))


def offsets(track):
    brush = track.get("brush")
    if not brush or brush["radius"] <= 0 or brush["spacing"] <= 0:
        return [(0.0, 0.0)]
    step = brush["spacing"]
    reach = int(brush["radius"] / step) + 1
    grid = [(ix * step, iy * step) for iy in range(-reach, reach + 1) for ix in range(-reach, reach + 1) if ix or iy]
    return [(0.0, 0.0), *(o for o in grid if o[0] ** 2 + o[1] ** 2 <= brush["radius"] ** 2 + 1e-6)]


def border(width, height):
    right, bottom = width - 5, height - 5
    nx = max(1, math.floor((width - 9) / 16 + 0.5))
    ny = max(1, math.floor((height - 9) / 16 + 0.5))
    xs = [4 + (right - 4) * k / nx for k in range(nx + 1)]
    ys = [4 + (bottom - 4) * k / ny for k in range(ny + 1)]
    top = [(x, 4) for x in xs[:-1]]
    down = [(right, y) for y in ys[:-1]]
    back = [(x, bottom) for x in xs[:0:-1]]
    up = [(4, y) for y in ys[:0:-1]]
    return [*top, *down, *back, *up]


def sample(document, frame, frames):
    points = []
    for track in document["tracks"]:
        if track["points"] and track.get("visible", True):
            x, y = position(track, frame, frames)
            points += [(x + dx, y + dy) for dx, dy in offsets(track)]
    return points + (border(document["width"], document["height"]) if document.get("pin_border") else [])


def track(points, **keys):
    base = {"id": "t1", "name": "Track 1", "color": "#34c759", "kind": "path", "interpolation": "linear", "brush": None}
    return {**base, "points": [{"x": x, "y": y} for x, y in points], "start": 0, "end": None, "visible": True, **keys}


def document(*tracks, **keys):
    return {"version": 1, "width": 128, "height": 128, "frames": 49, "fps": 16, "tracks": list(tracks), "pin_border": False, **keys}


HOOK = [(16, 100), (40, 30), (90, 24), (112, 96)]
STROKE = [(10.25, 20.5), (14, 31.75), (27.5, 44), (60, 50), (61, 90)]
CASES = {
    "a straight line at constant speed": document(track([(10, 64), (110, 64)])),
    "a bent line keeps its speed round the corner": document(track([(10, 10), (100, 10), (100, 40)])),
    "a spline through four points": document(track(HOOK, interpolation="spline")),
    "a spline of two points is a straight line": document(track([(16, 100), (90, 24)], interpolation="spline")),
    "a spline with very uneven spans": document(track([(8, 64), (12, 60), (120, 64), (118, 118)], interpolation="spline")),
    "repeated points are dropped": document(track([(16, 100), (16, 100), (40, 30), (40, 30.0000001), (90, 24)], interpolation="spline")),
    "a path that returns to its first point": document(track([(64, 20), (100, 64), (64, 108), (28, 64), (64, 20)], interpolation="spline")),
    "rest before start and after end": document(track(HOOK, interpolation="spline", start=12, end=36)),
    "an end before the start jumps in one frame": document(track([(10, 10), (50, 90)], start=20, end=8)),
    "an end past the last frame": document(track([(10, 10), (50, 90)], start=0, end=96)),
    "one point rests": document(track([(33.5, 70.25)], interpolation="spline")),
    "a pin rests at its first point": document(track([(64, 64), (90, 90)], kind="pin", start=5, end=9)),
    "a freehand stroke is straight between its points": document(track(STROKE, kind="freehand", interpolation="spline")),
    "a brush carries a grid": document(track(HOOK, interpolation="spline", brush={"radius": 12, "spacing": 6})),
    "a brush whose radius is no multiple of its spacing": document(track([(20, 64), (100, 64)], brush={"radius": 10, "spacing": 4.5})),
    "a brush of radius nought is its centre": document(track([(20, 64), (100, 64)], brush={"radius": 0, "spacing": 4})),
    "border pins of a square": document(pin_border=True),
    "border pins of a wide picture come last": document(track([(20, 64), (300, 120)]), width=832, height=480, pin_border=True),
    "several tracks, one muted, one empty": document(
        track(HOOK, interpolation="spline", brush={"radius": 5, "spacing": 5}),
        track([(1, 1), (2, 2)], id="t2", visible=False),
        track([], id="t3"),
        track([(64, 64)], id="t4", kind="pin"),
        track(STROKE, id="t5", kind="freehand", start=24),
        pin_border=True,
    ),
    "coordinates off the canvas are kept": document(track([(-40, 20), (180, 150)], interpolation="spline")),
    "absent keys take their defaults": {
        "version": 1,
        "width": 64,
        "height": 32,
        "frames": 9,
        "fps": 8,
        "tracks": [{"points": [{"x": 4, "y": 4}, {"x": 60, "y": 4}, {"x": 60, "y": 28}]}],
    },
}
ASKED = [0, 1, 6, 13, 24, 35, 47, 48]


def rounded(points):
    return [[round(x, 6) + 0.0, round(y, 6) + 0.0] for x, y in points]


def case(name, doc, frames):
    asked = [f for f in ASKED if f < frames]
    xy = [rounded(sample(doc, f, frames)) for f in asked]
    return {"name": name, "document": doc, "frames": frames, "asked": asked, "count": len(xy[0]), "xy": xy}


def main():
    cases = [case(name, doc, doc["frames"]) for name, doc in CASES.items()]
    cases.append(case("sampled over more frames than its own", CASES["a spline through four points"], 97))
    curves = [
        {"name": f"{name}, {kind}", "points": points, "interpolation": kind, "polyline": rounded(polyline(points, kind))}
        for name, points in (("hook", HOOK), ("stroke", STROKE))
        for kind in ("linear", "spline")
    ]
    about = "docs/track-document.md; xy[i][n] is point n at frame asked[i] of `frames` frames; written by make_spline.py"
    lines = ",\n".join(json.dumps(item) for item in cases)
    shapes = ",\n".join(json.dumps(item) for item in curves)
    text = f'{{"about": {json.dumps(about)},\n"tolerance": 1e-4,\n"cases": [\n{lines}\n],\n"curves": [\n{shapes}\n]}}\n'
    json.loads(text)
    Path(__file__).with_name("spline.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
