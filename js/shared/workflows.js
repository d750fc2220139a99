/**
 * Which of the page's workflows a node, a prompt or an output belongs to. The host gives the nodes of all its
 * tabs the same ids, so that whatever a view keeps by node is kept by workflow as well. No side effect at
 * import.
 */

const STORE = "motionstream.prompts";
const REMEMBERED = 32; // prompts
export const UNKNOWN = "";

export class Workflows {
  /**
   * @param {ComfyApp} app
   * @param {ComfyApi} api
   * @param {Storage | undefined} [storage] of this browser tab: outlives a reload
   */
  constructor(app, api, storage = globalThis.sessionStorage) {
    this.app = app;
    this.api = api;
    this.storage = storage;
    /** @type {Map<string, string>} ids by the host's path of an open workflow */
    this.ids = new Map();
    this.made = 0;
    /** Of the workflow whose graph is on the page. */
    this.id = "0";
    this.path = UNKNOWN;
    /** While the host builds another graph: the id it will have; "" = it does not. */
    this.loading = "";
    /** @type {Map<string, string>} ids by prompt */
    this.prompts = new Map();
    /** Prompts that this browser tab has queued, before a reload too. */
    this.queuedHere = new Set(this.read());
    /** @type {{node: string, inputs: Record<string, unknown>} | null} */
    this.overrides = null;
    /** Prompts that are on their way to the host. */
    this.pending = 0;
    /** @type {Set<() => void>} */
    this.listeners = new Set();
  }

  /** Hears of every graph that is loaded and every prompt that is queued. Once a page. */
  install() {
    const { app, api } = this;
    const load = app.loadGraphData;
    const queue = api.queuePrompt;
    if (load)
      app.loadGraphData = (/** @type {any[]} */ ...parameters) =>
        this.loaded(parameters[3], () => load.apply(app, parameters));
    if (queue)
      api.queuePrompt = (/** @type {any[]} */ ...parameters) => {
        this.fill(parameters[1]?.output);
        return this.queued(() => queue.apply(api, parameters));
      };
  }

  /**
   * The next prompt that is queued gets these inputs in place of the graph's own.
   * @param {string} node  execution id
   * @param {Record<string, unknown>} inputs
   */
  override(node, inputs) {
    this.overrides = { node, inputs };
  }

  /** @param {Record<string, {inputs: Record<string, unknown>}> | undefined} output the prompt */
  fill(output) {
    const { overrides } = this;
    this.overrides = null;
    const found = overrides && output?.[overrides.node];
    if (found) Object.assign(found.inputs, overrides.inputs);
  }

  /** @returns {string} the host's path of the workflow that is shown */
  activePath() {
    return this.app.extensionManager?.workflow?.activeWorkflow?.path ?? UNKNOWN;
  }

  /** The id of the workflow that the graph on the page belongs to, or is about to. */
  get current() {
    if (this.loading) return this.loading;
    const path = this.activePath();
    if (path !== this.path) {
      // Saved under another name: no graph was loaded.
      this.ids.delete(this.path);
      this.ids.set(path, this.id);
      this.path = path;
    }
    return this.id;
  }

  /**
   * @template T
   * @param {unknown} workflow the host's object of an open workflow; anything else = a new one
   * @param {() => T | Promise<T>} load
   * @returns {Promise<T>}
   */
  async loaded(workflow, load) {
    void this.current;
    const path = /** @type {{path?: string} | null} */ (workflow)?.path;
    const id = (path !== undefined && this.ids.get(path)) || String(++this.made);
    this.loading = id;
    try {
      return await load();
    } finally {
      if (this.loading === id) {
        this.loading = "";
        this.id = id;
        this.path = this.activePath();
        this.ids.set(this.path, id);
        this.tell();
      }
    }
  }

  /**
   * @template {{prompt_id?: string} | undefined} T
   * @param {() => T | Promise<T>} queue
   * @returns {Promise<T>}
   */
  async queued(queue) {
    const id = this.current;
    this.pending++;
    try {
      const answer = await queue();
      if (answer?.prompt_id) this.note(String(answer.prompt_id), id);
      return answer;
    } finally {
      this.pending--;
      this.tell();
    }
  }

  /**
   * @param {string} prompt
   * @param {string} id
   */
  note(prompt, id) {
    this.prompts.set(prompt, id);
    for (const old of [...this.prompts.keys()].slice(0, -REMEMBERED)) this.prompts.delete(old);
    this.queuedHere.add(prompt);
    for (const old of [...this.queuedHere].slice(0, -REMEMBERED)) this.queuedHere.delete(old);
    try {
      this.storage?.setItem(STORE, JSON.stringify([...this.queuedHere]));
    } catch {
      // A page that may keep nothing forgets its prompts at a reload.
    }
  }

  /** @returns {string[]} */
  read() {
    try {
      const value = JSON.parse(this.storage?.getItem(STORE) ?? "[]");
      return Array.isArray(value) ? value.map(String) : [];
    } catch {
      return [];
    }
  }

  /**
   * The workflow that a prompt was queued from. A prompt that nobody saw being queued is the workflow's that
   * is on the page when it is first heard of.
   * @param {string} prompt
   * @returns {string | null} null = not known yet, or not open
   */
  of(prompt) {
    const known = this.prompts.get(prompt);
    if (known) return known;
    // Of the page before a reload, which gives its graphs new paths: the workflow on the page may show it.
    if (this.queuedHere.has(prompt)) return this.current;
    if (this.pending) return null;
    this.prompts.set(prompt, this.current);
    return this.current;
  }

  /** @param {() => void} listener told when a graph is there, and when a prompt is known */
  subscribe(listener) {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  tell() {
    for (const listener of [...this.listeners]) listener();
  }
}

/** A map that forgets what was set longest ago. @template T */
export class Memory {
  /**
   * @param {number} most
   * @param {(value: T) => void} [forget] what is forgotten
   */
  constructor(most, forget = () => {}) {
    this.most = most;
    this.forget = forget;
    /** @type {Map<string, T>} */
    this.values = new Map();
  }

  /** @param {string} key */
  get(key) {
    return this.values.get(key);
  }

  /** @param {string} key @param {T} value */
  set(key, value) {
    this.values.delete(key);
    this.values.set(key, value);
    for (const old of [...this.values.keys()].slice(0, -this.most)) {
      this.forget(/** @type {T} */ (this.values.get(old)));
      this.values.delete(old);
    }
  }

  /** @param {string} key @returns {T | undefined} what is no longer kept here */
  take(key) {
    const value = this.values.get(key);
    this.values.delete(key);
    return value;
  }
}
