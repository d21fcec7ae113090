/**
 * Measurements between two nodes (`docs/bench.md`): this node asks its peers for them and answers theirs.
 */
import { type Clock, idToHex, NetError, type RandomBytes } from "../../base/mod.ts";
import type { SubprotocolMessage } from "../../core/transport/mod.ts";
import type { Service, ServiceHealth } from "../../kernel/mod.ts";
import type { MetricRegistry } from "../../observe/mod.ts";
import { BenchAsker } from "./asker.ts";
import {
  type BenchOptions,
  type BenchProgress,
  type BenchReport,
  planBench,
  runBench,
} from "./plan.ts";
import { type BenchPolicy, BenchResponder } from "./responder.ts";
import type { BenchLink } from "./traffic.ts";
import {
  BENCH_STREAM_ID,
  BENCH_SUBPROTOCOL,
  decodeBenchMessage,
  refuseOtherVersion,
} from "./wire.ts";

/** What {@linkcode BenchService} needs. */
export interface BenchServiceDeps {
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly metrics: MetricRegistry;
  /** The mesh's transport; it runs when the service starts. */
  readonly mesh: { readonly transport: BenchLink };
  /** Whose measurements this node takes part in. */
  readonly policy: BenchPolicy;
}

/** Options of {@linkcode BenchService.measure}. */
export interface MeasureOptions extends BenchOptions {
  readonly onProgress?: (progress: BenchProgress) => void;
  readonly signal?: AbortSignal;
}

/** Measures with peers. */
export class BenchService implements Service {
  readonly name = "bench";
  readonly #deps: BenchServiceDeps;
  #responder: BenchResponder | undefined;
  #asker: BenchAsker | undefined;
  #stops: (() => void)[] = [];
  #malformed = 0;

  constructor(deps: BenchServiceDeps) {
    this.#deps = deps;
  }

  start(): Promise<void> {
    const { clock, metrics, policy, mesh } = this.#deps;
    const link = mesh.transport;
    const isMeasuring = () => this.#asker !== undefined;
    const responder = new BenchResponder({ link, clock, policy, isMeasuring });
    this.#responder = responder;
    metrics.register("bench", () => ({
      ...responder.counters,
      drop_malformed_total: this.#malformed,
    }));
    this.#stops = [
      link.onMessage(BENCH_SUBPROTOCOL, (message) => this.#receive(link, responder, message)),
      link.onPeerChange((peer, isConnected) => {
        if (isConnected) return;
        responder.onPeerLost(peer);
        this.#asker?.onPeerLost(peer);
      }),
      () => responder.stop(),
    ];
    return Promise.resolve();
  }

  stop(): Promise<void> {
    this.#asker?.stop();
    for (const stop of this.#stops) stop();
    this.#stops = [];
    this.#responder = undefined;
    return Promise.resolve();
  }

  health(): ServiceHealth {
    return { state: "healthy" };
  }

  /**
   * Measures round trips and event rates with a connected peer.
   *
   * @throws NetError `usage` for options out of bounds, `not_found` for a peer without a session,
   * `not_ready` and `draining` while this node starts and stops, `conflict` while another measurement runs here or there, `not_allowed` and `limit` when the peer
   * refuses, `timeout` when it does not answer, `unreachable` when it is lost.
   */
  async measure(peer: bigint, options: MeasureOptions = {}): Promise<BenchReport> {
    const { clock, random, mesh } = this.#deps;
    const plan = planBench(options);
    const link = mesh.transport;
    if (!link.connectedPeers().includes(peer)) {
      throw new NetError("not_found", `Cannot measure with ${idToHex(peer)}: it is not connected`, {
        next: "see net node peers for the nodes that are",
      });
    }
    if (this.#responder === undefined) {
      throw new NetError("not_ready", "Cannot measure: the node is not up", {
        next: "repeat the command in a moment",
      });
    }
    if (this.#asker !== undefined || this.#responder.isServing) {
      throw new NetError("conflict", "Cannot measure: this node takes part in a measurement", {
        next: "repeat the command in a minute at most",
      });
    }
    const run = new DataView(random(4).buffer).getUint32(0, true);
    const signal = options.signal ?? new AbortController().signal;
    const asker = new BenchAsker({ link, clock, peer, run, signal });
    this.#asker = asker;
    try {
      const onProgress = options.onProgress ?? (() => {});
      return await runBench({ link, clock, asker, peer, run, onProgress }, plan);
    } finally {
      this.#asker = undefined;
    }
  }

  #receive(link: BenchLink, responder: BenchResponder, message: SubprotocolMessage): void {
    const { from, payload } = message;
    const decoded = decodeBenchMessage(payload);
    if (decoded === undefined) {
      this.#malformed += 1;
      const refusal = refuseOtherVersion(payload);
      if (refusal !== undefined) {
        link.sendMessage(from, BENCH_SUBPROTOCOL, BENCH_STREAM_ID, refusal);
      }
      return;
    }
    switch (decoded.kind) {
      case "open":
      case "step":
      case "ask":
      case "echo":
      case "close":
        return responder.receive(from, decoded);
      default:
        this.#asker?.receive(from, decoded);
    }
  }
}
