/**
 * The tool service: tools that this node offers to models, and those that others do (`capabilities.md` 15).
 *
 * What a tool is and how it is called is in `rpc/tools`; here it meets the node's calls and announcements.
 */
import type { Clock } from "../base/mod.ts";
import type { Announcement } from "../core/capability/mod.ts";
import type { Service, ServiceHealth } from "../kernel/mod.ts";
import type { MetricRegistry } from "../observe/mod.ts";
import {
  type CallOptions,
  callStreamingTool,
  callTool,
  fetchToolMetadata,
  followToolWatch,
  type JsonValue,
  type ListedTool,
  listTools,
  type OfferedTool,
  type Rpc,
  type ServedTool,
  type ServeHandle,
  serveToolWatch,
  type StreamingToolHandler,
  type ToolChange,
  type ToolDescriptor,
  type ToolEvent,
  toolFacts,
  type ToolFilter,
  type ToolHandler,
  ToolHost,
  type ToolWatchFrame,
  watchTools,
  type WatchToolsOptions,
} from "../rpc/mod.ts";
import type { CapabilityFacts } from "./capabilities/mod.ts";

/** What {@linkcode ToolService} needs. */
export interface ToolServiceDeps {
  readonly clock: Clock;
  readonly metrics: MetricRegistry;
  readonly rpc: Pick<Rpc, "serve" | "serveStream" | "call" | "callStream">;
  readonly capabilities: {
    contribute(source: string, facts: CapabilityFacts | undefined): void;
    values(): Iterable<Announcement>;
    onChange(handler: () => void): () => void;
  };
}

const SOURCE = "tools";
/** Least time between two looks at the whole list; announcements come in bursts. */
const WATCH_INTERVAL_MS = 250;

/** Tools of a node. */
export class ToolService implements Service {
  readonly name = "tools";
  readonly #deps: ToolServiceDeps;
  readonly #host: ToolHost;
  /** Offered beside the first tool, and until the last has gone. */
  #watch: ServeHandle | undefined;

  constructor(deps: ToolServiceDeps) {
    this.#deps = deps;
    this.#host = new ToolHost({
      rpc: deps.rpc,
      announce: (tools) =>
        deps.capabilities.contribute(SOURCE, tools.length === 0 ? undefined : toolFacts(tools)),
    });
  }

  start(): Promise<void> {
    this.#deps.metrics.register("tools", () => ({ served: this.#host.tools.size }));
    return Promise.resolve();
  }

  /** Tools end with the calls they are served by. */
  stop(): Promise<void> {
    return Promise.resolve();
  }

  health(): ServiceHealth {
    return { state: "healthy" };
  }

  /** See {@linkcode ToolHost.serve}. */
  serve(descriptor: ToolDescriptor, handler: ToolHandler): ServedTool {
    return this.#watched(this.#host.serve(descriptor, handler));
  }

  /** See {@linkcode ToolHost.serveStream}. */
  serveStream(descriptor: ToolDescriptor, handler: StreamingToolHandler): ServedTool {
    return this.#watched(this.#host.serveStream(descriptor, handler));
  }

  /** See {@linkcode ToolHost.offer}. */
  offer(descriptor: ToolDescriptor, listen: OfferedTool): ServedTool {
    return this.#watched(this.#host.offer(descriptor, listen));
  }

  /** Tools that nodes announced, this one included, by id and version. */
  list(filter: ToolFilter = {}): readonly ListedTool[] {
    return listTools(this.#sets(), filter);
  }

  /** Changes of that list, those up to what there is now first. */
  watch(options: WatchToolsOptions = {}): AsyncGenerator<ToolChange, void, undefined> {
    return watchTools(this.#watchDeps, { intervalMs: WATCH_INTERVAL_MS, ...options });
  }

  /** Changes of the tools that another node knows; see {@linkcode followToolWatch}. */
  follow(options: CallOptions): AsyncGenerator<ToolWatchFrame, void, undefined> {
    return followToolWatch(this.#deps.rpc, options);
  }

  /** Calls a tool that answers once; see {@linkcode callTool}. */
  call(toolId: string, input: JsonValue, options: CallOptions = {}): Promise<JsonValue> {
    return callTool(this.#deps.rpc, toolId, input, options);
  }

  /** Calls a tool that answers with events; see {@linkcode callStreamingTool}. */
  callStream(
    toolId: string,
    input: JsonValue,
    options: CallOptions = {},
  ): AsyncGenerator<ToolEvent, void, undefined> {
    return callStreamingTool(this.#deps.rpc, toolId, input, options);
  }

  /** The whole descriptor, with what the announcement had no room for; see {@linkcode fetchToolMetadata}. */
  describe(toolId: string, options: CallOptions): Promise<ToolDescriptor> {
    return fetchToolMetadata(this.#deps.rpc, toolId, options);
  }

  get #watchDeps() {
    const { clock, capabilities } = this.#deps;
    return {
      clock,
      list: () => this.list(),
      onChange: (handler: () => void) => capabilities.onChange(handler),
    };
  }

  *#sets(): Generator<readonly [bigint, Announcement["capabilities"]]> {
    for (const { nodeId, capabilities } of this.#deps.capabilities.values()) {
      yield [nodeId, capabilities];
    }
  }

  /** Whoever has tools tells of changes as well. */
  #watched(served: ServedTool): ServedTool {
    try {
      this.#watch ??= serveToolWatch(this.#deps.rpc, this.#watchDeps);
    } catch (error) {
      void served.close();
      throw error;
    }
    const close = async () => {
      await served.close();
      if (this.#host.tools.size > 0) return;
      const watch = this.#watch;
      this.#watch = undefined;
      await watch?.close({ isPatient: false });
    };
    return { descriptor: served.descriptor, close, [Symbol.asyncDispose]: close };
  }
}
