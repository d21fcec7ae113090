/** Services of ours that `bench/rpc.ts` measures, and loads of calls with streams in them. */
import { pause } from "../src/base/mod.ts";
import type { Rpc } from "../src/rpc/mod.ts";
import { type ItemFigures, itemFigures, type ItemLoad } from "./_call_load.ts";

/** Far longer than a call takes to arrive; the first one opens its way. */
const AHEAD_MS = 20;
const EMPTY = new Uint8Array(0);

/** Serves everything that is measured. */
export function serveBenchmarks(rpc: Rpc): void {
  let onCancel = () => {};
  rpc.serve("echo", (body) => body);
  rpc.serve("drop", () => EMPTY);
  rpc.serveStream("count", sendItems);
  rpc.serveClientStream("drain", countItems);
  rpc.serveDuplex("mirror", (items) => items);
  rpc.serveStream("flow", async function* (_body, { signal }) {
    signal.addEventListener("abort", () => onCancel());
    const item = new Uint8Array(64);
    while (!signal.aborted) {
      yield item;
      await null;
    }
  });
  rpc.serve("cancelled", () => new Promise((resolve) => onCancel = () => resolve(EMPTY)));
}

/** Body: how many items, and of what size. */
function* sendItems(body: Uint8Array): Generator<Uint8Array> {
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  const item = new Uint8Array(view.getUint32(4, true));
  for (let left = view.getUint32(0, true); left > 0; left--) yield item;
}

async function countItems(items: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  let count = 0;
  for await (const _ of items) count += 1;
  const answer = new DataView(new ArrayBuffer(4));
  answer.setUint32(0, count, true);
  return new Uint8Array(answer.buffer);
}

/** Items of one server stream, from the call to its end. */
export async function receiveItems(
  rpc: Rpc,
  target: bigint,
  { count, bodyBytes }: ItemLoad,
): Promise<ItemFigures> {
  const request = new DataView(new ArrayBuffer(8));
  request.setUint32(0, count, true);
  request.setUint32(4, bodyBytes, true);
  const startMs = performance.now();
  const responses = await rpc.callStream("count", new Uint8Array(request.buffer), { target });
  let items = 0;
  while (await responses.read() !== undefined) items += 1;
  return itemFigures(items, count, startMs);
}

/** Items of one upload, from the call to its answer. */
export async function uploadItems(
  rpc: Rpc,
  target: bigint,
  { count, bodyBytes }: ItemLoad,
): Promise<ItemFigures> {
  const item = new Uint8Array(bodyBytes);
  const startMs = performance.now();
  const call = await rpc.callClientStream("drain", { target });
  for (let sent = 0; sent < count; sent++) await call.send(item);
  const answer = await call.finish();
  const taken = new DataView(answer.buffer, answer.byteOffset).getUint32(0, true);
  return itemFigures(taken, count, startMs);
}

/** Round trips over one duplex call, one after the other. */
export async function bounceItems(
  rpc: Rpc,
  target: bigint,
  { count, bodyBytes }: ItemLoad,
): Promise<ItemFigures> {
  const item = new Uint8Array(bodyBytes);
  const { requests, responses } = await rpc.callDuplex("mirror", { target });
  const startMs = performance.now();
  let items = 0;
  for (; items < count; items++) {
    await requests.send(item);
    if (await responses.read() === undefined) break;
  }
  const figures = itemFigures(items, count, startMs);
  await requests.finish();
  return figures;
}

/** Microseconds of cancels, and of unary calls made after the same silence; both sorted. */
export interface CancelTimes {
  readonly cancels: number[];
  readonly calls: number[];
}

/**
 * Cancels streams in the middle. A unary call that the handler's signal answers brings the word of it back, so one
 * round trip is in each of these times.
 */
export async function measureCancels(
  rpc: Rpc,
  target: bigint,
  count: number,
): Promise<CancelTimes> {
  const times: CancelTimes = { cancels: [], calls: [] };
  const time = async (into: number[], run: () => Promise<unknown>) => {
    const startMs = performance.now();
    await run();
    into.push(1000 * (performance.now() - startMs));
  };
  for (let done = 0; done < count; done++) {
    const responses = await rpc.callStream("flow", EMPTY, { target });
    await responses.read();
    const heard = rpc.call("cancelled", EMPTY, { target });
    // The call goes another way than the cancel, and has to be there first.
    await pause(AHEAD_MS);
    await time(times.cancels, () => {
      responses.cancel();
      return heard;
    });
    await pause(AHEAD_MS);
    await time(times.calls, () => rpc.call("echo", EMPTY, { target }));
  }
  times.cancels.sort((a, b) => a - b);
  times.calls.sort((a, b) => a - b);
  return times;
}
