/**
 * The asking side of measurements: questions that are repeated until they are answered, and round trips.
 */
import { type Clock, idToHex, NetError } from "../../base/mod.ts";
import { ANSWER_MS, ECHO_MS, ECHOES_MAX, REPEAT_MS } from "./limits.ts";
import type { BenchLink } from "./traffic.ts";
import {
  BENCH_STREAM_ID,
  BENCH_SUBPROTOCOL,
  type BenchAnswer,
  type BenchQuestion,
  type BenchRefusal,
  encodeBenchMessage,
} from "./wire.ts";

/** Round trips of one step. */
export interface EchoFigures {
  readonly sent: number;
  /** Milliseconds of each that came back, in ascending order. */
  readonly times: Float64Array;
}

/** What {@linkcode BenchAsker} needs. */
export interface BenchAskerDeps {
  readonly link: BenchLink;
  readonly clock: Clock;
  readonly peer: bigint;
  readonly run: number;
  /** Aborts when the user has had enough. */
  readonly signal: AbortSignal;
}

interface Pending {
  readonly kind: BenchAnswer["kind"];
  readonly step: number;
  readonly resolve: (answer: BenchAnswer) => void;
  readonly reject: (error: unknown) => void;
}

/** One run, as its asker sees it. */
export class BenchAsker {
  /** Aborts when the user has had enough, the peer is gone or this node stops. */
  readonly signal: AbortSignal;
  readonly #deps: BenchAskerDeps;
  readonly #ended = new AbortController();
  #pending: Pending | undefined;
  #onEchoed: ((number: number) => void) | undefined;

  constructor(deps: BenchAskerDeps) {
    this.#deps = deps;
    this.signal = AbortSignal.any([deps.signal, this.#ended.signal]);
  }

  /** Takes an answer of the peer. */
  receive(from: bigint, message: BenchAnswer): void {
    if (from !== this.#deps.peer || message.run !== this.#deps.run) return;
    if (message.kind === "echoed") return this.#onEchoed?.(message.number);
    const pending = this.#pending;
    if (pending === undefined || pending.step !== message.step) return;
    if (message.kind === "refused") {
      pending.reject(refusedError(this.#deps.peer, message.reason));
    } else if (message.kind === pending.kind) pending.resolve(message);
  }

  /** The session with a peer is gone. */
  onPeerLost(peer: bigint): void {
    if (peer !== this.#deps.peer) return;
    this.#ended.abort(
      new NetError("unreachable", `Cannot measure with ${idToHex(peer)}: the session was lost`, {
        next: "see net node peers, then repeat the command",
      }),
    );
  }

  /** This node stops. */
  stop(): void {
    this.#ended.abort(
      new NetError("draining", "Cannot measure: the node stops", {
        next: "repeat the command when it runs again",
      }),
    );
  }

  /**
   * Asks until the answer comes.
   *
   * @throws NetError for a refusal; `timeout` when there is no answer; the signal's reason.
   */
  async ask<K extends BenchAnswer["kind"]>(
    question: BenchQuestion,
    kind: K,
  ): Promise<Extract<BenchAnswer, { readonly kind: K }>> {
    const { clock, peer } = this.#deps;
    const { signal } = this;
    signal.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<BenchAnswer>();
    const onAbort = () => reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    this.#pending = { kind, step: question.step, resolve, reject };
    const giveUpAt = clock.now() + ANSWER_MS;
    let cancel = () => {};
    const repeat = () => {
      if (clock.now() >= giveUpAt) return reject(silentError(peer));
      this.send(question);
      cancel = clock.after(REPEAT_MS, repeat);
    };
    try {
      repeat();
      return await promise as Extract<BenchAnswer, { readonly kind: K }>;
    } finally {
      cancel();
      this.#pending = undefined;
      signal.removeEventListener("abort", onAbort);
    }
  }

  /** Sends a message without waiting for anything. */
  send(message: BenchQuestion): void {
    const { link, peer } = this.#deps;
    link.sendMessage(peer, BENCH_SUBPROTOCOL, BENCH_STREAM_ID, encodeBenchMessage(message));
  }

  /** Sends one echo after the other, each when the one before is back or lost. */
  measureEchoes(step: number, length: number, durationMs: number): Promise<EchoFigures> {
    const { clock, run } = this.#deps;
    const { signal } = this;
    const times: number[] = [];
    const endsAt = clock.now() + durationMs;
    let sent = 0;
    let sentAt = 0;
    let cancel = () => {};
    return new Promise<EchoFigures>((resolve, reject) => {
      const finish = () => {
        this.#onEchoed = undefined;
        cancel();
        signal.removeEventListener("abort", onAbort);
      };
      const onAbort = () => {
        finish();
        reject(signal.reason);
      };
      const next = () => {
        const now = clock.now();
        if (now >= endsAt || sent >= ECHOES_MAX) {
          finish();
          return resolve({ sent, times: Float64Array.from(times).sort() });
        }
        sent += 1;
        sentAt = now;
        cancel = clock.after(ECHO_MS, next);
        this.send({ kind: "echo", run, step, number: sent, length });
      };
      this.#onEchoed = (number) => {
        // One that comes back later than it is waited for counts as lost.
        if (number !== sent) return;
        times.push(clock.now() - sentAt);
        cancel();
        next();
      };
      if (signal.aborted) return onAbort();
      signal.addEventListener("abort", onAbort, { once: true });
      next();
    });
  }

  /** Waits; rejects when the user or the peer has gone. */
  async pause(ms: number): Promise<void> {
    const { signal } = this;
    signal.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const onAbort = () => reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    const cancel = this.#deps.clock.after(ms, resolve);
    try {
      await promise;
    } finally {
      cancel();
      signal.removeEventListener("abort", onAbort);
    }
  }
}

function silentError(peer: bigint): NetError {
  return new NetError(
    "timeout",
    `Cannot measure with ${idToHex(peer)}: it does not answer measurements`,
    {
      next:
        "see with net node trace whether it answers at all; nodes of other programs don't measure",
    },
  );
}

function refusedError(peer: bigint, reason: BenchRefusal): NetError {
  const id = idToHex(peer);
  const action = `Cannot measure with ${id}`;
  const data = { peer: id, reason };
  switch (reason) {
    case "busy":
      return new NetError("conflict", `${action}: it takes part in another measurement`, {
        next: "repeat the command in a minute at most",
        data,
      });
    case "not_proven":
      return new NetError(
        "not_allowed",
        `${action}: it measures only with peers that proved who they are`,
        { next: "start the node there with --bench any", data },
      );
    case "off":
      return new NetError("not_allowed", `${action}: measurements are switched off there`, {
        next: "start the node there without --bench off",
        data,
      });
    case "limits":
      return new NetError("limit", `${action}: it takes no measurement as large as this one`, {
        next: "choose a smaller --seconds or --streams",
        data,
      });
    case "no_run":
      return new NetError("failed", `${action}: it ended the measurement`, {
        next: "repeat the command, with a smaller --seconds if it happens again",
        data,
      });
    case "version":
      return new NetError("failed", `${action}: it speaks another version of measurements`, {
        next: "run the same version of net on both sides",
        data,
      });
  }
}
