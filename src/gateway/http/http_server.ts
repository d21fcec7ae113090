/**
 * An HTTP/1.1 server on sockets of this process. Its own, because the runtime's waits for the head of a request
 * for ever, does not limit connections, and does not let anyone look at the first bytes of one.
 *
 * What is answered is the handler's business. A listener that tells protocols apart hands its connections over
 * with `serveConnection`.
 */
import {
  type Clock,
  connectionsFor,
  isAcceptedGone,
  listenFault,
  type SocketAddress,
} from "../../base/mod.ts";
import type { StreamListener, StreamSocket } from "../../kernel/mod.ts";
import {
  HttpConnection,
  type HttpConnectionDeps,
  type HttpHandler,
  type HttpTimes,
} from "./connection.ts";
import { createHttpCounters, type HttpCounters } from "./counters.ts";
import { ACCEPT_RETRY_MS, CONNECTIONS_MAX, FILES_SHARE, STOP_MS, SWEEP_MS } from "./limits.ts";
import type { HeadFault } from "./request_head.ts";

/** What {@linkcode HttpServer} needs. */
export interface HttpServerDeps {
  readonly clock: Clock;
  readonly handle: HttpHandler;
  /** The answer to what is no request. */
  readonly refuse: (fault: HeadFault) => Response;
  readonly connectionsMax?: number;
  readonly times?: HttpTimes;
}

/** Serves any number of connections up to its limit. */
export class HttpServer {
  readonly counters: HttpCounters = createHttpCounters();
  readonly #clock: Clock;
  readonly #connectionDeps: HttpConnectionDeps;
  readonly #connectionsMax: number;
  readonly #connections = new Map<HttpConnection, Promise<void>>();
  #listener: StreamListener | undefined;
  #accepting: Promise<void> | undefined;
  #cancelSweep = () => {};
  #stopping: Promise<void> | undefined;

  constructor(deps: HttpServerDeps) {
    const { clock, handle, refuse, times } = deps;
    this.#clock = clock;
    this.#connectionsMax = deps.connectionsMax ?? connectionsFor(CONNECTIONS_MAX, FILES_SHARE);
    this.#connectionDeps = { handle, refuse, counters: this.counters, clock, times };
  }

  /**
   * Listens and serves; the address, with the port that port 0 became.
   *
   * @throws NetError `address_in_use`, `network`.
   */
  listen({ host, port }: SocketAddress): SocketAddress {
    const listener = bind(host, port);
    this.serveListener(listener);
    return { host: listener.addr.hostname, port: listener.addr.port };
  }

  /** Serves what `listener` accepts, until the server stops; it is closed then. */
  serveListener(listener: StreamListener): void {
    if (this.#listener !== undefined || this.#stopping !== undefined) {
      throw new TypeError("Cannot listen: the server was started before");
    }
    this.#listener = listener;
    this.#planSweep();
    this.#accepting = this.#acceptAll(listener);
  }

  /** Serves a connection that somebody else accepted, with what was read of it before. */
  serveConnection(conn: StreamSocket, ahead?: Uint8Array): void {
    this.counters.connections_total++;
    if (this.#stopping !== undefined || !this.#makeRoom()) {
      this.counters.connections_refused_total++;
      conn.close();
      return;
    }
    conn.setNoDelay?.(true);
    const remoteHost = conn.remoteAddr.transport === "tcp" ? conn.remoteAddr.hostname : "";
    const connection = new HttpConnection(this.#connectionDeps, conn, remoteHost, ahead);
    this.counters.connections_active++;
    this.#connections.set(
      connection,
      connection.run().finally(() => {
        this.counters.connections_active--;
        this.#connections.delete(connection);
      }),
    );
  }

  /** True while a connection more means that another is ended, or that it is refused. */
  get isFull(): boolean {
    return this.#connections.size >= this.#connectionsMax;
  }

  /** Accepts no more, gives running answers a moment, closes the rest. Idempotent. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #stop(): Promise<void> {
    this.#listener?.close();
    await this.#accepting;
    for (const connection of [...this.#connections.keys()]) connection.end();
    const cancel = this.#clock.after(STOP_MS, () => {
      for (const connection of [...this.#connections.keys()]) connection.close();
    });
    try {
      await Promise.all(this.#connections.values());
    } finally {
      cancel();
      this.#cancelSweep();
    }
  }

  async #acceptAll(listener: StreamListener): Promise<void> {
    for (;;) {
      try {
        this.serveConnection(await listener.accept());
      } catch (error) {
        if (this.#stopping !== undefined || error instanceof Deno.errors.BadResource) return;
        this.counters.accept_failures_total++;
        await new Promise<void>((resolve) => {
          if (isAcceptedGone(error)) this.#clock.soon(resolve);
          else this.#clock.after(ACCEPT_RETRY_MS, resolve);
        });
      }
    }
  }

  /** Ends the connection that is idle for the longest when there are too many; false when none is. */
  #makeRoom(): boolean {
    if (this.#connections.size < this.#connectionsMax) return true;
    let oldest: HttpConnection | undefined;
    for (const connection of this.#connections.keys()) {
      const since = connection.idleSinceMs;
      if (since !== undefined && since < (oldest?.idleSinceMs ?? Infinity)) oldest = connection;
    }
    if (oldest === undefined) return false;
    this.counters.connections_evicted_total++;
    oldest.close();
    // Its loop ends a moment later; until then it must not be counted.
    this.#connections.delete(oldest);
    return true;
  }

  /** One timer for all connections instead of one each. */
  #planSweep(): void {
    this.#cancelSweep = this.#clock.after(SWEEP_MS, () => {
      const nowMs = this.#clock.now();
      for (const connection of [...this.#connections.keys()]) connection.checkDeadline(nowMs);
      if (this.#stopping === undefined) this.#planSweep();
    });
  }
}

function bind(host: string, port: number): Deno.TcpListener {
  try {
    return Deno.listen({ transport: "tcp", hostname: host, port });
  } catch (error) {
    throw listenFault(error, { what: "Cannot serve HTTP", host, port, flag: "--http" });
  }
}
