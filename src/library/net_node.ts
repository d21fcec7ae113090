/**
 * A node as a program has it: the door to everything a member of the mesh can do.
 *
 * It adds no rules of its own; what is promised is in `docs/library.md`.
 */
import { idToHex, NetError, systemClock } from "../base/mod.ts";
import { parseBlobTarget } from "../blob/mod.ts";
import { type ChannelConfig, createChannelConfig, type PublishReport } from "../channel/mod.ts";
import { requireUserMetadataKey } from "../core/capability/mod.ts";
import { formatAddress, type PeerState } from "../core/transport/mod.ts";
import type { Node } from "../node.ts";
import type { CounterSet } from "../observe/mod.ts";
import { type PublishOptions, requireOperatorTag, type SubscribeOptions } from "../services/mod.ts";
import {
  getAsStream,
  getBytes,
  type GetFileOptions,
  type GetOptions,
  type GetStreamOptions,
  type PutBlob,
  putInput,
  type PutOptions,
} from "./blob_io.ts";
import type { BlobInput } from "./blob_source.ts";
import { type Body, toBytes } from "./body.ts";
import { findIn, type FoundNode, type NodeQueryInput } from "./find.ts";
import { Subscription } from "./subscription.ts";

/** A node there is a session with. */
export interface Peer {
  readonly id: bigint;
  /** `ip:port` that its packets come from, a relay's if there is one in between. */
  readonly address: string;
  /** As the failure detector sees it. */
  readonly state: PeerState;
  /** It proved who it is, and nobody else can read the session. */
  readonly isProven: boolean;
  readonly isRelayed: boolean;
  /** Smoothed round trip in milliseconds; `undefined` before the first one. */
  readonly rttMs: number | undefined;
}

/** What a program lets its node announce. */
export interface Announced {
  /** Such as `gpu` or `hardware.memory_gb=64`. */
  readonly tags?: readonly string[];
  readonly metadata?: Readonly<Record<string, string>>;
}

/** Rules of a channel; see `docs/channels.md`. */
export type ChannelRules = Parameters<typeof createChannelConfig>[1];

/** Options of waiting for nodes. */
export interface WaitForOptions {
  /** Milliseconds to wait; 10000 when left out. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

const WAIT_TIMEOUT_MS = 10_000;
const ANNOUNCED_SOURCE = "program";

/** A running node; {@linkcode startNode} makes one. */
export class NetNode implements AsyncDisposable {
  /** Everything underneath; changes with every version. */
  readonly core: Node;
  readonly #closing = new AbortController();

  constructor(core: Node) {
    this.core = core;
    core.closed.then(() => this.#closing.abort(closedError()));
  }

  /** The node's id; others call it by that. */
  get id(): bigint {
    return this.core.keys.identity.nodeId;
  }

  /** `ip:port` of the mesh socket. */
  get addresses(): readonly string[] {
    return this.core.mesh.addressTexts();
  }

  /** True until the node is closed. */
  get isRunning(): boolean {
    return !this.#closing.signal.aborted;
  }

  /** Aborted when the node is closed. */
  get signal(): AbortSignal {
    return this.#closing.signal;
  }

  // --- Mesh ------------------------------------------------------------------------------------

  /**
   * A ticket for joining through this node. It contains the secret of the mesh: treat it like a password.
   *
   * @param options `expiresSeconds` is a day when left out, 0 for never.
   */
  ticket(options: { readonly expiresSeconds?: number } = {}): string {
    this.#requireRunning();
    return this.core.ticket(options).ticket;
  }

  /** Nodes there is a session with, by id. */
  peers(): readonly Peer[] {
    this.#requireRunning();
    return this.core.mesh.transport.peers().map((peer) => ({
      id: peer.nodeId,
      address: formatAddress(peer.address),
      state: peer.state,
      isProven: peer.isSealed,
      isRelayed: peer.isRelayed,
      rttMs: peer.rttMs,
    }));
  }

  /**
   * Replaces what the program lets the node announce; others know within a second or two.
   *
   * @throws NetError `usage` for tags that are not the program's to write, `limit` when there is no room.
   */
  announce({ tags = [], metadata = {} }: Announced): void {
    this.#requireRunning();
    const entries = Object.entries(metadata);
    for (const [key] of entries) requireUserMetadataKey(key);
    this.core.capabilities.contribute(ANNOUNCED_SOURCE, {
      tags: tags.map(requireOperatorTag),
      metadata: entries,
    });
  }

  /**
   * Nodes that have what is asked for, this one included, by id; asked of what is known here, nobody else.
   *
   * @throws NetError `usage` for a requirement or predicate that can't be read.
   */
  find(query: NodeQueryInput = []): readonly FoundNode[] {
    this.#requireRunning();
    return findIn(this.core, query);
  }

  /**
   * Nodes that have what is asked for, as soon as there is one.
   *
   * @throws NetError `timeout`.
   */
  async waitFor(
    query: NodeQueryInput,
    options: WaitForOptions = {},
  ): Promise<readonly FoundNode[]> {
    this.#requireRunning();
    const { timeoutMs = WAIT_TIMEOUT_MS, signal } = options;
    const { capabilities } = this.core;
    const ends = this.#with(signal);
    const deadline = systemClock.now() + timeoutMs;
    for (;;) {
      const { version } = capabilities.index;
      const found = this.find(query);
      if (found.length > 0) return found;
      const leftMs = deadline - systemClock.now();
      if (leftMs <= 0) break;
      await capabilities.whenChanged(version, leftMs, ends);
    }
    throw new NetError("timeout", `Cannot find a node: none matched within ${timeoutMs} ms`, {
      next: "ask for less, or wait longer with timeoutMs",
    });
  }

  // --- Channels --------------------------------------------------------------------------------

  /**
   * Runs a channel, or changes its rules; others learn of it at once.
   *
   * @throws NetError `usage` for a name or rule that is not what it must be, `limit`, `conflict`.
   */
  async createChannel(name: string, rules: ChannelRules = {}): Promise<ChannelConfig> {
    this.#requireRunning();
    const config = createChannelConfig(name, rules);
    await this.core.channels.create(config);
    return config;
  }

  /** Runs a channel no longer; false when it was not there. */
  async removeChannel(name: string): Promise<boolean> {
    this.#requireRunning();
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
    this.#requireRunning();
    const list = typeof events === "string" || events instanceof Uint8Array ? [events] : events;
    return await this.core.channels.publish(channel, list.map(toBytes), {
      ...options,
      signal: this.#with(options.signal),
    });
  }

  /** Hears a channel, at every node that runs it now or later, until it is closed. */
  subscribe(channel: string, options: SubscribeOptions = {}): Subscription {
    this.#requireRunning();
    const subscription = this.core.channels.subscribe(channel, options);
    return new Subscription(subscription, systemClock, this.signal);
  }

  // --- Blobs -----------------------------------------------------------------------------------

  /**
   * Stores bytes and gives the address that anyone connected gets them by. With a data folder they are
   * safe on the disk when this resolves.
   *
   * @throws NetError `no_space`, `limit`, `failed` with what the input threw as cause; the signal's reason.
   */
  async put(input: BlobInput, options: PutOptions = {}): Promise<PutBlob> {
    this.#requireRunning();
    const signal = this.#with(options.signal);
    return await putInput(this.core.blobs, input, { ...options, signal });
  }

  /** Stores a file. */
  async putFile(path: string, options: PutOptions = {}): Promise<PutBlob> {
    this.#requireRunning();
    const signal = this.#with(options.signal);
    const { stored } = await this.core.blobs.putFile(path, { ...options, signal });
    return { address: stored.address, size: stored.size };
  }

  /**
   * The bytes of a blob, from here or from peers; every one of them was verified.
   *
   * @throws NetError `not_found`, `integrity`, `timeout`, `unreachable`, `limit`; the signal's reason.
   */
  async get(address: string, options: GetOptions = {}): Promise<Uint8Array<ArrayBuffer>> {
    this.#requireRunning();
    const signal = this.#with(options.signal);
    return await getBytes(this.core.blobs, address, { ...options, signal });
  }

  /**
   * A blob as a stream, for those that need not be in memory at once. Each chunk was verified by itself; the
   * stream fails at its end when the whole is another blob than was asked for.
   */
  getStream(address: string, options: GetStreamOptions = {}): ReadableStream<Uint8Array> {
    this.#requireRunning();
    const signal = this.#with(options.signal);
    return getAsStream(this.core.blobs, address, { ...options, signal });
  }

  /** Writes a blob to a file, which appears complete or not at all. */
  async getFile(address: string, path: string, options: GetFileOptions = {}): Promise<PutBlob> {
    this.#requireRunning();
    const signal = this.#with(options.signal);
    const target = parseBlobTarget(address);
    const got = await this.core.blobs.get(target, { ...options, output: path, signal });
    return { address: got.address, size: got.size };
  }

  // --- Itself ----------------------------------------------------------------------------------

  /** All counters by name: what was done, and what was dropped for which reason. */
  counters(): CounterSet {
    return this.core.counters();
  }

  /** Ends everything that runs and closes the socket, within six seconds; idempotent. */
  async close(): Promise<void> {
    this.#closing.abort(closedError());
    await this.core.stop("closed by its program");
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** What ends an operation: the node, or whoever began it. */
  #with(signal: AbortSignal | undefined): AbortSignal {
    return signal === undefined ? this.signal : AbortSignal.any([this.signal, signal]);
  }

  #requireRunning(): void {
    if (!this.isRunning) throw closedError();
  }

  /** Shown by `console.log`. */
  [Symbol.for("Deno.customInspect")](): string {
    return `NetNode ${idToHex(this.id)} ${this.isRunning ? this.addresses.join() : "closed"}`;
  }
}

function closedError(): NetError {
  return new NetError("not_running", "Cannot use the node: it is closed", {
    next: "start another one with startNode",
  });
}
