/**
 * Calls with streams between whole nodes on a bad network: items come whole and in order, or the call ends with a
 * typed error; what was read by then is a beginning of what was sent.
 */
import { type CallOptions, type Rpc, type RpcClient, RpcError } from "../../src/rpc/mod.ts";
import { RpcKit } from "../services/rpc/rpc_kit.ts";
import { seededRandom } from "./memory_network.ts";

const SHAPES = ["download", "upload", "mirror"] as const;
const CALLS_PER_SHAPE = 3;
const START_WITHIN_MS = 500;
const TIMEOUT_MS = 25_000;

interface StreamPlan {
  readonly shape: typeof SHAPES[number];
  readonly startMs: number;
  readonly items: number;
  /** Bytes of every seventh item, which takes fragments; of the others there are few. */
  readonly longBytes: number;
  readonly options: CallOptions;
}

/** What became of the calls of one seed. */
export interface StreamRunReport {
  readonly whole: number;
  readonly failed: Readonly<Record<string, number>>;
  readonly faults: readonly string[];
}

/** Runs the streams of a seed. */
export async function runStreams(seed: number): Promise<StreamRunReport> {
  const random = seededRandom(seed);
  const below = (max: number) => Math.floor(random() * max);
  const plans = SHAPES.flatMap((shape) =>
    Array.from({ length: CALLS_PER_SHAPE }, (): StreamPlan => ({
      shape,
      startMs: below(START_WITHIN_MS),
      items: below(40),
      longBytes: 9_000 + below(30_000),
      options: {
        timeoutMs: TIMEOUT_MS,
        streamWindow: 1 + below(12),
        requestWindow: 1 + below(12),
      },
    }))
  );
  const stopMs = random() < 0.2 ? 500 + below(2_500) : undefined;
  const silentFromMs = random() < 0.2 ? below(2_000) : Infinity;
  using kit = new RpcKit(seed);
  const { clock } = kit;
  const [server, caller] = [await kit.node(1), await kit.node(2)];
  await kit.connect(caller, server);
  const faults: string[] = [];
  serveStreams(server.rpc, faults);
  kit.mesh.network.conditions = { lossRate: 0.05, duplicateRate: 0.02, delayMs: 50, jitterMs: 60 };
  const startedAt = clock.now();
  kit.mesh.network.filter = () => {
    const silentMs = clock.now() - startedAt - silentFromMs;
    return !(silentMs >= 0 && silentMs < 3_000);
  };
  const failed: Record<string, number> = {};
  let whole = 0;
  let ended = 0;
  for (const plan of plans) {
    clock.after(plan.startMs, () => {
      runStream(caller.rpc.client, server.nodeId, plan).then((fault) => {
        whole += 1;
        if (fault !== undefined) faults.push(`${plan.shape}: ${fault}`);
      }, (error: unknown) => {
        if (error instanceof RpcError) failed[error.kind] = (failed[error.kind] ?? 0) + 1;
        else faults.push(`${plan.shape}: ${error}`);
      }).finally(() => ended += 1);
    });
  }
  if (stopMs !== undefined) {
    clock.after(stopMs, () => {
      void server.rpc.stop();
      server.node.transport.stop();
    });
  }
  await clock.advance(START_WITHIN_MS + TIMEOUT_MS);
  if (ended !== plans.length) faults.push(`${plans.length - ended} calls never ended`);
  const { pending } = caller.rpc.client.counters;
  if (pending !== 0) faults.push(`${pending} calls are still pending`);
  return { whole, failed, faults };
}

/** Bytes of one item: its number, then as many as its place says. */
function itemOf(plan: Pick<StreamPlan, "longBytes">, number: number): Uint8Array {
  const item = new Uint8Array(4 + (number % 7 === 6 ? plan.longBytes : number % 50)).fill(number);
  new DataView(item.buffer).setUint32(0, number, true);
  return item;
}

function numberOf(item: Uint8Array): number {
  return new DataView(item.buffer, item.byteOffset).getUint32(0, true);
}

function serveStreams(rpc: Rpc, faults: string[]): void {
  rpc.serveStream("download", async function* (body) {
    const view = new DataView(body.buffer, body.byteOffset);
    const plan = { longBytes: view.getUint32(4, true) };
    for (let number = 0; number < view.getUint32(0, true); number++) yield itemOf(plan, number);
  });
  rpc.serveClientStream("upload", async (items) => {
    let count = 0;
    for await (const item of items) {
      if (numberOf(item) !== count) faults.push(`upload: ${numberOf(item)} came in place ${count}`);
      count += 1;
    }
    const answer = new Uint8Array(4);
    new DataView(answer.buffer).setUint32(0, count, true);
    return answer;
  });
  rpc.serveDuplex("mirror", async function* (items) {
    for await (const item of items) yield item;
  });
}

/** What is wrong with a call that ended well; throws what it failed with. */
async function runStream(
  client: RpcClient,
  target: bigint,
  plan: StreamPlan,
): Promise<string | undefined> {
  const { shape, items, longBytes, options } = plan;
  if (shape === "download") {
    const body = new Uint8Array(8);
    const view = new DataView(body.buffer);
    view.setUint32(0, items, true);
    view.setUint32(4, longBytes, true);
    return await readAll(await client.callStream(target, shape, body, options), plan);
  }
  if (shape === "upload") {
    const call = await client.callClientStream(target, shape, options);
    for (let number = 0; number < items; number++) await call.send(itemOf(plan, number));
    const count = numberOf(await call.finish());
    return count === items ? undefined : `${count} of ${items} items came`;
  }
  const { requests, responses } = await client.callDuplex(target, shape, options);
  const sending = (async () => {
    for (let number = 0; number < items; number++) await requests.send(itemOf(plan, number));
    await requests.finish();
  })();
  // Both halves fail together; the error of one is enough.
  sending.catch(() => {});
  const fault = await readAll(responses, plan);
  await sending;
  return fault;
}

/** Reads to the end; an item out of its place is a fault even if the call fails later. */
async function readAll(
  responses: AsyncIterable<Uint8Array>,
  plan: StreamPlan,
): Promise<string | undefined> {
  let count = 0;
  let fault: string | undefined;
  for await (const item of responses) {
    const wanted = itemOf(plan, count);
    if (item.length !== wanted.length || !item.every((byte, at) => byte === wanted[at])) {
      fault ??= `item ${count} is another`;
    }
    count += 1;
  }
  return fault ?? (count === plan.items ? undefined : `${count} of ${plan.items} items came`);
}
