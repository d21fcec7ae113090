/**
 * Unary calls between whole nodes on a bad network: what a seed makes of them, and whether they kept their
 * promises. Each ends in exactly one answer or one typed error within its deadline, and no handler runs twice for
 * one call.
 */
import { RpcError } from "../../src/rpc/mod.ts";
import { type CallNode, RpcKit } from "../services/rpc/rpc_kit.ts";
import { type NetworkConditions, seededRandom } from "./memory_network.ts";

const SERVICE = "work";
/** As bad as the promise says it may be; jitter beyond the pace of sending reorders. */
const CONDITIONS: NetworkConditions = {
  lossRate: 0.05,
  duplicateRate: 0.02,
  delayMs: 50,
  jitterMs: 40,
};
const CALLS = 40;
const TIMEOUTS_MS = [120, 300, 1_000, 5_000, 10_000] as const;
const START_WITHIN_MS = 4_000;
/** Longest time that all of it takes. */
const RUN_MS = START_WITHIN_MS + 10_000;
/** Bytes of a body: what the handler does, number of the call, its time in ms, then anything. */
const HEAD_BYTES = 8;

/** What the handler does with a call. */
type Work = "echo" | "sleep" | "throw";
const WORKS: readonly Work[] = ["echo", "sleep", "throw"];

/** One call of a plan. */
interface PlannedCall {
  readonly caller: number;
  readonly startMs: number;
  readonly timeoutMs: number;
  /** Milliseconds after its start at which it is cancelled; `undefined` for never. */
  readonly cancelMs: number | undefined;
  readonly body: Uint8Array;
  readonly work: Work;
}

/** What a seed says. */
export interface RpcPlan {
  readonly seed: number;
  readonly calls: readonly PlannedCall[];
  /** Nothing gets through meanwhile. */
  readonly silence: { readonly fromMs: number; readonly toMs: number } | undefined;
  /** The server stops at this time. */
  readonly stopMs: number | undefined;
}

/** What became of it. */
export interface RpcRunReport {
  readonly answered: number;
  /** Errors by kind. */
  readonly failed: Readonly<Record<string, number>>;
  readonly handlersRun: number;
  /** What broke a promise, in words; empty when all is well. */
  readonly faults: readonly string[];
}

/** Makes the plan of a seed. */
export function planRpcRun(seed: number): RpcPlan {
  const random = seededRandom(seed);
  const below = (max: number) => Math.floor(random() * max);
  const calls = Array.from({ length: CALLS }, (_, number): PlannedCall => {
    const work = random() < 0.7 ? "echo" : random() < 0.7 ? "sleep" : "throw";
    const length = random() < 0.1 ? 9_000 + below(60_000) : below(300);
    const body = new Uint8Array(HEAD_BYTES + length).fill(number);
    const view = new DataView(body.buffer);
    view.setUint8(0, WORKS.indexOf(work));
    view.setUint32(1, number, true);
    view.setUint16(5, work === "sleep" ? below(2_000) : 0, true);
    return {
      caller: below(2),
      startMs: below(START_WITHIN_MS),
      timeoutMs: TIMEOUTS_MS[below(TIMEOUTS_MS.length)] as number,
      cancelMs: random() < 0.1 ? below(400) : undefined,
      body,
      work,
    };
  });
  const fromMs = below(START_WITHIN_MS);
  return {
    seed,
    calls,
    silence: random() < 0.3 ? { fromMs, toMs: fromMs + 200 + below(6_000) } : undefined,
    stopMs: random() < 0.2 ? below(START_WITHIN_MS) : undefined,
  };
}

/** Runs a plan. */
export async function runRpcPlan(plan: RpcPlan): Promise<RpcRunReport> {
  using kit = new RpcKit(plan.seed);
  const { clock } = kit;
  const server = await kit.node(1);
  const callers = [await kit.node(2), await kit.node(3)];
  for (const caller of callers) await kit.connect(caller, server);
  const runs = new Map<string, number>();
  serveWork(kit, server, runs);
  kit.mesh.network.conditions = CONDITIONS;
  const startedAt = clock.now();
  const { silence, stopMs } = plan;
  kit.mesh.network.filter = () => {
    const passedMs = clock.now() - startedAt;
    return silence === undefined || passedMs < silence.fromMs || passedMs >= silence.toMs;
  };
  if (stopMs !== undefined) {
    clock.after(stopMs, () => {
      void server.rpc.stop();
      server.node.transport.stop();
    });
  }
  const outcomes = plan.calls.map((call) => makeCall(kit, callers, server.nodeId, call));
  await clock.advance(RUN_MS);
  const faults = outcomes.flatMap((outcome, at) =>
    outcome.faults.map((text) => `call ${at}: ${text}`)
  );
  for (const [id, times] of runs) if (times > 1) faults.push(`handler of ${id} ran ${times} times`);
  for (const { rpc } of callers) {
    const { pending, forgedDropped } = rpc.client.counters;
    if (pending !== 0) faults.push(`${pending} calls are still pending`);
    if (forgedDropped !== 0) faults.push(`${forgedDropped} answers were taken for forged`);
  }
  const failed: Record<string, number> = {};
  for (const { kind } of outcomes) {
    if (kind !== undefined && kind !== "answer") failed[kind] = (failed[kind] ?? 0) + 1;
  }
  return {
    answered: outcomes.filter(({ kind }) => kind === "answer").length,
    failed,
    handlersRun: runs.size,
    faults,
  };
}

/** Serves the work, counting how often it runs for each call. */
function serveWork(kit: RpcKit, server: CallNode, runs: Map<string, number>): void {
  const { clock } = kit;
  server.rpc.serve(SERVICE, async (body, { caller, callId }) => {
    const id = `${caller} ${callId}`;
    runs.set(id, (runs.get(id) ?? 0) + 1);
    const view = new DataView(body.buffer, body.byteOffset);
    const work = WORKS[view.getUint8(0)];
    if (work === "throw") throw new Error("it was asked for");
    const { promise, resolve } = Promise.withResolvers<void>();
    if (work === "sleep") clock.after(view.getUint16(5, true), resolve);
    else resolve();
    await promise;
    return body;
  });
}

interface Outcome {
  /** `answer`, or the kind of its error; `undefined` when it never ended. */
  kind: string | undefined;
  readonly faults: string[];
}

function makeCall(
  kit: RpcKit,
  callers: readonly CallNode[],
  target: bigint,
  call: PlannedCall,
): Outcome {
  const { clock } = kit;
  const { startMs, timeoutMs, cancelMs, body, work } = call;
  const outcome: Outcome = { kind: undefined, faults: ["it never ended"] };
  clock.after(startMs, () => {
    const beganAt = clock.now();
    const controller = new AbortController();
    if (cancelMs !== undefined) clock.after(cancelMs, () => controller.abort());
    const end = (kind: string) => {
      if (outcome.kind === undefined) outcome.faults.length = 0;
      else outcome.faults.push("it ended twice");
      outcome.kind = kind;
      const tookMs = clock.now() - beganAt;
      if (tookMs > timeoutMs) outcome.faults.push(`it took ${tookMs} ms of ${timeoutMs}`);
    };
    const caller = callers[call.caller] as CallNode;
    const { signal } = controller;
    caller.rpc.client.call(target, SERVICE, body, { timeoutMs, signal }).then((answer) => {
      end("answer");
      if (!isSame(answer, body)) outcome.faults.push("its answer is another");
      if (work === "throw") outcome.faults.push("its handler threw, and it was answered");
    }, (error: unknown) => {
      end(error instanceof RpcError ? error.kind : "untyped");
      if (!(error instanceof RpcError)) outcome.faults.push(`its error is untyped: ${error}`);
    });
  });
  return outcome;
}

function isSame(left: Uint8Array, right: Uint8Array): boolean {
  return left.length === right.length && left.every((byte, at) => byte === right[at]);
}
