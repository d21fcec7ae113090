import assert from "node:assert/strict";
import { NetError } from "../../../src/base/mod.ts";
import {
  type FailurePolicy,
  FanOut,
  PublishTally,
  requireChannelId,
  Roster,
  type SubscriberLink,
} from "../../../src/channel/mod.ts";

const channel = requireChannelId("room/a");

/** A subscriber that has room for so many events now, and for all in the end. */
class FakeLink implements SubscriberLink {
  readonly got: number[] = [];
  waits = 0;

  constructor(readonly isPatient: boolean, public room: number, readonly failure?: NetError) {}

  trySend(events: readonly Uint8Array[], start: number): number {
    if (this.failure !== undefined) throw this.failure;
    const taken = Math.min(Math.max(0, this.room), events.length - start);
    if (taken > 0) this.room -= taken;
    for (const event of events.slice(start, start + taken)) this.got.push(event[0] ?? -1);
    return taken;
  }

  async send(events: readonly Uint8Array[], start: number): Promise<void> {
    this.waits += 1;
    await Promise.resolve();
    if (this.room < 0) throw new NetError("backpressure", "no room");
    for (const event of events.slice(start)) this.got.push(event[0] ?? -1);
  }
}

function setUp(
  links: ReadonlyMap<bigint, FakeLink>,
  groupOf: (peer: bigint) => string | undefined,
) {
  const roster = new Roster<SubscriberLink>();
  for (const peer of links.keys()) {
    roster.add({ channel, peer, queueGroup: groupOf(peer), standing: undefined }, 0);
  }
  const fallen: bigint[] = [];
  const barred = new Set<bigint>();
  const fanOut = new FanOut({
    isEntitled: (_, { peer }) => !barred.has(peer),
    linkOf: ({ peer }) => links.get(peer) ?? assert.fail(),
    onFallen: ({ peer }) => fallen.push(peer),
  });
  const send = async (count: number, policy: FailurePolicy = "collect", inflightMax = 32) => {
    const tally = new PublishTally();
    const events = Array.from({ length: count }, (_, i) => new Uint8Array([i]));
    const list = roster.get("room/a");
    if (list !== undefined) await fanOut.send(list, events, tally, { policy, inflightMax });
    return tally;
  };
  return { send, fallen, barred };
}

const everything = () => undefined;

Deno.test("FanOut.send() sends every event to all that take everything", async () => {
  const links = new Map([1n, 2n].map((peer) => [peer, new FakeLink(false, 100)]));
  const tally = await setUp(links, everything).send(3);
  for (const { got } of links.values()) assert.deepEqual(got, [0, 1, 2]);
  assert.deepEqual([tally.attempted, tally.delivered, tally.errors], [6, 6, []]);
});

Deno.test("FanOut.send() gives each event to one member of a group, in turn", async () => {
  const links = new Map([1n, 2n, 3n].map((peer) => [peer, new FakeLink(false, 100)]));
  const { send } = setUp(links, () => "g");
  const tally = await send(4);
  await send(2);
  assert.deepEqual([...links.values()].map(({ got }) => got), [[0, 3], [1, 0], [2, 1]]);
  assert.deepEqual([tally.attempted, tally.delivered], [4, 4]);
});

Deno.test("FanOut.send() passes over a member without room, and one that can't be reached", async () => {
  const links = new Map([
    [1n, new FakeLink(false, 0)],
    [2n, new FakeLink(false, 100, new NetError("unreachable", "gone"))],
    [3n, new FakeLink(false, 100)],
  ]);
  const tally = await setUp(links, () => "g").send(2);
  assert.deepEqual(links.get(3n)?.got, [0, 1]);
  assert.deepEqual([tally.attempted, tally.delivered, tally.errors], [2, 2, []]);
});

Deno.test("FanOut.send() reports a member of which nobody of the group has room", async () => {
  const links = new Map([[1n, new FakeLink(false, 0)], [2n, new FakeLink(true, 0)]]);
  const { send } = setUp(links, () => "g");
  const tally = await send(1);
  // The one that can be waited for is.
  assert.deepEqual([tally.attempted, tally.delivered, links.get(2n)?.got], [1, 1, [0]]);
  const unreliable = new Map([[1n, new FakeLink(false, 0)]]);
  const refused = await setUp(unreliable, () => "g").send(1);
  assert.deepEqual([refused.attempted, refused.delivered], [1, 0]);
  assert.equal(refused.errors[0]?.code, "backpressure");
});

Deno.test("FanOut.send() drops the rest for an unreliable subscriber and says so", async () => {
  const links = new Map([[1n, new FakeLink(false, 2)], [2n, new FakeLink(true, 2)]]);
  const tally = await setUp(links, everything).send(5);
  assert.deepEqual(links.get(1n)?.got, [0, 1]);
  assert.deepEqual(links.get(2n)?.got, [0, 1, 2, 3, 4]);
  assert.deepEqual([tally.attempted, tally.delivered], [10, 7]);
  assert.deepEqual(tally.errors.map(({ peer, code }) => [peer, code]), [[1n, "backpressure"]]);
});

Deno.test("FanOut.send() waits for no more subscribers at a time than it may", async () => {
  const links = new Map(
    Array.from({ length: 10 }, (_, i) => [BigInt(i), new FakeLink(true, i === 3 ? -1 : 0)]),
  );
  const { send } = setUp(links, everything);
  const tally = await send(1, "collect", 2);
  assert.deepEqual([tally.attempted, tally.delivered, tally.errors.length], [10, 9, 1]);
});

Deno.test("FanOut.send() ends with the first failure where it shall", async () => {
  const links = new Map(
    [1n, 2n, 3n].map((
      peer,
    ) => [
      peer,
      new FakeLink(false, 1, peer === 2n ? new NetError("unreachable", "gone") : undefined),
    ]),
  );
  const tally = await setUp(links, everything).send(1, "fail_fast");
  assert.deepEqual([tally.attempted, tally.delivered], [2, 1]);
  assert.throws(
    () => tally.finish("fail_fast", "room/a"),
    (error: unknown) => error instanceof NetError && error.code === "unreachable",
  );
});

Deno.test("FanOut.send() leaves out who is no longer entitled, and tells", async () => {
  const links = new Map([1n, 2n].map((peer) => [peer, new FakeLink(false, 100)]));
  const { send, fallen, barred } = setUp(links, everything);
  barred.add(1n);
  const tally = await send(2);
  assert.deepEqual([tally.attempted, tally.delivered, fallen], [2, 2, [1n]]);
});

Deno.test("PublishTally.finish() fails for best effort only when nobody was reached", () => {
  const none = new PublishTally();
  assert.deepEqual(none.finish("best_effort", "a").attempted, 0);
  const some = new PublishTally();
  some.attempted = 2;
  some.delivered = 1;
  some.fail(7n, "unreachable", "gone");
  assert.equal(some.finish("best_effort", "a").errors.length, 1);
  some.delivered = 0;
  assert.throws(() => some.finish("best_effort", "a"), NetError);
  assert.equal(some.finish("collect", "a").errors.length, 1);
});
