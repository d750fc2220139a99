"""What a track document is made of: frozen values and the words they may take. No parsing, no sampling. The
rules are docs/track-document.md.
"""

from __future__ import annotations

from dataclasses import dataclass

VERSIONS = (1, 2)  # 2: with objects
KINDS = ("path", "freehand", "pin", "line", "grid", "region", "camera", "object")
INTERPOLATIONS = ("linear", "spline", "cardinal", "bspline")
EASES = ("linear", "in", "out", "in-out", "smooth", "hold")
MAX_TRACKS = 10_000
MAX_FRAMES = 100_000
MAX_POSITIONS = 10_000_000  # points × frames


@dataclass(frozen=True)
class Brush:
    """A square grid of points, `spacing` px apart, within `radius` px round the moving point."""

    radius: float
    spacing: float


@dataclass(frozen=True)
class Grid:
    """columns × rows points over width × height px, the moving point in the middle."""

    width: float
    height: float
    columns: int
    rows: int


@dataclass(frozen=True)
class Region:
    """A painted area: all places within `radius` px of the painted lines, which are offsets from the track's
    first point.
    """

    lines: tuple[tuple[tuple[float, float], ...], ...]
    radius: float
    spacing: float


@dataclass(frozen=True)
class CutOut:
    """An object cut out of the picture: what lies within closed outlines, by the even-odd rule. They are
    offsets from the track's first point.
    """

    outlines: tuple[tuple[tuple[float, float], ...], ...]
    spacing: float


@dataclass(frozen=True)
class Key:
    """At the share `t` of the time the share `s` of the way is gone. `ease` shapes the piece that begins
    here.
    """

    t: float
    s: float
    ease: str = "linear"


@dataclass(frozen=True)
class Stroke:
    """One track of the document: control points and how they are travelled. `end` None is the last frame,
    `shown` None is always.

    turn: degrees clockwise, scale: factor that what the point carries has turned and grown by at the end.
    carries: a camera that moves the other tracks as well.
    """

    points: tuple[tuple[float, float], ...]
    kind: str = "path"
    interpolation: str = "linear"
    start: float = 0
    end: float | None = None
    visible: bool = True
    brush: Brush | None = None
    tension: float = 0.0
    speed: tuple[Key, ...] = ()
    shown: tuple[tuple[float, float], ...] | None = None
    turn: float = 0.0
    scale: float = 1.0
    grid: Grid | None = None
    region: Region | None = None
    cut_out: CutOut | None = None
    carries: bool = False


@dataclass(frozen=True)
class Document:
    width: int
    height: int
    frames: int
    fps: float
    tracks: tuple[Stroke, ...]
    pin_border: bool = False

    @property
    def drawn(self) -> list[Stroke]:
        """The tracks that give points, in order."""
        return [stroke for stroke in self.tracks if stroke.visible and stroke.points]
