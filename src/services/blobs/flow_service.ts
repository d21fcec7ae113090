/**
 * The flow of blobs on a running node: heat, gravity, greedy caching and overflow by the policy in force
 * (`dataforts.md` 15 to 21). What flows is decided in `blob/flow`; here it meets announcements, calls, channels
 * and the store.
 */
import { type Clock, NetError, type RandomBytes } from "../../base/mod.ts";
import {
  BlobFlow,
  decodeHoldRequest,
  decodeOverflowOffer,
  encodeHoldReply,
  encodeOverflowReply,
  type FlowMesh,
  type GreedyView,
  HOLD_SERVICE,
  OVERFLOW_SERVICE,
} from "../../blob/mod.ts";
import type { Service, ServiceHealth } from "../../kernel/mod.ts";
import type { Log, MetricRegistry } from "../../observe/mod.ts";
import type { Rpc, RpcContext, ServeHandle } from "../../rpc/mod.ts";
import type { ChannelService } from "../channels/mod.ts";
import type { Storage } from "../storage.ts";
import { flowCounters, type FlowStatus, flowStatus, flowText } from "./flow_status.ts";
import { createFlowStore, type NodeFlowStore } from "./flow_store.ts";
import type { PolicyService } from "./policy_service.ts";

/** What {@linkcode FlowService} needs. */
export interface FlowServiceDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: MetricRegistry;
  readonly random: RandomBytes;
  readonly storage: Pick<Storage, "ledger" | "blobs">;
  readonly policy: Pick<PolicyService, "current" | "onChange">;
  readonly mesh: FlowMesh;
  readonly rpc: Pick<Rpc, "serve">;
  readonly channels: Pick<ChannelService, "subscriber">;
  readonly greedyView: GreedyView;
}

/** Calls of peers that are worked on: each proof reads and hashes a chunk. */
const SERVE = { runningMax: 16, runningPerPeerMax: 4 } as const;

/** Moves blobs by itself. */
export class FlowService implements Service {
  readonly name = "blob_flow";
  readonly #deps: FlowServiceDeps;
  readonly #store: NodeFlowStore;
  readonly #flow: BlobFlow;
  #stops: (() => void)[] = [];
  #served: readonly ServeHandle[] = [];
  /** Serving follows the policy step by step. */
  #serving: Promise<void> = Promise.resolve();

  constructor(deps: FlowServiceDeps) {
    this.#deps = deps;
    this.#store = createFlowStore({ ...deps, ...deps.storage });
    this.#flow = new BlobFlow({ ...deps, store: this.#store }, deps.policy.current);
  }

  async start(): Promise<void> {
    const { policy, storage: { blobs }, channels, metrics } = this.#deps;
    const flow = this.#flow;
    flow.configure(policy.current);
    await flow.start();
    this.#stops = [
      policy.onChange((next) => {
        flow.configure(next);
        this.#followServing();
      }),
      blobs.onRead((hash) => flow.noteRead(hash)),
      blobs.onChange(({ kind, hash, size, isCopy }) => {
        if (kind === "removed") flow.noteRemoved(hash);
        else if (isCopy && !this.#store.isAdding(hash)) flow.noteFetched(hash, size);
      }),
      channels.subscriber.onEvent.on(({ channel, publisher, bytes }) => {
        void flow.observe({ channel, publisher, payload: bytes });
      }),
    ];
    metrics.register("blob_flow", () => flowCounters(flow));
    this.#followServing();
    await this.#serving;
  }

  async stop(): Promise<void> {
    for (const stop of this.#stops) stop();
    this.#stops = [];
    this.#flow.stop();
    this.#serving = this.#serving.then(() => this.#serve(false));
    await this.#serving;
  }

  health(): ServiceHealth {
    return { state: "healthy" };
  }

  /** What flows, and what holds it. */
  async status(): Promise<FlowStatus> {
    return flowStatus(this.#flow, await this.#store.spilled.count(), this.#deps.clock.now());
  }

  /** Peers that hold a chunk in this node's stead. */
  holdersOf(hash: Uint8Array): Promise<readonly bigint[]> {
    return this.#flow.holdersOf(hash);
  }

  /** A chunk that peers hold in this node's stead, from one of them; it is not stored here. */
  fetchSpilled(hash: Uint8Array): Promise<Uint8Array | undefined> {
    return this.#flow.fetchSpilled(hash);
  }

  /** Prometheus text of this area alone, as the reference prints it. */
  prometheusText(): string {
    return flowText(this.#flow);
  }

  /** Peers may call while overflow is on, and as long as this node keeps what it promised. */
  #followServing(): void {
    const isWanted = () =>
      this.#deps.policy.current.overflow.isEnabled || this.#flow.leases.size > 0;
    this.#serving = this.#serving.then(() => this.#serve(isWanted())).catch((error) => {
      const reason = error instanceof Error ? error.message : String(error);
      this.#deps.log.warn("overflow_not_served", { reason });
    });
  }

  async #serve(isOn: boolean): Promise<void> {
    if (isOn === this.#served.length > 0) return;
    if (!isOn) {
      const served = this.#served;
      this.#served = [];
      await Promise.all(served.map((handle) => handle.close({ isPatient: false })));
      return;
    }
    const { rpc } = this.#deps;
    this.#served = [
      rpc.serve(OVERFLOW_SERVICE, (body, context) => this.#onOffer(body, context), SERVE),
      rpc.serve(HOLD_SERVICE, (body, context) => this.#onHold(body, context), SERVE),
    ];
  }

  async #onOffer(body: Uint8Array, { caller }: RpcContext): Promise<Uint8Array> {
    const offer = decodeOverflowOffer(body);
    if (offer === undefined) throw new NetError("usage", "Cannot take chunk: the offer is none");
    return encodeOverflowReply(await this.#flow.onOffer(caller, offer));
  }

  async #onHold(body: Uint8Array, { caller }: RpcContext): Promise<Uint8Array> {
    const request = decodeHoldRequest(body);
    if (request === undefined) {
      throw new NetError("usage", "Cannot prove chunk: the question is none");
    }
    return encodeHoldReply(await this.#flow.onHold(caller, request));
  }
}
