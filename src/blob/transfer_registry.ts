/**
 * What is being moved right now: gets of this node, the streams they run over, and the streams this node
 * serves (`dataforts.md` 13). Knows how to end a get; moves nothing itself.
 */
import { type Clock, NetError } from "../base/mod.ts";
import { GETS_ENDED_MAX, GETS_MAX } from "./limits.ts";
import type { BandwidthClass } from "./policy/mod.ts";

/** One stream of a transfer. */
export interface StreamStatus {
  readonly streamId: bigint;
  readonly peer: bigint;
  /** Hash of the chunk. */
  readonly hash: Uint8Array;
  readonly direction: "fetch" | "serve";
  readonly movedBytes: number;
  /** `undefined` until the header came. */
  readonly totalBytes: number | undefined;
  readonly startedAtMs: number;
  readonly bandwidthClass: BandwidthClass;
  /** Time it waited because of streams of a higher class. */
  readonly pausedMs: number;
  /** The get it belongs to. */
  readonly getId: bigint | undefined;
}

/** How a get stands. */
export type GetState = "running" | "done" | "failed" | "cancelled";

/** One get. */
export interface GetStatus {
  readonly id: bigint;
  /** What is fetched, as the user may write it. */
  readonly target: string;
  readonly state: GetState;
  readonly doneBytes: number;
  readonly totalBytes: number | undefined;
  /** Bytes that were here already, from an earlier get or otherwise. */
  readonly localBytes: number;
  readonly startedAtMs: number;
  readonly endedAtMs: number | undefined;
  readonly bandwidthClass: BandwidthClass;
  readonly pausedMs: number;
  readonly holders: readonly bigint[];
  readonly error: string | undefined;
}

/** A stream in the registry. */
export interface StreamEntry {
  moved(bytes: number, totalBytes: number | undefined): void;
  end(): void;
}

/** A get in the registry. */
export interface GetEntry {
  readonly id: bigint;
  readonly bandwidthClass: BandwidthClass;
  /** Aborted by {@linkcode TransferRegistry.cancel}. */
  readonly signal: AbortSignal;
  progress(doneBytes: number, totalBytes: number | undefined): void;
  /** Bytes of a chunk that came, and from whom; `undefined` when it was here. */
  got(bytes: number, peer: bigint | undefined): void;
  paused(milliseconds: number): void;
  end(error?: unknown): void;
}

/** Options of {@linkcode TransferRegistry.openStream}. */
export interface OpenStreamEntryOptions {
  readonly streamId: bigint;
  readonly peer: bigint;
  readonly hash: Uint8Array;
  readonly direction: "fetch" | "serve";
  readonly bandwidthClass?: BandwidthClass;
  readonly pausedMs?: number;
  readonly getId?: bigint;
}

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

interface RunningGet {
  readonly status: Mutable<GetStatus>;
  readonly abort: AbortController;
  readonly holders: Set<bigint>;
}

/** The transfers of a node. */
export class TransferRegistry {
  readonly #clock: Clock;
  readonly #streams = new Set<Mutable<StreamStatus>>();
  readonly #gets = new Map<bigint, RunningGet>();
  /** Gets that ended, oldest first. */
  readonly #ended: GetStatus[] = [];
  #nextId: bigint;

  /** @param firstId Id of the first get; random, so that ids of two runs are not taken for one. */
  constructor(clock: Clock, firstId: bigint) {
    this.#clock = clock;
    this.#nextId = firstId;
  }

  /**
   * Begins a get.
   *
   * @throws NetError `limit` when too many are under way.
   */
  beginGet(target: string, bandwidthClass: BandwidthClass = "foreground"): GetEntry {
    if (this.#gets.size >= GETS_MAX) {
      throw new NetError("limit", `Cannot get blob: ${GETS_MAX} gets are under way`, {
        next: "wait for one of them, or end one with net transfer cancel",
      });
    }
    const id = this.#nextId++;
    const abort = new AbortController();
    const holders = new Set<bigint>();
    const status: Mutable<GetStatus> = {
      id,
      target,
      state: "running",
      doneBytes: 0,
      totalBytes: undefined,
      localBytes: 0,
      startedAtMs: this.#clock.wallMs(),
      endedAtMs: undefined,
      bandwidthClass,
      pausedMs: 0,
      holders: [],
      error: undefined,
    };
    this.#gets.set(id, { status, abort, holders });
    return {
      id,
      bandwidthClass,
      signal: abort.signal,
      progress: (doneBytes, totalBytes) => {
        status.doneBytes = doneBytes;
        status.totalBytes = totalBytes;
      },
      got: (bytes, peer) => {
        if (peer === undefined) status.localBytes += bytes;
        else holders.add(peer);
      },
      paused: (milliseconds) => void (status.pausedMs += milliseconds),
      end: (error) => this.#endGet(id, error),
    };
  }

  /** Begins a stream. */
  openStream(options: OpenStreamEntryOptions): StreamEntry {
    const { bandwidthClass = "foreground", pausedMs = 0, getId, ...others } = options;
    const status: Mutable<StreamStatus> = {
      ...others,
      bandwidthClass,
      pausedMs,
      getId,
      movedBytes: 0,
      totalBytes: undefined,
      startedAtMs: this.#clock.wallMs(),
    };
    this.#streams.add(status);
    return {
      moved: (bytes, totalBytes) => {
        status.movedBytes = bytes;
        status.totalBytes = totalBytes;
      },
      end: () => void this.#streams.delete(status),
    };
  }

  /** Streams under way, oldest first. */
  streams(): readonly StreamStatus[] {
    return [...this.#streams].map((status) => ({ ...status }));
  }

  /** Gets under way, then those that ended a while ago, each oldest first. */
  gets(): readonly GetStatus[] {
    const running = [...this.#gets.values()].map(({ status, holders }) => ({
      ...status,
      holders: [...holders],
    }));
    return [...running, ...this.#ended];
  }

  /** The stream of a fetch with this id, or of a get. */
  fetchStream(streamId: bigint): StreamStatus | undefined {
    return this.streams().find((stream) =>
      stream.direction === "fetch" && stream.streamId === streamId
    );
  }

  /**
   * Ends a get, by its own id or by that of one of its streams; what was verified stays.
   *
   * @returns False when there is none.
   */
  cancel(id: bigint): boolean {
    const get = this.#gets.get(id) ?? this.#gets.get(this.fetchStream(id)?.getId ?? -1n);
    if (get === undefined) return false;
    get.abort.abort(cancelled(get.status.target));
    return true;
  }

  #endGet(id: bigint, error: unknown): void {
    const get = this.#gets.get(id);
    if (get === undefined) return;
    this.#gets.delete(id);
    const { status, abort, holders } = get;
    const isCancelled = abort.signal.aborted;
    this.#ended.push({
      ...status,
      holders: [...holders],
      state: error === undefined ? "done" : isCancelled ? "cancelled" : "failed",
      endedAtMs: this.#clock.wallMs(),
      error: error === undefined
        ? undefined
        : error instanceof Error
        ? error.message
        : String(error),
    });
    if (this.#ended.length > GETS_ENDED_MAX) this.#ended.shift();
  }
}

function cancelled(target: string): NetError {
  return new NetError("failed", `Cannot get blob ${target}: it was cancelled`, {
    next: "repeat the command to go on: chunks that came are kept",
    data: { cancelled: true },
  });
}
