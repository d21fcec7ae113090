import assert from "node:assert/strict";
import { NetError, utf8 } from "../../../src/base/mod.ts";
import { sendPages } from "../../../src/control/node/bus_pages.ts";
import { BusError, decodeCursor, encodeCursor, type PollResponse } from "../../../src/log/mod.ts";
import { ManualClock } from "../../sim/manual_clock.ts";

type Row = Record<string, unknown>;

const PAGE: PollResponse = {
  events: [],
  nextId: undefined,
  hasMore: false,
  isCutAtShardCap: false,
  stalledShards: [],
  failedShards: [],
  missed: [],
};
const ASK = { cursor: undefined, limit: Infinity, isFollowing: false };

const eventOf = (seq: number) => ({
  id: String(seq),
  raw: utf8(`{"n":${seq}}`),
  insertionTs: BigInt(seq),
  shard: 0,
});
const cursorOf = (id: number) => encodeCursor(new Map([[0, String(id)]]));

/** A bus whose polls are answered one after the other; later ones with nothing. */
function answering(...answers: readonly (Partial<PollResponse> | Error)[]) {
  const left = [...answers];
  const asked: (string | undefined)[] = [];
  const told: Row[] = [];
  const clock = new ManualClock();
  const caller = new AbortController();
  const reader = {
    bus: {
      poll: ({ fromId }: { readonly fromId?: string }) => {
        asked.push(fromId);
        const answer = left.shift() ?? {};
        if (answer instanceof Error) return Promise.reject(answer);
        return Promise.resolve({ ...PAGE, nextId: fromId, ...answer });
      },
    },
    clock,
    signal: caller.signal,
    context: { send: (data: object) => Promise.resolve(void told.push(data as Row)) },
  };
  return { reader, asked, told, clock, caller };
}

Deno.test("sendPages() goes to the end, and tells what is missing", async () => {
  const { reader, asked, told } = answering(
    { events: [eventOf(3), eventOf(4)], nextId: cursorOf(4), hasMore: true },
    { events: [eventOf(7)], nextId: cursorOf(7), missed: [{ shard: 0, events: 2n }] },
  );
  const result = await sendPages(reader, ASK);
  assert.deepEqual(result, { events: 3, next: cursorOf(7), has_more: false });
  assert.deepEqual(asked, [undefined, cursorOf(4)]);
  assert.deepEqual(told.map((report) => Object.keys(report)), [
    ["polling"],
    ["items", "cursor"],
    ["missed", "failed"],
    ["items", "cursor"],
  ]);
  assert.deepEqual(told[2]?.missed, [{ shard: 0, events: 2 }]);
});

Deno.test("sendPages() passes over an event that can't be read, and tells of it", async () => {
  const failedShards = [{ shard: 0, error: "event 5 is damaged", damagedId: "5" }];
  const { reader, asked, told } = answering(
    { events: [eventOf(4)], nextId: cursorOf(4), hasMore: true },
    { nextId: cursorOf(4), failedShards },
    { events: [eventOf(6)], nextId: cursorOf(6) },
  );
  const result = await sendPages(reader, ASK);
  assert.deepEqual(result, { events: 2, next: cursorOf(6), has_more: false });
  assert.deepEqual(asked.slice(1).map((text) => decodeCursor(text ?? "").get(0)), ["4", "5"]);
  assert.deepEqual(told.find(({ missed }) => missed !== undefined), {
    missed: [{ shard: 0, events: 1 }],
    failed: [],
  });
});

Deno.test("sendPages() waits for an engine that is away while it follows, and tells once", async () => {
  const away = () => new BusError("transient", "Cannot reach it");
  const failedShards = [{ shard: 1, error: "no leader" }];
  const { reader, told, clock } = answering(
    away(),
    away(),
    { failedShards },
    { failedShards },
    { events: [eventOf(0)], nextId: cursorOf(0) },
  );
  let result: object | undefined;
  void sendPages(reader, { ...ASK, limit: 1, isFollowing: true }).then((ended) => result = ended);
  assert.ok(await clock.advanceUntil(() => result !== undefined, 10_000));
  assert.deepEqual(result, { events: 1, next: cursorOf(0), has_more: false });
  assert.deepEqual(told.map(({ away, failed, items }) => [away, failed, (items as [])?.length]), [
    [undefined, undefined, undefined],
    ["Cannot reach it", undefined, undefined],
    [undefined, failedShards, undefined],
    [undefined, undefined, 1],
  ]);
  const impatient = answering(away());
  await assert.rejects(
    sendPages(impatient.reader, ASK),
    (error) => error instanceof NetError && error.code === "unreachable",
  );
  const fatal = answering(new BusError("fatal", "no"));
  await assert.rejects(sendPages(fatal.reader, { ...ASK, isFollowing: true }), /no/);
});

Deno.test("sendPages() polls ever less often while nothing comes, and ends with its caller", async () => {
  const { reader, asked, clock, caller } = answering();
  const ended = assert.rejects(sendPages(reader, { ...ASK, isFollowing: true }), /left/);
  await clock.advance(1_000);
  assert.ok(asked.length > 8 && asked.length < 20, `${asked.length} polls`);
  caller.abort(new Error("left"));
  await ended;
});
