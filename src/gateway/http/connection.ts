/**
 * One HTTP connection: requests one after the other, each answered before the next is read.
 *
 * Nobody holds a connection by doing nothing: each phase has a deadline, which the server looks at from time
 * to time. A client that leaves aborts the signal of its request.
 */
import type { Clock } from "../../base/mod.ts";
import { BodyError, BodyReader } from "./body_reader.ts";
import type { HttpCounters } from "./counters.ts";
import {
  BODY_IDLE_MS,
  DRAIN_BYTES_MAX,
  HEAD_BYTES_MAX,
  HEAD_MS,
  IDLE_MS,
  WRITE_IDLE_MS,
  WRITE_PROGRESS_BYTES,
} from "./limits.ts";
import { type HeadFault, parseRequestHead, type RequestHead } from "./request_head.ts";
import { writeResponse } from "./response_writer.ts";
import { SocketReader } from "./socket_reader.ts";

/** What a handler knows beside the request. */
export interface RequestInfo {
  /** Address of the client, without its port; empty where there is none. */
  readonly remoteHost: string;
  /** Reads the body past the stream in the request, without its copies; use one of the two. */
  readBody?(into: Uint8Array): Promise<number | null>;
  /** Has an action run when the answer was written, or will not be. */
  onEnd(action: () => void): void;
}

/** Answers a request; its signal aborts when the client leaves. Must not throw. */
export type HttpHandler = (request: Request, info: RequestInfo) => Promise<Response>;

/** Times that tests make shorter. */
export interface HttpTimes {
  readonly idleMs?: number;
  readonly headMs?: number;
  readonly bodyIdleMs?: number;
  readonly writeIdleMs?: number;
}

/** What {@linkcode HttpConnection} needs. */
export interface HttpConnectionDeps {
  readonly handle: HttpHandler;
  /** The answer to a request that cannot be read. */
  readonly refuse: (fault: HeadFault) => Response;
  readonly counters: HttpCounters;
  readonly clock: Clock;
  readonly times?: HttpTimes;
}

/** The socket under it. */
export type HttpSocket = Pick<Deno.Conn, "read" | "write" | "close" | "closeWrite">;

type Phase = "idle" | "head" | "body" | "write" | "handler" | "closing";

/** How long what a refused client still sends is read, so that it sees the answer. */
const LINGER_MS = 1_000;
const LINGER_BYTES_MAX = 4 * 1024 * 1024;

const CONTINUE = new TextEncoder().encode("HTTP/1.1 100 Continue\r\n\r\n");

const TOO_LARGE: HeadFault = {
  status: 431,
  message: `the head is longer than ${HEAD_BYTES_MAX} bytes`,
};

const NOT_HTTP: HeadFault = {
  status: 400,
  message: "what came is no HTTP; there is no TLS and no JSON-RPC here",
};

/** One connection. */
export class HttpConnection {
  readonly #deps: HttpConnectionDeps;
  readonly #socket: HttpSocket;
  readonly #remoteHost: string;
  readonly #reader: SocketReader;
  #phase: Phase = "idle";
  #deadlineMs = Infinity;
  #idleSinceMs: number | undefined;
  #abort: AbortController | undefined;
  #isEnding = false;
  #isClosed = false;

  /** @param ahead Bytes that were read from the socket before. */
  constructor(
    deps: HttpConnectionDeps,
    socket: HttpSocket,
    remoteHost: string,
    ahead?: Uint8Array,
  ) {
    this.#deps = deps;
    this.#socket = socket;
    this.#remoteHost = remoteHost;
    this.#reader = new SocketReader(socket);
    if (ahead !== undefined) this.#reader.prepend(ahead);
  }

  /** Since when no request is under way, or not all of its head is here; `undefined` while one is served. */
  get idleSinceMs(): number | undefined {
    return this.#idleSinceMs;
  }

  /** Serves until the connection ends. */
  async run(): Promise<void> {
    try {
      while (!this.#isEnding && await this.#serveNext());
    } catch {
      // The socket broke; there is nobody to tell, and every way here was counted.
    } finally {
      this.close();
    }
  }

  /** Takes no further request. */
  end(): void {
    this.#isEnding = true;
    if (this.#phase === "idle") this.close();
  }

  /** Ends it now. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#abort?.abort(new DOMException("The client left", "AbortError"));
    this.#socket.close();
  }

  /** Closes it when its deadline has passed. */
  checkDeadline(nowMs: number): void {
    if (nowMs < this.#deadlineMs || this.#isClosed) return;
    const { counters } = this.#deps;
    if (this.#phase === "idle") counters.connections_timed_out_idle_total++;
    else if (this.#phase === "head") counters.connections_timed_out_head_total++;
    else if (this.#phase === "body") counters.connections_timed_out_body_total++;
    else if (this.#phase === "write") counters.connections_timed_out_write_total++;
    if (this.#phase === "head") {
      // One small answer fits an empty socket buffer, so it is not waited for.
      this.#phase = "closing";
      this.#refuse({ status: 408, message: "the head of the request did not come in time" })
        .catch(() => {})
        .finally(() => this.close());
      return;
    }
    this.close();
  }

  async #serveNext(): Promise<boolean> {
    const { counters, times } = this.#deps;
    this.#idleSinceMs = this.#deps.clock.now();
    this.#enter("idle", times?.idleMs ?? IDLE_MS);
    const read = await this.#reader.readHead(() => {
      this.#enter("head", times?.headMs ?? HEAD_MS);
    });
    // Not before: half a head is no request, and whoever sends halves gives its place up like one who sends none.
    this.#idleSinceMs = undefined;
    if (read.kind === "end" || this.#isClosed) return false;
    const parsed = read.kind === "head"
      ? parseRequestHead(read.bytes)
      : { ok: false as const, fault: read.kind === "not_http" ? NOT_HTTP : TOO_LARGE };
    if (!parsed.ok) {
      counters.heads_refused_total++;
      await this.#refuse(parsed.fault);
      await this.#linger();
      return false;
    }
    counters.requests_total++;
    const endings: (() => void)[] = [];
    const onEnd = (action: () => void) => void endings.push(action);
    try {
      return await this.#serve(parsed.head, { remoteHost: this.#remoteHost, onEnd });
    } finally {
      for (const action of endings) action();
    }
  }

  async #serve(
    head: RequestHead,
    { remoteHost, onEnd }: Pick<RequestInfo, "remoteHost" | "onEnd">,
  ): Promise<boolean> {
    const { clock, counters, handle, refuse } = this.#deps;
    const abort = this.#abort = new AbortController();
    this.#enter("handler");
    const body = this.#openBody(head, abort);
    const request = this.#toRequest(head, body, abort.signal);
    if (request === undefined) {
      await this.#refuse({ status: 400, message: "the target is no URL" });
      await this.#linger();
      return false;
    }
    if (body.hasEnded) this.#watch(abort);
    const readBody = (into: Uint8Array) => body.read(into);
    let response: Response;
    try {
      response = await handle(request, { remoteHost, onEnd, readBody });
    } catch {
      response = refuse({ status: 500, message: "the request could not be served" });
    }
    if (this.#isClosed || abort.signal.aborted) {
      counters.requests_aborted_total++;
      await response.body?.cancel().catch(() => {});
      return false;
    }
    // Whoever waits for "100 Continue" sends no body without it, or sends it all the same.
    const isDrainable = body.hasEnded ||
      (body.isShort(DRAIN_BYTES_MAX) && (body.hasBegun || !head.expectsContinue));
    let keepsAlive: boolean;
    try {
      keepsAlive = await writeResponse(response, {
        head,
        keepsAlive: head.keepsAlive && !this.#isEnding && isDrainable,
        nowMs: clock.wallMs(),
        writeAll: (bytes) => this.#writeAll(bytes),
        signal: abort.signal,
      });
    } catch (error) {
      if (abort.signal.aborted) counters.requests_aborted_total++;
      else counters.answers_broken_total++;
      throw error;
    }
    if (!keepsAlive) {
      if (!body.hasEnded) await this.#linger();
      return false;
    }
    return await this.#drain(body);
  }

  #openBody(head: RequestHead, abort: AbortController): BodyReader {
    const { counters, times } = this.#deps;
    return new BodyReader(this.#reader, head.body, {
      onFirst: () => head.expectsContinue ? this.#writeAll(CONTINUE) : Promise.resolve(),
      onWait: () => {
        if (this.#phase === "handler") this.#enter("body", times?.bodyIdleMs ?? BODY_IDLE_MS);
      },
      onBytes: (count) => {
        counters.bytes_in_total += count;
        if (this.#phase === "body") this.#enter("handler");
      },
      onEnd: () => this.#watch(abort),
    });
  }

  #toRequest(head: RequestHead, body: BodyReader, signal: AbortSignal): Request | undefined {
    const { method } = head;
    const takesBody = !body.hasEnded && method !== "GET" && method !== "HEAD";
    try {
      return new Request(`http://${head.host}${head.target === "*" ? "/*" : head.target}`, {
        method,
        headers: head.headers.map(([name, value]): [string, string] => [name, value]),
        signal,
        ...(takesBody ? { body: body.stream(), duplex: "half" } as RequestInit : {}),
      });
    } catch {
      return undefined;
    }
  }

  /** Reads ahead while the request is served, which is how one learns that the client has left. */
  #watch(abort: AbortController): void {
    if (this.#reader.buffered > 0) return;
    const leave = () => abort.abort(new DOMException("The client left", "AbortError"));
    this.#reader.fill().then((isMore) => {
      if (!isMore && this.#reader.buffered === 0) leave();
    }, leave);
  }

  /** Takes the rest of a body that nobody read; false when there is too much of it. */
  async #drain(body: BodyReader): Promise<boolean> {
    this.#enter("body", this.#deps.times?.bodyIdleMs ?? BODY_IDLE_MS);
    let dropped = 0;
    try {
      while (!body.hasEnded) {
        dropped += (await body.next())?.length ?? 0;
        if (dropped > DRAIN_BYTES_MAX) return false;
      }
    } catch (error) {
      if (error instanceof BodyError) return false;
      throw error;
    }
    return true;
  }

  async #refuse(fault: HeadFault): Promise<void> {
    const { clock, refuse } = this.#deps;
    await writeResponse(refuse(fault), {
      head: { method: "GET", isOld: false },
      keepsAlive: false,
      nowMs: clock.wallMs(),
      writeAll: (bytes) => this.#writeAll(bytes),
      signal: new AbortController().signal,
    });
  }

  /** Reads on for a moment: a socket closed over unread bytes takes the answer with it. */
  async #linger(): Promise<void> {
    this.#enter("closing", LINGER_MS);
    await this.#socket.closeWrite();
    let dropped = 0;
    for (;;) {
      const piece = await this.#reader.readSome(HEAD_BYTES_MAX);
      dropped += piece?.length ?? 0;
      if (piece === undefined || dropped > LINGER_BYTES_MAX) return;
    }
  }

  /** The client's patience counts here only: whoever makes the body has its own deadlines. */
  async #writeAll(bytes: Uint8Array): Promise<void> {
    const patienceMs = this.#deps.times?.writeIdleMs ?? WRITE_IDLE_MS;
    this.#enter("write", patienceMs);
    let rest = bytes;
    let taken = 0;
    while (rest.length > 0) {
      const count = await this.#socket.write(rest);
      rest = rest.subarray(count);
      this.#deps.counters.bytes_out_total += count;
      taken += count;
      if (taken < WRITE_PROGRESS_BYTES) continue;
      taken = 0;
      this.#enter("write", patienceMs);
    }
    this.#enter("handler");
  }

  /** Begins a phase; without a time somebody else watches over it. */
  #enter(phase: Phase, patienceMs = Infinity): void {
    if (this.#phase === "closing" && phase !== "closing") return;
    this.#phase = phase;
    this.#deadlineMs = this.#deps.clock.now() + patienceMs;
  }
}
