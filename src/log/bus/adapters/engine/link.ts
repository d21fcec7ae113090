/**
 * A connection to an engine that is made when it is needed and made again when it broke; libraries' own ways of
 * reconnecting are switched off, because they keep commands of which nobody knows any more.
 */
import type { Clock } from "../../../../base/mod.ts";
import { BusError } from "../../error.ts";
import { pauseWithin, withinDeadline } from "./deadline.ts";
import { CONNECT_PAUSE_MS, CONNECT_PAUSE_MS_MAX } from "./limits.ts";

/** A connection that a library made. */
export interface OpenedConnection<Client> {
  readonly client: Client;
  /** Resolves when it is over, whoever ended it. */
  readonly ended: Promise<unknown>;
  /** Ends it; idempotent. */
  close(): void | Promise<void>;
}

/** What an {@linkcode EngineLink} needs. */
export interface EngineLinkDeps<Client> {
  readonly clock: Clock;
  readonly timeoutMs: number;
  /** As in `Cannot connect to Redis at host:port`. */
  readonly action: string;
  /** Connects; the signal aborts when that is no longer wanted. Fails with a {@linkcode BusError}. */
  open(signal: AbortSignal): Promise<OpenedConnection<Client>>;
}

/** How {@linkcode EngineLink.use} waits. */
export interface LinkUse {
  readonly signal?: AbortSignal;
  /** Tries again until time is up while the engine cannot be reached, as in its restart. */
  readonly isPatient?: boolean;
}

/** One connection, or the attempt to make it. */
export class EngineLink<Client extends object> {
  readonly #deps: EngineLinkDeps<Client>;
  readonly #stop = new AbortController();
  readonly #givenUp = new WeakSet<object>();
  readonly #closing = new Set<Promise<void>>();
  #opening: Promise<OpenedConnection<Client>> | undefined;
  #opened: OpenedConnection<Client> | undefined;

  constructor(deps: EngineLinkDeps<Client>) {
    this.#deps = deps;
  }

  /**
   * The connection, made now if there is none.
   *
   * @throws BusError `transient` when it cannot be made in time, `fatal` when that will not change.
   */
  async use({ signal, isPatient = true }: LinkUse = {}): Promise<Client> {
    const { clock, timeoutMs, action } = this.#deps;
    const untilMs = clock.now() + timeoutMs;
    for (let pauseMs = CONNECT_PAUSE_MS;; pauseMs = Math.min(2 * pauseMs, CONNECT_PAUSE_MS_MAX)) {
      if (this.#stop.signal.aborted) throw new BusError("fatal", `${action}: it was stopped`);
      if (this.#opened !== undefined) return this.#opened.client;
      const leftMs = Math.max(untilMs - clock.now(), 1);
      try {
        const opened = await withinDeadline(this.#open(), {
          clock,
          timeoutMs: leftMs,
          signal,
          action,
        });
        return opened.client;
      } catch (error) {
        const isOver = untilMs - clock.now() <= pauseMs || signal?.aborted === true;
        if (!isPatient || isOver || !(error instanceof BusError && error.isRetryable)) throw error;
        await pauseWithin(clock, pauseMs, anyOf(signal, this.#stop.signal));
      }
    }
  }

  /** Ends the connection if it is this one; the next use makes another. */
  drop(client: Client): void {
    const opened = this.#opened;
    if (opened === undefined || opened.client !== client) return;
    this.#opened = undefined;
    this.#end(opened);
  }

  /** Ends a connection whose engine hangs; what else waits for it fails instead of waiting for another. */
  giveUp(client: Client): void {
    this.#givenUp.add(client);
    this.drop(client);
  }

  /** True when it was not the engine that ended the connection. */
  wasGivenUp(client: Client): boolean {
    return this.#givenUp.has(client);
  }

  /** Ends it for good; idempotent. */
  async stop(): Promise<void> {
    this.#stop.abort();
    const opened = this.#opened;
    this.#opened = undefined;
    const { clock, timeoutMs, action } = this.#deps;
    const closing = Promise.all([
      opened?.close(),
      this.#opening?.catch(() => {}),
      ...this.#closing,
    ]);
    await withinDeadline(closing, { clock, timeoutMs, action }).catch(() => {});
  }

  /** Ends a connection; stopping waits for that. */
  #end(opened: OpenedConnection<Client>): void {
    const closing = Promise.resolve(opened.close()).catch(() => {});
    this.#closing.add(closing);
    void closing.then(() => this.#closing.delete(closing));
  }

  /** One attempt, shared by all who wait for it. */
  #open(): Promise<OpenedConnection<Client>> {
    if (this.#opening !== undefined) return this.#opening;
    const { clock, timeoutMs, action } = this.#deps;
    const attempt = new AbortController();
    const stop = this.#stop.signal;
    const onStop = () => attempt.abort();
    stop.addEventListener("abort", onStop, { once: true });
    const connecting = this.#deps.open(attempt.signal).then((opened) => {
      // Too late, or not wanted any more.
      if (attempt.signal.aborted) this.#end(opened);
      return opened;
    });
    const opening = withinDeadline(connecting, {
      clock,
      timeoutMs,
      signal: stop,
      action,
      onLate: () => attempt.abort(),
    }).then((opened) => {
      this.#opened = opened;
      const forget = () => {
        if (this.#opened === opened) this.#opened = undefined;
      };
      opened.ended.then(forget, forget);
      return opened;
    }).finally(() => {
      stop.removeEventListener("abort", onStop);
      this.#opening = undefined;
    });
    this.#opening = opening;
    return opening;
  }
}

/**
 * Does something over the connection, and again over the next one when this one broke; so a server that starts again
 * fails nothing that waits as long as that takes.
 *
 * What was sent over the one that broke may have been done: only for what may be done twice.
 *
 * @throws BusError What `attempt` fails with; `transient` when there is no connection in time.
 */
export async function overLink<Client extends object, Value>(
  link: EngineLink<Client>,
  { clock, timeoutMs, signal }: {
    readonly clock: Clock;
    readonly timeoutMs: number;
    readonly signal: AbortSignal;
  },
  attempt: (client: Client) => Promise<Value>,
): Promise<Value> {
  const untilMs = clock.now() + timeoutMs;
  for (;;) {
    const client = await link.use({ signal });
    try {
      return await attempt(client);
    } catch (error) {
      if (!isConnectionLost(error) || link.wasGivenUp(client)) throw error;
      link.drop(client);
      if (signal.aborted || clock.now() >= untilMs) throw error;
      await pauseWithin(clock, CONNECT_PAUSE_MS, signal);
    }
  }
}

/** True for errors that adapters mark as the end of a connection. */
function isConnectionLost(error: unknown): boolean {
  return error instanceof BusError && error.data?.["isConnectionLost"] === true;
}

function anyOf(signal: AbortSignal | undefined, stop: AbortSignal): AbortSignal {
  return signal === undefined ? stop : AbortSignal.any([signal, stop]);
}
