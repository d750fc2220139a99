/**
 * The one way to change the preview's state: reduce(state, event, now) gives the state that follows and the
 * effects to be had outside of it. Pure. The effects are performed by session.js and preview.js.
 */

import {
  isAtRest,
  createRig,
  holdRig,
  pushByKey,
  releaseAxes,
  pushRig,
  rigFromSpeeds,
  speedsFromRig,
} from "./camera.js";
import * as controls from "./controls.js";
import { NO_LATENCY, recordSent, recordShown, dropWaiting } from "./latency.js";
import { isActive, obstacleOf } from "./obstacles.js";
import {
  grabbableHandles,
  isBusy,
  MOST_TAKES,
  NO_DEVICES,
  NOTHING_SAVED,
  NOTHING_TOLD,
  takenAt,
} from "./state.js";
import * as steering from "./steering.js";
import { word } from "./vocabulary.js";

/** @import {Rig} from "./camera.js" */
/** @import {Control} from "./controls.js" */
/** @import {Status} from "./obstacles.js" */
/** @import {IgnoredControl, News, Run, RunState} from "./protocol.js" */
/** @import {PreviewEvent, PreviewState} from "./state.js" */

/**
 * @typedef {{do: "begin", run: Run} | {do: "end-link"} | {do: "close-link"} | {do: "forget", token: string}
 *   | {do: "send", control: Control} | {do: "clear-outbox"} | {do: "expire-problem"}
 *   | {do: "watch", run: Run, on: boolean} | {do: "full-screen"}
 *   | {do: "device", run: Run, device: string, on: boolean} | {do: "osc", run: Run, port: number}
 *   | {do: "pop-out", on: boolean}
 *   | {do: "open-large"} | {do: "close-large"} | {do: "focus"}} Effect
 * @typedef {{state: PreviewState, effects: Effect[]}} Step
 */

/** Controls that begin something that can be undone. */
const ACTS = ["grab", "add", "remove", "pin_border", "camera", "prompt", "scene", "strength"];

/**
 * @param {PreviewState} state
 * @param {PreviewEvent} event
 * @param {number} now ms
 * @returns {Step}
 */
export function reduce(state, event, now) {
  switch (event.type) {
    case "run-start":
      return runStarted(state, event.run, now);
    case "took-over":
      return step(tookOver(state, event.state, event.ending));
    case "saved": {
      const { file, take } = event;
      const others = state.takes.filter((each) => each.token !== take?.token);
      const takes = take ? [take, ...others].slice(0, MOST_TAKES) : state.takes;
      return step({ ...state, saved: { file, take }, takes });
    }
    case "cut-off":
      return step({ ...state, takes: [event.take, ...state.takes].slice(0, MOST_TAKES) });
    case "recalled":
      return step({
        ...state,
        status: state.run ? state.status : "done",
        recalled: { width: event.width, height: event.height },
      });
    case "run-end":
      return withEffects(finished(state, event.status), { do: "end-link" });
    case "link":
      return linked(state, event.link, event.problem);
    case "news":
      return newsHeard(state, event.news);
    case "frame-received":
      return step({ ...state, epoch: Math.max(state.epoch, event.epoch) });
    case "frame-shown":
      return step({
        ...state,
        shown: event.header,
        scrub: state.scrub && event.header.epoch > state.scrub.until ? null : state.scrub,
        latency: recordShown(state.latency, event.header.epoch, now),
        ghosts: state.ghosts.filter((ghost) => ghost.epoch >= event.header.epoch),
      });
    case "taken":
      return step({
        ...state,
        status: event.control.type === "stop" ? "stopping" : state.status,
        problem: "",
      });
    case "refused":
      return refused(state, event.control, event.answer);
    case "problem-over":
      return step({ ...state, problem: "" });
    case "watch":
      return step({ ...state, watch: isActive(state.status) ? event.address : "" });
    case "watch-failed":
      return complained(state, word("watch_failed"));
    case "devices":
      return step({ ...state, devices: { known: event.known, on: event.on } });
    case "osc":
      return step({ ...state, oscPort: isActive(state.status) ? event.port : 0 });
    case "device-failed":
      return complained(state, word("device_failed", { detail: event.detail }));
    case "popped-out":
      return step({ ...state, poppedOut: event.on });
    case "disconnect":
      return disconnected(state, now);
    default:
      return asked(state, event, now);
  }
}

/**
 * What the person asks for.
 * @param {PreviewState} state
 * @param {PreviewEvent} event
 * @param {number} now
 * @returns {Step}
 */
function asked(state, event, now) {
  switch (event.type) {
    case "send":
      return sending(state, [event.control], now);
    case "prompt":
      return sending({ ...state, promptSent: event.text }, [controls.prompt(event.text)], now);
    case "show":
      return step({ ...state, [event.part]: event.on });
    case "scrub": {
      const until = event.held ? Infinity : state.epoch;
      return step({ ...state, scrub: event.chunk === null ? null : { chunk: event.chunk, until } });
    }
    case "note":
      return step({ ...state, note: event.text });
    case "watch-asked":
      return state.run
        ? withEffects(step(state), { do: "watch", run: state.run, on: event.on })
        : step(state);
    case "device-asked":
      return state.run
        ? withEffects(step(state), { do: "device", run: state.run, device: event.device, on: event.on })
        : step(state);
    case "osc-asked":
      return state.run && isActive(state.status)
        ? withEffects(step(state), { do: "osc", run: state.run, port: event.port })
        : step(state);
    case "toggle-pause":
      return sending(state, [controls.plain(state.status === "paused" ? "resume" : "pause")], now);
    case "full-screen":
      return withEffects(step(state), { do: "full-screen" });
    case "pop-out":
      return withEffects(step(state), { do: "pop-out", on: event.on });
    case "large":
      return largeAsked(state, event.on);
    case "large-closed":
      return withEffects(
        step({ ...state, large: null, cameraOpen: state.large?.cameraWasOpen ?? state.cameraOpen }),
        { do: "focus" },
      );
    case "camera-push":
      return cameraPushed(state, pushRig(state.rig, event.push), now);
    case "camera-key":
      return cameraPushed(state, pushByKey(state.rig, event.axis, event.direction), now);
    case "camera-release":
      return cameraPushed(state, releaseAxes(state.rig, event.axes), now);
    case "camera-hold":
      return cameraPushed(state, holdRig(state.rig, event.hold), now);
    case "camera-rest":
      return isAtRest(state.rig)
        ? step(state)
        : cameraPushed(state, pushRig(state.rig, createRig().push), now);
    default:
      return handled(state, event, now);
  }
}

/**
 * What the person's hands do on the picture.
 * @param {PreviewState} state
 * @param {PreviewEvent} event
 * @param {number} now
 * @returns {Step}
 */
function handled(state, event, now) {
  switch (event.type) {
    case "press":
      return steered(
        state,
        steering.press(state.steering, {
          ...event.place,
          handles: grabbableHandles(state),
          taken: takenAt(state, event.place.at, event.place.reach),
        }),
        now,
      );
    case "drag":
      return steered(
        state,
        steering.drag(state.steering, { ...event.place, handles: grabbableHandles(state) }),
        now,
      );
    case "lift":
      return steered(state, steering.lift(state.steering, event.place), now);
    case "release-all":
      return steered(state, steering.releaseAll(state.steering), now);
    case "remove-at": {
      const handle = takenAt(state, event.place.at, event.place.reach);
      return handle ? sending(state, [controls.remove(handle[0])], now) : step(state);
    }
    case "steer":
      // A tool is kept while it is in use.
      return event.changes.tool && isBusy(state)
        ? step(state)
        : step({ ...state, steering: { ...state.steering, ...event.changes } });
    case "radius": {
      if (!state.run) return step(state);
      const radius = steering.stepRadius(state.steering.radius, event.direction, state.run);
      return step({ ...state, steering: { ...state.steering, radius } });
    }
    default:
      return step(state);
  }
}

/**
 * @param {PreviewState} state
 * @returns {Step}
 */
const step = (state) => ({ state, effects: [] });

/**
 * @param {Step} made
 * @param {Effect[]} effects that come before those it has
 * @returns {Step}
 */
const withEffects = (made, ...effects) => ({ state: made.state, effects: [...effects, ...made.effects] });

/**
 * @param {PreviewState} state
 * @param {Run} run
 * @param {number} now
 * @returns {Step}
 */
function runStarted(state, run, now) {
  const same = state.run?.width === run.width && state.run.height === run.height;
  const radius = same ? state.steering.radius : steering.usualRadius(run);
  /** @type {PreviewState} */
  const fresh = {
    ...state,
    run,
    status: "live",
    sampler: NOTHING_TOLD,
    objects: [],
    epoch: 0,
    shown: null,
    steering: { ...steering.releaseAll(state.steering).steering, radius },
    rig: { ...createRig(), hold: state.rig.hold },
    cameraSent: null,
    prompt: "",
    promptSent: null,
    ghosts: [],
    latency: NO_LATENCY,
    problem: "",
    began: now,
    recalled: null,
    scrub: null,
    saved: NOTHING_SAVED,
    watch: "",
    devices: NO_DEVICES,
    acts: [],
    oscPort: 0,
    touched: false,
  };
  return { state: fresh, effects: [{ do: "begin", run }] };
}

/**
 * What the preview in this place knew, without what only a run that goes on needs.
 * @param {PreviewState} state
 * @param {PreviewState} before
 * @param {import("./protocol.js").Ending | null} ending  null = it goes on, or nobody knows
 * @returns {PreviewState}
 */
function tookOver(state, before, ending) {
  const open = isActive(before.status) || before.status === "away";
  return {
    ...before,
    status: open ? (ending ?? "lost") : before.status,
    steering: steering.releaseAll(before.steering).steering,
    rig: { ...createRig(), hold: before.rig.hold },
    cameraSent: null,
    ghosts: [],
    latency: NO_LATENCY,
    problem: "",
    note: "",
    helpOpen: false,
    large: state.large,
    poppedOut: state.poppedOut,
  };
}

/**
 * Nothing can be steered any more. Frames that wait are still shown.
 * @param {PreviewState} state
 * @param {Status} status
 * @returns {Step}
 */
const finished = (state, status) => ({
  state: {
    ...state,
    status,
    steering: steering.releaseAll(state.steering).steering,
    rig: { ...createRig(), hold: state.rig.hold },
    ghosts: [],
    cameraSent: null,
    watch: "",
    devices: NO_DEVICES,
    oscPort: 0,
  },
  effects: [{ do: "clear-outbox" }],
});

/**
 * @param {PreviewState} before
 * @param {"open" | "away" | "gone"} link
 * @param {string} problem "" = none
 * @returns {Step}
 */
function linked(before, link, problem) {
  const { state, effects } = problem ? complained(before, problem) : step(before);
  if (link === "gone") {
    const forget = state.run ? [/** @type {Effect} */ ({ do: "forget", token: state.run.token })] : [];
    return withEffects(finished(state, "lost"), ...effects, ...forget);
  }
  if (link === "away" && isActive(state.status)) return { state: { ...state, status: "away" }, effects };
  if (link === "open" && state.status === "away") return { state: { ...state, status: "live" }, effects };
  return { state, effects };
}

/**
 * @param {PreviewState} state
 * @param {News} news
 * @returns {Step}
 */
function newsHeard(state, news) {
  if (news.type === "state") return samplerTold(state, news.state);
  if (news.type === "objects") return step({ ...state, objects: news.objects });
  if (news.type !== "ignored") return step(state);
  return news.controls.some(isNothingThere) ? complained(state, word("nothing_there")) : step(state);
}

/** A selected place at which nothing stands out. @param {IgnoredControl} control */
const isNothingThere = ({ type, code }) => type === "add" && code === "no_target";

/**
 * @param {PreviewState} before
 * @param {RunState} told
 * @returns {Step}
 */
function samplerTold(before, told) {
  /** @type {PreviewState} */
  const heard = {
    ...before,
    sampler: told,
    epoch: Math.max(before.epoch, told.epoch),
    latency: told.status === "paused" ? dropWaiting(before.latency) : before.latency,
    prompt: told.prompt ?? before.prompt,
    promptSent: told.prompt !== null && told.prompt === before.promptSent ? null : before.promptSent,
  };
  const { state, effects } = withStatus(heard, told.status);
  return { state: cameraFollowed(state, told), effects };
}

/**
 * @param {PreviewState} state
 * @param {RunState["status"]} status
 * @returns {Step}
 */
function withStatus(state, status) {
  if (status === "running") return step({ ...state, status: "live" });
  if (status === "paused" || status === "stopping") return step({ ...state, status });
  return finished(state, status);
}

/**
 * The camera as the sampler has it, unless something else was asked for just now.
 * @param {PreviewState} state
 * @param {RunState} told
 * @returns {PreviewState}
 */
function cameraFollowed(state, told) {
  if (!state.run) return state;
  const waiting = state.cameraSent;
  const arrived = waiting && controls.sameCamera(waiting.control, controls.camera(told.camera));
  const overtaken = waiting && told.epoch > waiting.epoch + 1;
  if (waiting && !arrived && !overtaken) return state;
  return { ...state, cameraSent: null, rig: rigFromSpeeds(state.rig, told.camera, state.run) };
}

/**
 * The controls that can be sent now go out.
 * @param {PreviewState} state
 * @param {Control[]} list
 * @param {number} now
 * @returns {Step}
 */
function sending(state, list, now) {
  const taken = list.filter((control) => !obstacleOf(state, control.type));
  let { latency, ghosts, acts } = state;
  for (const control of taken) {
    latency = recordSent(latency, control.type, now, state.epoch);
    acts = withAct(acts, control, state.sampler.chunk);
    if (control.type === "add") ghosts = [...ghosts, { control, epoch: state.epoch }];
  }
  return {
    state: taken.length ? { ...state, latency, ghosts, acts, touched: true } : state,
    effects: taken.map((control) => ({ do: "send", control })),
  };
}

/**
 * The acts that can be undone, with one more. A drag and a camera on its way are one act each, and going back
 * takes those back that came after.
 * @param {number[]} acts
 * @param {Control} control
 * @param {number} chunk in work
 * @returns {number[]}
 */
function withAct(acts, control, chunk) {
  if (control.type === "rewind") return acts.filter((each) => each < control.chunk);
  if (!ACTS.includes(control.type)) return acts;
  const goesOn = control.type === "camera" && acts.at(-1) === chunk;
  return goesOn ? acts : [...acts, Math.max(1, chunk)];
}

/**
 * @param {PreviewState} state
 * @param {Control} control
 * @param {import("./controls.js").Answer} answer
 * @returns {Step}
 */
function refused(state, control, answer) {
  const calm = {
    ...state,
    ghosts: control.type === "add" ? [] : state.ghosts,
    cameraSent: control.type === "camera" ? null : state.cameraSent,
    latency: dropWaiting(state.latency),
  };
  const told = complained(calm, controls.refusal(answer));
  return controls.FINAL_CODES.includes(answer.code) ? withEffects(told, { do: "clear-outbox" }) : told;
}

/**
 * @param {PreviewState} state
 * @param {string} problem
 * @returns {Step}
 */
const complained = (state, problem) => ({
  state: { ...state, problem },
  effects: [{ do: "expire-problem" }],
});

/**
 * @param {PreviewState} state
 * @param {steering.Step} made
 * @param {number} now
 * @returns {Step}
 */
const steered = (state, made, now) => sending({ ...state, steering: made.steering }, made.controls, now);

/**
 * @param {PreviewState} state
 * @param {Rig} rig
 * @param {number} now
 * @returns {Step}
 */
function cameraPushed(state, rig, now) {
  const video = state.run ?? { width: 0, height: 0 };
  const before = controls.camera(speedsFromRig(state.rig, video));
  const control = controls.camera(speedsFromRig(rig, video));
  const moved = { ...state, rig };
  if (controls.sameCamera(before, control) || obstacleOf(state, "camera")) return step(moved);
  return sending({ ...moved, cameraSent: { control, epoch: state.epoch } }, [control], now);
}

/**
 * @param {PreviewState} state
 * @param {boolean} on
 * @returns {Step}
 */
function largeAsked(state, on) {
  if (on === Boolean(state.large)) return step(state);
  if (!on) return { state, effects: [{ do: "close-large" }] };
  const large = { cameraWasOpen: state.cameraOpen };
  return { state: { ...state, large, cameraOpen: true }, effects: [{ do: "open-large" }, { do: "focus" }] };
}

/**
 * The view leaves the page: hands that hold something let go, and the run is no longer followed.
 * @param {PreviewState} before
 * @param {number} now
 * @returns {Step}
 */
function disconnected(before, now) {
  const { state, effects } = isBusy(before)
    ? steered(before, steering.releaseAll(before.steering), now)
    : step(before);
  const followed = isActive(state.status) || state.status === "away";
  return {
    state: { ...state, status: followed ? "idle" : state.status, shown: null },
    effects: [{ do: "close-link" }, ...effects],
  };
}
