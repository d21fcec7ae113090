/** A log of a node, for a program: append, read, follow. */
import type { RedexEvent, RedexStat, TailItem } from "../log/mod.ts";
import type { Appended, AppendOptions, LogService, LogStart } from "../services/mod.ts";
import { type Body, toBytes } from "./body.ts";

/** An event of a log. */
export type LogEvent = RedexEvent;

/** What reading a log gives: events in order, and where some are missing an item of kind `lag` that says so. */
export type LogItem = TailItem;

/** Where reading begins: the first event kept, the end, a number, so many before the end, or a time. */
export type LogFrom = "start" | "end" | bigint | { readonly last: number } | {
  readonly since: Date;
};

/** Options of {@linkcode NodeLog.events}. */
export interface LogEventsOptions {
  /** `start` when left out. */
  readonly from?: LogFrom;
  /** First number that is not wanted any more. */
  readonly to?: bigint;
  /** Goes on with what is appended later, until the signal, the node or the log's removal ends it. */
  readonly follow?: boolean;
  readonly signal?: AbortSignal;
}

/** One log of a node. It needs no closing: its file is the node's. */
export class NodeLog {
  readonly name: string;
  readonly #logs: LogService;
  readonly #signal: AbortSignal;

  constructor(name: string, logs: LogService, signal: AbortSignal) {
    this.name = name;
    this.#logs = logs;
    this.#signal = signal;
  }

  /**
   * Appends one event, or several: all of them or none. They are in the file when this resolves, and on the device when
   * the log's rules say, or with `isDurable` at once.
   *
   * @throws NetError `no_space`, `limit`, `failed`; `conflict` when `expected` is not the next number.
   */
  async append(events: Body | readonly Body[], options: AppendOptions = {}): Promise<Appended> {
    const list = typeof events === "string" || events instanceof Uint8Array ? [events] : events;
    return await this.#logs.append(this.name, list.map(toBytes), options);
  }

  /** The event of this number; `undefined` when there is none, or it can't be read. */
  async read(seq: bigint): Promise<LogEvent | undefined> {
    return await this.#logs.read(this.name, seq);
  }

  /**
   * The events from a place on, in order. What is not there any more, because retention took it or it is damaged, is an
   * item of kind `lag`. A reader that goes on may be as slow as it likes: nothing is queued for it.
   *
   * @throws What `signal` was aborted with.
   *
   * @example
   * ```ts
   * import { startNode } from "./start_node.ts";
   * import { toText } from "./body.ts";
   * await using node = await startNode({ listen: "127.0.0.1:0" });
   * const log = await node.log("room/lobby");
   * await log.append(["hello", "world"]);
   * const texts = [];
   * for await (const item of log.events()) {
   *   texts.push(item.kind === "event" ? toText(item.payload) : `${item.from} is gone`);
   * }
   * console.assert(texts.join() === "hello,world");
   * ```
   */
  async *events(options: LogEventsOptions = {}): AsyncGenerator<LogItem, void, void> {
    const { from = "start", to, follow, signal } = options;
    using reader = await this.#logs.reader(this.name, {
      from: toStart(from),
      to,
      isFollowing: follow,
      signal: signal === undefined ? this.#signal : AbortSignal.any([signal, this.#signal]),
    });
    for (let items = await reader.next(); items !== undefined; items = await reader.next()) {
      yield* items;
    }
  }

  /** What the log holds, how it is kept, and what of it is on the device. */
  async stat(): Promise<RedexStat> {
    return (await this.#logs.open(this.name)).stat();
  }

  /** Resolves when all that was appended before is on the device. */
  async sync(): Promise<void> {
    await (await this.#logs.open(this.name)).sync();
  }
}

function toStart(from: LogFrom): LogStart {
  if (from === "start" || from === "end") return { kind: from };
  if (typeof from === "bigint") return { kind: "seq", seq: from };
  if ("last" in from) return { kind: "last", events: from.last };
  return { kind: "since", timeNs: BigInt(from.since.getTime()) * 1_000_000n };
}
