/**
 * What nodes gave the page when they ran, by workflow. The host keeps it by node id, for whichever workflow
 * is shown when a node is done.
 */

import { nodesOnPath } from "./graph.js";
import { Memory } from "./workflows.js";

/** @import {Workflows} from "./workflows.js" */

/** @typedef {{prompt: string, output: Record<string, any>}} Made */

const WORKFLOWS = 24;

export class NodeOutputs {
  /**
   * @param {ComfyApp} app
   * @param {ComfyApi} api
   * @param {Workflows} workflows
   */
  constructor(app, api, workflows) {
    this.app = app;
    this.api = api;
    this.workflows = workflows;
    /** @type {Memory<Map<string, Made>>} by workflow, and in it by execution id */
    this.kept = new Memory(WORKFLOWS);
    /** @type {Set<() => void>} */
    this.listeners = new Set();
  }

  start() {
    this.api.addEventListener("executed", (event) => this.heard(event.detail));
  }

  /** @param {any} detail {node, prompt_id, output} */
  heard(detail) {
    if (!detail?.output || detail.node === undefined) return;
    const ours = Object.keys(detail.output).some((key) => key.startsWith("motionstream_"));
    if (!ours) return;
    const prompt = String(detail.prompt_id ?? "");
    const workflow = this.workflows.of(prompt) ?? this.workflows.current;
    const found = this.kept.get(workflow) ?? new Map();
    found.set(String(detail.node), { prompt, output: detail.output });
    this.kept.set(workflow, found);
    for (const listener of [...this.listeners]) listener();
  }

  /** @param {() => void} listener @returns {() => void} */
  subscribe(listener) {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /**
   * What a node of the graph on the page gave when it ran last.
   * @param {ComfyNode} node
   * @returns {Record<string, any> | undefined}
   */
  of(node) {
    return this.record(node)?.output ?? this.ofHost(node);
  }

  /**
   * What a node of this workflow gave in one run.
   * @param {string} workflow
   * @param {string} prompt
   * @param {string} id  of the execution, "12:7"
   */
  ofRun(workflow, prompt, id) {
    const record = this.kept.get(workflow)?.get(id);
    return record?.prompt === prompt ? record.output : undefined;
  }

  /** @param {ComfyNode} node */
  record(node) {
    const root = this.app.rootGraph ?? this.app.graph;
    for (const [id, record] of this.kept.get(this.workflows.current) ?? [])
      if (nodesOnPath(root, id).at(-1) === node) return record;
    return undefined;
  }

  /**
   * What the host kept: of runs before the page was loaded. What another workflow is known to have made is
   * left out.
   * @param {ComfyNode} node
   */
  ofHost(node) {
    const outputs = this.app.nodeOutputs ?? {};
    const output = outputs[`${node.graph?.id}:${node.id}`] ?? outputs[String(node.id)];
    const told = JSON.stringify(output ?? null);
    for (const found of this.kept.values.values())
      for (const record of found.values()) if (JSON.stringify(record.output) === told) return undefined;
    return output;
  }
}
