/**
 * What a program's node is before it does anything: its life, who else is there, what they announce.
 */
import { idToHex, NetError, systemClock } from "../base/mod.ts";
import { requireUserMetadataKey } from "../core/capability/mod.ts";
import { formatAddress, type PeerState } from "../core/transport/mod.ts";
import type { Node } from "../node.ts";
import type { CounterSet } from "../observe/mod.ts";
import { requireOperatorTag } from "../services/mod.ts";
import { findIn, type FoundNode, type NodeQueryInput } from "./find.ts";

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

/** Options of waiting for nodes. */
export interface WaitForOptions {
  /** Milliseconds to wait; 10000 when left out. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

const WAIT_TIMEOUT_MS = 10_000;
const ANNOUNCED_SOURCE = "program";

/** A node in the mesh. */
export class MeshNode implements AsyncDisposable {
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
    this.requireRunning();
    return this.core.ticket(options).ticket;
  }

  /** Nodes there is a session with, by id. */
  peers(): readonly Peer[] {
    this.requireRunning();
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
    this.requireRunning();
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
    this.requireRunning();
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
    this.requireRunning();
    const { timeoutMs = WAIT_TIMEOUT_MS, signal } = options;
    const { capabilities } = this.core;
    const ends = this.with(signal);
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
  protected with(signal: AbortSignal | undefined): AbortSignal {
    return signal === undefined ? this.signal : AbortSignal.any([this.signal, signal]);
  }

  /** @throws NetError `not_running` once it is closed. */
  protected requireRunning(): void {
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
