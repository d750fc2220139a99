"""Writes spline.json, the points that the browser and Python must both find in a track document.

A third, plain reading of docs/track-document.md that shares no line with either: run it again only when that
text changes.
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


def cardinal(p, s, tension):
    tangents = [[(1 - tension) / 2 * (c - a) for a, c in zip(p[i], p[i + 2], strict=True)] for i in range(2)]
    weights = ((1 + 2 * s) * (1 - s) ** 2, s * s * (3 - 2 * s), s * (1 - s) ** 2, s * s * (s - 1))
    return tuple(
        sum(w * v[axis] for w, v in zip(weights, (p[1], p[2], *tangents), strict=True)) for axis in (0, 1)
    )


def bspline(p, s):
    """De Boor's three rounds on the uniform knots −2 … 3."""
    level = list(p)
    for degree in (3, 2, 1):
        mixed = []
        for i in range(degree):
            left, right = i - degree + 1, i + 1
            mixed.append(mix(level[i], level[i + 1], left, right, s))
        level = mixed
    return level[0]


def polyline(points, interpolation, tension=0.0):
    p = distinct(points)
    if interpolation == "linear" or len(p) < 2:
        return p
    first = tuple(2 * a - b for a, b in zip(p[0], p[1], strict=True))
    last = tuple(2 * a - b for a, b in zip(p[-1], p[-2], strict=True))
    padded = [first, *p, last]
    curve = {"spline": span, "cardinal": lambda q, s: cardinal(q, s, tension), "bspline": bspline}[
        interpolation
    ]
    line = [curve(padded[i : i + 4], k / SEGMENTS) for i in range(len(p) - 1) for k in range(SEGMENTS)]
    return [*line, p[-1]]


def along(line, fraction):
    lengths = [math.dist(a, b) for a, b in itertools.pairwise(line)]
    left = fraction * sum(lengths)
    for (a, b), length in zip(itertools.pairwise(line), lengths, strict=True):
        if left <= length:
            return mix(a, b, 0.0, length, left)
        left -= length
    return line[-1]


CURVED = ("path", "grid", "region", "camera", "object")


def points_of(track):
    return [(point["x"], point["y"]) for point in track["points"]]


def centre(track, frame, frames):
    points = points_of(track)
    kind = track.get("kind", "path")
    if kind == "pin":
        return points[0]
    line = polyline(
        points,
        track.get("interpolation", "linear") if kind in CURVED else "linear",
        track.get("tension", 0.0),
    )
    return along(line, share(track, frame, frames))


def share(track, frame, frames):
    start = track.get("start", 0)
    end = track.get("end")
    end = frames - 1 if end is None else end
    time = min(1.0, max(0.0, (frame - start) / max(1, end - start)))
    return gone(track["speed"], time) if track.get("speed") else time


def gone(keys, time):
    """The share of the way at a share of the time: piece by piece, as the words of the document say it."""
    if time >= keys[-1]["t"]:
        return keys[-1]["s"]
    if time < keys[0]["t"]:
        return keys[0]["s"]
    i = max(n for n, key in enumerate(keys) if key["t"] <= time)
    a, b = keys[i], keys[i + 1]
    w = (time - a["t"]) / (b["t"] - a["t"])
    rise = b["s"] - a["s"]
    ease = a.get("ease", "linear")
    if ease == "smooth":
        run = b["t"] - a["t"]
        m = [run * tangent(keys, n) for n in (i, i + 1)]
        return (
            (1 + 2 * w) * (1 - w) ** 2 * a["s"]
            + w * w * (3 - 2 * w) * b["s"]
            + w * (1 - w) ** 2 * m[0]
            + w * w * (w - 1) * m[1]
        )
    shapes = {"linear": w, "in": w * w, "out": 1 - (1 - w) ** 2, "in-out": w * w * (3 - 2 * w), "hold": 0.0}
    return a["s"] + rise * shapes[ease]


def tangent(keys, n):
    """The weighted harmonic mean of the slopes on both sides, nought where one is flat; at an end the slope
    there.
    """
    slopes = [((b["s"] - a["s"]) / (b["t"] - a["t"]), b["t"] - a["t"]) for a, b in itertools.pairwise(keys)]
    if n in (0, len(keys) - 1):
        return slopes[0 if n == 0 else -1][0]
    (before, h0), (after, h1) = slopes[n - 1], slopes[n]
    if before <= 0 or after <= 0:
        return 0.0
    w0, w1 = 2 * h1 + h0, h1 + 2 * h0
    return (w0 + w1) / (w0 / before + w1 / after)


def moved(place, track, frame, frames):
    """What a track does to a place that lies off its first point by `place`."""
    if track.get("kind") == "pin":
        grown, angle = 1.0, 0.0
    else:
        u = share(track, frame, frames)
        grown, angle = track.get("scale", 1.0) ** u, math.radians(track.get("turn", 0.0)) * u
    cx, cy = centre(track, frame, frames)
    x, y = place
    return cx + grown * (math.cos(angle) * x - math.sin(angle) * y), cy + grown * (
        math.sin(angle) * x + math.cos(angle) * y
    )


def is_shown(track, frame):
    return track.get("shown") is None or any(first <= frame <= last for first, last in track["shown"])


def lattice(columns, rows, width, height):
    xs = [width * (i / (columns - 1) - 0.5) if columns > 1 else 0.0 for i in range(columns)]
    ys = [height * (i / (rows - 1) - 0.5) if rows > 1 else 0.0 for i in range(rows)]
    return [(x, y) for y in ys for x in xs]


def to_piece(p, a, b):
    d = (b[0] - a[0], b[1] - a[1])
    square = d[0] ** 2 + d[1] ** 2
    w = min(1.0, max(0.0, ((p[0] - a[0]) * d[0] + (p[1] - a[1]) * d[1]) / square)) if square else 0.0
    return math.dist(p, (a[0] + w * d[0], a[1] + w * d[1]))


def area(region):
    lines = [[(point["x"], point["y"]) for point in line] for line in region["lines"]]
    radius, step = region["radius"], region["spacing"]
    far = max(abs(value) for line in lines for point in line for value in point) + radius
    reach = math.ceil(far / step) + 1
    pieces = [
        piece
        for line in lines
        for piece in (itertools.pairwise(line) if len(line) > 1 else [(line[0], line[0])])
    ]
    grid = [(ix * step, iy * step) for iy in range(-reach, reach + 1) for ix in range(-reach, reach + 1)]
    inside = [p for p in grid if min(to_piece(p, a, b) for a, b in pieces) ** 2 <= radius**2 + 1e-6]
    return inside or [lines[0][0]]


def is_within(p, outlines):
    """Even-odd, by a ray to the right, edge by edge."""
    crossed = 0
    for line in outlines:
        for (ax, ay), (bx, by) in zip(line, [*line[1:], line[0]], strict=True):
            if (ay <= p[1] < by or by <= p[1] < ay) and ax + (p[1] - ay) * (bx - ax) / (by - ay) > p[0]:
                crossed += 1
    return crossed % 2 == 1


def solid(cut):
    outlines = [[(point["x"], point["y"]) for point in line] for line in cut["outlines"]]
    step = cut["spacing"]
    reach = math.ceil(max(abs(value) for line in outlines for point in line for value in point) / step) + 1
    grid = [(ix * step, iy * step) for iy in range(-reach, reach + 1) for ix in range(-reach, reach + 1)]
    return [p for p in grid if is_within(p, outlines)] or [(0.0, 0.0)]


def offsets(track):
    if track.get("kind") in ("grid", "camera"):
        return lattice(*(track["grid"][key] for key in ("columns", "rows", "width", "height")))
    if track.get("kind") == "region":
        return area(track["region"])
    if track.get("kind") == "object":
        return solid(track["object"])
    brush = track.get("brush")
    if not brush or brush["radius"] <= 0 or brush["spacing"] <= 0:
        return [(0.0, 0.0)]
    step = brush["spacing"]
    reach = int(brush["radius"] / step) + 1
    grid = [
        (ix * step, iy * step)
        for iy in range(-reach, reach + 1)
        for ix in range(-reach, reach + 1)
        if ix or iy
    ]
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
    """The points at one frame, and whether each is seen."""
    tracks = [track for track in document["tracks"] if track["points"] and track.get("visible", True)]
    cameras = [track for track in tracks if track.get("kind") == "camera" and track.get("carries")]
    found = []
    for track in tracks:
        for offset in offsets(track):
            x, y = moved(offset, track, frame, frames)
            for camera in cameras if track.get("kind") != "camera" else []:
                px, py = points_of(camera)[0]
                x, y = moved((x - px, y - py), camera, frame, frames)
            found.append((x, y, is_shown(track, frame)))
    pins = border(document["width"], document["height"]) if document.get("pin_border") else []
    return found + [(x, y, True) for x, y in pins]


def track(points, **keys):
    base = {
        "id": "t1",
        "name": "Track 1",
        "color": "#34c759",
        "kind": "path",
        "interpolation": "linear",
        "brush": None,
    }
    return {
        **base,
        "points": [{"x": x, "y": y} for x, y in points],
        "start": 0,
        "end": None,
        "visible": True,
        **keys,
    }


def document(*tracks, **keys):
    return {
        "version": 1,
        "width": 128,
        "height": 128,
        "frames": 49,
        "fps": 16,
        "tracks": list(tracks),
        "pin_border": False,
        **keys,
    }


HOOK = [(16, 100), (40, 30), (90, 24), (112, 96)]
STROKE = [(10.25, 20.5), (14, 31.75), (27.5, 44), (60, 50), (61, 90)]
CASES = {
    "a straight line at constant speed": document(track([(10, 64), (110, 64)])),
    "a bent line keeps its speed round the corner": document(track([(10, 10), (100, 10), (100, 40)])),
    "a spline through four points": document(track(HOOK, interpolation="spline")),
    "a spline of two points is a straight line": document(
        track([(16, 100), (90, 24)], interpolation="spline")
    ),
    "a spline with very uneven spans": document(
        track([(8, 64), (12, 60), (120, 64), (118, 118)], interpolation="spline")
    ),
    "repeated points are dropped": document(
        track([(16, 100), (16, 100), (40, 30), (40, 30.0000001), (90, 24)], interpolation="spline")
    ),
    "a path that returns to its first point": document(
        track([(64, 20), (100, 64), (64, 108), (28, 64), (64, 20)], interpolation="spline")
    ),
    "rest before start and after end": document(track(HOOK, interpolation="spline", start=12, end=36)),
    "an end before the start jumps in one frame": document(track([(10, 10), (50, 90)], start=20, end=8)),
    "an end past the last frame": document(track([(10, 10), (50, 90)], start=0, end=96)),
    "one point rests": document(track([(33.5, 70.25)], interpolation="spline")),
    "a pin rests at its first point": document(track([(64, 64), (90, 90)], kind="pin", start=5, end=9)),
    "a freehand stroke is straight between its points": document(
        track(STROKE, kind="freehand", interpolation="spline")
    ),
    "a brush carries a grid": document(
        track(HOOK, interpolation="spline", brush={"radius": 12, "spacing": 6})
    ),
    "a brush whose radius is no multiple of its spacing": document(
        track([(20, 64), (100, 64)], brush={"radius": 10, "spacing": 4.5})
    ),
    "a brush of radius nought is its centre": document(
        track([(20, 64), (100, 64)], brush={"radius": 0, "spacing": 4})
    ),
    "border pins of a square": document(pin_border=True),
    "border pins of a wide picture come last": document(
        track([(20, 64), (300, 120)]), width=832, height=480, pin_border=True
    ),
    "several tracks, one muted, one empty": document(
        track(HOOK, interpolation="spline", brush={"radius": 5, "spacing": 5}),
        track([(1, 1), (2, 2)], id="t2", visible=False),
        track([], id="t3"),
        track([(64, 64)], id="t4", kind="pin"),
        track(STROKE, id="t5", kind="freehand", start=24),
        pin_border=True,
    ),
    "a cardinal spline with some tension": document(track(HOOK, interpolation="cardinal", tension=0.3)),
    "a cardinal spline of full tension is straight": document(
        track(HOOK, interpolation="cardinal", tension=1)
    ),
    "a B-spline passes near its points": document(track(HOOK, interpolation="bspline")),
    "a line is straight whatever its interpolation": document(
        track([(10, 20), (110, 90)], kind="line", interpolation="spline")
    ),
    "speed: in and out": document(
        track(HOOK, interpolation="spline", speed=[{"t": 0, "s": 0, "ease": "in-out"}, {"t": 1, "s": 1}])
    ),
    "speed: a pause in the middle": document(
        track(
            HOOK,
            start=4,
            end=44,
            speed=[
                {"t": 0, "s": 0, "ease": "out"},
                {"t": 0.4, "s": 0.5, "ease": "hold"},
                {"t": 0.6, "s": 0.5, "ease": "in"},
                {"t": 1, "s": 1},
            ],
        )
    ),
    "speed: smooth through uneven keys": document(
        track(
            HOOK,
            speed=[
                {"t": t, "s": s, "ease": "smooth"}
                for t, s in ((0, 0), (0.2, 0.05), (0.5, 0.7), (0.7, 0.7), (0.9, 0.72), (1, 1))
            ],
        )
    ),
    "speed: keys that begin late, end early and stop short": document(
        track(HOOK, speed=[{"t": 0.25, "s": 0.1}, {"t": 0.75, "s": 0.8}])
    ),
    "speed: a jump, and one key alone": document(
        track(HOOK, speed=[{"t": 0, "s": 0, "ease": "hold"}, {"t": 0.5, "s": 1}]),
        track(HOOK, id="t2", speed=[{"t": 0.5, "s": 0.25}]),
    ),
    "seen in two ranges only": document(
        track(HOOK, shown=[[0, 6], [24, 35]], brush={"radius": 4, "spacing": 4}), pin_border=True
    ),
    "a grid rests": document(
        track([(64, 64)], kind="grid", grid={"width": 60, "height": 30, "columns": 4, "rows": 3})
    ),
    "a grid of one column moves along a curve": document(
        track(
            HOOK,
            kind="grid",
            interpolation="spline",
            grid={"width": 60, "height": 30, "columns": 1, "rows": 3},
        )
    ),
    "a brush that turns and grows on its way": document(
        track(
            HOOK,
            interpolation="spline",
            turn=135,
            scale=2,
            start=3,
            end=40,
            brush={"radius": 9, "spacing": 4.5},
        )
    ),
    "a region moves as one": document(
        track(
            [(40, 40), (90, 60)],
            kind="region",
            turn=-30,
            region={
                "lines": [[{"x": -12, "y": 0}, {"x": 10, "y": 4}, {"x": 10, "y": 14}]],
                "radius": 7,
                "spacing": 5,
            },
        )
    ),
    "a region of two areas, and one too small for its spacing": document(
        track(
            [(40, 40)],
            kind="region",
            region={
                "lines": [[{"x": -12, "y": 0}], [{"x": 10, "y": 4}, {"x": 10, "y": 14}]],
                "radius": 4,
                "spacing": 4,
            },
        ),
        track(
            [(90, 90)],
            id="t2",
            kind="region",
            region={"lines": [[{"x": 2.5, "y": 2.5}]], "radius": 1, "spacing": 9},
        ),
    ),
    "an object with a hole moves as one, and one too small for its spacing rests": document(
        track(
            [(50, 40), (90, 60)],
            kind="object",
            interpolation="spline",
            turn=40,
            scale=1.5,
            object={
                "outlines": [
                    [{"x": x, "y": y} for x, y in ((-20.3, -11.2), (17.6, -14), (23.1, 9.7), (-2, 16.4))],
                    [{"x": x, "y": y} for x, y in ((-4.2, -4.1), (7.3, -5.2), (4.4, 6.3))],
                ],
                "spacing": 4.5,
            },
        ),
        track(
            [(90, 90)],
            id="t2",
            kind="object",
            object={"outlines": [[{"x": 1, "y": 1}, {"x": 2, "y": 1}, {"x": 1, "y": 2}]], "spacing": 9},
        ),
        version=2,
    ),
    "a camera pans, zooms and rolls": document(
        track(
            [(63.5, 63.5), (40, 70)],
            kind="camera",
            turn=12,
            scale=1.5,
            speed=[{"t": 0, "s": 0, "ease": "in-out"}, {"t": 1, "s": 1}],
            grid={"width": 112, "height": 112, "columns": 5, "rows": 5},
        )
    ),
    "two cameras that carry the other tracks": document(
        track(HOOK, interpolation="spline", brush={"radius": 4, "spacing": 4}, shown=[[3, 30]]),
        track([(64, 64)], id="t2", kind="pin"),
        track(
            [(63.5, 63.5), (40, 70)],
            id="t3",
            kind="camera",
            turn=12,
            scale=1.5,
            carries=True,
            grid={"width": 112, "height": 112, "columns": 2, "rows": 2},
        ),
        track(
            [(20, 20)],
            id="t4",
            kind="camera",
            scale=0.5,
            carries=True,
            end=24,
            grid={"width": 112, "height": 112, "columns": 2, "rows": 1},
        ),
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
    return [[round(x, 6) + 0.0, round(y, 6) + 0.0] for x, y, *_ in points]


def case(name, doc, frames):
    asked = [f for f in ASKED if f < frames]
    found = [sample(doc, f, frames) for f in asked]
    made = {
        "name": name,
        "document": doc,
        "frames": frames,
        "asked": asked,
        "count": len(found[0]),
        "xy": [rounded(points) for points in found],
    }
    if not all(seen for points in found for *_, seen in points):
        made["visible"] = [[seen for *_, seen in points] for points in found]
    return made


def main():
    cases = [case(name, doc, doc["frames"]) for name, doc in CASES.items()]
    cases.append(case("sampled over more frames than its own", CASES["a spline through four points"], 97))
    curves = [
        {
            "name": f"{name}, {kind}",
            "points": points,
            "interpolation": kind,
            "polyline": rounded(polyline(points, kind)),
        }
        for name, points in (("hook", HOOK), ("stroke", STROKE))
        for kind in ("linear", "spline", "bspline")
    ]
    curves += [
        {
            "name": f"hook, cardinal {tension}",
            "points": HOOK,
            "interpolation": "cardinal",
            "tension": tension,
            "polyline": rounded(polyline(HOOK, "cardinal", tension)),
        }
        for tension in (0, 0.5)
    ]
    about = (
        "docs/track-document.md; xy[i][n] is point n at frame asked[i] of `frames` frames; visible is left "
        "out where all are seen; written by make_spline.py"
    )
    lines = ",\n".join(json.dumps(item) for item in cases)
    shapes = ",\n".join(json.dumps(item) for item in curves)
    text = (
        f'{{"about": {json.dumps(about)},\n"tolerance": 1e-4,\n"cases": [\n{lines}\n],\n"curves": '
        f"[\n{shapes}\n]}}\n"
    )
    json.loads(text)
    Path(__file__).with_name("spline.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
