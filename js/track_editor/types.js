/**
 * The words of the track editor. No code: other modules import the types. What a document means is written in
 * docs/track-document.md.
 *
 * @typedef {import("../shared/types.js").VideoPoint} VideoPoint
 * @typedef {import("../shared/types.js").ViewPoint} ViewPoint
 * @typedef {import("../shared/types.js").Brush} Brush
 *
 * @typedef {object} Grid  pixels, round the moving point
 * @property {number} width
 * @property {number} height
 * @property {number} columns
 * @property {number} rows
 *
 * @typedef {object} Region  a painted area; the lines are offsets from the track's first point
 * @property {VideoPoint[][]} lines
 * @property {number} radius
 * @property {number} spacing
 *
 * @typedef {object} CutOut  an object cut out of the picture: closed outlines, as offsets from the track's
 *   first point
 * @property {VideoPoint[][]} outlines
 * @property {number} spacing
 *
 * @typedef {"path" | "freehand" | "pin" | "line" | "grid" | "region" | "camera" | "object"} Kind
 * @typedef {"linear" | "spline" | "cardinal" | "bspline"} Interpolation
 * @typedef {"linear" | "in" | "out" | "in-out" | "smooth" | "hold"} Ease
 *
 * @typedef {object} SpeedKey  shares 0..1 of the time and of the path; ease of the piece that begins here
 * @property {number} t
 * @property {number} s
 * @property {Ease} ease
 *
 * @typedef {object} Track
 * @property {string} id
 * @property {string} name
 * @property {string} color  #rrggbb
 * @property {Kind} kind
 * @property {VideoPoint[]} points
 * @property {Interpolation} interpolation
 * @property {Brush | null} brush
 * @property {number} start  frame
 * @property {number | null} end  frame; null = the last one
 * @property {boolean} visible  false = muted
 * @property {number} [tension]  0..1, of a cardinal spline
 * @property {SpeedKey[] | null} [speed]  null = constant
 * @property {[number, number][] | null} [shown]  first and last frames; null = always
 * @property {number} [turn]  degrees clockwise that what the point carries has turned at the end
 * @property {number} [scale]  and the factor by which it has grown
 * @property {Grid | null} [grid]
 * @property {Region | null} [region]
 * @property {CutOut | null} [object]
 * @property {boolean} [carries]  a camera that moves the other tracks too
 * @property {boolean} [locked]  not to be changed on the canvas; the editor's own
 * @property {boolean} [hidden]  not drawn in the editor, but used; the editor's own
 *
 * @typedef {{width: number, height: number, frames: number, fps: number}} Size
 * @typedef {Size & {version: 1 | 2, tracks: Track[], pin_border: boolean}} TrackDocument
 *
 * @typedef {"select" | "draw" | "path" | "line" | "pin" | "grid" | "region" | "object"} Tool
 *
 * @typedef {object} Selection
 * @property {string | null} track
 * @property {number | null} point
 * @property {string[]} tracks  all that are selected, `track` among them
 *
 * @typedef {"track" | "line" | "grid" | "box" | "area" | "less" | "path" | "cut"} StrokeUse  what a press
 *   that draws is making; less: of an object; cut: a box round a thing
 *
 * @typedef {object} Box  video pixels; a frame on the canvas: view pixels
 * @property {number} left
 * @property {number} top
 * @property {number} right
 * @property {number} bottom
 *
 * @typedef {{x: -1 | 0 | 1, y: -1 | 0 | 1}} Corner  of a box; 0 = the middle of that side
 * @typedef {{x: number | null, y: number | null}} Guides  lines that a place has snapped to
 *
 * @typedef {object} Drag
 * @property {"point" | "move" | "scale" | "rotate" | "retime"} mode
 * @property {string} track
 * @property {number | null} point
 * @property {VideoPoint} from
 * @property {TrackDocument} base
 * @property {boolean} recorded  the step that began it is in the history already
 * @property {Box} [box]  of what is scaled or rotated
 * @property {Corner} [corner]
 *
 * @typedef {"snap" | "onion" | "numbers" | "drift"} Option  drift: the whole picture
 *   may move along
 *
 * @typedef {object} EditorState
 * @property {TrackDocument} doc
 * @property {TrackDocument[]} past  oldest first
 * @property {TrackDocument[]} future  next first
 * @property {string | null} lastKey  edits with the same key in a row are one step
 * @property {{from: TrackDocument, to: TrackDocument} | null} resized  so that many resizes lose nothing
 * @property {{width: number, height: number} | null} picture  below the tracks, as large as its file; null =
 *   none, or not known
 * @property {Tool} tool
 * @property {Selection} selection
 * @property {string | null} open  the track that the path tool adds points to
 * @property {VideoPoint[] | null} stroke  the stroke, line or rectangle in work
 * @property {StrokeUse} use  what the stroke will be
 * @property {Drag | null} drag
 * @property {Guides | null} guides
 * @property {number} brush  radius for new tracks, px
 * @property {Interpolation} interpolation  for new paths
 * @property {number} frame  the playhead
 * @property {Record<Option, boolean>} options
 *
 * @typedef {Partial<Omit<Track, "id" | "kind">>} TrackChanges
 *
 * @typedef {{type: "tool", tool: Tool}
 *   | {type: "select", track: string | null, point?: number | null, add?: boolean}
 *   | {type: "select-many", tracks: string[]} | {type: "select-all"}
 *   | {type: "stroke-start", at: VideoPoint, use?: StrokeUse}
 *   | {type: "stroke-extend", at: VideoPoint, even?: boolean, reach?: number}
 *   | {type: "stroke-end", add?: boolean, near?: number} | {type: "stroke-cancel"}
 *   | {type: "path-click", at: VideoPoint, near?: number, reach?: number} | {type: "path-finish"}
 *   | {type: "pin", at: VideoPoint, reach?: number}
 *   | {type: "drag-start", track: string, point: number | null, at: VideoPoint, recorded?: boolean}
 *   | {type: "transform-start", mode: "scale" | "rotate", corner: Corner, at: VideoPoint}
 *   | {type: "retime-start", track: string, at: VideoPoint}
 *   | {type: "drag-move", at: VideoPoint, even?: boolean, reach?: number} | {type: "drag-end"}
 *   | {type: "drag-cancel"} | {type: "nudge", dx: number, dy: number} | {type: "mirror", axis: "x" | "y"}
 *   | {type: "rotate", degrees: number} | {type: "scale", factor: number}
 *   | {type: "insert", track: string, index: number, at: VideoPoint} | {type: "delete"}
 *   | {type: "delete-point", track: string, point: number} | {type: "delete-track", track: string}
 *   | {type: "duplicate"} | {type: "paste", tracks: Track[], shift?: boolean}
 *   | {type: "reorder", track: string, to: number} | {type: "shift-order", by: number}
 *   | {type: "edit", track: string, changes: TrackChanges, key?: string}
 *   | {type: "edit-selected", changes: TrackChanges, key?: string} | {type: "camera", preset: string}
 *   | {type: "toggle-shown"} | {type: "brush", radius: number}
 *   | {type: "interpolation", interpolation: Interpolation} | {type: "pin-border", on: boolean}
 *   | {type: "option", option: Option, on: boolean} | {type: "clear"} | {type: "undo"} | {type: "redo"}
 *   | {type: "resize", size: Size, picture?: EditorState["picture"]}
 *   | {type: "cut-out", mask: import("../shared/masks.js").Mask, way: import("./objects.js").CutWay}
 *   | {type: "load", document: TrackDocument}
 *   | {type: "seek", frame: number}} EditorEvent
 */

export {};
