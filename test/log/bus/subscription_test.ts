import assert from "node:assert/strict";
import {
  type PollRequest,
  type PollResponse,
  RedisStreamDedup,
  subscribe,
} from "../../../src/log/mod.ts";
import { ManualClock } from "../../sim/manual_clock.ts";
import { createTestBus, numbered, numbersOf, within } from "./bus_kit.ts";

const EMPTY: PollResponse = {
  events: [],
  nextId: undefined,
  hasMore: false,
  isCutAtShardCap: false,
  stalledShards: [],
  failedShards: [],
  missed: [],
};

Deno.test("a subscription gives events as they come, and another goes on from its cursor", async () => {
  const { bus, clock } = await createTestBus({ shards: 3 });
  const subscription = subscribe(bus, { clock, limit: 7 });
  const got: number[] = [];
  const reading = (async () => {
    for await (const event of subscription) {
      got.push(...numbersOf([event]));
      if (got.length === 60) break;
    }
  })();
  for (let turn = 0; turn < 3; turn++) {
    bus.ingestRawBatch(numbered(turn * 20, turn * 20 + 20));
    await clock.advance(200);
  }
  await within(clock, reading);
  assert.deepEqual([...got].sort((a, b) => a - b), Array.from({ length: 60 }, (_, i) => i));
  bus.ingestRawBatch(numbered(60, 61));
  await within(clock, bus.flush());
  const rest: number[] = [];
  for await (const event of subscribe(bus, { clock, fromId: subscription.cursor })) {
    rest.push(...numbersOf([event]));
    if (rest.includes(60)) break;
  }
  // The page in which the first reader left comes again.
  assert.ok(rest.length <= 8);
  await within(clock, bus.shutdown());
});

Deno.test("a subscription with dedup leaves out events that were written twice", async () => {
  const clock = new ManualClock();
  const event = (id: number, dedupId: string) => ({
    id: `${id}-0`,
    raw: new Uint8Array([id]),
    insertionTs: BigInt(id),
    shard: 0,
    dedupId,
  });
  const pages = [[event(1, "a"), event(2, "b")], [event(3, "a")], [event(4, "b"), event(5, "c")]];
  const poll = () => {
    const events = pages.shift() ?? [];
    return Promise.resolve({ ...EMPTY, events, nextId: events.at(-1)?.id, hasMore: true });
  };
  const got: string[] = [];
  for await (const { id } of subscribe({ poll }, { clock, dedup: new RedisStreamDedup() })) {
    got.push(id);
    if (got.length === 3) break;
  }
  assert.deepEqual(got, ["1-0", "2-0", "5-0"]);
});

Deno.test("pauses grow from 5 to 100 ms while nothing comes, and begin anew when something does", async () => {
  const clock = new ManualClock();
  const asked: number[] = [];
  const requests: PollRequest[] = [];
  const controller = new AbortController();
  const event = { id: "0", raw: new Uint8Array(), insertionTs: 1n, shard: 0 };
  const poll = (request: PollRequest) => {
    asked.push(clock.now());
    requests.push(request);
    return Promise.resolve(asked.length === 9 ? { ...EMPTY, events: [event], nextId: "x" } : EMPTY);
  };
  const reading = (async () => {
    for await (const _ of subscribe({ poll }, { clock, signal: controller.signal }));
  })();
  await clock.advance(600);
  controller.abort();
  await reading;
  const pauses = asked.slice(1).map((at, i) => at - (asked[i] ?? 0));
  assert.deepEqual(pauses.slice(0, 11), [5, 10, 20, 40, 80, 100, 100, 100, 5, 5, 10]);
  assert.equal(requests[0]?.limit, 100);
  assert.equal(requests[9]?.fromId, "x");
});

Deno.test("a failed shard ends a subscription with an error unless somebody wants to know", async () => {
  const clock = new ManualClock();
  const poll = () => Promise.resolve({ ...EMPTY, failedShards: [{ shard: 1, error: "told so" }] });
  const [reader] = [subscribe({ poll }, { clock })[Symbol.asyncIterator]()];
  await assert.rejects(reader?.next() ?? Promise.resolve(), /told so/);
  const pages: PollResponse[] = [];
  const controller = new AbortController();
  const reading = (async () => {
    const options = {
      clock,
      signal: controller.signal,
      onTrouble: (p: PollResponse) => pages.push(p),
    };
    for await (const _ of subscribe({ poll }, options));
  })();
  await clock.advance(20);
  controller.abort();
  await reading;
  assert.ok(pages.length >= 2);
});
