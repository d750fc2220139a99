// The part of ComfyUI's frontend that this pack touches, written down by hand: the published typings stop at an old version.

declare module "*/scripts/app.js" {
  export const app: ComfyApp;
}

declare module "*/scripts/api.js" {
  export const api: ComfyApi;
}

declare var LiteGraph: { vueNodesMode?: boolean } | undefined;

interface ComfyGraph {
  id?: string;
  isRootGraph?: boolean;
  nodes?: ComfyNode[];
  extra?: Record<string, unknown>;
  serialize?(): Record<string, any>;
  subgraphs?: Map<string, ComfyGraph>;
  getLink?(id: number): { target_id: number | string } | null | undefined;
  getNodeById?(id: number | string): ComfyNode | null | undefined;
}

interface ComfyApi {
  queuePrompt?: (...parameters: any[]) => Promise<{ prompt_id?: string } | undefined>;
  readonly clientId?: string;
  apiURL(route: string): string;
  fetchApi(route: string, options?: RequestInit): Promise<Response>;
  addEventListener(type: string, listener: (event: CustomEvent) => void): void;
  removeEventListener(type: string, listener: (event: CustomEvent) => void): void;
}

interface ComfyApp {
  readonly graph?: ComfyGraph;
  readonly rootGraph?: ComfyGraph;
  queuePrompt?: (number: number, batchCount?: number) => Promise<unknown>;
  loadGraphData?: (...parameters: any[]) => Promise<unknown>;
  readonly canvas?: {
    ds: { scale: number; offset: [number, number] };
    setDirty(foreground: boolean, background?: boolean): void;
    processMouseWheel?(event: WheelEvent): void;
  };
  readonly nodeOutputs?: Record<string, Record<string, unknown> | undefined>;
  readonly extensionManager?: {
    workflow?: {
      activeWorkflow?: {
        path?: string;
        changeTracker?: { captureCanvasState?(): void; checkState?(): void };
      };
    };
    command?: { execute?(id: string): Promise<void> | void };
    setting?: { get(id: string): unknown; set(id: string, value: unknown): Promise<void> | void };
    toast?: {
      add(message: {
        severity: "success" | "info" | "warn" | "error";
        summary: string;
        detail?: string;
        life?: number;
      }): void;
    };
  };
  registerExtension(extension: ComfyExtension): void;
}

interface ComfyExtension {
  name: string;
  settings?: { id: string; name: string; type: string; defaultValue: unknown }[];
  setup?(): void | Promise<void>;
  getCustomWidgets?(): Record<string, ComfyWidgetFactory>;
  nodeCreated?(node: ComfyNode): void;
  afterConfigureGraph?(): void;
}

type ComfyWidgetFactory = (
  node: ComfyNode,
  name: string,
  inputData: [string, { default?: string }?],
) => { widget: ComfyWidget };

interface ComfyWidget {
  name: string;
  value: unknown;
  serialize?: boolean;
  serializeValue?: () => unknown;
  callback?: (...parameters: unknown[]) => unknown;
  options?: Record<string, unknown>;
}

interface ComfyDomWidgetOptions {
  getValue?(): string;
  setValue?(value: string): void;
  getMinHeight?(): number;
  hideOnZoom?: boolean;
  margin?: number;
  serialize?: boolean;
}

interface ComfyInput {
  name: string;
  type: string;
  link: number | null;
  widget?: { name: string };
}

interface ComfyNode {
  id: number | string;
  type: string;
  comfyClass?: string;
  title?: string;
  properties?: Record<string, unknown>;
  graph?: ComfyGraph | null;
  subgraph?: ComfyGraph;
  size: [number, number];
  inputs?: ComfyInput[];
  widgets?: ComfyWidget[];
  addDOMWidget(
    name: string,
    type: string,
    element: HTMLElement,
    options?: ComfyDomWidgetOptions,
  ): ComfyWidget;
  outputs?: { name: string; links?: number[] | null }[];
  getInputNode(slot: number): ComfyNode | null;
  getInputLink?(slot: number): { origin_slot: number } | null | undefined;
  setSize(size: [number, number]): void;
  onAdded?: (...parameters: any[]) => void;
  onRemoved?: (...parameters: any[]) => void;
  onConfigure?: (...parameters: any[]) => void;
  onConnectionsChange?: (...parameters: any[]) => void;
  onExecuted?: (output: Record<string, unknown>) => void;
}
