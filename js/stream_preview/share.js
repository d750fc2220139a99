/**
 * Takes that travel: a take becomes a file that the host opens as a workflow, and what such a file brings is
 * put where the host looks for it. Nothing of a file is ever run by itself. Owns the talk with the host.
 */

import { nodesOnPath, nodesUpstream } from "../shared/graph.js";
import { viewRoute } from "../shared/routes.js";
import { saveFile } from "../shared/save_file.js";
import { compareWeights, EXTRA, MOST_PICTURES, readTakeFile, withTake } from "./take_file.js";
import { word } from "./vocabulary.js";

/** @import {Take} from "./state.js" */
/** @import {TakePicture, TakeWeights} from "./take_file.js" */

const WEIGHTS = "MotionStreamLoader";
const UPLOADED = ["LoadImage", "LoadImageMask"];
const PICTURE_WIDGET = "image";
const WEIGHTS_WIDGET = "weights";
const NOTICE_MS = 12_000;

export class SharedTakes {
  /**
   * @param {ComfyApp} app
   * @param {ComfyApi} api
   */
  constructor(app, api) {
    this.app = app;
    this.api = api;
    /** The takes of opened files, by workflow. @type {Map<string, Take>} */
    this.opened = new Map();
    this.count = 0;
  }

  get root() {
    return this.app.rootGraph ?? this.app.graph;
  }

  /** The take as a download. @param {Take} take */
  async share(take) {
    try {
      const workflow = this.root?.serialize?.();
      if (!workflow) throw new Error("expected a workflow on the page, got none");
      const file = { take, pictures: await this.pictures(take), weights: await this.weights(take) };
      const name = `take_${take.seed}_${take.seconds.toFixed(0)}s.json`;
      saveFile(name, JSON.stringify(withTake(workflow, file)), "application/json");
    } catch (error) {
      this.say("error", word("share"), error instanceof Error ? error.message : String(error));
    }
  }

  /**
   * What stands in the graph that the page has just loaded. Its pictures are uploaded, its weights compared.
   * @param {string} workflow  the id of it
   * @returns {Promise<boolean>} whether it brought a take that can be replayed
   */
  async open(workflow) {
    const extra = this.root?.extra;
    const value = extra?.[EXTRA];
    if (!extra || value === undefined) return false;
    // Once is enough: what the person changes after that is theirs, also in a workflow that is saved again.
    delete extra[EXTRA];
    try {
      const file = readTakeFile(value);
      const missing = [...(await this.bring(file.pictures)), ...(await this.compare(file.weights))];
      this.opened.set(workflow, { ...file.take, token: `file ${++this.count}` });
      const about = word("take", { seconds: file.take.seconds.toFixed(1), seed: file.take.seed });
      if (missing.length) this.say("warn", word("opened_take", { about }), missing.join("\n"));
      else this.say("info", word("opened_take", { about }), word("opened_take_help"));
      return true;
    } catch (error) {
      this.say("error", word("bad_take"), error instanceof Error ? error.message : String(error));
      return false;
    }
  }

  /** The take's sampler, and all that it is made from. @param {Take} take @returns {ComfyNode[]} */
  makers(take) {
    const path = nodesOnPath(this.root, take.node);
    return [...new Set(path.flatMap((node) => [node, ...nodesUpstream(node, this.root)]))];
  }

  /** @param {Take} take @returns {Promise<TakePicture[]>} */
  async pictures(take) {
    /** @type {TakePicture[]} */
    const found = [];
    for (const node of this.makers(take)) {
      const name = textIn(node, PICTURE_WIDGET);
      if (!UPLOADED.includes(node.type) || !name || found.length >= MOST_PICTURES) continue;
      const slash = name.lastIndexOf("/");
      const place = { filename: name.slice(slash + 1), subfolder: name.slice(0, Math.max(slash, 0)) };
      const answer = await this.api.fetchApi(viewRoute({ ...place, type: "input" }));
      if (!answer.ok) throw new Error(word("no_picture", { name }));
      const data = await dataUrl(await answer.blob());
      found.push({ node: String(node.id), widget: PICTURE_WIDGET, name: place.filename, data });
    }
    return found;
  }

  /** @param {Take} take @returns {Promise<TakeWeights[]>} */
  async weights(take) {
    /** @type {TakeWeights[]} */
    const found = [];
    for (const node of this.makers(take)) {
      const name = node.type === WEIGHTS ? textIn(node, WEIGHTS_WIDGET) : "";
      if (!name) continue;
      const here = await this.weightsHere(name);
      found.push({
        node: String(node.id),
        widget: WEIGHTS_WIDGET,
        name,
        bytes: here?.bytes ?? 0,
        sha256: here?.sha256 ?? "",
      });
    }
    return found;
  }

  /**
   * @param {string} name
   * @returns {Promise<{bytes: number, sha256: string} | null>} null = the host has no such file
   */
  async weightsHere(name) {
    const answer = await this.api.fetchApi(`/motionstream/weights?${new URLSearchParams({ name })}`);
    if (answer.status === 404) return null;
    if (!answer.ok) throw new Error(`${answer.status} ${answer.statusText}`);
    return answer.json();
  }

  /**
   * Pictures of a file -> the input folder, under another name where theirs is taken by another picture.
   * @param {TakePicture[]} pictures
   * @returns {Promise<string[]>} what could not be brought, in words
   */
  async bring(pictures) {
    /** @type {string[]} */
    const problems = [];
    for (const picture of pictures) {
      const node = nodesOnPath(this.root, picture.node).at(-1);
      const widget = node?.widgets?.find((each) => each.name === picture.widget);
      if (!node || !widget || !UPLOADED.includes(node.type)) {
        problems.push(word("no_place", { name: picture.name }));
        continue;
      }
      const body = new FormData();
      body.append("image", await (await fetch(picture.data)).blob(), picture.name);
      const answer = await this.api.fetchApi("/upload/image", { method: "POST", body });
      if (!answer.ok) {
        problems.push(word("no_picture", { name: picture.name }));
        continue;
      }
      const { name } = await answer.json();
      const { values } = /** @type {{values?: unknown}} */ (widget.options ?? {});
      if (Array.isArray(values) && !values.includes(name)) values.push(name);
      widget.value = name;
      widget.callback?.(name);
    }
    return problems;
  }

  /** @param {TakeWeights[]} weights @returns {Promise<string[]>} those that are not the same here */
  async compare(weights) {
    /** @type {string[]} */
    const problems = [];
    for (const each of weights) {
      const found = compareWeights(each, await this.weightsHere(each.name));
      if (found === "missing") problems.push(word("weights_missing", { name: each.name }));
      if (found === "other") problems.push(word("weights_other", { name: each.name }));
    }
    return problems;
  }

  /**
   * @param {"info" | "warn" | "error"} severity
   * @param {string} summary
   * @param {string} detail
   */
  say(severity, summary, detail) {
    this.app.extensionManager?.toast?.add({ severity, summary, detail, life: NOTICE_MS });
  }
}

/** @param {ComfyNode} node @param {string} name @returns {string} the text of a widget; "" = it has none */
function textIn(node, name) {
  const value = node.widgets?.find((widget) => widget.name === name)?.value;
  return typeof value === "string" ? value : "";
}

/** @param {Blob} blob @returns {Promise<string>} */
function dataUrl(blob) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.addEventListener("load", () => resolve(String(reader.result)));
    reader.addEventListener("error", () => reject(reader.error));
    reader.readAsDataURL(blob);
  });
}
