/**
 * A node as a program has it: the door to everything a member of the mesh can do.
 *
 * It adds no rules of its own; what is promised is in `docs/library.md`.
 */
import { systemClock } from "../base/mod.ts";
import { type BlobAdapter, parseBlobTarget } from "../blob/mod.ts";
import { type ChannelConfig, createChannelConfig, type PublishReport } from "../channel/mod.ts";
import {
  type CallOptions,
  createToolDescriptor,
  createTypedClient,
  type JsonValue,
  type ListedTool,
  type Methods,
  type Rpc,
  type ServedTool,
  type ServeHandle,
  type ServeOptions,
  serveTyped,
  type ServiceDefinition,
  serviceTag,
  type ToolDescriptorOptions,
  type ToolFilter,
  type ToolHandler,
  type TypedClient,
  type TypedHandlers,
  type TypedServeHandle,
} from "../rpc/mod.ts";
import type { PublishOptions, SubscribeOptions } from "../services/mod.ts";
import {
  getAsStream,
  getBytes,
  type GetFileOptions,
  type GetOptions,
  type GetStreamOptions,
  type PutBlob,
  putInput,
  type PutOptions,
  withCopies,
} from "./blob_io.ts";
import type { BlobInput } from "./blob_source.ts";
import { type Body, toBytes } from "./body.ts";
import { LogNode } from "./log_node.ts";
import type { WaitForOptions } from "./mesh_node.ts";
import { Subscription } from "./subscription.ts";
import { type BytesHandler, serveBytes } from "./serving.ts";

/** Rules of a channel; see `docs/channels.md`. */
export type ChannelRules = Parameters<typeof createChannelConfig>[1];

/** A running node; {@linkcode startNode} makes one. */
export class NetNode extends LogNode {
  // --- Calls -----------------------------------------------------------------------------------

  /** Calls in all four shapes, as bytes; `serve`, `call` and `client` are the short ways. */
  get rpc(): Rpc {
    this.requireRunning();
    return this.core.rpc;
  }

  /**
   * Serves a name with a function from bytes to bytes, or a declared service with its handlers, from now on; others
   * learn of it within a second or two.
   *
   * @throws RpcError `serve_failed` when a name is served already, or is none.
   */
  serve(service: string, handler: BytesHandler, options?: ServeOptions): ServeHandle;
  serve<M extends Methods>(
    service: ServiceDefinition<M>,
    handlers: TypedHandlers<M>,
    options?: ServeOptions,
  ): TypedServeHandle;
  serve<M extends Methods>(
    service: string | ServiceDefinition<M>,
    handlers: BytesHandler | TypedHandlers<M>,
    options?: ServeOptions,
  ): ServeHandle | TypedServeHandle {
    if (typeof service !== "string") {
      return serveTyped(this.rpc, service, handlers as TypedHandlers<M>, options);
    }
    return serveBytes(this.rpc, service, handlers as BytesHandler, options);
  }

  /**
   * Calls a service: at `target`, or at any node that offers it.
   *
   * @throws RpcError when there is no answer; exactly one of both within the deadline.
   */
  async call(service: string, body: Body = "", options: CallOptions = {}): Promise<Uint8Array> {
    return await this.rpc.call(service, toBytes(body), options);
  }

  /**
   * A declared service as functions to call.
   *
   * @param defaults Options of every call.
   */
  client<M extends Methods>(
    service: ServiceDefinition<M>,
    defaults: CallOptions = {},
  ): TypedClient<M> {
    return createTypedClient(service, this.rpc, defaults);
  }

  /**
   * Resolves with the nodes that offer a service, as soon as there is one.
   *
   * @param service Its name; of a declared service with several methods, `name.method`.
   * @throws NetError `timeout`.
   */
  async whenServed(service: string, options: WaitForOptions = {}): Promise<readonly bigint[]> {
    const found = await this.waitFor(serviceTag(service), options);
    return found.map(({ id }) => id);
  }

  // --- Tools -----------------------------------------------------------------------------------

  /**
   * Offers a tool to models: the function takes what they send as JSON, and gives JSON.
   *
   * @throws NetError `conflict` when the id is served already, `limit` when there is no room; RangeError for a
   * descriptor that is not valid.
   */
  serveTool(tool: ToolDescriptorOptions, handler: ToolHandler): ServedTool {
    this.requireRunning();
    return this.core.tools.serve(createToolDescriptor(tool), handler);
  }

  /** Tools that nodes offer, this one included, by id and version. */
  tools(filter: ToolFilter = {}): readonly ListedTool[] {
    this.requireRunning();
    return this.core.tools.list(filter);
  }

  /**
   * Calls a tool.
   *
   * @throws RpcError as `call`; `server_error` when the tool failed.
   */
  async callTool(toolId: string, input: JsonValue, options: CallOptions = {}): Promise<JsonValue> {
    this.requireRunning();
    return await this.core.tools.call(toolId, input, options);
  }

  // --- Channels --------------------------------------------------------------------------------

  /**
   * Runs a channel, or changes its rules; others learn of it at once.
   *
   * @throws NetError `usage` for a name or rule that is not what it must be, `limit`, `conflict`.
   */
  async createChannel(name: string, rules: ChannelRules = {}): Promise<ChannelConfig> {
    this.requireRunning();
    const config = createChannelConfig(name, rules);
    await this.core.channels.create(config);
    return config;
  }

  /** Runs a channel no longer; false when it was not there. */
  async removeChannel(name: string): Promise<boolean> {
    this.requireRunning();
    return await this.core.channels.remove(name);
  }

  /**
   * Sends one event, or several in order, to whoever is subscribed now. A channel nobody created is opened.
   *
   * @returns How many subscribers it was handed to, and which could not be reached.
   * @throws NetError `usage` for a name or size that is not what it must be, `not_allowed` by the channel's
   * rules.
   */
  async publish(
    channel: string,
    events: Body | readonly Body[],
    options: PublishOptions = {},
  ): Promise<PublishReport> {
    this.requireRunning();
    const list = typeof events === "string" || events instanceof Uint8Array ? [events] : events;
    return await this.core.channels.publish(channel, list.map(toBytes), {
      ...options,
      signal: this.with(options.signal),
    });
  }

  /** Hears a channel, at every node that runs it now or later, until it is closed. */
  subscribe(channel: string, options: SubscribeOptions = {}): Subscription {
    this.requireRunning();
    const subscription = this.core.channels.subscribe(channel, options);
    return new Subscription(subscription, systemClock, this.signal);
  }

  // --- Blobs -----------------------------------------------------------------------------------

  /**
   * Stores bytes and gives the address that anyone connected gets them by. With a data folder they are
   * safe on the disk when this resolves.
   *
   * @throws NetError `no_space`, `limit`, `failed` with what the input threw as cause, `timeout` when too few
   * nodes took a copy; the signal's reason.
   */
  async put(input: BlobInput, options: PutOptions = {}): Promise<PutBlob> {
    this.requireRunning();
    const signal = this.with(options.signal);
    const put = await putInput(this.core.blobs, input, { ...options, signal });
    return await withCopies(() => this.core.replicas, put, { ...options, signal });
  }

  /** Stores a file. */
  async putFile(path: string, options: PutOptions = {}): Promise<PutBlob> {
    this.requireRunning();
    const signal = this.with(options.signal);
    const { stored } = await this.core.blobs.putFile(path, { ...options, signal });
    const put = { address: stored.address, size: stored.size };
    return await withCopies(() => this.core.replicas, put, { ...options, signal });
  }

  /**
   * The bytes of a blob, from here or from peers; every one of them was verified.
   *
   * @throws NetError `not_found`, `integrity`, `timeout`, `unreachable`, `limit`; the signal's reason.
   */
  async get(address: string, options: GetOptions = {}): Promise<Uint8Array<ArrayBuffer>> {
    this.requireRunning();
    const signal = this.with(options.signal);
    return await getBytes(this.core.blobs, address, { ...options, signal });
  }

  /**
   * A blob as a stream, for those that need not be in memory at once. Each chunk was verified by itself; the
   * stream fails at its end when the whole is another blob than was asked for.
   */
  getStream(address: string, options: GetStreamOptions = {}): ReadableStream<Uint8Array> {
    this.requireRunning();
    const signal = this.with(options.signal);
    return getAsStream(this.core.blobs, address, { ...options, signal });
  }

  /** Writes a blob to a file, which appears complete or not at all. */
  async getFile(address: string, path: string, options: GetFileOptions = {}): Promise<PutBlob> {
    this.requireRunning();
    const signal = this.with(options.signal);
    const target = parseBlobTarget(address);
    const got = await this.core.blobs.get(target, { ...options, output: path, signal });
    return { address: got.address ?? address, size: got.size };
  }

  /**
   * Adds a store of blobs of the program's own, until the node is closed: blobs are copied to and from it, and
   * references of its schemes on channels are read with it ([adapters](../../docs/adapters.md)).
   *
   * @param options Milliseconds for each call of it; 30,000 when left out.
   * @throws NetError `conflict` when there is one of its name.
   */
  useAdapter(adapter: BlobAdapter, options: { readonly deadlineMs?: number } = {}): void {
    this.requireRunning();
    this.core.adapters.register(adapter, options);
  }

  /**
   * The bytes that an event of a log stands for: its payload, or what that refers to, verified.
   *
   * @throws NetError `not_found` for an event or blob that is not there, `usage` for a scheme that no adapter takes,
   * `integrity`; the signal's reason.
   */
  async resolveEvent(
    channel: string,
    seq: bigint,
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<Uint8Array> {
    this.requireRunning();
    const resolved = await this.core.adapters.resolveAt(channel, seq, this.with(options.signal));
    return resolved.bytes;
  }
}
