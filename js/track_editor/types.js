/**
 * The words of the track editor. No code: other modules import the types.
 * What a document means is written in docs/track-document.md.
 *
 * @typedef {{x: number, y: number}} Point  pixels of the video, x right, y down; pixel (0, 0) has its centre at 0
 * @typedef {{radius: number, spacing: number}} Brush  pixels
 * @typedef {"path" | "freehand" | "pin"} Kind
 * @typedef {"linear" | "spline"} Interpolation
 *
 * @typedef {object} Track
 * @property {string} id
 * @property {string} name
 * @property {string} color  #rrggbb
 * @property {Kind} kind
 * @property {Point[]} points
 * @property {Interpolation} interpolation
 * @property {Brush | null} brush
 * @property {number} start  frame
 * @property {number | null} end  frame; null = the last one
 * @property {boolean} visible  false = muted
 *
 * @typedef {{width: number, height: number, frames: number, fps: number}} Size
 * @typedef {Size & {version: 1, tracks: Track[], pin_border: boolean}} TrackDocument
 *
 * @typedef {"select" | "draw" | "path" | "pin"} Tool
 * @typedef {{track: string | null, point: number | null}} Selection
 * @typedef {{track: string, point: number | null, from: Point, base: TrackDocument, recorded: boolean}} Drag
 *   point null = the whole track moves; recorded = the step that began it is in the history already
 *
 * @typedef {object} EditorState
 * @property {TrackDocument} doc
 * @property {TrackDocument[]} past  oldest first
 * @property {TrackDocument[]} future  next first
 * @property {string | null} lastKey  edits with the same key in a row are one step
 * @property {{from: TrackDocument, to: TrackDocument} | null} resized  so that many resizes lose nothing
 * @property {Tool} tool
 * @property {Selection} selection
 * @property {string | null} open  the track that the path tool adds points to
 * @property {Point[] | null} stroke  the freehand stroke in work
 * @property {Drag | null} drag
 * @property {number} brush  radius for new tracks, px
 * @property {Interpolation} interpolation  for new paths
 * @property {number} frame  the playhead
 *
 * @typedef {Partial<Pick<Track, "name" | "color" | "interpolation" | "start" | "end" | "visible">>} TrackChanges
 *
 * @typedef {{type: "tool", tool: Tool}
 *   | {type: "select", track: string | null, point?: number | null}
 *   | {type: "stroke-start", at: Point} | {type: "stroke-extend", at: Point} | {type: "stroke-end"} | {type: "stroke-cancel"}
 *   | {type: "path-click", at: Point, near?: number} | {type: "path-finish"}
 *   | {type: "pin", at: Point}
 *   | {type: "drag-start", track: string, point: number | null, at: Point, recorded?: boolean}
 *   | {type: "drag-move", at: Point} | {type: "drag-end"} | {type: "drag-cancel"}
 *   | {type: "nudge", dx: number, dy: number}
 *   | {type: "insert", track: string, index: number, at: Point}
 *   | {type: "delete"} | {type: "delete-point", track: string, point: number} | {type: "delete-track", track: string}
 *   | {type: "duplicate"}
 *   | {type: "edit", track: string, changes: TrackChanges, key?: string}
 *   | {type: "brush", radius: number}
 *   | {type: "interpolation", interpolation: Interpolation}
 *   | {type: "pin-border", on: boolean}
 *   | {type: "clear"} | {type: "undo"} | {type: "redo"}
 *   | {type: "resize", size: Size}
 *   | {type: "load", document: TrackDocument}
 *   | {type: "seek", frame: number}} EditorEvent
 */

export {};
