/**
 * Accepts connections of the control surface and bounds them (`validation.md` 2 and 3.3).
 *
 * Listeners are handed in already bound. What a line means is the dispatcher's business.
 */
import type { Clock } from "../base/mod.ts";
import { connectionsFor, ERROR_FACES, isAcceptedGone } from "../base/mod.ts";
import type { StreamListener, StreamSocket } from "../kernel/mod.ts";
import type { Log } from "../observe/mod.ts";
import type { ControlCounters } from "./counters.ts";
import type { Dispatcher } from "./dispatcher.ts";
import { ByteBudget } from "./byte_budget.ts";
import {
  ACCEPTS_PER_TURN,
  CONNECTIONS_MAX,
  CROWD_CONNECTIONS_MIN,
  FILES_SHARE,
  IDLE_MS,
  LINE_BYTES_MAX,
  OWN_INPUT_BYTES_MAX,
  OWN_OUTPUT_BYTES_MAX,
  RETRY_AFTER_MS,
  STALLED_MS,
  STRANGER_SHARE,
  STRANGERS_INPUT_BYTES_MAX,
  STRANGERS_OUTPUT_BYTES_MAX,
} from "./limits.ts";
import { LineConnection, type LineConnectionDeps } from "./line_connection.ts";
import { isTrustedUid, type PeerCredentials } from "./peer_credentials.ts";
import { Turns } from "./turns.ts";

/** Pause between two looks at who holds replies up. */
const RELIEF_MS = 1000;

/** Pause after an accept that failed, for example for want of descriptors. */
const ACCEPT_RETRY_MS = 50;

/** Limits of a {@linkcode LineServer}; each has its default in `limits.ts`. */
export interface LineServerLimits {
  /** Longest line in bytes. */
  readonly lineBytesMax?: number;
  readonly connectionsMax?: number;
  /** Silence in milliseconds after which a connection is closed. */
  readonly idleMs?: number;
  /** Unread input, and unwritten output, of all strangers together in bytes. */
  readonly strangersInputBytesMax?: number;
  readonly strangersOutputBytesMax?: number;
}

/** What the connections of one kind of client share. */
interface Share {
  readonly input: ByteBudget;
  readonly output: ByteBudget;
  readonly connectionsMax: number;
  count: number;
}

/** What {@linkcode LineServer} needs. */
export interface LineServerDeps {
  readonly dispatcher: Dispatcher;
  readonly counters: ControlCounters;
  readonly clock: Clock;
  readonly log: Log;
  readonly limits?: LineServerLimits;
  /** True when clear text is refused. */
  readonly requiresHandshake?: boolean;
  /** What members of the family prove themselves with; none when left out. */
  readonly handshakeKey?: () => Uint8Array | undefined;
}

/** How a listener's connections are told apart. */
export interface ServeOptions {
  /** Finds out the user behind a unix connection. */
  readonly credentials?: Pick<PeerCredentials, "identify">;
  /** True when other users may connect and call public methods; else they are turned away. */
  readonly allowsForeign?: boolean;
  /** True where nothing but the credentials tells our user from others. */
  readonly requiresIdentity?: boolean;
}

/** Serves any number of listeners. */
export class LineServer {
  readonly #deps: LineServerDeps;
  readonly #connectionDeps: LineConnectionDeps;
  /** The node's own user, and everybody else: neither can take what is the other's. */
  readonly #own: Share;
  readonly #strangers: Share;
  readonly #idleMs: number;
  readonly #turns: Turns;
  readonly #connections = new Map<LineConnection, Promise<void>>();
  readonly #loops: Promise<void>[] = [];
  #cancelSweep: (() => void) | undefined;
  #cancelRelief: () => void = () => {};
  #isStopping = false;

  constructor(deps: LineServerDeps) {
    this.#deps = deps;
    const { dispatcher, counters, clock, limits = {} } = deps;
    const connectionsMax = limits.connectionsMax ?? connectionsFor(CONNECTIONS_MAX, FILES_SHARE);
    this.#own = {
      input: new ByteBudget(OWN_INPUT_BYTES_MAX),
      output: new ByteBudget(OWN_OUTPUT_BYTES_MAX),
      connectionsMax,
      count: 0,
    };
    this.#strangers = {
      input: new ByteBudget(limits.strangersInputBytesMax ?? STRANGERS_INPUT_BYTES_MAX),
      output: new ByteBudget(limits.strangersOutputBytesMax ?? STRANGERS_OUTPUT_BYTES_MAX),
      connectionsMax: Math.ceil(connectionsMax * STRANGER_SHARE),
      count: 0,
    };
    this.#idleMs = limits.idleMs ?? IDLE_MS;
    this.#turns = new Turns(clock, () => this.#connections.size > CROWD_CONNECTIONS_MIN);
    this.#connectionDeps = {
      dispatcher,
      counters,
      turns: this.#turns,
      lineBytesMax: limits.lineBytesMax ?? LINE_BYTES_MAX,
      requiresHandshake: deps.requiresHandshake ?? false,
      handshakeKey: deps.handshakeKey ?? (() => undefined),
      now: () => clock.now(),
      after: (delayMs, action) => clock.after(delayMs, action),
    };
  }

  /** Open connections. */
  get connectionCount(): number {
    return this.#connections.size;
  }

  /** Accepts from `listener` until it is closed. */
  serve(
    listener: StreamListener,
    transport: "unix" | "tcp",
    options: ServeOptions = {},
  ): void {
    if (this.#cancelSweep === undefined) {
      this.#planSweep();
      this.#planRelief();
    }
    this.#loops.push(this.#acceptAll(listener, transport, options));
  }

  /**
   * Ends all connections: idle ones at once, the others when their replies are written, all with the
   * signal. The listeners must be closed before. Idempotent.
   */
  async stop(signal: AbortSignal): Promise<void> {
    this.#isStopping = true;
    this.#cancelSweep?.();
    this.#cancelSweep = () => {};
    this.#cancelRelief();
    for (const connection of [...this.#connections.keys()]) connection.end();
    const closeAll = () => {
      for (const connection of [...this.#connections.keys()]) connection.close();
    };
    if (signal.aborted) closeAll();
    else signal.addEventListener("abort", closeAll, { once: true });
    await Promise.all(this.#connections.values());
    this.#turns.stop();
    signal.removeEventListener("abort", closeAll);
    await Promise.all(this.#loops);
  }

  async #acceptAll(
    listener: StreamListener,
    transport: "unix" | "tcp",
    options: ServeOptions,
  ): Promise<void> {
    for (let accepted = 1; !this.#isStopping; accepted++) {
      let conn: StreamSocket;
      try {
        conn = await listener.accept();
      } catch (error) {
        if (this.#isStopping || error instanceof Deno.errors.BadResource) return;
        if (error instanceof Deno.errors.Interrupted) return;
        this.#deps.counters.accept_failures_total++;
        const { clock } = this.#deps;
        await new Promise<void>((resolve) => {
          if (isAcceptedGone(error)) clock.soon(resolve);
          else clock.after(ACCEPT_RETRY_MS, resolve);
        });
        continue;
      }
      this.#admit(conn, transport, options);
      // A full queue of connections is accepted without the loop going on in between.
      if (accepted % ACCEPTS_PER_TURN === 0) {
        await new Promise<void>((resolve) => this.#deps.clock.soon(resolve));
      }
    }
  }

  #admit(conn: StreamSocket, transport: "unix" | "tcp", options: ServeOptions): void {
    const { counters } = this.#deps;
    counters.connections_total++;
    let isTrusted = transport === "unix";
    const identity = options.credentials?.identify(conn);
    const refuse = () => {
      conn.close();
      identity?.release();
    };
    if (options.credentials !== undefined && identity === undefined) {
      counters.connections_unidentified_total++;
    }
    if (options.requiresIdentity === true && identity === undefined) isTrusted = false;
    if (identity !== undefined && !isTrustedUid(identity.uid)) {
      if (options.allowsForeign !== true) {
        counters.connections_refused_credentials_total++;
        this.#deps.log.warn("control_peer_refused", { uid: identity.uid });
        refuse();
        return;
      }
      counters.connections_foreign_total++;
      isTrusted = false;
    }
    if (this.#isStopping) {
      refuse();
      return;
    }
    const share = isTrusted ? this.#own : this.#strangers;
    const isFull = this.#connections.size >= this.#own.connectionsMax ||
      share.count >= share.connectionsMax;
    if (isFull) {
      counters.connections_refused_limit_total++;
      this.#turnAway(conn, refuse);
      return;
    }
    // Replies are small and written whole: waiting to join them would only cost time.
    if (transport === "tcp") conn.setNoDelay?.(true);
    const isPeerGone = () => identity?.isGone() ?? false;
    const { input, output } = share;
    const peer = { transport, isTrusted, uid: identity?.uid, isPeerGone, input, output };
    const connection = new LineConnection(this.#connectionDeps, conn, peer);
    counters.connections_active++;
    share.count++;
    this.#connections.set(
      connection,
      connection.run().finally(() => {
        counters.connections_active--;
        share.count--;
        identity?.release();
        this.#connections.delete(connection);
      }),
    );
  }

  /** One small line fits an empty socket buffer, so the write is not waited for. */
  #turnAway(conn: StreamSocket, close: () => void): void {
    const line = this.#deps.dispatcher.refuse(
      ERROR_FACES.limit.rpc,
      `Too many connections: ${this.#connections.size} are open`,
      { code: "limit", retry_after_ms: RETRY_AFTER_MS },
    );
    conn.write(new TextEncoder().encode(`${line}\n`)).catch(() => {
      this.#deps.counters.replies_dropped_total++;
    }).finally(close);
  }

  /** One timer for all connections instead of one each. */
  #planSweep(): void {
    this.#cancelSweep = this.#deps.clock.after(Math.max(1, this.#idleMs / 10), () => {
      const nowMs = this.#deps.clock.now();
      for (const connection of [...this.#connections.keys()]) {
        if (connection.idleMs(nowMs) < this.#idleMs) continue;
        this.#deps.counters.connections_idle_total++;
        connection.close();
      }
      if (!this.#isStopping) this.#planSweep();
    });
  }

  /** Room that replies take up is had back from whoever does not read them. */
  #planRelief(): void {
    this.#cancelRelief = this.#deps.clock.after(RELIEF_MS, () => {
      if (this.#own.output.isSpent || this.#strangers.output.isSpent) this.#closeStalled();
      if (!this.#isStopping) this.#planRelief();
    });
  }

  #closeStalled(): void {
    const nowMs = this.#deps.clock.now();
    for (const connection of [...this.#connections.keys()]) {
      if (!connection.isOverloaded || connection.stalledMs(nowMs) < STALLED_MS) continue;
      this.#deps.counters.connections_stalled_total++;
      connection.close();
    }
  }
}
