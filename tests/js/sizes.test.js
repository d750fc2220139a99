import assert from "node:assert/strict";
import { test } from "node:test";

import { coverCrop } from "../../js/shared/geometry.js";
import { emptyDocument, fitDocument } from "../../js/track_editor/document.js";
import { linkedNumber, widgetsBehind } from "../../js/track_editor/linked_size.js";
import { initialState, reduce } from "../../js/track_editor/state.js";

const PICTURE = { width: 832, height: 480 };
const size = (width, height) => ({ width, height, frames: 49, fps: 16 });
const pinAt = (x, y) => ({ id: "a", kind: "pin", points: [{ x, y }], brush: { radius: 8, spacing: 4 } });
/** Where in the picture a place of the video lies. */
const inPicture = (place, video) => {
  const crop = coverCrop(PICTURE, video);
  const scale = crop.width / video.width;
  return [crop.x + (place.x + 0.5) * scale, crop.y + (place.y + 0.5) * scale];
};

test("tracks stay on the picture's content when the video gets another shape", () => {
  const before = { ...emptyDocument(size(128, 128)), tracks: [pinAt(100, 30)] };
  for (const [width, height] of [
    [224, 128],
    [832, 480],
    [96, 256],
  ]) {
    const after = fitDocument(before, size(width, height), PICTURE);
    const [x, y] = inPicture(after.tracks[0].points[0], after);
    const [wantedX, wantedY] = inPicture({ x: 100, y: 30 }, before);
    assert.ok(Math.hypot(x - wantedX, y - wantedY) < 0.1, `${width}x${height}: ${x},${y}`);
  }
  const stretched = fitDocument(before, size(256, 128));
  assert.deepEqual(stretched.tracks[0].points[0], { x: 200, y: 30 }, "no picture to stay on");
});

test("another shape and back leaves every track where it was, and an undo lands on the picture", () => {
  let state = initialState({ ...emptyDocument(size(128, 128)), tracks: [pinAt(100, 30)] });
  const wide = { type: "resize", size: size(224, 128), picture: PICTURE };
  const back = reduce(reduce(state, wide), { ...wide, size: size(128, 128) });
  assert.deepEqual(back.doc, state.doc);
  state = reduce(reduce(state, { type: "clear" }), wide);
  const [pin] = reduce(state, { type: "undo" }).doc.tracks;
  assert.deepEqual(pin.points, fitDocument(back.doc, wide.size, PICTURE).tracks[0].points);
});

/** A node whose inputs are fed by [source, output slot]. */
const nodeOf = (type, values, inputs = {}, outputs = []) => ({
  type,
  widgets: Object.entries(values).map(([name, value]) => ({ name, value })),
  inputs: Object.keys(inputs).map((name) => ({ name, link: 1, widget: { name } })),
  outputs: outputs.map((name) => ({ name })),
  getInputNode: (slot) => Object.values(inputs)[slot]?.[0] ?? null,
  getInputLink: (slot) => ({ origin_slot: Object.values(inputs)[slot]?.[1] ?? 0 }),
});

test("a linked size is what feeds it, as far as the page can know", () => {
  const image = nodeOf("LoadImage", { image: "in/a.png" }, {}, ["IMAGE", "MASK"]);
  const measured = nodeOf("GetImageSize", {}, { image: [image, 0] }, ["width", "height", "batch_size"]);
  const asked = [];
  const pictures = (route) => (asked.push(route), PICTURE);
  const number = (node, name) => linkedNumber(node, name, pictures);
  const editor = nodeOf(
    "MotionStreamTrackEditor",
    { width: 1, height: 1, frames: 25 },
    { width: [measured, 0], height: [measured, 1] },
    ["TRACKS", "IMAGE", "width", "height", "frames"],
  );
  assert.deepEqual([number(editor, "width"), number(editor, "height")], [832, 480]);
  assert.match(asked[0], /filename=a.png&subfolder=in&type=input/);
  assert.equal(number(editor, "frames"), null, "not linked");
  const behind = nodeOf("other", { width: 5, frames: 5 }, { width: [editor, 2], frames: [editor, 4] });
  assert.deepEqual([number(behind, "width"), number(behind, "frames")], [832, 25], "through another editor");
  const primitive = nodeOf("PrimitiveInt", { value: 640 }, {}, ["INT"]);
  const reroute = nodeOf("Reroute", {}, { "": [primitive, 0] }, [""]);
  const linked = nodeOf("other", { width: 5 }, { width: [reroute, 0] });
  assert.equal(number(linked, "width"), 640);
  assert.deepEqual(widgetsBehind(linked, "width"), [primitive.widgets[0]]);
  const sum = nodeOf("MathExpression", { value: 3 }, {}, ["INT", "FLOAT"]);
  assert.equal(number(nodeOf("other", { width: 5 }, { width: [sum, 0] }), "width"), null);
});
