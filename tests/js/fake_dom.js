/**
 * As much of a browser as the stream preview needs, for node: elements, sockets, pictures and a clock that
 * are driven by hand. `install()` puts it into the globals and gives the counts of what is still alive.
 */

import { setMaxListeners } from "node:events";

const SIZE = { width: 400, height: 300 };

/**
 * Counts its listeners. What takes one away when its signal is aborted is held here: node holds all but the
 * last of a target weakly, and a collection of garbage would leave them.
 */
class CountedTarget extends EventTarget {
  alive = 0;

  addEventListener(type, listener, options) {
    const { signal, ...rest } = typeof options === "object" ? options : { capture: Boolean(options) };
    super.addEventListener(type, listener, rest);
    this.alive += 1;
    if (!signal) return;
    setMaxListeners(100, signal);
    signal.addEventListener("abort", () => this.removeEventListener(type, listener), { once: true });
  }

  removeEventListener(type, listener) {
    super.removeEventListener(type, listener);
    this.alive -= 1;
  }
}

class FakeElement extends CountedTarget {
  constructor(tag) {
    super();
    Object.assign(this, {
      tagName: tag.toUpperCase(),
      className: "",
      dataset: {},
      children: [],
      attributes: {},
      parentElement: null,
      title: "",
      value: "",
      hidden: false,
      disabled: false,
    });
    this.text = "";
    this.style = { setProperty: (name, value) => (this.style[name] = value) };
    this.clientWidth = SIZE.width;
    this.clientHeight = SIZE.height;
    this.open = false;
  }

  get classList() {
    const names = () => new Set(this.className.split(/\s+/).filter(Boolean));
    const keep = (set) => (this.className = [...set].join(" "));
    return {
      contains: (name) => names().has(name),
      toggle: (name, on = !names().has(name)) => {
        const set = names();
        on ? set.add(name) : set.delete(name);
        keep(set);
      },
    };
  }

  get textContent() {
    return this.text + this.children.map((child) => child.textContent).join("");
  }

  set textContent(text) {
    this.children = [];
    this.text = text;
  }

  replaceChildren(...nodes) {
    this.text = "";
    for (const child of [...this.children]) child.remove();
    this.append(...nodes);
  }

  append(...nodes) {
    for (const node of nodes) {
      if (typeof node === "string") this.text += node;
      else {
        node.remove();
        node.parentElement = this;
        this.children.push(node);
      }
    }
  }

  remove() {
    if (this.parentElement)
      this.parentElement.children = this.parentElement.children.filter((child) => child !== this);
    this.parentElement = null;
  }

  replaceWith(other) {
    const parent = this.parentElement;
    this.remove();
    parent?.append(other);
  }

  setAttribute(name, value) {
    this.attributes[name] = value;
  }

  contains(other) {
    return other === this || this.children.some((child) => child.contains(other));
  }

  all() {
    return [this, ...this.children.flatMap((child) => child.all())];
  }

  querySelector(selector) {
    return (
      this.all().find((each) =>
        selector.startsWith(".")
          ? each.classList.contains(selector.slice(1))
          : each.tagName === selector.toUpperCase(),
      ) ?? null
    );
  }

  getBoundingClientRect() {
    return { left: 0, top: 0, ...SIZE };
  }

  getContext() {
    return new Proxy(
      {},
      { get: (own, name) => own[name] ?? (() => {}), set: (own, name, value) => ((own[name] = value), true) },
    );
  }

  focus() {
    document.activeElement = this;
  }

  blur() {
    document.activeElement = document.body;
  }

  click() {
    if (!this.disabled) this.dispatchEvent(new Event("click"));
  }

  setPointerCapture() {}

  showModal() {
    this.open = true;
  }

  close() {
    this.open = false;
    this.dispatchEvent(new Event("close"));
  }
}

class FakeInput extends FakeElement {}
class FakeSelect extends FakeElement {}
class FakeButton extends FakeElement {}
const CLASSES = { input: FakeInput, select: FakeSelect, button: FakeButton };

class FakeSocket {
  static OPEN = 1;
  readyState = 1;
  sent = [];
  onmessage = null;
  onclose = null;

  constructor(url) {
    this.url = url;
    FakeSocket.all.push(this);
  }

  send(text) {
    this.sent.push(JSON.parse(text));
  }

  /** The other side sends. */
  async deliver(data) {
    this.onmessage?.({ data });
    for (let i = 0; i < 6; i++) await Promise.resolve();
  }

  close() {
    if (this.readyState === 3) return;
    this.readyState = 3;
    this.onclose?.();
  }
}

/** @returns what the tests drive and count */
export function install() {
  FakeSocket.all = [];
  const page = { sockets: FakeSocket.all, pictures: 0, observers: 0, frames: new Map(), next: 1, late: 0 };
  const make = (tag) => new (CLASSES[tag] ?? FakeElement)(tag);
  const body = make("body");
  const fakeDocument = Object.assign(new CountedTarget(), {
    createElement: make,
    createElementNS: (_, tag) => make(tag),
    head: make("head"),
    body,
    activeElement: body,
    hidden: false,
  });
  fakeDocument.getElementById = (id) => fakeDocument.head.all().find((each) => each.id === id) ?? null;
  const globals = {
    document: fakeDocument,
    window: Object.assign(new CountedTarget(), {
      devicePixelRatio: 1,
      matchMedia: () => (page.screen = new CountedTarget()),
    }),
    location: { protocol: "http:", host: "host:8188" },
    HTMLInputElement: FakeInput,
    HTMLSelectElement: FakeSelect,
    HTMLButtonElement: FakeButton,
    WebSocket: FakeSocket,
    ResizeObserver: class {
      observe() {
        page.observers += 1;
      }
      disconnect() {
        page.observers -= 1;
      }
    },
    requestAnimationFrame: (callback) => (page.frames.set(page.next, callback), page.next++),
    cancelAnimationFrame: (request) => page.frames.delete(request),
    createImageBitmap: async () => {
      page.pictures += 1;
      return { width: 128, height: 128, close: () => (page.pictures -= 1) };
    },
  };
  Object.assign(globalThis, globals);
  /** Runs what waits for the next picture of the screen. Every call is 200 ms after the one before. */
  page.tick = (now = performance.now() + (page.late += 200)) => {
    const waiting = [...page.frames.values()];
    page.frames.clear();
    for (const callback of waiting) callback(now);
  };
  return page;
}

/** An event with fields that node's own Event does not take. */
export const event = (type, fields = {}) => Object.assign(new Event(type, { cancelable: true }), fields);
