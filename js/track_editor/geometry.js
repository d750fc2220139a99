/**
 * Pure geometry of tracks: curves, sampling, brushes, border pins, hit tests, simplification.
 * The sampling is that of docs/track-document.md; tests/golden/spline.json holds Python and this file to the same points.
 * Knows nothing of the DOM, of state or of the host.
 */

/** @import {Brush, Interpolation, Point, Track, TrackDocument} from "./types.js" */

const SEGMENTS = 32;
const SAME = 1e-6;
const BORDER_INSET = 4;
const BORDER_STEP = 16;

/** @param {Point} a @param {Point} b */
export const distance = (a, b) => Math.hypot(a.x - b.x, a.y - b.y);

/** @param {Point} a @param {Point} b @param {number} t @returns {Point} */
const mix = (a, b, t) => ({ x: a.x + (b.x - a.x) * t, y: a.y + (b.y - a.y) * t });

/** @param {Point[]} points @returns {Point[]} without points that repeat the one kept before them */
export function distinct(points) {
  /** @type {Point[]} */
  const kept = [];
  for (const point of points) {
    if (!kept.length || distance(kept[kept.length - 1], point) > SAME) kept.push({ x: point.x, y: point.y });
  }
  return kept;
}

/**
 * One span of the centripetal Catmull-Rom curve as a cubic Hermite: the tangents at p1 and p2 that the knots give.
 * @param {Point} p0 @param {Point} p1 @param {Point} p2 @param {Point} p3 @returns {(s: number) => Point} s in 0..1
 */
function span(p0, p1, p2, p3) {
  const [d0, d1, d2] = [distance(p0, p1), distance(p1, p2), distance(p2, p3)].map(Math.sqrt);
  /** @param {"x" | "y"} axis */
  const tangents = (axis) => [
    d1 * ((p1[axis] - p0[axis]) / d0 - (p2[axis] - p0[axis]) / (d0 + d1)) + p2[axis] - p1[axis],
    d1 * ((p3[axis] - p2[axis]) / d2 - (p3[axis] - p1[axis]) / (d1 + d2)) + p2[axis] - p1[axis],
  ];
  const [x, y] = [tangents("x"), tangents("y")];
  return (s) => {
    const [s2, s3] = [s * s, s * s * s];
    const [h1, h2, h3, h4] = [2 * s3 - 3 * s2 + 1, 3 * s2 - 2 * s3, s3 - 2 * s2 + s, s3 - s2];
    return { x: h1 * p1.x + h2 * p2.x + h3 * x[0] + h4 * x[1], y: h1 * p1.y + h2 * p2.y + h3 * y[0] + h4 * y[1] };
  };
}

/** @param {Point[]} points @param {Interpolation} interpolation @returns {Point[]} the curve as straight pieces */
export function polyline(points, interpolation) {
  const kept = distinct(points);
  if (interpolation !== "spline" || kept.length < 2) return kept;
  const last = kept.length - 1;
  const padded = [mix(kept[0], kept[1], -1), ...kept, mix(kept[last], kept[last - 1], -1)];
  const line = kept.slice(0, -1).flatMap((_, i) => {
    const curve = span(padded[i], padded[i + 1], padded[i + 2], padded[i + 3]);
    return Array.from({ length: SEGMENTS }, (_, k) => curve(k / SEGMENTS));
  });
  return [...line, kept[last]];
}

/** @param {Track} track @returns {Point[]} */
export function trackLine(track) {
  if (track.kind === "pin") return track.points.slice(0, 1);
  return polyline(track.points, track.kind === "path" ? track.interpolation : "linear");
}

/**
 * A line that is measured once and asked often.
 * @param {Point[]} line not empty @returns {{length: number, at: (fraction: number) => Point}} at: 0..1 of the length
 */
export function ruler(line) {
  const gone = [0];
  for (let i = 1; i < line.length; i++) gone.push(gone[i - 1] + distance(line[i - 1], line[i]));
  const length = gone[gone.length - 1];
  const at = (/** @type {number} */ fraction) => {
    const target = fraction * length;
    const i = gone.findIndex((far, index) => index > 0 && target <= far);
    if (i < 0) return line[line.length - 1];
    const piece = gone[i] - gone[i - 1];
    return mix(line[i - 1], line[i], piece > 0 ? (target - gone[i - 1]) / piece : 0);
  };
  return { length, at };
}

/** @param {Point[]} line not empty @param {number} fraction 0..1 of its length @returns {Point} */
export const along = (line, fraction) => ruler(line).at(fraction);

/** @param {Pick<Track, "start" | "end">} track @param {number} frame @param {number} frames @returns {number} 0..1 of the way */
export function progress(track, frame, frames) {
  const end = track.end ?? frames - 1;
  return Math.min(1, Math.max(0, (frame - track.start) / Math.max(1, end - track.start)));
}

/** @param {Track} track with points @param {number} frame @param {number} frames @returns {Point} the centre at that frame */
export function positionAt(track, frame, frames) {
  return along(trackLine(track), track.kind === "pin" ? 0 : progress(track, frame, frames));
}

/** @param {Brush | null} brush @returns {Point[]} offsets of a track's points, the centre first */
export function brushOffsets(brush) {
  const offsets = [{ x: 0, y: 0 }];
  if (!brush || brush.radius <= 0 || brush.spacing <= 0) return offsets;
  const reach = Math.floor(brush.radius / brush.spacing) + 1;
  for (let iy = -reach; iy <= reach; iy++) {
    for (let ix = -reach; ix <= reach; ix++) {
      const [x, y] = [ix * brush.spacing, iy * brush.spacing];
      if ((ix || iy) && x * x + y * y <= brush.radius ** 2 + 1e-6) offsets.push({ x, y });
    }
  }
  return offsets;
}

/** A grid that fills a disc of this radius with some 13 to 29 points. @param {number} radius @returns {Brush | null} */
export function brushOf(radius) {
  if (radius <= 0) return null;
  return { radius, spacing: Math.round(Math.max(radius / 3, Math.min(8, radius / 2)) * 100) / 100 };
}

/** @param {number} width @param {number} height @returns {Point[]} clockwise from the top left corner */
export function borderPins(width, height) {
  /** @param {number} side */
  const steps = (side) => {
    const count = Math.max(1, Math.floor((side - 2 * BORDER_INSET - 1) / BORDER_STEP + 0.5));
    return Array.from({ length: count }, (_, k) => ((side - 2 * BORDER_INSET - 1) * k) / count);
  };
  const [across, down, near] = [steps(width), steps(height), BORDER_INSET];
  const [right, bottom] = [width - 1 - near, height - 1 - near];
  return [
    ...across.map((d) => ({ x: near + d, y: near })),
    ...down.map((d) => ({ x: right, y: near + d })),
    ...across.map((d) => ({ x: right - d, y: bottom })),
    ...down.map((d) => ({ x: near, y: bottom - d })),
  ];
}

/** @param {TrackDocument} doc @param {number} frame @param {number} [frames] @returns {Point[]} all points at one frame, in the order of the output */
export function sampleDocument(doc, frame, frames = doc.frames) {
  const points = doc.tracks
    .filter((track) => track.visible && track.points.length)
    .flatMap((track) => {
      const centre = positionAt(track, frame, frames);
      return brushOffsets(track.brush).map((offset) => ({ x: centre.x + offset.x, y: centre.y + offset.y }));
    });
  return doc.pin_border ? [...points, ...borderPins(doc.width, doc.height)] : points;
}

/** @param {Point} point @param {Point} a @param {Point} b @returns {{distance: number, at: Point}} to the piece from a to b */
export function toSegment(point, a, b) {
  const [dx, dy] = [b.x - a.x, b.y - a.y];
  const length = dx * dx + dy * dy;
  const t = length ? Math.min(1, Math.max(0, ((point.x - a.x) * dx + (point.y - a.y) * dy) / length)) : 0;
  const at = mix(a, b, t);
  return { distance: distance(point, at), at };
}

/** Ramer-Douglas-Peucker. @param {Point[]} points @param {number} tolerance px @returns {Point[]} */
export function simplify(points, tolerance) {
  if (points.length < 3) return points.slice();
  const [first, last] = [points[0], points[points.length - 1]];
  let [far, index] = [-1, 0];
  for (let i = 1; i < points.length - 1; i++) {
    const off = toSegment(points[i], first, last).distance;
    if (off > far) [far, index] = [off, i];
  }
  if (far <= tolerance) return [first, last];
  return [...simplify(points.slice(0, index + 1), tolerance).slice(0, -1), ...simplify(points.slice(index), tolerance)];
}

/**
 * What lies under a place: a control point first (those of the preferred track before others), else the nearest line.
 * @param {TrackDocument} doc @param {Point} at @param {number} reach px @param {string | null} prefer
 * @returns {{track: Track, point: number | null} | null}
 */
export function hitTest(doc, at, reach, prefer) {
  const order = doc.tracks.filter((track) => track.id !== prefer).reverse();
  const first = doc.tracks.find((track) => track.id === prefer);
  const tracks = first ? [first, ...order] : order;
  for (const track of tracks) {
    const handles = track.id === prefer ? track.points : track.points.slice(0, 1);
    const near = nearest(handles, at);
    if (near.index >= 0 && near.distance <= reach) return { track, point: near.index };
  }
  for (const track of tracks) if (toLine(trackLine(track), at) <= reach) return { track, point: null };
  return tracks.filter((track) => track.brush && track.points.length).map((track) => ({ track, point: null }))
    .find(({ track }) => distance(track.points[0], at) <= (track.brush?.radius ?? 0)) ?? null;
}

/** @param {Point[]} points @param {Point} at */
function nearest(points, at) {
  let [index, best] = [-1, Infinity];
  points.forEach((point, i) => {
    if (distance(point, at) < best) [index, best] = [i, distance(point, at)];
  });
  return { index, distance: best };
}

/** @param {Point[]} line @param {Point} at */
function toLine(line, at) {
  return line.slice(1).reduce((best, point, i) => Math.min(best, toSegment(at, line[i], point).distance), Infinity);
}

/**
 * Where a new control point belongs: the index it would get, on the piece of the curve nearest to `at`.
 * @param {Track} track with two points or more @param {Point} at @returns {number}
 */
export function insertIndex(track, at) {
  let [index, best] = [1, Infinity];
  const kept = track.points;
  const curved = track.kind === "path" && track.interpolation === "spline" && distinct(kept).length === kept.length;
  const line = curved ? trackLine(track) : kept;
  const pieces = curved ? SEGMENTS : 1;
  for (let i = 1; i < line.length; i++) {
    const off = toSegment(at, line[i - 1], line[i]).distance;
    if (off < best) [index, best] = [Math.floor((i - 1) / pieces) + 1, off];
  }
  return index;
}

/**
 * The part of a picture that covers width × height, cut at the centre: {x, y, width, height} in the picture's pixels.
 * @param {{width: number, height: number}} picture @param {{width: number, height: number}} video
 */
export function coverCrop(picture, video) {
  const scale = Math.max(video.width / picture.width, video.height / picture.height);
  const [width, height] = [video.width / scale, video.height / scale];
  return { x: (picture.width - width) / 2, y: (picture.height - height) / 2, width, height };
}

/**
 * Frames between two ticks, so that ticks lie at least `apart` pixels from each other on a line of this length.
 * @param {number} length px @param {number} frames travelled @param {number} apart px
 */
export function tickStep(length, frames, apart) {
  const perFrame = length / Math.max(1, frames);
  return [1, 2, 4, 8, 16, 32, 64, 128, 256].find((step) => step * perFrame >= apart) ?? 512;
}
